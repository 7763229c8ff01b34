//! The door: who is let in, once, and with which ticket no longer.
//!
//! Check-ins belong to the ledger, so that a seat that is inside can't be cancelled and a cancelled one does not get in,
//! whatever races.

use serde::{Deserialize, Serialize};

use super::{Booking, BookingState, CancelSeats};
use crate::{
    id::{BookingId, EventId},
    seats::SeatIndex,
    time::Timestamp,
};

/// A ticket that is shown at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckIn {
    /// Of which booking.
    pub booking: BookingId,
    /// For which of its seats, as it was bought ([`Booking::bought`]).
    pub seat: SeatIndex,
    /// Where and when.
    pub entry: GateEntry,
}

/// Somebody passing a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateEntry {
    /// Which gate.
    pub gate: String,
    /// The scan, by an id of the gate's own: the same one again is the same scan, sent again.
    pub scan: String,
    /// When.
    pub at: Timestamp,
}

impl GateEntry {
    fn is_same_scan(&self, other: &Self) -> bool {
        (&self.gate, &self.scan) == (&other.gate, &other.scan)
    }
}

/// What became of a check-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result")]
pub enum CheckedIn {
    /// Let in, now or by this very scan earlier.
    In,
    /// Somebody was let in with it before.
    Again {
        /// When.
        at: Timestamp,
        /// At which gate.
        gate: String,
    },
    /// The seat was cancelled, or the event called off.
    Cancelled,
    /// An operator revoked the ticket.
    Revoked {
        /// Why.
        why: String,
    },
    /// There is no such ticket.
    Unknown,
}

/// A ticket to be revoked, or to be good again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeTicket {
    /// Of which booking.
    pub booking: BookingId,
    /// For which of its seats, as it was bought ([`Booking::bought`]).
    pub seat: SeatIndex,
    /// Why; `None`: it is good again.
    pub why: Option<String>,
}

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It is as asked, now or from before.
    Done,
    /// There is no such ticket, or its seat was cancelled.
    Unknown,
}

/// What the door knows of a ticket besides its booking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketMark {
    /// Who was let in with it; never changes.
    pub entry: Option<GateEntry>,
    /// Why it lets nobody in any more.
    pub revoked: Option<String>,
}

/// A booking that was confirmed once, as a door sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorBooking {
    /// Rises with every change of a booking of the event, or of one of its tickets, that a door has to know.
    pub version: u64,
    /// The booking.
    pub booking: Booking,
    /// Its tickets that somebody was let in with, or that were revoked, by seat as it was bought.
    pub marks: Vec<(SeatIndex, TicketMark)>,
}

/// How full the house is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoorCounts {
    /// Tickets that somebody was let in with, by gate, in the order of the gates' names. Of an event that was called off:
    /// those who were let in, too.
    pub by_gate: Vec<(String, u64)>,
    /// Tickets of seats that are booked and were revoked.
    pub revoked: u64,
}

/// What becomes of a check-in at a booking of an event that was `called_off` or not, and the mark to write.
pub fn judge_check_in(
    stored: Option<&Booking>,
    mark: Option<&TicketMark>,
    ask: &CheckIn,
    event: &EventId,
    called_off: bool,
) -> (CheckedIn, Option<TicketMark>) {
    let Some(booking) = stored.filter(|booking| booking.event_id == *event) else {
        return (CheckedIn::Unknown, None);
    };
    let first = mark.and_then(|mark| mark.entry.as_ref());
    if first.is_some_and(|first| first.is_same_scan(&ask.entry)) {
        return (CheckedIn::In, None);
    }
    if !has_ticket(booking, ask.seat) {
        let mut had = booking.cancelled_seats.iter().chain(&booking.seats);
        let had_it = booking.ends_session() && had.any(|seat| booking.bought(*seat) == ask.seat);
        return (if had_it { CheckedIn::Cancelled } else { CheckedIn::Unknown }, None);
    }
    if called_off {
        return (CheckedIn::Cancelled, None);
    }
    match mark {
        Some(TicketMark { revoked: Some(why), .. }) => (CheckedIn::Revoked { why: why.clone() }, None),
        Some(TicketMark { entry: Some(first), .. }) => {
            (CheckedIn::Again { at: first.at, gate: first.gate.clone() }, None)
        }
        _ => (CheckedIn::In, Some(TicketMark { entry: Some(ask.entry.clone()), revoked: None })),
    }
}

/// What becomes of a revocation, and the mark to write.
pub fn judge_revocation(
    stored: Option<&Booking>,
    mark: Option<&TicketMark>,
    ask: &RevokeTicket,
    event: &EventId,
) -> (Revocation, Option<TicketMark>) {
    let is_there = stored.is_some_and(|booking| booking.event_id == *event && has_ticket(booking, ask.seat));
    if !is_there {
        return (Revocation::Unknown, None);
    }
    let before = mark.cloned().unwrap_or_default();
    let after = TicketMark { revoked: ask.why.clone(), ..before.clone() };
    (Revocation::Done, (after != before).then_some(after))
}

/// Whether one of the seats that `ask` would cancel is inside.
pub fn cancels_a_seat_inside(
    booking: &Booking,
    ask: &CancelSeats,
    mut is_inside: impl FnMut(SeatIndex) -> bool,
) -> bool {
    has_any_ticket(booking)
        && ask.seats.iter().any(|(seat, _)| booking.seat_bought_as(*seat).is_some() && is_inside(*seat))
}

fn has_any_ticket(booking: &Booking) -> bool {
    booking.state == BookingState::Confirmed
}

fn has_ticket(booking: &Booking, seat: SeatIndex) -> bool {
    has_any_ticket(booking) && booking.seat_bought_as(seat).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, money::Money};

    fn booking(state: BookingState) -> Booking {
        Booking {
            booking_id: "booking_1".parse().unwrap(),
            event_id: "evt_1".parse().unwrap(),
            user_id: "user_1".parse().unwrap(),
            session: "session_1".parse().unwrap(),
            seats: vec![SeatIndex(3), SeatIndex(5)],
            cancelled_seats: vec![SeatIndex(4)],
            bought_as: Vec::new(),
            state,
            total: Money { amount: 500, currency: "EUR".parse().unwrap() },
            expires_at: Timestamp::default(),
            extended: false,
            created_at: Timestamp::default(),
            settled_at: None,
            transaction: None,
            refund: None,
            fingerprint: Digest::ZERO,
        }
    }

    fn entry(gate: &str, scan: &str, at: i64) -> GateEntry {
        GateEntry { gate: gate.to_owned(), scan: scan.to_owned(), at: Timestamp::from_millis(at) }
    }

    fn scan(seat: u32, gate: &str, scan: &str) -> CheckIn {
        CheckIn { booking: "booking_1".parse().unwrap(), seat: SeatIndex(seat), entry: entry(gate, scan, 9) }
    }

    #[test]
    fn a_scan_is_judged_by_its_booking_then_what_was_revoked_then_who_was_first() {
        let event = "evt_1".parse().unwrap();
        let inside = TicketMark { entry: Some(entry("North", "s1", 5)), revoked: None };
        let revoked = TicketMark { entry: None, revoked: Some("stolen".to_owned()) };
        let both = TicketMark { revoked: revoked.revoked.clone(), ..inside.clone() };
        let again = || CheckedIn::Again { at: Timestamp::from_millis(5), gate: "North".to_owned() };
        let gone = || CheckedIn::Revoked { why: "stolen".to_owned() };
        // state, mark, seat, gate, scan, called off, answer
        let table = [
            (BookingState::Confirmed, None, 3, "North", "s1", false, CheckedIn::In),
            (BookingState::Confirmed, Some(&inside), 3, "North", "s1", false, CheckedIn::In),
            (BookingState::Confirmed, Some(&both), 3, "North", "s1", false, CheckedIn::In),
            (BookingState::Cancelled, Some(&inside), 3, "North", "s1", true, CheckedIn::In),
            (BookingState::Confirmed, Some(&inside), 3, "South", "s1", false, again()),
            (BookingState::Confirmed, Some(&inside), 3, "North", "s2", false, again()),
            (BookingState::Confirmed, Some(&revoked), 3, "North", "s2", false, gone()),
            (BookingState::Confirmed, Some(&both), 3, "North", "s2", false, gone()),
            (BookingState::Confirmed, None, 4, "North", "s1", false, CheckedIn::Cancelled),
            (BookingState::Confirmed, None, 6, "North", "s1", false, CheckedIn::Unknown),
            (BookingState::Confirmed, None, 3, "North", "s1", true, CheckedIn::Cancelled),
            (BookingState::Cancelled, None, 3, "North", "s1", false, CheckedIn::Cancelled),
            (BookingState::Held, None, 3, "North", "s1", false, CheckedIn::Unknown),
            (BookingState::Expired, None, 3, "North", "s1", false, CheckedIn::Unknown),
            (BookingState::Released, None, 3, "North", "s1", false, CheckedIn::Unknown),
        ];
        for (number, (state, mark, seat, gate, id, called_off, expected)) in table.into_iter().enumerate() {
            let (answer, written) =
                judge_check_in(Some(&booking(state)), mark, &scan(seat, gate, id), &event, called_off);
            assert_eq!(answer, expected, "row {number}");
            assert_eq!(written.is_some(), number == 0, "row {number}: only the first is written");
        }
        let other = "evt_2".parse().unwrap();
        let stored = booking(BookingState::Confirmed);
        let (answer, _) = judge_check_in(Some(&stored), None, &scan(3, "North", "s1"), &other, false);
        assert_eq!(answer, CheckedIn::Unknown, "another event's");
        assert_eq!(judge_check_in(None, None, &scan(3, "North", "s1"), &event, false).0, CheckedIn::Unknown);
    }

    #[test]
    fn a_revocation_keeps_who_was_let_in_and_can_be_undone() {
        let event = "evt_1".parse().unwrap();
        let stored = booking(BookingState::Confirmed);
        let ask = |seat, why: Option<&str>| RevokeTicket {
            booking: stored.booking_id.clone(),
            seat: SeatIndex(seat),
            why: why.map(str::to_owned),
        };
        let inside = TicketMark { entry: Some(entry("North", "s1", 5)), revoked: None };
        let (answer, revoked) = judge_revocation(Some(&stored), Some(&inside), &ask(3, Some("stolen")), &event);
        let revoked = revoked.expect("changed");
        assert_eq!((answer, &revoked.entry), (Revocation::Done, &inside.entry));
        let again = judge_revocation(Some(&stored), Some(&revoked), &ask(3, Some("stolen")), &event);
        assert_eq!(again, (Revocation::Done, None));
        assert_eq!(judge_revocation(Some(&stored), Some(&revoked), &ask(3, None), &event).1, Some(inside));
        assert_eq!(judge_revocation(Some(&stored), None, &ask(4, Some("stolen")), &event).0, Revocation::Unknown);
        assert_eq!(judge_revocation(None, None, &ask(3, None), &event).0, Revocation::Unknown);
    }

    #[test]
    fn only_seats_that_are_the_bookings_own_count_as_inside() {
        let ask = |seat| CancelSeats {
            booking: "booking_1".parse().unwrap(),
            user: "user_1".parse().unwrap(),
            seats: vec![(SeatIndex(seat), 0)],
        };
        let stored = booking(BookingState::Confirmed);
        assert!(cancels_a_seat_inside(&stored, &ask(3), |_| true));
        assert!(!cancels_a_seat_inside(&stored, &ask(3), |seat| seat == SeatIndex(5)));
        assert!(!cancels_a_seat_inside(&stored, &ask(4), |_| true));
        assert!(!cancels_a_seat_inside(&booking(BookingState::Cancelled), &ask(3), |_| true));
    }
}
