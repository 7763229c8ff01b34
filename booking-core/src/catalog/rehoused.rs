//! An event that is in another hall than it was sold for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Event, MAX_REASON_CHARS, Venue};
use crate::{
    digest::Digest,
    id::VenueId,
    rehousing::Rehouse,
    seats::{MAX_SEATS_OF_AN_EVENT, SeatMap},
    time::Timestamp,
};

/// The most times that an event goes to another hall.
pub const MAX_REHOUSINGS: usize = 20;

/// An event's change of hall. Bookings stand, each sold seat in its new place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehoused {
    /// The command that did it, by its id: done twice, it is one change.
    pub command: String,
    /// Which of the event's changes of hall, from 1.
    pub number: u32,
    /// When it was decided.
    pub at: Timestamp,
    /// The hall before.
    pub from: VenueId,
    /// The hall since.
    pub to: VenueId,
    /// The index of the first seat of the new hall: all those of the halls before are lower.
    pub first_seat: u32,
    /// Why, for those who have tickets.
    pub reason: String,
    /// What the operator had looked at.
    pub fingerprint: Digest,
}

/// Why an event does not go to another hall, whatever was sold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRehousing {
    /// No reason, or too long a one.
    #[error("reason must say why, in 1 to {MAX_REASON_CHARS} characters")]
    Reason,
    /// It was in too many halls.
    #[error("an event can go to another hall at most {MAX_REHOUSINGS} times")]
    TooOften,
    /// Its halls have too many seats together.
    #[error("the halls that an event was in can have at most {MAX_SEATS_OF_AN_EVENT} seats together")]
    TooManySeats,
}

impl Venue {
    /// This hall for an event that was in `before`: see [`SeatMap::after`].
    #[must_use]
    pub fn after(&self, before: &Self) -> Self {
        Self { seat_map: self.seat_map.after(Arc::new(before.seat_map.clone())), ..self.clone() }
    }
}

impl Event {
    /// The change of hall that `wanted` becomes at `now`, by `command`; `old` and `new` are the halls, as
    /// [`Venue::after`] has them.
    ///
    /// # Errors
    /// The first thing that is wrong about it.
    pub fn judge_rehousing(
        &self,
        wanted: &Rehouse,
        (old, new): (&SeatMap, &SeatMap),
        command: &str,
        now: Timestamp,
    ) -> Result<Rehoused, InvalidRehousing> {
        let reason = wanted.reason.trim();
        if !(1..=MAX_REASON_CHARS).contains(&reason.chars().count()) {
            return Err(InvalidRehousing::Reason);
        }
        if self.halls.len() >= MAX_REHOUSINGS {
            return Err(InvalidRehousing::TooOften);
        }
        if old.end() as usize + new.len() > MAX_SEATS_OF_AN_EVENT {
            return Err(InvalidRehousing::TooManySeats);
        }
        Ok(Rehoused {
            command: command.to_owned(),
            number: u32::try_from(self.halls.len() + 1).unwrap_or(u32::MAX),
            at: now,
            from: self.venue_id.clone(),
            to: wanted.venue_id.clone(),
            first_seat: old.end(),
            reason: reason.to_owned(),
            fingerprint: wanted.fingerprint,
        })
    }

    /// Whether its latest change of hall is what `wanted` asks for: a request that is repeated.
    pub fn is_rehoused_so(&self, wanted: &Rehouse) -> bool {
        self.halls.last().is_some_and(|last| last.fingerprint == wanted.fingerprint && last.to == wanted.venue_id)
    }

    /// The event in the hall of `rehoused`; as it is where it went there before. `None` where that is a change of
    /// another hall than it is in.
    pub fn rehoused(&self, rehoused: &Rehoused) -> Option<Self> {
        if self.halls.iter().any(|earlier| earlier.command == rehoused.command) {
            return Some(self.clone());
        }
        let is_next = self.venue_id == rehoused.from && self.halls.len() + 1 == rehoused.number as usize;
        is_next.then(|| {
            let mut after = Self { venue_id: rehoused.to.clone(), ..self.clone() };
            after.halls.push(rehoused.clone());
            after
        })
    }
}
