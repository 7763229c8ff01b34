//! The fold of the state log: everything that was decided about a line, as every gateway, keeper and verifier sees it.
//!
//! A record counts only if it is the one that follows: `prev` is the head's hash, `seq` the next number, `at` not before
//! the head's, and the epoch the current one (or the next, where it says `owned`). Anything else is left over from a
//! keeper that lost the line, or delivered twice, and changes nothing (invariant 10).

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::record::{StateKind, StateRecord};
use crate::{
    digest::Digest,
    id::{EventId, SessionId},
    sale::SalePolicy,
    time::Timestamp,
};

mod batch;
mod fold;
mod turns;

pub(in crate::line) use batch::size_between;
pub use batch::{Batch, Ranked};
pub use fold::{Applied, Ignored};
pub use turns::{CLOCK_TOLERANCE_MS, Turn};
use turns::{LineClock, ServedHistory};

/// The most admissions of one sale that can be revoked.
pub const MAX_REVOKED: usize = 100_000;

/// The most lanes of a line.
pub const MAX_LANES: u16 = 1_024;

/// What a sale is doing, for everybody to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Nobody can join yet.
    Scheduled,
    /// Joining is possible; the draw is still to come.
    Lobby,
    /// Visitors are called.
    Open,
    /// Calling rests.
    Paused,
    /// Every seat is booked; some may come back.
    SoldOut,
    /// The line has ended.
    Closed,
}

#[derive(Debug, Clone)]
struct Head {
    seq: u64,
    hash: Digest,
    epoch: u64,
    at: Timestamp,
}

/// What `opened` laid down.
#[derive(Debug, Clone)]
struct Opening {
    commitment: Digest,
    chain_length: u32,
    policy: SalePolicy,
    no_offsets: Arc<[u64]>,
}

/// The fold. Memory: some 300 bytes a batch (and 800 more once somebody of it asked for a rank), 16 bytes a `served`
/// record (the keeper writes ten a second at most), 60 bytes a revoked session ([`MAX_REVOKED`] at most).
#[derive(Debug, Clone)]
pub struct LineState {
    event: EventId,
    head: Option<Head>,
    opening: Option<Opening>,
    owner: String,
    rate_per_minute: u32,
    max_active: u32,
    steered: u64,
    clock: LineClock,
    served: ServedHistory,
    batches: Vec<Batch>,
    sold_out: bool,
    closed: bool,
    revoked: HashSet<SessionId>,
}

impl LineState {
    /// The state of `event`'s line before its first record.
    pub fn new(event: EventId) -> Self {
        Self {
            event,
            head: None,
            opening: None,
            owner: String::new(),
            rate_per_minute: 0,
            max_active: 0,
            steered: 0,
            clock: LineClock::default(),
            served: ServedHistory::default(),
            batches: Vec::new(),
            sold_out: false,
            closed: false,
            revoked: HashSet::new(),
        }
    }

    /// Of which event.
    pub fn event(&self) -> &EventId {
        &self.event
    }

    /// The settings as they were laid down; for the rate and the cap in force see [`Self::rate_per_minute`] and
    /// [`Self::max_active`]. `None` before `opened`.
    pub fn policy(&self) -> Option<&SalePolicy> {
        self.opening.as_ref().map(|opening| &opening.policy)
    }

    /// The seed chain's first link.
    pub fn commitment(&self) -> Option<Digest> {
        self.opening.as_ref().map(|opening| opening.commitment)
    }

    /// How many links the seed chain has; 0 before `opened`.
    pub fn chain_length(&self) -> u32 {
        self.opening.as_ref().map_or(0, |opening| opening.chain_length)
    }

    /// How many lanes the line has; 0 before `opened`.
    pub fn lanes(&self) -> u16 {
        let lanes = self.opening.as_ref().map_or(0, |opening| opening.no_offsets.len());
        u16::try_from(lanes).unwrap_or(u16::MAX)
    }

    /// The number of the last accepted record.
    pub fn head_seq(&self) -> Option<u64> {
        self.head.as_ref().map(|head| head.seq)
    }

    /// The hash of the last accepted record; zeros before the first.
    pub fn head_hash(&self) -> Digest {
        self.head.as_ref().map_or(Digest::ZERO, |head| head.hash)
    }

    /// The current epoch; 0 before the first record.
    pub fn epoch(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.epoch)
    }

    /// The keeper of the current epoch, by its name; empty before the first record.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// When the last accepted record was decided; the epoch of time before the first.
    pub fn last_at(&self) -> Timestamp {
        self.head.as_ref().map_or(Timestamp::default(), |head| head.at)
    }

    /// How many records were accepted.
    pub fn version(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.seq + 1)
    }

    /// [`Self::version`] as it was after the last record that changed a setting, the rate, the cap or the pause: what
    /// an operator saw at this version or a later one still holds.
    pub fn steered_version(&self) -> u64 {
        self.steered
    }

    /// The closed batches, in order.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Where the next batch starts: each lane's first offset that is in no batch yet. Empty before `opened`.
    pub fn last_ends(&self) -> Arc<[u64]> {
        match (self.batches.last(), &self.opening) {
            (Some(batch), _) => Arc::clone(&batch.end),
            (None, Some(opening)) => Arc::clone(&opening.no_offsets),
            (None, None) => Arc::default(),
        }
    }

    /// How many places have a rank.
    pub fn drawn(&self) -> u64 {
        self.batches.last().map_or(0, |batch| batch.before + batch.size)
    }

    /// How many have been called: every rank below this.
    pub fn served(&self) -> u64 {
        self.served.up_to()
    }

    /// How many have a rank and are not called.
    pub fn waiting(&self) -> u64 {
        self.drawn() - self.served()
    }

    /// Admissions a minute, as steered.
    pub fn rate_per_minute(&self) -> u32 {
        self.rate_per_minute
    }

    /// The most admissions alive at once, as steered.
    pub fn max_active(&self) -> u32 {
        self.max_active
    }

    /// Whether calling and admitting rest.
    pub fn is_paused(&self) -> bool {
        self.clock.is_stopped()
    }

    /// Whether every seat is booked.
    pub fn is_sold_out(&self) -> bool {
        self.sold_out
    }

    /// Whether the line has ended by a record; by the clock it may have ended already: see [`Self::phase`].
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether an operator ended this admission.
    pub fn is_revoked(&self, session: &SessionId) -> bool {
        self.revoked.contains(session)
    }

    /// How many admissions operators ended.
    pub fn revoked_count(&self) -> usize {
        self.revoked.len()
    }

    /// What the sale is doing at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        match self.policy() {
            None => Phase::Scheduled,
            Some(policy) if self.closed || now >= policy.closes_at => Phase::Closed,
            Some(policy) if now < policy.lobby_opens_at => Phase::Scheduled,
            Some(policy) if now < policy.opens_at => Phase::Lobby,
            Some(_) if self.sold_out => Phase::SoldOut,
            Some(_) if self.is_paused() => Phase::Paused,
            Some(_) => Phase::Open,
        }
    }

    /// The record that a keeper of the current epoch (for `owned` and `opened`: the next) appends to say `kind`.
    pub fn next(&self, kind: StateKind, now: Timestamp) -> StateRecord {
        let takes_over = matches!(kind, StateKind::Opened { .. } | StateKind::Owned { .. });
        StateRecord {
            seq: self.version(),
            prev: self.head_hash(),
            epoch: self.epoch() + u64::from(takes_over),
            at: now.max(self.last_at()),
            kind,
        }
    }
}

#[cfg(test)]
mod tests;
