//! The indexer: change records of a lane are applied to the index in order, and it is noted how far that got only once
//! the index has them.
//!
//! Which records an index has is noted under the index's own id, so one that was made anew gets all of them. What can't
//! be read, or is of a venue that is unknown, is put into `weir.dead-letters` with the reason, and the lane goes on.

use std::{sync::Arc, time::Duration};

use booking_core::{
    capture::{self, Captured, CatalogChange, DeadLetter},
    message,
    ports::log::{Entry, Lane, Topic},
    search::{Change, Document, What},
    time::Timestamp,
};

use crate::{Error, Gauges, Parts, Progress, Settings};

/// How often it is asked which index is searched: another may have taken its place.
pub(crate) const ASKED_EVERY_MS: i64 = 1_000;

/// Keeps an index by one lane of `weir.catalog`.
pub struct Indexer {
    parts: Parts,
    gauges: Arc<Gauges>,
    lane: Lane,
    at_once: usize,
    patience: Duration,
    /// Where it is; nowhere until it has begun.
    begun: Option<Begun>,
}

#[derive(Debug, Clone)]
struct Begun {
    /// Under which name it notes how far it got.
    group: String,
    /// The next offset.
    next: u64,
    /// When the index was asked which one it is.
    asked_at: Timestamp,
}

impl Indexer {
    /// An indexer that goes on where this index is.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>, lane: Lane) -> Self {
        let patience = Duration::from_millis(settings.patience_ms);
        Self { parts, gauges, lane, at_once: settings.batch, patience, begun: None }
    }

    /// Applies up to a batch of records.
    ///
    /// # Errors
    /// If the log, the catalog or the index fails; what was applied then is applied again.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let done = self.apply(now).await;
        if done.is_err() {
            // It may be another index by now.
            self.begun = None;
        }
        done
    }

    async fn apply(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let Begun { group, next, asked_at } = self.begin(now).await?;
        let log = Arc::clone(&self.parts.log);
        let entries = log.read(&Topic::Catalog, self.lane, next, self.at_once, self.patience).await?;
        let Some(last) = entries.last() else {
            self.gauges.waiting.set(0);
            return Ok(Progress::Idle);
        };
        let behind = last.offset + 1;
        let (mut changes, mut latest) = (Vec::with_capacity(entries.len()), None);
        for entry in &entries {
            match self.change(entry).await? {
                Ok(Some((at, change))) => {
                    latest = latest.max(Some(at));
                    changes.push(change);
                }
                Ok(None) => {}
                Err(reason) => self.bury(entry, reason, now).await?,
            }
        }
        let news = self.parts.index.apply(&changes).await?;
        log.commit(&group, &Topic::Catalog, self.lane, behind).await?;
        self.begun = Some(Begun { group, next: behind, asked_at });
        self.measure(entries.len(), news, latest, behind).await?;
        Ok(Progress::of(entries.len()))
    }

    /// Where it goes on. What was applied since another index took the place of this one may be in either of them: it
    /// goes on from where whoever filled that one was, not from where it was itself.
    async fn begin(&mut self, now: Timestamp) -> Result<Begun, Error> {
        if let Some(begun) = &self.begun
            && (0..ASKED_EVERY_MS).contains(&now.millis_since(begun.asked_at))
        {
            return Ok(begun.clone());
        }
        let group = format!("index.{}", self.parts.index.id().await?);
        let next = match &self.begun {
            Some(begun) if begun.group == group => begun.next,
            _ => self.parts.log.committed(&group, &Topic::Catalog, self.lane).await?,
        };
        Ok(self.begun.insert(Begun { group, next, asked_at: now }).clone())
    }

    /// What an entry changes in the index, and when that was made; or why that is not known.
    async fn change(&self, entry: &Entry) -> Result<Result<Option<(Timestamp, Change)>, String>, Error> {
        let CatalogChange { version, at, event_id, event } = match capture::read(&entry.payload) {
            Ok(Captured::Event(change)) => *change,
            Ok(Captured::Other) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let what = match event {
            None => What::Gone,
            Some(event) => match self.parts.catalog.venue(&event.venue_id).await? {
                Some(venue) => What::Is(Box::new(Document::of(&event, &venue))),
                None => return Ok(Err(format!("there is no venue {}", event.venue_id))),
            },
        };
        Ok(Ok(Some((at, Change { event_id, version, what }))))
    }

    /// Keeps a record that nothing can be done with.
    async fn bury(&self, entry: &Entry, reason: String, now: Timestamp) -> Result<(), Error> {
        tracing::warn!(lane = self.lane, offset = entry.offset, reason, "a change record can't be indexed");
        let letter = DeadLetter {
            topic: Topic::Catalog.to_string(),
            lane: self.lane,
            offset: entry.offset,
            at: now,
            reason,
            record: DeadLetter::kept(&entry.payload),
        };
        self.parts.log.append(&Topic::DeadLetters, 0, message::encode(&letter)).await?;
        self.gauges.dead_total.add(1);
        Ok(())
    }

    async fn measure(&self, read: usize, news: usize, latest: Option<Timestamp>, behind: u64) -> Result<(), Error> {
        let gauges = &self.gauges;
        gauges.read_total.add(read);
        gauges.news_total.add(news);
        if let Some(latest) = latest {
            let lag_ms = self.parts.clock.now().millis_since(latest);
            gauges.lag_ms.set(u64::try_from(lag_ms).unwrap_or(0));
        }
        let ends = self.parts.log.ends(&Topic::Catalog).await?;
        let end = ends.get(usize::from(self.lane)).copied().unwrap_or(behind);
        gauges.waiting.set(end.saturating_sub(behind));
        Ok(())
    }
}
