//! Following the state of lines in the log.

use std::{collections::HashMap, time::Duration};

use booking_core::{
    id::EventId,
    line::state::{Applied, LineState},
    ports::{
        PortError, PortResult,
        log::{Log, Topic},
    },
};

/// Records read at once.
const PAGE: usize = 512;

/// A line's state, folded as far as it was read.
pub(crate) struct Fold {
    /// The state.
    pub(crate) state: LineState,
    topic: Topic,
    next: u64,
}

impl Fold {
    pub(crate) fn new(event: EventId) -> Self {
        Self { topic: Topic::State(event.clone()), state: LineState::new(event), next: 0 }
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Folds everything there is.
    pub(crate) async fn follow(&mut self, log: &dyn Log) -> PortResult<()> {
        while self.page(log, u64::MAX).await?.is_some() {}
        Ok(())
    }

    /// Folds on to the record at `offset`, which was acknowledged, and answers what became of it.
    pub(crate) async fn follow_to(&mut self, log: &dyn Log, offset: u64) -> PortResult<Applied> {
        while let Some(last) = self.page(log, offset).await? {
            if let Some(applied) = last {
                return Ok(applied);
            }
        }
        let reason = format!("{} does not show the record that was acknowledged at {offset}", self.topic);
        Err(PortError::Damaged { port: "log", reason })
    }

    /// Folds a page, no further than `until`. `None`: there is nothing more. `Some(Some(…))`: what became of `until`.
    async fn page(&mut self, log: &dyn Log, until: u64) -> PortResult<Option<Option<Applied>>> {
        let entries = log.read(&self.topic, 0, self.next, PAGE, Duration::ZERO).await?;
        if entries.first().is_none_or(|first| first.offset > until) {
            return Ok(None);
        }
        for entry in entries.into_iter().take_while(|entry| entry.offset <= until) {
            let applied = self.state.apply(&entry.payload);
            self.next = entry.offset + 1;
            if entry.offset == until {
                return Ok(Some(Some(applied)));
            }
        }
        Ok(Some(None))
    }
}

/// The states of the lines that a part needs now and then. At most [`Self::MAX`] at once; with one more, all are
/// forgotten and folded again when they are needed.
#[derive(Default)]
pub(crate) struct Folds(HashMap<EventId, Fold>);

impl Folds {
    const MAX: usize = 1_000;

    /// The state of `event`'s line as it is now.
    pub(crate) async fn now(&mut self, log: &dyn Log, event: &EventId) -> PortResult<&LineState> {
        if self.0.len() >= Self::MAX && !self.0.contains_key(event) {
            self.0.clear();
        }
        let fold = self.0.entry(event.clone()).or_insert_with(|| Fold::new(event.clone()));
        fold.follow(log).await?;
        Ok(&fold.state)
    }
}
