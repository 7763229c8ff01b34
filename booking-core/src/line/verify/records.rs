//! Checking the chained records, and that they and the draw tell the same.

use super::{Fault, PublicBatch, PublicDraw, PublicHead};
use crate::{
    digest::Digest,
    id::EventId,
    line::{
        record::{StateKind, StateRecord},
        state::{Applied, LineState},
    },
};

/// Checks the chained records, from the first on.
#[derive(Debug)]
pub struct RecordsCheck {
    state: LineState,
    hashes: Vec<Digest>,
}

impl RecordsCheck {
    /// Begins before the first record of `event`'s line.
    pub fn new(event: EventId) -> Self {
        Self { state: LineState::new(event), hashes: Vec::new() }
    }

    /// Checks the next record, given as its exact text.
    ///
    /// # Errors
    /// If it is not the one that follows, or contradicts those before it.
    pub fn add(&mut self, text: &[u8]) -> Result<(), Fault> {
        match self.state.apply(text) {
            Applied::Accepted => {
                self.hashes.push(self.state.head_hash());
                Ok(())
            }
            Applied::Ignored(why) => {
                let seq = self.hashes.len() as u64;
                Err(Fault::Record { seq, batch: self.batch_at(text), why: why.to_string() })
            }
        }
    }

    /// The batch that a record closes, or else the last one closed so far.
    fn batch_at(&self, text: &[u8]) -> Option<u32> {
        match StateRecord::parse(text) {
            Ok(StateRecord { kind: StateKind::BatchClosed { batch, .. }, .. }) => Some(batch),
            _ => self.state.batches().last().map(|batch| batch.index),
        }
    }

    /// The line as the records tell it.
    pub fn state(&self) -> &LineState {
        &self.state
    }

    /// Checks that the records lead through `head`, which the draw named.
    ///
    /// # Errors
    /// If they do not reach it, or are others.
    pub fn holds(&self, head: &PublicHead) -> Result<(), Fault> {
        let found = usize::try_from(head.seq).ok().and_then(|seq| self.hashes.get(seq));
        let why = match found {
            Some(hash) if *hash == head.hash => return Ok(()),
            Some(_) => "its hash is not the one that the draw names",
            None => "the draw names it, and it is missing",
        };
        let batch = self.state.batches().last().map(|batch| batch.index);
        Err(Fault::Record { seq: head.seq, batch, why: why.to_owned() })
    }

    /// Checks that what the records say of a batch is what the draw says.
    ///
    /// # Errors
    /// If it is not, or the records do not close the batch.
    pub fn agrees(&self, batch: &PublicBatch) -> Result<(), Fault> {
        let recorded = self.state.batches().get(batch.index as usize).map(PublicBatch::from);
        match recorded {
            Some(recorded) if recorded == *batch => Ok(()),
            Some(_) => Err(Fault::batch(batch.index, "the record that closes it says something else")),
            None => Err(Fault::batch(batch.index, "no record closes it")),
        }
    }

    /// Checks that the draw's commitment and chain are the recorded ones.
    ///
    /// # Errors
    /// If they are not.
    pub fn agrees_with(&self, draw: &PublicDraw) -> Result<(), Fault> {
        if (Some(draw.commitment), draw.chain_length) == (self.state.commitment(), self.state.chain_length()) {
            return Ok(());
        }
        Err(Fault::Draw { why: "the commitment or the chain's length is not the recorded one".to_owned() })
    }
}
