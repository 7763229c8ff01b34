//! Taking in one record: whether it follows, and what it changes.

use std::sync::{Arc, OnceLock};

use super::{Batch, Head, LineState, MAX_LANES, MAX_REVOKED, Opening, size_between};
use crate::{
    line::{
        draw,
        record::{StateKind, StateRecord, hash_of},
    },
    sale::{self, MAX_ACTIVE, RATE_PER_MINUTE, SalePolicy},
    time::Timestamp,
};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is the new head.
    Accepted,
    /// It changed nothing, and why.
    Ignored(Ignored),
}

impl Applied {
    /// Whether the record is the new head.
    pub fn is_accepted(self) -> bool {
        self == Self::Accepted
    }
}

/// Why a record changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It can't be read.
    #[error("it is not a state record")]
    Unreadable,
    /// Its number is not the next.
    #[error("its seq is not the next")]
    OutOfSequence,
    /// It does not name the head's hash: a duplicate, or written by somebody who had not read the head.
    #[error("its prev is not the hash of the record before it")]
    NotChained,
    /// It is of an epoch that is over, or of one that was never taken.
    #[error("its epoch is not the current one")]
    WrongEpoch,
    /// It lies before the head in time.
    #[error("its time is before that of the record before it")]
    BackInTime,
    /// It contradicts what was decided before; which part does.
    #[error("{0}")]
    Inconsistent(&'static str),
}

impl LineState {
    /// Folds one record, given as its exact text.
    pub fn apply(&mut self, text: &[u8]) -> Applied {
        match self.try_apply(text) {
            Ok(()) => Applied::Accepted,
            Err(why) => Applied::Ignored(why),
        }
    }

    fn try_apply(&mut self, text: &[u8]) -> Result<(), Ignored> {
        let record = StateRecord::parse(text).map_err(|_| Ignored::Unreadable)?;
        self.follows_head(&record)?;
        let StateRecord { seq, epoch, at, kind, .. } = record;
        self.decide(kind, seq, at)?;
        self.head = Some(Head { seq, hash: hash_of(text), epoch, at });
        Ok(())
    }

    /// Whether `record` is the one that comes after the head.
    fn follows_head(&self, record: &StateRecord) -> Result<(), Ignored> {
        if record.seq != self.version() {
            return Err(Ignored::OutOfSequence);
        }
        if record.prev != self.head_hash() {
            return Err(Ignored::NotChained);
        }
        let opens = matches!(record.kind, StateKind::Opened { .. });
        if opens != self.head.is_none() {
            return Err(Ignored::Inconsistent("a line begins with opened, and only once"));
        }
        let takes_over = opens || matches!(record.kind, StateKind::Owned { .. });
        if record.epoch != self.epoch() + u64::from(takes_over) {
            return Err(Ignored::WrongEpoch);
        }
        if record.at < self.last_at() {
            return Err(Ignored::BackInTime);
        }
        if self.closed {
            return Err(Ignored::Inconsistent("nothing follows closed"));
        }
        Ok(())
    }

    /// Takes in what a record decided, or leaves everything as it is.
    fn decide(&mut self, kind: StateKind, seq: u64, at: Timestamp) -> Result<(), Ignored> {
        let wrong = |why| Err(Ignored::Inconsistent(why));
        let steers = match &kind {
            StateKind::Opened { .. }
            | StateKind::PolicyChanged { .. }
            | StateKind::RateSet { .. }
            | StateKind::CapSet { .. }
            | StateKind::Paused
            | StateKind::Resumed => true,
            StateKind::Owned { .. }
            | StateKind::BatchClosed { .. }
            | StateKind::Served { .. }
            | StateKind::SoldOut
            | StateKind::Reopened
            | StateKind::Revoked { .. }
            | StateKind::Closed => false,
        };
        match kind {
            StateKind::Opened { owner, event_id, commitment, chain_length, lanes, policy } => {
                if event_id != self.event {
                    return wrong("opened is of another event");
                }
                if lanes == 0 || lanes > MAX_LANES || policy.check().is_err() {
                    return wrong("opened has lanes or a policy outside their limits");
                }
                self.owner = owner;
                self.set_rates(&policy);
                let no_offsets = vec![0; lanes.into()].into();
                self.opening = Some(Opening { commitment, chain_length, policy, no_offsets });
            }
            StateKind::Owned { owner } => self.owner = owner,
            StateKind::PolicyChanged { policy } => {
                if policy.check().is_err() {
                    return wrong("policyChanged has a policy outside its limits");
                }
                if !self.batches.is_empty() {
                    return wrong("policyChanged after the first batch");
                }
                self.set_rates(&policy);
                if let Some(opening) = &mut self.opening {
                    opening.policy = policy;
                }
            }
            StateKind::BatchClosed { batch, start, end, size, before, root, reveal, beacon, seed } => {
                let (start, end) = (self.ends_if(&start).unwrap_or_else(|| start.into()), end.into());
                let shuffle = OnceLock::new();
                self.add_batch(Batch {
                    index: batch,
                    start,
                    end,
                    size,
                    before,
                    root,
                    reveal,
                    beacon,
                    seed,
                    closed_at: at,
                    shuffle,
                })?;
            }
            StateKind::Served { up_to } => {
                if up_to <= self.served() || up_to > self.drawn() {
                    return wrong("served does not rise, or is past the last drawn rank");
                }
                self.served.add(self.clock.line_ms(at), up_to);
            }
            StateKind::RateSet { rate_per_minute } => {
                if sale::within("ratePerMinute", rate_per_minute.into(), RATE_PER_MINUTE).is_err() {
                    return wrong("the rate is outside its limits");
                }
                self.rate_per_minute = rate_per_minute;
            }
            StateKind::CapSet { max_active } => {
                if sale::within("maxActive", max_active.into(), MAX_ACTIVE).is_err() {
                    return wrong("the cap is outside its limits");
                }
                self.max_active = max_active;
            }
            StateKind::Paused => self.clock.stop(at),
            StateKind::Resumed => self.clock.go_on(at),
            StateKind::SoldOut => self.sold_out = true,
            StateKind::Reopened => self.sold_out = false,
            StateKind::Revoked { session } => {
                if self.revoked.len() < MAX_REVOKED {
                    self.revoked.insert(session);
                }
            }
            StateKind::Closed => self.closed = true,
        }
        if steers {
            self.steered = seq + 1;
        }
        Ok(())
    }

    fn set_rates(&mut self, policy: &SalePolicy) {
        self.rate_per_minute = policy.rate_per_minute;
        self.max_active = policy.max_active;
    }

    /// The shared offsets of the last batch's end, where `start` is the same: most batches need no copy.
    fn ends_if(&self, start: &[u64]) -> Option<Arc<[u64]>> {
        let last = self.last_ends();
        (*last == *start).then_some(last)
    }

    fn add_batch(&mut self, batch: Batch) -> Result<(), Ignored> {
        let wrong = |why| Err(Ignored::Inconsistent(why));
        let Some(opening) = &self.opening else {
            return wrong("a batch before opened");
        };
        if usize::try_from(batch.index) != Ok(self.batches.len()) || batch.index >= opening.chain_length {
            return wrong("the batch's number is not the next, or the seed chain is spent");
        }
        if batch.start != self.last_ends() {
            return wrong("the batch does not start where the one before it ended");
        }
        if batch.end.len() != batch.start.len() || batch.end.iter().zip(&*batch.start).any(|(end, start)| end < start) {
            return wrong("the batch ends before it starts, or has another number of lanes");
        }
        if batch.size != size_between(&batch.start, &batch.end) || batch.before != self.drawn() {
            return wrong("the batch's size or before is not the sum of its lanes or of the earlier batches");
        }
        let promised = self.batches.last().map_or(opening.commitment, |before| before.reveal);
        if !draw::follows(&batch.reveal, &promised) {
            return wrong("the batch's reveal is not the seed chain's next link");
        }
        if batch.seed != draw::seed(&batch.reveal, &batch.root, batch.beacon.as_bytes()) {
            return wrong("the batch's seed is not made of its reveal, root and beacon");
        }
        self.batches.push(batch);
        Ok(())
    }
}
