//! How many seats are left, for whoever searches: whatever the sale's speed, one write a second for each event.
//!
//! `weir.seats` says only that something changed; how many are left is asked of the ledger, which has the last word. What
//! is missed while nobody looks is made good when it begins, and when it is another index: every event to come is looked
//! at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use booking_core::{
    booking::SeatChanges,
    id::EventId,
    message,
    ports::log::{Lane, Topic},
    search::SeatsLeft,
    time::Timestamp,
};

use crate::{Error, Gauges, Parts, Progress, Settings, indexer::ASKED_EVERY_MS};

/// Records of `weir.seats` read at once.
const READ: usize = 1_000;
/// Events that are looked at in one step.
const AT_ONCE: usize = 64;
/// The most events that wait to be looked at; what comes then is looked at after its next change.
const MAX_WAITING: usize = 100_000;
/// Events listed at once, where it begins.
const LISTED: usize = 256;

/// Notes how many seats are left.
pub struct Seats {
    parts: Parts,
    gauges: Arc<Gauges>,
    every_ms: i64,
    /// The next offset of each lane of `weir.seats`; none until it has begun.
    next: Vec<u64>,
    waiting: BTreeSet<EventId>,
    /// Whether every event to come was looked at, and the last that was.
    is_through: bool,
    listed: Option<(Timestamp, EventId)>,
    noted_at: Option<Timestamp>,
    /// Which index it notes in, and when it was asked which one that is.
    index: Option<(String, Timestamp)>,
}

impl Seats {
    /// Notes what changes from now on, and looks once at every event to come.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>) -> Self {
        let every_ms = i64::try_from(settings.seats_every_ms).unwrap_or(i64::MAX);
        Self {
            parts,
            gauges,
            every_ms,
            next: Vec::new(),
            waiting: BTreeSet::new(),
            is_through: false,
            listed: None,
            noted_at: None,
            index: None,
        }
    }

    /// Whether every event to come was looked at, and nothing waits.
    pub(crate) fn is_through(&self) -> bool {
        self.is_through && self.waiting.is_empty()
    }

    /// Reads what changed, and notes it if the time has come.
    ///
    /// # Errors
    /// If the log, the catalog, the ledger or the index fails; what was not noted then is noted later.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        if self.next.is_empty() {
            self.next = self.parts.log.ends(&Topic::Seats).await?;
        }
        for lane in 0..self.next.len() {
            self.read(lane).await?;
        }
        if self.noted_at.is_some_and(|at| (0..self.every_ms).contains(&now.millis_since(at))) {
            return Ok(Progress::Idle);
        }
        self.ask(now).await?;
        self.list(now).await?;
        self.noted_at = Some(now);
        let some: Vec<EventId> = self.waiting.iter().take(AT_ONCE).cloned().collect();
        let mut left = Vec::with_capacity(some.len());
        for event in &some {
            left.extend(self.left(event).await?);
        }
        if !left.is_empty() {
            self.parts.index.note_seats(&left).await?;
        }
        for event in &some {
            self.waiting.remove(event);
        }
        self.gauges.seats_noted_total.add(left.len());
        Ok(Progress::Idle)
    }

    async fn read(&mut self, lane: usize) -> Result<(), Error> {
        loop {
            let number = Lane::try_from(lane).expect("a topic has a u16 of lanes");
            let page = self.parts.log.read(&Topic::Seats, number, self.next[lane], READ, Duration::ZERO).await?;
            let Some(last) = page.last() else { return Ok(()) };
            self.next[lane] = last.offset + 1;
            for entry in &page {
                // What can't be read is the live maps' to complain of.
                if let Ok(changes) = message::decode::<SeatChanges>(&entry.payload)
                    && self.waiting.len() < MAX_WAITING
                {
                    self.waiting.insert(changes.event_id);
                }
            }
        }
    }

    /// Begins anew where it is another index.
    async fn ask(&mut self, now: Timestamp) -> Result<(), Error> {
        let before = self.index.as_ref();
        if before.is_some_and(|(_, at)| (0..ASKED_EVERY_MS).contains(&now.millis_since(*at))) {
            return Ok(());
        }
        let id = self.parts.index.id().await?;
        if before.is_none_or(|(before, _)| *before != id) {
            (self.is_through, self.listed) = (false, None);
        }
        self.index = Some((id, now));
        Ok(())
    }

    /// Puts the next of the events to come among those that wait.
    async fn list(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.is_through || self.waiting.len() >= AT_ONCE {
            return Ok(());
        }
        let page = self.parts.catalog.events(now, self.listed.clone(), LISTED).await?;
        self.is_through = page.len() < LISTED;
        self.listed = page.last().map(|last| (last.starts_at, last.event_id.clone()));
        self.waiting.extend(page.iter().map(|event| event.event_id.clone()));
        Ok(())
    }

    /// How many seats are left; `None` where nothing was ever sold of it, or it is unknown.
    async fn left(&self, event: &EventId) -> Result<Option<SeatsLeft>, Error> {
        let states = self.parts.ledger.seat_states(event).await?;
        if states.version == 0 {
            return Ok(None);
        }
        let catalog = &self.parts.catalog;
        let Some(found) = catalog.event(event).await? else { return Ok(None) };
        let Some(venue) = catalog.venue(&found.venue_id).await? else { return Ok(None) };
        let left = venue.seat_map.len().saturating_sub(states.taken.len()) as u64;
        Ok(Some(SeatsLeft { event_id: event.clone(), version: states.version, left }))
    }
}
