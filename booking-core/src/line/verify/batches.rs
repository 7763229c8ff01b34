//! Checking the draw's batches against the commitment and one another, and each one's entries against its root.

use super::{Fault, PublicBatch, PublicDraw, PublicHead};
use crate::{
    digest::Digest,
    line::{draw, merkle::MerkleTree, shuffle::shuffled_index, state::size_between},
};

/// Checks the batches, page by page, against the commitment and one another.
#[derive(Debug, Clone)]
pub struct BatchesCheck {
    commitment: Digest,
    chain_length: u32,
    promised: Digest,
    next: u32,
    ends: Option<Vec<u64>>,
    drawn: u64,
    heads: Vec<PublicHead>,
}

impl BatchesCheck {
    /// Begins with the first page. `noted` is the commitment that somebody wrote down before the sale, if they did.
    ///
    /// # Errors
    /// If the draw is done in a way that this version does not know, or the commitment is not the one noted.
    pub fn new(draw: &PublicDraw, noted: Option<Digest>) -> Result<Self, Fault> {
        if draw.algorithm != draw::ALGORITHM {
            return Err(Fault::Draw { why: format!("the algorithm '{}' is not {}", draw.algorithm, draw::ALGORITHM) });
        }
        if noted.is_some_and(|noted| noted != draw.commitment) {
            return Err(Fault::Draw { why: "the commitment is not the one noted before the sale".to_owned() });
        }
        Ok(Self {
            commitment: draw.commitment,
            chain_length: draw.chain_length,
            promised: draw.commitment,
            next: 0,
            ends: None,
            drawn: 0,
            heads: Vec::new(),
        })
    }

    /// Checks a page, the first one included.
    ///
    /// # Errors
    /// The first batch that does not hold.
    pub fn page(&mut self, draw: &PublicDraw) -> Result<(), Fault> {
        if (draw.commitment, draw.chain_length) != (self.commitment, self.chain_length) {
            return Err(Fault::Draw {
                why: "the commitment or the chain's length differs from page to page".to_owned(),
            });
        }
        self.heads.push(draw.head);
        draw.batches.iter().try_for_each(|batch| self.batch(batch))
    }

    fn batch(&mut self, batch: &PublicBatch) -> Result<(), Fault> {
        let fault = |why: &str| Err(Fault::batch(self.next, why));
        if batch.index != self.next {
            return fault("its index is not the next");
        }
        if batch.index >= self.chain_length {
            return fault("the seed chain is shorter");
        }
        let starts_well = match &self.ends {
            Some(ends) => batch.start == *ends,
            None => batch.start.iter().all(|&start| start == 0),
        };
        if !starts_well {
            return fault("it does not start where the batch before it ended");
        }
        if batch.end.len() != batch.start.len() || batch.end.iter().zip(&batch.start).any(|(end, start)| end < start) {
            return fault("it ends before it starts, or has another number of lanes");
        }
        if batch.size != size_between(&batch.start, &batch.end) {
            return fault("its size is not what lies between start and end");
        }
        if batch.before != self.drawn {
            return fault("its before is not the sum of the earlier batches");
        }
        if !draw::follows(&batch.reveal, &self.promised) {
            return fault("SHA-256 of its reveal is not the seed chain's link before it");
        }
        if batch.seed != draw::seed(&batch.reveal, &batch.root, batch.beacon.as_bytes()) {
            return fault("its seed is not made of its reveal, root and beacon");
        }
        self.promised = batch.reveal;
        self.ends = Some(batch.end.clone());
        self.drawn = self.drawn.saturating_add(batch.size);
        self.next += 1;
        Ok(())
    }

    /// How many batches were checked.
    pub fn batches(&self) -> u32 {
        self.next
    }

    /// How many places they hold.
    pub fn places(&self) -> u64 {
        self.drawn
    }

    /// The heads that the pages named; see [`RecordsCheck::holds`].
    pub fn heads(&self) -> &[PublicHead] {
        &self.heads
    }
}

/// Checks one batch's entries, page by page, against its root and size.
#[derive(Debug, Clone)]
pub struct EntriesCheck<'a> {
    batch: &'a PublicBatch,
    tree: MerkleTree,
    wanted: Option<Digest>,
    found_at: Option<u64>,
}

impl<'a> EntriesCheck<'a> {
    /// Begins with none; `wanted` is an entry to look out for.
    pub fn new(batch: &'a PublicBatch, wanted: Option<Digest>) -> Self {
        Self { batch, tree: MerkleTree::default(), wanted, found_at: None }
    }

    /// Adds entries, in index order.
    ///
    /// # Errors
    /// If there are more than the batch's size.
    pub fn add(&mut self, entries: &[Digest]) -> Result<(), Fault> {
        for entry in entries {
            if self.wanted == Some(*entry) && self.found_at.is_none() {
                self.found_at = Some(self.tree.len());
            }
            self.tree.push(&entry.0);
        }
        if self.tree.len() > self.batch.size {
            return Err(Fault::batch(self.batch.index, "it has more entries than its size says"));
        }
        Ok(())
    }

    /// Ends with the last entry, and says at which index the wanted one stands, if it does.
    ///
    /// # Errors
    /// If entries are missing, or the root is not theirs.
    pub fn finish(self) -> Result<Option<u64>, Fault> {
        let (has, size) = (self.tree.len(), self.batch.size);
        if has != size {
            return Err(Fault::batch(self.batch.index, format!("it has {has} entries, its size says {size}")));
        }
        if self.tree.root() != self.batch.root {
            return Err(Fault::batch(self.batch.index, "its root is not the root over its entries"));
        }
        Ok(self.found_at)
    }
}

/// The rank that the draw gives to `index` of `batch`; `None` where the batch is smaller.
pub fn rank_of(batch: &PublicBatch, index: u64) -> Option<u64> {
    (index < batch.size).then(|| batch.before + shuffled_index(index, batch.size, &batch.seed))
}
