//! The answers to commands, as they come.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
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

    /// Waits for the next `count`. What comes with the first of them only starts the clock.
    pub(super) async fn take(&mut self, count: usize) -> Result<Answered> {
        let mut replies: Vec<Reply> = Vec::with_capacity(count);
        let (mut begun, mut before) = (None, 0);
        while replies.len() < count {
            let page = self.log.read(&Topic::Replies, self.lane, self.next, READ_AT_ONCE, PATIENCE).await?;
            ensure!(!page.is_empty(), "{} of {count} were answered", replies.len());
            for entry in page {
                self.next = entry.offset + 1;
                let reply: Reply = message::decode(&entry.payload)?;
                if reply.to.gateway == ASKER {
                    replies.push(reply);
                }
            }
            if begun.is_none() && !replies.is_empty() {
                (begun, before) = (Some(Instant::now()), replies.len());
            }
        }
        let rate = begun.map_or(0.0, |begun| super::rate_since(begun, replies.len() - before));
        ensure!(before < replies.len(), "everything was answered at once");
        Ok(Answered { replies, rate })
    }
}
