//! A booking's life as a table that a person can read.

use super::{
    Booking,
    BookingState::{self, Cancelled, Confirmed, Expired, Held, Released},
};
use crate::seats::SeatStatus;

/// What happens to a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BookingEvent {
    /// It is paid, and its seats are its own or free.
    PaidInTime,
    /// It is paid, and somebody else has one of its seats, or its owner may have no more seats.
    PaidTooLate,
    /// Its owner gives the seats back.
    GivenBack,
    /// Its deadline passed.
    RanOut,
    /// Its owner cancels what they bought.
    CalledOff,
}

/// What an event makes of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The state changes to this one.
    To(BookingState),
    /// It is so already: an event that is repeated.
    Stays,
    /// Not from here. The booking stays as it is, and whoever asked is told so.
    No,
}

use BookingEvent::{CalledOff, GivenBack, PaidInTime, PaidTooLate, RanOut};
use Step::{No, Stays, To};

/// Every state and every event.
pub const TRANSITIONS: [(BookingState, [(BookingEvent, Step); 5]); 5] = [
    (
        Held,
        [
            (PaidInTime, To(Confirmed)),
            (PaidTooLate, To(Expired)),
            (GivenBack, To(Released)),
            (RanOut, To(Expired)),
            (CalledOff, No),
        ],
    ),
    // Confirmed seats are nobody else's, whatever a repeated payment finds.
    (Confirmed, [(PaidInTime, Stays), (PaidTooLate, Stays), (GivenBack, No), (RanOut, No), (CalledOff, To(Cancelled))]),
    (Cancelled, [(PaidInTime, No), (PaidTooLate, No), (GivenBack, No), (RanOut, No), (CalledOff, Stays)]),
    // A late payment takes the seats again if they are still free.
    (Expired, [(PaidInTime, To(Confirmed)), (PaidTooLate, No), (GivenBack, Stays), (RanOut, Stays), (CalledOff, No)]),
    (Released, [(PaidInTime, No), (PaidTooLate, No), (GivenBack, Stays), (RanOut, No), (CalledOff, No)]),
];

/// What `event` makes of `state`, by [`TRANSITIONS`].
pub fn step(state: BookingState, event: BookingEvent) -> Step {
    TRANSITIONS
        .iter()
        .filter(|(from, _)| *from == state)
        .flat_map(|(_, row)| row)
        .find(|(on, _)| *on == event)
        .map_or(No, |(_, step)| *step)
}

/// The outbox's word for what `booking` has just become.
pub fn outbox_kind(booking: &Booking) -> &'static str {
    match booking.state {
        Held if booking.extended => "booking.extended",
        Held => "booking.held",
        Confirmed if !booking.cancelled_seats.is_empty() => "booking.reduced",
        Confirmed => "booking.confirmed",
        Cancelled => "booking.cancelled",
        Expired => "booking.expired",
        Released => "booking.released",
    }
}

/// What live maps show of the seats of a booking in `state`, as long as nobody else has them.
pub fn seat_status(state: BookingState) -> SeatStatus {
    match state {
        Held => SeatStatus::Reserved,
        Confirmed => SeatStatus::Booked,
        Cancelled | Expired | Released => SeatStatus::Available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [BookingState; 5] = [Held, Confirmed, Cancelled, Expired, Released];
    const EVENTS: [BookingEvent; 5] = [PaidInTime, PaidTooLate, GivenBack, RanOut, CalledOff];

    #[test]
    fn the_table_has_every_state_and_every_event_once() {
        for state in STATES {
            assert_eq!(TRANSITIONS.iter().filter(|(from, _)| *from == state).count(), 1, "{state:?}");
        }
        for (state, row) in TRANSITIONS {
            for event in EVENTS {
                assert_eq!(row.iter().filter(|(on, _)| *on == event).count(), 1, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn the_life_of_a_booking_is_this_and_nothing_else() {
        let mut moves: Vec<_> = STATES
            .into_iter()
            .flat_map(|state| EVENTS.map(|event| (state, event, step(state, event))))
            .filter_map(|(from, on, step)| if let To(to) = step { Some((from, on, to)) } else { None })
            .collect();
        let mut expected = vec![
            (Held, PaidInTime, Confirmed),
            (Held, PaidTooLate, Expired),
            (Held, GivenBack, Released),
            (Held, RanOut, Expired),
            (Expired, PaidInTime, Confirmed),
            (Confirmed, CalledOff, Cancelled),
        ];
        let by_text = |entry: &(BookingState, BookingEvent, BookingState)| format!("{entry:?}");
        moves.sort_by_key(by_text);
        expected.sort_by_key(by_text);
        assert_eq!(moves, expected);
    }

    #[test]
    fn an_event_that_is_repeated_changes_nothing_more() {
        for state in STATES {
            for event in EVENTS {
                if let To(next) = step(state, event) {
                    assert!(!matches!(step(next, event), To(_)), "{state:?} {event:?} twice");
                }
            }
        }
    }

    #[test]
    fn nobody_but_its_owner_ends_a_confirmed_booking() {
        for event in [PaidInTime, PaidTooLate, GivenBack, RanOut] {
            assert!(!matches!(step(Confirmed, event), To(_)), "invariant 3: {event:?}");
        }
    }
}
