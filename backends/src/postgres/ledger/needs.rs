//! What a verb of the ledger names, and so may ask for.

use std::collections::BTreeSet;

use booking_core::{
    booking::{ClaimSeats, ConfirmSeats},
    id::{BookingId, EventId, SessionId, UserId},
    seats::SeatIndex,
    time::Timestamp,
};

/// What a verb names. Sets in order: what is locked or written is so in the same order by everybody.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    /// Events that seats are claimed of. Those of [`Self::bookings`] come to it.
    pub(super) events: BTreeSet<EventId>,
    /// Bookings by id.
    pub(super) bookings: BTreeSet<BookingId>,
    /// Since when, if the bookings are to be confirmed: of those that are late then, their session's and user's other
    /// bookings count, too.
    pub(super) confirms_at: Option<Timestamp>,
    /// Whether what the door knows of the bookings' tickets counts.
    pub(super) tickets: bool,
    /// Sessions whose seats count.
    pub(super) sessions: BTreeSet<SessionId>,
    /// Users whose seats in an event count.
    pub(super) users: BTreeSet<(UserId, EventId)>,
    /// Seats.
    pub(super) seats: BTreeSet<(EventId, SeatIndex)>,
}

impl Needs {
    pub(super) fn of_claims(batch: &[ClaimSeats]) -> Self {
        let mut needs = Self::of_bookings(batch.iter().map(|claim| &claim.booking));
        for claim in batch {
            needs.events.insert(claim.event.clone());
            needs.sessions.insert(claim.session.clone());
            needs.users.insert((claim.user.clone(), claim.event.clone()));
            needs.seats.extend(claim.seats.iter().map(|seat| (claim.event.clone(), *seat)));
        }
        needs
    }

    pub(super) fn of_confirmations(batch: &[ConfirmSeats], now: Timestamp) -> Self {
        Self { confirms_at: Some(now), ..Self::of_bookings(batch.iter().map(|ask| &ask.booking)) }
    }

    pub(super) fn of_tickets<'a>(bookings: impl IntoIterator<Item = &'a BookingId>) -> Self {
        Self { tickets: true, ..Self::of_bookings(bookings) }
    }

    pub(super) fn of_bookings<'a>(bookings: impl IntoIterator<Item = &'a BookingId>) -> Self {
        Self { bookings: bookings.into_iter().cloned().collect(), ..Self::default() }
    }
}
