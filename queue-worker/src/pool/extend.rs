//! Extending holds: by what the sale's policy says, in the ledger first, then in the hold table.

use std::collections::BTreeMap;

use booking_core::{
    booking::{ExtendHold, Extended},
    holds::Settle,
    id::{BookingId, EventId, UserId},
    message::{Outcome, Refusal, ReplyTo},
    ports::PortResult,
    time::Timestamp,
};

use super::{Answers, Pool};
use crate::outward;

/// An extension as it was asked for.
pub(super) struct Extension {
    pub(super) event: EventId,
    pub(super) booking: BookingId,
    pub(super) user: UserId,
}

impl Pool {
    /// Extends.
    pub(super) async fn extend(
        &mut self,
        extensions: Vec<(ReplyTo, Extension)>,
        now: Timestamp,
        answers: &mut Answers,
    ) {
        let mut by_seconds = BTreeMap::new();
        for (_, Extension { event, .. }) in &extensions {
            if !by_seconds.contains_key(event) {
                let seconds = self.seconds_to_add(event, now).await;
                let seconds = seconds.unwrap_or_else(|error| Err(outward::unavailable(&error)));
                by_seconds.insert(event.clone(), seconds);
            }
        }
        let (mut batch, mut asked) = (Vec::new(), Vec::new());
        for (to, Extension { event, booking, user }) in extensions {
            match &by_seconds[&event] {
                Ok(seconds) => {
                    batch.push(ExtendHold { booking, user, by_seconds: *seconds });
                    asked.push((to, event));
                }
                Err(refusal) => answers.add(to, refusal.clone(), None),
            }
        }
        if batch.is_empty() {
            return;
        }
        let outcomes = match self.parts.ledger.extend(&batch, now).await {
            Ok(applied) => self.extended(&asked, applied.answers).await,
            Err(error) => {
                for (_, event) in &asked {
                    // Whether the ledger has extended them is not known: the table may end them too early.
                    self.tables.distrust(event);
                }
                vec![outward::unavailable(&error); asked.len()]
            }
        };
        for ((to, _), outcome) in asked.into_iter().zip(outcomes) {
            answers.add(to, outcome, None);
        }
    }

    /// By how much holds of `event` are extended now, or why they are not.
    async fn seconds_to_add(&mut self, event: &EventId, now: Timestamp) -> PortResult<Result<u32, Outcome>> {
        let line = self.folds.now(&*self.parts.log, event).await?;
        let seconds = line.policy().map(|policy| policy.extend_seconds);
        let hall = self.halls.get(&*self.parts.catalog, event, now).await?;
        let refuse = |refusal| Ok(Err(Outcome::Refused(refusal)));
        match (seconds, hall) {
            (None, _) | (_, None) => refuse(Refusal::NotFound),
            (_, Some(hall)) if hall.event.has_begun(now) => refuse(Refusal::EventOver),
            (Some(0), _) => refuse(Refusal::NotExtendable),
            (Some(seconds), _) => Ok(Ok(seconds)),
        }
    }

    /// What is answered, and what the hold table is told: also of what was extended before, since whoever did so may
    /// have died in between.
    async fn extended(&mut self, asked: &[(ReplyTo, EventId)], answers: Vec<Extended>) -> Vec<Outcome> {
        let mut settles: BTreeMap<&EventId, Vec<Settle>> = BTreeMap::new();
        self.gauges.extended_total.add(answers.iter().filter(|answer| matches!(answer, Extended::Extended(_))).count());
        let outcome = |(answer, (_, event)): (Extended, &'_ (ReplyTo, EventId))| match answer {
            // An id is unguessable, but a booking of another event is none of this command's.
            Extended::Extended(booking)
            | Extended::Again(booking)
            | Extended::Gone(booking)
            | Extended::NotHeld(booking)
            | Extended::Resting(booking)
                if booking.event_id != *event =>
            {
                Outcome::Refused(Refusal::NotFound)
            }
            Extended::Extended(booking) | Extended::Again(booking) => Outcome::Booking(Box::new(booking)),
            Extended::Gone(_) => Outcome::Refused(Refusal::HoldExpired),
            Extended::NotHeld(_) => Outcome::Refused(Refusal::NotReserved),
            Extended::Resting(_) => Outcome::Refused(Refusal::NotExtendable),
            Extended::Unknown => Outcome::Refused(Refusal::NotFound),
        };
        let outcomes: Vec<Outcome> = answers.into_iter().zip(asked).map(outcome).collect();
        for (outcome, (_, event)) in outcomes.iter().zip(asked) {
            if let Outcome::Booking(booking) = outcome {
                let settle = Settle::Extended(booking.booking_id.clone(), booking.expires_at);
                settles.entry(event).or_default().push(settle);
            }
        }
        for (event, settles) in settles {
            if let Err(error) = self.parts.holds.settle(event, &settles).await {
                tracing::warn!(%error, %event, "the hold table did not hear of an extension");
                self.tables.distrust(event);
            }
        }
        outcomes
    }
}
