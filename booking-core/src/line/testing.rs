//! A line to try rules on: joins, records and the chain behind them, without a log.

use bytes::Bytes;

use super::{
    Place,
    draw::SeedChain,
    entry::entry_of,
    keeper::{Opening, close_batch, open},
    merkle,
    record::StateKind,
    state::{Applied, LineState},
};
use crate::{digest::Digest, id::EventId, sale::SalePolicy, time::Timestamp};

pub(super) const LOBBY_AT: i64 = 1_000_000;
pub(super) const OPENS_AT: i64 = 2_000_000;
pub(super) const CLOSES_AT: i64 = 9_000_000;
const CHAIN_LENGTH: u32 = 5_000;

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(super) fn event() -> EventId {
    "evt_test".parse().expect("an id")
}

pub(super) fn policy() -> SalePolicy {
    SalePolicy {
        lobby_opens_at: at(LOBBY_AT),
        opens_at: at(OPENS_AT),
        closes_at: at(CLOSES_AT),
        rate_per_minute: 600,
        max_active: 1_000,
        turn_seconds: 60,
        session_seconds: 600,
        hold_seconds: 300,
        extend_seconds: 0,
        max_seats: 4,
        batch_ms: 1_000,
        orphans_allowed: false,
    }
}

/// A line, the texts of its records, and the entries of its lanes.
#[derive(Clone)]
pub(super) struct TestLine {
    pub(super) state: LineState,
    pub(super) texts: Vec<Bytes>,
    pub(super) lanes: Vec<Vec<Digest>>,
    pub(super) now: i64,
    chain: SeedChain,
}

impl TestLine {
    /// A line of `lanes` lanes, opened before its lobby.
    pub(super) fn opened(lanes: u16) -> Self {
        let chain = SeedChain::from_end(Digest([7; 32]), CHAIN_LENGTH);
        let mut line = Self {
            state: LineState::new(event()),
            texts: Vec::new(),
            lanes: vec![Vec::new(); lanes.into()],
            now: 500_000,
            chain,
        };
        let opening = Opening {
            owner: "keeper-1".to_owned(),
            commitment: line.chain.commitment(),
            chain_length: CHAIN_LENGTH,
            lanes,
        };
        let opened = open(&line.state, &policy(), opening, at(line.now)).expect("a good policy");
        line.say(opened);
        line
    }

    /// A line whose lobby of `joins` is drawn, at the opening.
    pub(super) fn drawn(lanes: u16, joins: u64) -> Self {
        let mut line = Self::opened(lanes);
        line.now = LOBBY_AT;
        (0..joins).for_each(|_| _ = line.join());
        line.now = OPENS_AT;
        line.close_batch();
        line
    }

    /// Appends `kind`, which must count.
    pub(super) fn say(&mut self, kind: StateKind) {
        let text = self.state.next(kind, at(self.now)).text();
        assert_eq!(self.state.apply(&text), Applied::Accepted, "{text:?}");
        self.texts.push(text);
    }

    /// One more visitor, in the lanes by turns that are not quite regular.
    pub(super) fn join(&mut self) -> Place {
        let joined: usize = self.lanes.iter().map(Vec::len).sum();
        let lane = (joined * joined / 3 + joined) % self.lanes.len();
        let user = format!("user_{joined}").parse().expect("an id");
        let offset = self.lanes[lane].len() as u64;
        self.lanes[lane].push(entry_of(&event(), &user, &[3; 16]));
        Place { lane: u16::try_from(lane).expect("few lanes"), offset }
    }

    /// Every place, lane by lane.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        (0..)
            .zip(&self.lanes)
            .flat_map(|(lane, entries)| (0..entries.len() as u64).map(move |offset| Place { lane, offset }))
    }

    pub(super) fn ends(&self) -> Vec<u64> {
        self.lanes.iter().map(|lane| lane.len() as u64).collect()
    }

    /// The entries between the last batch and `ends`, in index order.
    pub(super) fn entries(&self, start: &[u64], end: &[u64]) -> Vec<Digest> {
        let range = |lane: usize| {
            let bound = |offsets: &[u64]| usize::try_from(offsets[lane]).expect("a small line");
            &self.lanes[lane][bound(start)..bound(end)]
        };
        (0..self.lanes.len()).flat_map(range).copied().collect()
    }

    /// Closes a batch with everybody in it who joined.
    pub(super) fn close_batch(&mut self) {
        let ends = self.ends();
        let root = merkle::root(self.entries(&self.state.last_ends(), &ends).into_iter());
        let batch = u32::try_from(self.state.batches().len()).expect("few batches");
        let reveal = self.chain.reveal(batch).expect("a long chain");
        self.say(close_batch(&self.state, &ends, root, reveal));
    }

    /// Calls `more`.
    pub(super) fn call(&mut self, more: u64) {
        let up_to = self.state.served() + more;
        self.say(StateKind::Served { up_to });
    }
}
