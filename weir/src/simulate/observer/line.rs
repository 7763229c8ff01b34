//! The observer's own reading of the state log, beside the real fold that it is held against.

use std::{collections::VecDeque, time::Duration};

use booking_core::{
    digest::Digest,
    id::EventId,
    line::{
        Place,
        record::{StateKind, StateRecord, hash_of},
        state::LineState,
        verify::{PublicBatch, rank_of},
    },
    ports::log::{Log as _, Topic},
    sale::SalePolicy,
    time::Timestamp,
};

use super::{Broken, Stores, answer};
use crate::simulate::fate::LONGEST_WAIT_MS;

/// How long a gateway may go by what it read before, with a call that waits in between, in milliseconds.
const LAG_MS: i64 = 1_000 + 3 * LONGEST_WAIT_MS;

/// The line as the observer understands it.
pub(super) struct Line {
    topic: Topic,
    next: u64,
    /// The fold that everybody uses.
    pub(super) real: LineState,
    /// The accepted records' exact texts.
    pub(super) texts: Vec<Vec<u8>>,
    head: Digest,
    epoch: u64,
    at: Timestamp,
    owner: String,
    closed: bool,
    pub(super) policy: Option<SalePolicy>,
    pub(super) batches: Vec<PublicBatch>,
    pub(super) drawn: u64,
    pub(super) served: u64,
    rate: u32,
    cap: u32,
    /// Rates and caps in force, and since when they could be known.
    settings: VecDeque<(Timestamp, u32, u32)>,
    /// The line's clock at each call, and the rank below which all had been called.
    calls: Vec<(i64, u64)>,
    rested_ms: i64,
    stopped_at: Option<Timestamp>,
}

impl Line {
    pub(super) fn new(event: EventId) -> Self {
        Self {
            topic: Topic::State(event.clone()),
            next: 0,
            real: LineState::new(event),
            texts: Vec::new(),
            head: Digest::ZERO,
            epoch: 0,
            at: Timestamp::default(),
            owner: String::new(),
            closed: false,
            policy: None,
            batches: Vec::new(),
            drawn: 0,
            served: 0,
            rate: 0,
            cap: 0,
            settings: VecDeque::new(),
            calls: Vec::new(),
            rested_ms: 0,
            stopped_at: None,
        }
    }

    pub(super) fn follow(&mut self, stores: &Stores, now: Timestamp) -> Result<(), Broken> {
        let entries = answer(stores.log.read(&self.topic, 0, self.next, usize::MAX, Duration::ZERO));
        for entry in entries {
            self.next = entry.offset + 1;
            self.real.apply(&entry.payload);
            self.fold(&entry.payload, now)?;
            self.compare()?;
        }
        Ok(())
    }

    fn fold(&mut self, text: &[u8], now: Timestamp) -> Result<(), Broken> {
        let Ok(record) = StateRecord::parse(text) else { return Ok(()) };
        let takes_over = matches!(record.kind, StateKind::Opened { .. } | StateKind::Owned { .. });
        let follows = record.prev == self.head
            && record.seq == self.texts.len() as u64
            && record.epoch == self.epoch + u64::from(takes_over)
            && record.at >= self.at
            && !self.closed
            && (self.policy.is_none() == matches!(record.kind, StateKind::Opened { .. }));
        if !follows {
            return Ok(());
        }
        self.texts.push(text.to_vec());
        (self.head, self.epoch, self.at) = (hash_of(text), record.epoch, record.at);
        self.take_in(record.kind)?;
        if self.settings.back().is_none_or(|(_, rate, cap)| (*rate, *cap) != (self.rate, self.cap)) {
            self.settings.push_back((now, self.rate, self.cap));
        }
        Ok(())
    }

    fn take_in(&mut self, kind: StateKind) -> Result<(), Broken> {
        match kind {
            StateKind::Opened { owner, policy, .. } => {
                self.owner = owner;
                (self.rate, self.cap) = (policy.rate_per_minute, policy.max_active);
                self.policy = Some(policy);
            }
            StateKind::Owned { owner } => self.owner = owner,
            StateKind::PolicyChanged { policy } => {
                (self.rate, self.cap) = (policy.rate_per_minute, policy.max_active);
                self.policy = Some(policy);
            }
            StateKind::BatchClosed { batch, start, end, size, before, root, reveal, beacon, seed } => {
                self.drawn += size;
                let closed_at = self.at;
                self.batches.push(PublicBatch {
                    index: batch,
                    start,
                    end,
                    size,
                    before,
                    root,
                    reveal,
                    beacon,
                    seed,
                    closed_at,
                });
            }
            StateKind::Served { up_to } => {
                if up_to <= self.served || up_to > self.drawn {
                    let what = format!("served goes from {} to {up_to} with {} drawn", self.served, self.drawn);
                    return Err(Broken { invariant: 5, what });
                }
                self.served = up_to;
                self.calls.push((self.line_ms(self.at), up_to));
            }
            StateKind::RateSet { rate_per_minute } => self.rate = rate_per_minute,
            StateKind::CapSet { max_active } => self.cap = max_active,
            StateKind::Paused => _ = self.stopped_at.get_or_insert(self.at),
            StateKind::Resumed => {
                if let Some(since) = self.stopped_at.take() {
                    self.rested_ms += self.at.millis_since(since);
                }
            }
            StateKind::Closed => self.closed = true,
            StateKind::SoldOut | StateKind::Reopened | StateKind::Revoked { .. } => {}
        }
        Ok(())
    }

    /// Invariant 10: the real fold took in these records and no others.
    fn compare(&self) -> Result<(), Broken> {
        let real = &self.real;
        let of_real = (real.version(), real.head_hash(), real.epoch(), real.served(), real.drawn());
        let own = (self.texts.len() as u64, self.head, self.epoch, self.served, self.drawn);
        let settings = (real.rate_per_minute(), real.max_active(), real.is_paused(), real.is_closed());
        let own_settings = (self.rate, self.cap, self.stopped_at.is_some(), self.closed);
        if of_real == own && settings == own_settings && real.owner() == self.owner {
            return Ok(());
        }
        let what = format!(
            "the fold has {of_real:?} {settings:?}, the records that follow one another say {own:?} {own_settings:?}"
        );
        Err(Broken { invariant: 10, what })
    }

    fn line_ms(&self, now: Timestamp) -> i64 {
        let resting = self.stopped_at.map_or(0, |since| now.millis_since(since).max(0));
        now.as_millis() - self.rested_ms - resting
    }

    /// How long ago `rank` was called by the line's own clock at `now`, in milliseconds; `None`: it was not.
    pub(super) fn called_for_ms(&self, rank: u64, now: Timestamp) -> Option<i64> {
        let at = self.calls.partition_point(|(_, up_to)| *up_to <= rank);
        self.calls.get(at).map(|(called, _)| self.line_ms(now) - called)
    }

    /// How long a turn is, in milliseconds.
    pub(super) fn turn_ms(&self) -> i64 {
        self.policy.as_ref().map_or(0, |policy| i64::from(policy.turn_seconds) * 1_000)
    }

    /// The rates and caps that a gateway may know at `now`.
    pub(super) fn settings_known(&self, now: Timestamp) -> impl Iterator<Item = (u32, u32)> {
        let since = now.plus_millis(-LAG_MS);
        let old = self.settings.iter().filter(|(at, ..)| *at < since).count().saturating_sub(1);
        self.settings.iter().skip(old).map(|(_, rate, cap)| (*rate, *cap))
    }

    /// The rank of `place` as a verifier computes it from what is public; `None` while its batch is open.
    pub(super) fn rank(&self, place: Place) -> Option<u64> {
        let lane = usize::from(place.lane);
        let batch = self.batches.iter().find(|batch| {
            batch
                .start
                .get(lane)
                .zip(batch.end.get(lane))
                .is_some_and(|(start, end)| (*start..*end).contains(&place.offset))
        })?;
        let earlier: u64 = (0..lane).map(|lane| batch.end[lane] - batch.start[lane]).sum();
        rank_of(batch, earlier + place.offset - batch.start[lane])
    }
}
