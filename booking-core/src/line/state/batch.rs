//! Closed batches, and where a place came out of the draw.

use std::sync::{Arc, OnceLock};

use super::LineState;
use crate::{
    digest::Digest,
    line::{Place, draw::Beacon, shuffle::Shuffle},
    time::Timestamp,
};

/// A closed batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its number, from 0.
    pub index: u32,
    /// The first offset of each lane that is in it.
    pub start: Arc<[u64]>,
    /// The first offset of each lane that is not.
    pub end: Arc<[u64]>,
    /// How many are in it.
    pub size: u64,
    /// How many are in the batches before.
    pub before: u64,
    /// The Merkle root of its entries.
    pub root: Digest,
    /// The seed chain's link `s[index + 1]`.
    pub reveal: Digest,
    /// The public random value used.
    pub beacon: Beacon,
    /// What its shuffle runs on.
    pub seed: Digest,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// Made by the first question: a place asks only until its rank is in its token.
    pub(super) shuffle: OnceLock<Box<Shuffle>>,
}

impl Batch {
    /// The index of `place` in this batch, if it is in it: the sizes of earlier lanes, then its distance in its own.
    pub fn index_of(&self, place: Place) -> Option<u64> {
        let lane = usize::from(place.lane);
        let (start, end) = (*self.start.get(lane)?, *self.end.get(lane)?);
        if !(start..end).contains(&place.offset) {
            return None;
        }
        let earlier: u64 = self.start[..lane].iter().zip(&self.end[..lane]).map(|(start, end)| end - start).sum();
        Some(earlier + place.offset - start)
    }

    /// The rank that the draw gives to `index` of this batch.
    fn rank_of(&self, index: u64) -> u64 {
        if self.size == 1 {
            return self.before;
        }
        let shuffle = self.shuffle.get_or_init(|| Box::new(Shuffle::new(&self.seed, self.size)));
        self.before + shuffle.rank_of(index)
    }
}

/// Where a place came out of the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// Its batch.
    pub batch: u32,
    /// Its index in the batch, before the draw.
    pub index: u64,
    /// Its number in the calling order, from 0.
    pub rank: u64,
}

impl LineState {
    fn batch_of(&self, place: Place) -> Option<(&Batch, u64)> {
        let lane = usize::from(place.lane);
        let at = self.batches.partition_point(|batch| batch.end.get(lane).is_some_and(|&end| end <= place.offset));
        let batch = self.batches.get(at)?;
        Some((batch, batch.index_of(place)?))
    }

    /// Where `place` came out of the draw; `None` while its batch is open. Costs about 90 hashes: where the rank is in
    /// the token, ask [`Self::ranked_known`].
    pub fn ranked(&self, place: Place) -> Option<Ranked> {
        let (batch, index) = self.batch_of(place)?;
        Some(Ranked { batch: batch.index, index, rank: batch.rank_of(index) })
    }

    /// The same for a `rank` that was worked out before, without the draw; `None` where it can't be this place's.
    pub fn ranked_known(&self, place: Place, rank: u64) -> Option<Ranked> {
        let (batch, index) = self.batch_of(place)?;
        let possible = batch.before..batch.before + batch.size;
        possible.contains(&rank).then_some(Ranked { batch: batch.index, index, rank })
    }
}

/// How many places lie between `start` and `end`, over all lanes.
pub(in crate::line) fn size_between(start: &[u64], end: &[u64]) -> u64 {
    start.iter().zip(end).map(|(start, end)| end.saturating_sub(*start)).fold(0, u64::saturating_add)
}
