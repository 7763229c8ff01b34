//! The joins of a line's open batch, kept at hand so that closing it does not have to read them all again.

use std::time::Duration;

use booking_core::{
    digest::Digest,
    id::EventId,
    line::{
        entry::{JoinRecord, NO_ENTRY},
        merkle::MerkleTree,
    },
    ports::{
        PortResult,
        log::{Lane, Log, Topic},
    },
};

/// Joins read at once.
const PAGE: usize = 1_000;
/// Pages followed in one go, so that a rush of joins does not hold up the decisions.
const PAGES_AT_ONCE: usize = 64;

/// The entries of the open batch, lane by lane, as far as they were followed.
pub(super) struct Joins {
    topic: Topic,
    lanes: Vec<LaneJoins>,
    /// The most entries kept, over all lanes.
    max: usize,
}

#[derive(Default)]
struct LaneJoins {
    /// The offset of the first entry kept.
    start: u64,
    /// Without gaps: an offset that holds no join counts as [`NO_ENTRY`].
    entries: Vec<Digest>,
}

impl LaneJoins {
    fn next(&self) -> u64 {
        self.start + self.entries.len() as u64
    }

    fn trim(&mut self, start: u64) {
        let gone = usize::try_from(start.saturating_sub(self.start)).unwrap_or(usize::MAX);
        if gone >= self.entries.len() {
            self.entries.clear();
            self.start = self.start.max(start);
        } else {
            self.entries.drain(..gone);
            self.start += gone as u64;
        }
    }
}

impl Joins {
    pub(super) fn new(event: EventId, max: usize) -> Self {
        Self { topic: Topic::Line(event), lanes: Vec::new(), max }
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Forgets what lies before `start`, where the open batch begins.
    pub(super) fn begin(&mut self, start: &[u64]) {
        self.lanes.resize_with(start.len(), LaneJoins::default);
        for (lane, start) in self.lanes.iter_mut().zip(start) {
            lane.trim(*start);
        }
    }

    /// Follows the lanes up to `ends`, or as far as a step should.
    pub(super) async fn follow(&mut self, log: &dyn Log, ends: &[u64]) -> PortResult<()> {
        let mut kept: usize = self.lanes.iter().map(|lane| lane.entries.len()).sum();
        let mut pages = 0;
        for ((number, lane), end) in (0..).zip(&mut self.lanes).zip(ends) {
            while lane.next() < *end && kept < self.max && pages < PAGES_AT_ONCE {
                let page = page(log, &self.topic, number, lane.next(), *end).await?;
                kept += page.len();
                pages += 1;
                lane.entries.extend(page);
            }
        }
        Ok(())
    }

    /// The Merkle root of the batch from `start` to `ends`, in index order. What is not at hand is read.
    pub(super) async fn root(&self, log: &dyn Log, start: &[u64], ends: &[u64]) -> PortResult<Digest> {
        let mut tree = MerkleTree::default();
        for (number, (start, end)) in (0..).zip(start.iter().zip(ends)) {
            let mut next = *start;
            if let Some(lane) = self.lanes.get(usize::from(number)).filter(|lane| lane.start == *start) {
                let size = usize::try_from(end.saturating_sub(*start)).unwrap_or(usize::MAX);
                for entry in lane.entries.iter().take(size) {
                    tree.push(&entry.0);
                    next += 1;
                }
            }
            while next < *end {
                for entry in page(log, &self.topic, number, next, *end).await? {
                    tree.push(&entry.0);
                    next += 1;
                }
            }
        }
        Ok(tree.root())
    }
}

/// The entries from `from` on, at least one and none from `end` on; `from` must be before `end`, and everything before
/// `end` acknowledged.
async fn page(log: &dyn Log, topic: &Topic, lane: Lane, from: u64, end: u64) -> PortResult<Vec<Digest>> {
    let wanted = usize::try_from(end - from).unwrap_or(usize::MAX).min(PAGE);
    let read = log.read(topic, lane, from, wanted, Duration::ZERO).await?;
    let mut entries = Vec::with_capacity(wanted);
    for entry in read.iter().take_while(|entry| entry.offset < end) {
        while from + (entries.len() as u64) < entry.offset {
            entries.push(NO_ENTRY);
        }
        entries.push(JoinRecord::entry_in(&entry.payload));
    }
    if entries.is_empty() {
        // Nothing more is there before the end: the rest is a gap.
        entries.resize(wanted, NO_ENTRY);
    }
    Ok(entries)
}
