//! Checking a sale's draw from public data alone: the draw's batches, their entries, and the chained records.
//!
//! Nothing is taken on trust but the commitment, which everybody could note down before the lobby opened. Whatever does
//! not hold is named: the batch, or the record and the batch it stands behind.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    draw::{self, Beacon},
    state::{Batch, LineState},
};
use crate::{digest::Digest, time::Timestamp};

mod batches;
mod records;

pub use batches::{BatchesCheck, EntriesCheck, rank_of};
pub use records::RecordsCheck;

/// The most batches in one page of the draw.
pub const MAX_BATCHES_A_PAGE: usize = 1_000;
/// The most entries in one page.
pub const MAX_ENTRIES_A_PAGE: usize = 10_000;
/// The most records in one page.
pub const MAX_RECORDS_A_PAGE: usize = 1_000;

/// One page of the public draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicDraw {
    /// How it is done: [`draw::ALGORITHM`].
    pub algorithm: String,
    /// The seed chain's first link, published before anybody joined.
    pub commitment: Digest,
    /// How many links follow it.
    pub chain_length: u32,
    /// Batches, in order.
    pub batches: Vec<PublicBatch>,
    /// The batch to ask on from, if there are more.
    pub next: Option<u32>,
    /// The last record when this was answered: pins the records that lead up to it.
    pub head: PublicHead,
}

/// One batch of the public draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicBatch {
    /// Its number, from 0.
    pub index: u32,
    /// The first offset of each lane that is in it.
    pub start: Vec<u64>,
    /// The first offset of each lane that is not.
    pub end: Vec<u64>,
    /// How many are in it.
    pub size: u64,
    /// How many are in the batches before.
    pub before: u64,
    /// The Merkle root of its entries.
    pub root: Digest,
    /// The seed chain's link `s[index + 1]`.
    pub reveal: Digest,
    /// The public random value used, empty where the sale names none.
    pub beacon: Beacon,
    /// What its shuffle runs on.
    pub seed: Digest,
    /// When it was closed.
    pub closed_at: Timestamp,
}

/// A record, by its number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicHead {
    /// Its number.
    pub seq: u64,
    /// SHA-256 of its exact text.
    pub hash: Digest,
}

/// One page of a batch's entries, in index order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesPage {
    /// Entries.
    pub entries: Vec<Digest>,
    /// The index to ask on from, if there are more.
    pub next: Option<u64>,
}

/// One page of the state log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordsPage {
    /// Records, each in its exact text.
    pub records: Vec<Box<RawValue>>,
    /// The number to ask on from, if there are more.
    pub next: Option<u64>,
}

impl From<&Batch> for PublicBatch {
    fn from(batch: &Batch) -> Self {
        Self {
            index: batch.index,
            start: batch.start.to_vec(),
            end: batch.end.to_vec(),
            size: batch.size,
            before: batch.before,
            root: batch.root,
            reveal: batch.reveal,
            beacon: batch.beacon.clone(),
            seed: batch.seed,
            closed_at: batch.closed_at,
        }
    }
}

impl PublicDraw {
    /// The page of `state`'s draw that begins with batch `from`; `None` before the line was opened.
    pub fn page(state: &LineState, from: u32) -> Option<Self> {
        let rest = state.batches().get(from as usize..).unwrap_or_default();
        let batches: Vec<PublicBatch> = rest.iter().take(MAX_BATCHES_A_PAGE).map(PublicBatch::from).collect();
        let next = rest.get(MAX_BATCHES_A_PAGE).map(|batch| batch.index);
        Some(Self {
            algorithm: draw::ALGORITHM.to_owned(),
            commitment: state.commitment()?,
            chain_length: state.chain_length(),
            batches,
            next,
            head: PublicHead { seq: state.head_seq()?, hash: state.head_hash() },
        })
    }
}

/// Something public that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// In what the whole draw rests on.
    #[error("the draw: {why}")]
    Draw {
        /// What is wrong.
        why: String,
    },
    /// In a batch.
    #[error("batch {batch}: {why}")]
    Batch {
        /// Which.
        batch: u32,
        /// What is wrong.
        why: String,
    },
    /// In a record. A changed record shows in the one after it, which no longer names its hash.
    #[error("record {seq} ({}): {why}", match .batch { Some(batch) => format!("batch {batch}"), None => "before batch 0".to_owned() })]
    Record {
        /// The first record that does not hold.
        seq: u64,
        /// The last batch closed before it, or the one it closes.
        batch: Option<u32>,
        /// What is wrong.
        why: String,
    },
}

impl Fault {
    fn batch(batch: u32, why: impl Into<String>) -> Self {
        Self::Batch { batch, why: why.into() }
    }
}

#[cfg(test)]
mod tests;
