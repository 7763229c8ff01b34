//! The assignment where there is one worker only.

use std::sync::Arc;

use async_trait::async_trait;
use booking_core::ports::{
    PortResult,
    assignment::Assignment,
    log::{Lane, Log, Topic},
};

/// Every lane of a log, for the only process that serves it.
pub struct SoleWorker(Arc<dyn Log>);

impl SoleWorker {
    /// The lanes of `log`.
    pub fn new(log: Arc<dyn Log>) -> Self {
        Self(log)
    }
}

#[async_trait]
impl Assignment for SoleWorker {
    async fn lanes(&self, topic: &Topic) -> PortResult<Vec<Lane>> {
        Ok((0..self.0.lanes(topic).await?).collect())
    }

    async fn leave(&self) {}
}
