//! Reading a lane of commands as a consumer group.

use std::{sync::Arc, time::Duration};

use booking_core::{
    message,
    ports::{
        PortResult,
        log::{Entry, Lane, Log, Topic},
    },
};
use serde::de::DeserializeOwned;

use crate::Gauges;

/// A lane as one consumer group reads it: from where the group's last note says, and again what was not noted.
pub(crate) struct GroupLane {
    log: Arc<dyn Log>,
    group: &'static str,
    topic: Topic,
    lane: Lane,
    next: Option<u64>,
}

impl GroupLane {
    pub(crate) fn new(log: Arc<dyn Log>, group: &'static str, topic: Topic, lane: Lane) -> Self {
        Self { log, group, topic, lane, next: None }
    }

    /// Where the group goes on.
    pub(crate) async fn next(&mut self) -> PortResult<u64> {
        if let Some(next) = self.next {
            return Ok(next);
        }
        let next = self.log.committed(self.group, &self.topic, self.lane).await?;
        self.next = Some(next);
        Ok(next)
    }

    /// Up to `max` entries that are not done. The same again until they are.
    pub(crate) async fn take(&mut self, max: usize, patience: Duration) -> PortResult<Vec<Entry>> {
        let from = self.next().await?;
        self.read(from, max, patience).await
    }

    /// Up to `max` entries from `from` on.
    pub(crate) async fn read(&self, from: u64, max: usize, patience: Duration) -> PortResult<Vec<Entry>> {
        self.log.read(&self.topic, self.lane, from, max, patience).await
    }

    /// How many entries there are from `from` on.
    pub(crate) async fn waiting(&self, from: u64) -> PortResult<u64> {
        let ends = self.log.ends(&self.topic).await?;
        Ok(ends.get(usize::from(self.lane)).map_or(0, |end| end.saturating_sub(from)))
    }

    /// Everything before `next` is done.
    pub(crate) async fn done(&mut self, next: u64) -> PortResult<()> {
        if self.next == Some(next) {
            return Ok(());
        }
        // What is done is done, even if the note of it gets lost: a successor does it again, this one need not.
        self.next = Some(next);
        self.log.commit(self.group, &self.topic, self.lane, next).await
    }
}

/// The message of an entry; `None`, and counted, where it is none that this version knows.
pub(crate) fn message_of<M: DeserializeOwned>(topic: &Topic, entry: &Entry, gauges: &Gauges) -> Option<M> {
    match message::decode(&entry.payload) {
        Ok(message) => Some(message),
        Err(error) => {
            gauges.unreadable_total.add(1);
            tracing::warn!(%topic, offset = entry.offset, %error, "an entry can't be read and is left out");
            None
        }
    }
}
