//! What a batch is answered.

use booking_core::{
    booking::SeatChanges,
    message::{Outcome, ReplyTo},
    ports::PortResult,
};
use futures_util::future::join;

use super::{hold::Hold, known::known};
use crate::{Parts, outward};

/// The answers to a batch, and what it changed on the seat maps.
#[derive(Default)]
pub(super) struct Answers {
    answers: Vec<(ReplyTo, Outcome)>,
    /// Which of them are refusals of a hold that the ledger may know, and then answers otherwise.
    perhaps_known: Vec<(usize, Hold)>,
    pub(super) changes: Vec<SeatChanges>,
}

impl Answers {
    /// Adds an answer. Where the ledger knows the booking of `unless_known`, that is the answer instead.
    pub(super) fn add(&mut self, to: ReplyTo, outcome: Outcome, unless_known: Option<Hold>) {
        if let Some(hold) = unless_known {
            self.perhaps_known.push((self.answers.len(), hold));
        }
        self.answers.push((to, outcome));
    }

    /// Answers, and tells the screens.
    ///
    /// # Errors
    /// If the log fails.
    pub(super) async fn tell(mut self, parts: &Parts) -> PortResult<()> {
        let changes = std::mem::take(&mut self.changes);
        let answered = async {
            self.look_up(parts).await;
            outward::reply(&*parts.log, self.answers).await
        };
        // The screens first: they are to hear of the batches in the order these were decided in.
        let ((), told) = join(outward::publish_seats(&*parts.log, &changes), answered).await;
        told
    }

    /// Replaces the refusals of what the ledger knows.
    async fn look_up(&mut self, parts: &Parts) {
        if self.perhaps_known.is_empty() {
            return;
        }
        match known(&*parts.ledger, self.perhaps_known.iter().map(|(_, hold)| hold)).await {
            Ok(known) => {
                for ((at, _), known) in self.perhaps_known.iter().zip(known) {
                    if let Some(known) = known {
                        self.answers[*at].1 = known;
                    }
                }
            }
            Err(error) => {
                for (at, _) in &self.perhaps_known {
                    self.answers[*at].1 = outward::unavailable(&error);
                }
            }
        }
    }
}
