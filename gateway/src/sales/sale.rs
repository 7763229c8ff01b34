//! One sale as this gateway sees it.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU16, AtomicU64, Ordering},
};

use arc_swap::ArcSwapOption;
use booking_core::{
    digest::Digest,
    id::EventId,
    line::{
        Place,
        place::{self, PlaceFacts, PlaceView},
        place_token::{PlaceKeys, PlaceToken},
        state::{LineState, Phase, Ranked},
    },
    time::Timestamp,
};
use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
use tokio::sync::watch;

use super::{Admissions, Pulse};
use crate::{line::public::PublicLine, operator::stats::StatsCache};

/// A sale: its line, who has been to the desk, and what wakes its streams.
///
/// The two that every poll reads are behind locks of which each core takes its own shard: one counter that all cores
/// write to would cost a poll more than the rest of it.
pub(crate) struct Sale {
    event: EventId,
    line: ShardedLock<LineState>,
    /// Where in the state log each accepted record stands, by its number: 8 bytes a record.
    offsets: RwLock<Vec<u64>>,
    admissions: ShardedLock<Admissions>,
    joined: AtomicU64,
    next_lane: AtomicU16,
    pulse: watch::Sender<Pulse>,
    /// How many have been called; watched by those whose turn is near.
    served: watch::Sender<u64>,
    is_folded: watch::Sender<bool>,
    /// The public view that was made last.
    pub(crate) public: ArcSwapOption<PublicLine>,
    /// The operator's numbers that were worked out last.
    pub(crate) stats: StatsCache,
}

impl Sale {
    pub(super) fn new(event: EventId) -> Self {
        Self {
            line: ShardedLock::new(LineState::new(event.clone())),
            event,
            offsets: RwLock::default(),
            admissions: ShardedLock::default(),
            joined: AtomicU64::new(0),
            next_lane: AtomicU16::new(0),
            pulse: watch::Sender::new(Pulse::default()),
            served: watch::Sender::new(0),
            is_folded: watch::Sender::new(false),
            public: ArcSwapOption::empty(),
            stats: StatsCache::default(),
        }
    }

    /// Of which event.
    pub(crate) fn event(&self) -> &EventId {
        &self.event
    }

    /// The line's state. Held for a moment only, never over an await.
    pub(crate) fn line(&self) -> ShardedLockReadGuard<'_, LineState> {
        self.line.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn line_mut(&self) -> ShardedLockWriteGuard<'_, LineState> {
        self.line.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record_accepted(&self, offset: u64) {
        self.offsets.write().unwrap_or_else(PoisonError::into_inner).push(offset);
    }

    /// Where up to `max` accepted records from number `from` on stand in the state log, and how many there are in all.
    pub(crate) fn record_offsets(&self, from: u64, max: usize) -> (Vec<u64>, u64) {
        let offsets = self.offsets.read().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        (offsets.iter().skip(skip).take(max).copied().collect(), offsets.len() as u64)
    }

    /// Who has been to the desk. Held for a moment only, never over an await.
    pub(crate) fn admissions(&self) -> ShardedLockReadGuard<'_, Admissions> {
        self.admissions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to take in a change.
    pub(crate) fn admissions_mut(&self) -> ShardedLockWriteGuard<'_, Admissions> {
        self.admissions.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many have joined, a quarter of a second ago.
    pub(crate) fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// Answers whether it is another number than before.
    pub(super) fn set_joined(&self, joined: u64) -> bool {
        self.joined.fetch_max(joined, Ordering::Relaxed) < joined
    }

    /// The lane for the next join: round robin.
    pub(crate) fn next_lane(&self, lanes: u16) -> u16 {
        self.next_lane.fetch_add(1, Ordering::Relaxed) % lanes.max(1)
    }

    /// What the sale is doing.
    pub(crate) fn phase(&self, now: Timestamp) -> Phase {
        self.line().phase(now)
    }

    /// What wakes the streams.
    pub(crate) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// How many have been called, as it rises.
    pub(crate) fn served(&self) -> watch::Receiver<u64> {
        self.served.subscribe()
    }

    pub(super) fn beat(&self, change: impl FnOnce(&mut Pulse)) {
        self.pulse.send_modify(change);
    }

    pub(super) fn set_served(&self, served: u64) {
        self.served.send_if_modified(|known| std::mem::replace(known, served) != served);
    }

    pub(super) fn set_folded(&self) {
        self.is_folded.send_replace(true);
    }

    /// Waits until the state that was in the log at the start is folded.
    pub(crate) async fn folded(&self) {
        let mut folded = self.is_folded.subscribe();
        // The sender lives as long as `self`.
        let _ = folded.wait_for(|folded| *folded).await;
    }

    /// Where `place` came out of the draw, by `line`; `rank`: what its token says of that.
    pub(crate) fn ranked(line: &LineState, place: Place, rank: Option<u64>) -> Option<Ranked> {
        let known = rank.and_then(|rank| line.ranked_known(place, rank));
        known.or_else(|| line.ranked(place))
    }

    /// The view of a place whose token is `token`, in text `text`.
    pub(crate) fn view(&self, keys: &PlaceKeys, token: &PlaceToken, text: &str, now: Timestamp) -> PlaceView {
        let &PlaceToken { place, entry, joined_at, rank, .. } = token;
        let mut view = self.view_of(Held { place, entry, joined_at, rank }, now);
        // The rank goes into the token, so that later polls need no draw.
        view.place_token = if view.rank == rank {
            text.to_owned()
        } else {
            keys.seal(&PlaceToken { rank: view.rank, ..token.clone() })
        };
        view
    }

    /// The view of a place, without a token's text in it.
    pub(crate) fn view_of(&self, held: Held, now: Timestamp) -> PlaceView {
        let presence = self.admissions().of(held.place);
        let line = self.line();
        let facts = PlaceFacts {
            token: String::new(),
            place: held.place,
            entry: held.entry,
            joined_at: held.joined_at,
            ranked: Self::ranked(&line, held.place, held.rank),
            presence,
            crowd: self.joined(),
        };
        place::view(&line, &facts, now)
    }
}

/// What a place token says of a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) place: Place,
    pub(crate) entry: Digest,
    pub(crate) joined_at: Timestamp,
    pub(crate) rank: Option<u64>,
}

/// The sale of `event`, if this gateway knows one that has been opened.
pub(crate) fn opened(app: &crate::app::App, event: &EventId) -> Option<Arc<Sale>> {
    app.sales.get(event.as_str()).filter(|sale| sale.line().policy().is_some())
}
