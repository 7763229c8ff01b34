//! The relay: what a catalog's store wrote of its own changes goes to `weir.catalog`, at least once, in order for one
//! event.

use std::sync::Arc;

use booking_core::{
    capture,
    ports::{
        changes::CatalogChanges,
        log::{Topic, lane_of},
    },
    time::Timestamp,
};

use crate::{Error, Gauges, Parts, Progress, Settings};

/// Publishes a catalog's changes.
pub struct Relay {
    parts: Parts,
    changes: Arc<dyn CatalogChanges>,
    gauges: Arc<Gauges>,
    at_once: usize,
}

impl Relay {
    /// A relay that goes on where the catalog says; `None` where something else publishes its changes.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>) -> Option<Self> {
        let changes = parts.changes.clone()?;
        Some(Self { parts, changes, gauges, at_once: settings.batch })
    }

    /// Publishes up to a batch of changes.
    ///
    /// # Errors
    /// If the catalog or the log fails; what was published then is published again.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let changes = self.changes.changes(self.at_once).await?;
        if changes.is_empty() {
            return Ok(Progress::Idle);
        }
        let log = &*self.parts.log;
        let lanes = log.lanes(&Topic::Catalog).await?;
        let mut published = Vec::with_capacity(changes.len());
        for (number, change) in changes {
            let lane = lane_of(change.event_id.as_str(), lanes);
            log.append(&Topic::Catalog, lane, capture::write(&change, now)).await?;
            published.push(number);
        }
        self.changes.changes_published(&published).await?;
        self.gauges.published_total.add(published.len());
        Ok(Progress::Did(published.len()))
    }
}
