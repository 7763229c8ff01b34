//! The answers to commands, as they come.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use backends::kafka::KafkaLog;
use booking_core::{
    message::{self, Reply},
    ports::log::{Lane, Log as _, Topic, lane_of},
};
use tokio::time::Instant;

use crate::backlog::ASKER;

/// How long nothing may come: a bound against hanging.
const PATIENCE: Duration = Duration::from_mins(2);
const READ_AT_ONCE: usize = 4_096;

/// The answers from a moment on.
pub(super) struct Replies {
    log: KafkaLog,
    lane: Lane,
    next: u64,
}

/// Answers and how fast they came.
pub(super) struct Answered {
    pub(super) replies: Vec<Reply>,
    /// A second, from the first of them to the last.
    pub(super) rate: f64,
}

impl Replies {
    /// From now on.
    pub(super) async fn from_now(log: &KafkaLog) -> Result<Self> {
        let lane = lane_of(ASKER, log.lanes(&Topic::Replies).await?);
        let next = log.ends(&Topic::Replies).await?[usize::from(lane)];
        Ok(Self { log: log.clone(), lane, next })
    }

    /// Waits for the next one.
    pub(super) async fn take_one(&mut self) -> Result<()> {
        loop {
            let page = self.log.read(&Topic::Replies, self.lane, self.next, 1, PATIENCE).await?;
            let [entry] = &page[..] else { bail!("it was not answered") };
            self.next = entry.offset + 1;
            if message::decode::<Reply>(&entry.payload)?.to.gateway == ASKER {
                return Ok(());
            }
        }
    }

    /// Waits for the next `count`, each with the moment it came.
    pub(super) async fn take_each(&mut self, count: usize) -> Result<Vec<(Reply, Instant)>> {
        let mut replies = Vec::with_capacity(count);
        while replies.len() < count {
            let page = self.page().await?;
            let at = Instant::now();
            replies.extend(page.into_iter().map(|reply| (reply, at)));
        }
        Ok(replies)
    }

    /// Waits for the next `count`. What comes with the first of them only starts the clock.
    pub(super) async fn take(&mut self, count: usize) -> Result<Answered> {
        let mut replies: Vec<Reply> = Vec::with_capacity(count);
        let (mut begun, mut before) = (None, 0);
        while replies.len() < count {
            replies.extend(self.page().await?);
            if begun.is_none() && !replies.is_empty() {
                (begun, before) = (Some(Instant::now()), replies.len());
            }
        }
        let rate = begun.map_or(0.0, |begun| super::rate_since(begun, replies.len() - before));
        ensure!(before < replies.len(), "everything was answered at once");
        Ok(Answered { replies, rate })
    }

    /// The next that are there, at least one.
    async fn page(&mut self) -> Result<Vec<Reply>> {
        loop {
            let page = self.log.read(&Topic::Replies, self.lane, self.next, READ_AT_ONCE, PATIENCE).await?;
            let last = page.last().context("no more answers come")?;
            self.next = last.offset + 1;
            let replies = page.iter().map(|entry| Ok(message::decode::<Reply>(&entry.payload)?));
            let ours = replies.filter(|reply| reply.as_ref().map_or(true, |reply| reply.to.gateway == ASKER));
            let ours = ours.collect::<Result<Vec<_>>>()?;
            if !ours.is_empty() {
                return Ok(ours);
            }
        }
    }
}
