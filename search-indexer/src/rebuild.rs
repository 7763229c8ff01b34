//! Making the index anew beside the one that is searched, while searches and changes go on.
//!
//! A draft is filled as any index is: by the change records from the beginning on, and by the ledger. Then what the
//! catalog has and no record told of (a log may have lost its beginning) is put in as version 0, which gives way to every
//! record. Records come first, so that one that is published late never takes the place of what came after it.
//!
//! How far it got in each lane is noted under the draft's own id. So whoever keeps the index finds, at the latest a
//! second after the switch, that it is another, and goes on from there; until then the rebuild does.

use std::{sync::Arc, time::Duration};

use booking_core::{
    id::EventId,
    ports::{
        log::{Lane, Topic},
        search::{DRAFT_LOST_MS, Draft},
    },
    search::{Change, Document, What},
    time::Timestamp,
};
use futures_util::future::try_join_all;

use crate::{Error, Gauges, Parts, Progress, Settings, indexer::Indexer, seats::Seats};

/// How often it says that it is at it, in milliseconds: a few times before that counts as lost.
const KEPT_EVERY_MS: i64 = DRAFT_LOST_MS / 4;
/// Events of the catalog that are looked at in one step.
const LISTED: usize = 256;
/// How long it goes on before the switch, in milliseconds: a log stores where readers are only now and then, and
/// whoever finds nothing stored begins from the beginning.
const SETTLED_MS: i64 = 1_500;
/// How long it goes on after the switch, in milliseconds: searches that began before it end, and whoever keeps the index
/// asks anew which one it is.
const GRACE_MS: i64 = 3_000;

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The change records are applied.
    Changes,
    /// The catalog's events are looked at.
    Events,
    /// It is counted how many seats are left.
    Seats,
    /// It has caught up with the log, and keeps up with it since then.
    CaughtUp(Timestamp),
    /// Searches find what it holds, since then.
    Switched(Timestamp),
    /// It is the index, and the one before is removed.
    Done,
}

/// What a rebuild has come to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Change records that are read.
    pub changes: u64,
    /// Of how many, as of when it began.
    pub changes_in_all: u64,
    /// Events of the catalog that were looked at.
    pub events: u64,
    /// Of those, how many no change record told of.
    pub untold: u64,
    /// Events whose seats left were noted.
    pub seats: u64,
}

/// A rebuild. Dropped before the switch, it leaves what is searched as it was.
pub struct Rebuild {
    parts: Parts,
    draft: Arc<dyn Draft>,
    gauges: Arc<Gauges>,
    at_once: usize,
    indexers: Vec<Indexer>,
    seats: Seats,
    stage: Stage,
    counts: Counts,
    listed: Option<(Timestamp, EventId)>,
    kept_at: Option<Timestamp>,
}

impl Rebuild {
    /// Fills `draft`, whatever index `parts` have.
    ///
    /// # Errors
    /// If the log fails.
    pub async fn new(parts: Parts, draft: Arc<dyn Draft>, settings: &Settings) -> Result<Self, Error> {
        let parts = Parts { index: Arc::clone(&draft) as _, ..parts };
        // It is at work on every lane in turn, and waits for none.
        let settings = Settings { patience_ms: 0, seats_every_ms: 0, ..settings.clone() };
        let gauges = Arc::new(Gauges::default());
        let ends = parts.log.ends(&Topic::Catalog).await?;
        let (mut indexers, mut changes_in_all) = (Vec::with_capacity(ends.len()), 0);
        for (lane, end) in (0..).zip(ends) {
            changes_in_all += end - begin(&parts, lane).await?.unwrap_or(end).min(end);
            indexers.push(Indexer::new(parts.clone(), &settings, Arc::clone(&gauges), lane));
        }
        let seats = Seats::new(parts.clone(), &settings, Arc::clone(&gauges));
        Ok(Self {
            parts,
            draft,
            gauges,
            at_once: settings.batch,
            indexers,
            seats,
            stage: Stage::Changes,
            counts: Counts { changes_in_all, ..Counts::default() },
            listed: None,
            kept_at: None,
        })
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What it has come to so far.
    pub fn counts(&self) -> Counts {
        let gauges = &self.gauges;
        Counts { changes: gauges.read_total.get(), seats: gauges.seats_noted_total.get(), ..self.counts }
    }

    /// Does some of it.
    ///
    /// # Errors
    /// If a port fails: what was done then is done again. `Damaged` of the draft: it is another's turn by now.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let done = self.go_on(now).await;
        if done.is_err() {
            // It may be another's turn by now.
            self.kept_at = None;
        }
        done
    }

    async fn go_on(&mut self, now: Timestamp) -> Result<Progress, Error> {
        if self.stage == Stage::Done {
            return Ok(Progress::Idle);
        }
        self.keep(now).await?;
        let read = self.follow(now).await?;
        // Where changes come all the time there is always one more, and this is as near as anybody gets.
        let is_level = read.iter().all(|read| *read < self.at_once);
        let stage = self.stage;
        let next = match stage {
            Stage::Changes if is_level => Some(Stage::Events),
            Stage::Events if self.look(now).await? => Some(Stage::Seats),
            Stage::Seats => {
                self.seats.step(now).await?;
                self.seats.is_through().then_some(Stage::CaughtUp(now))
            }
            Stage::CaughtUp(since) => {
                self.seats.step(now).await?;
                let is_due = is_level && now.millis_since(since) >= SETTLED_MS && self.seats.is_through();
                if is_due {
                    self.draft.publish().await?;
                }
                is_due.then_some(Stage::Switched(now))
            }
            Stage::Switched(since) => {
                self.seats.step(now).await?;
                let is_due = now.millis_since(since) >= GRACE_MS;
                if is_due {
                    self.draft.end().await?;
                }
                is_due.then_some(Stage::Done)
            }
            Stage::Changes | Stage::Events | Stage::Done => None,
        };
        let waits = matches!(stage, Stage::CaughtUp(_) | Stage::Switched(_)) && next.is_none();
        self.stage = next.unwrap_or(stage);
        Ok(if waits { Progress::of(read.iter().sum()) } else { Progress::Did(1) })
    }

    async fn keep(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.kept_at.is_none_or(|at| !(0..KEPT_EVERY_MS).contains(&now.millis_since(at))) {
            self.draft.keep(now).await?;
            self.kept_at = Some(now);
        }
        Ok(())
    }

    /// Applies the next records of every lane, and answers how many of each.
    async fn follow(&mut self, now: Timestamp) -> Result<Vec<usize>, Error> {
        let steps = try_join_all(self.indexers.iter_mut().map(|indexer| indexer.step(now))).await?;
        let read = |progress| if let Progress::Did(read) = progress { read } else { 0 };
        Ok(steps.into_iter().map(read).collect())
    }

    /// Puts in the next of the catalog's events that no record told of. Whether it has seen all of them.
    async fn look(&mut self, now: Timestamp) -> Result<bool, Error> {
        let first = Timestamp::from_millis(0);
        let events = self.parts.catalog.events(first, self.listed.clone(), LISTED).await?;
        let mut changes = Vec::with_capacity(events.len());
        for event in &events {
            // One of an unknown venue is in the dead letters, or is told of there once its record comes.
            if let Some(venue) = self.parts.catalog.venue(&event.venue_id).await? {
                let what = What::Is(Box::new(Document::of(event, &venue)));
                changes.push(Change { event_id: event.event_id.clone(), version: 0, what });
            }
        }
        // A record of them may have come since they were read: it is applied by the next step, over this.
        self.counts.untold += self.parts.index.apply(&changes).await? as u64;
        self.counts.events += events.len() as u64;
        self.listed = events.last().map(|last| (last.starts_at, last.event_id.clone())).or(self.listed.take());
        self.keep(now).await?;
        Ok(events.len() < LISTED)
    }
}

/// The first offset that a lane still has.
async fn begin(parts: &Parts, lane: Lane) -> Result<Option<u64>, Error> {
    let first = parts.log.read(&Topic::Catalog, lane, 0, 1, Duration::ZERO).await?;
    Ok(first.first().map(|entry| entry.offset))
}
