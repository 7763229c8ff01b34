//! What the ledger in memory knows of the door.

use std::collections::{BTreeMap, HashMap};

use booking_core::{
    booking::{
        Booking, BookingState, CheckIn, CheckedIn, DoorBooking, DoorCounts, Revocation, RevokeTicket, TicketMark,
        judge_check_in, judge_revocation,
    },
    id::{BookingId, EventId},
    seats::SeatIndex,
};

use super::books::Books;

/// The tickets that are marked, and in what order bookings changed that a door has to know.
#[derive(Debug, Default)]
pub(super) struct Door {
    marks: HashMap<BookingId, BTreeMap<SeatIndex, TicketMark>>,
    changes: BTreeMap<(EventId, u64), BookingId>,
    version_of: HashMap<BookingId, u64>,
    version: u64,
}

impl Door {
    pub(super) fn is_inside(&self, booking: &BookingId, seat: SeatIndex) -> bool {
        self.mark(booking, seat).is_some_and(|mark| mark.entry.is_some())
    }

    /// Notes that a door has to know of `booking`, if it was ever confirmed.
    pub(super) fn changed(&mut self, booking: &Booking) {
        if !booking.ends_session() {
            return;
        }
        self.version += 1;
        let (event, id) = (&booking.event_id, &booking.booking_id);
        if let Some(before) = self.version_of.insert(id.clone(), self.version) {
            self.changes.remove(&(event.clone(), before));
        }
        self.changes.insert((event.clone(), self.version), id.clone());
    }

    fn mark(&self, booking: &BookingId, seat: SeatIndex) -> Option<&TicketMark> {
        self.marks.get(booking)?.get(&seat)
    }
}

impl Books {
    pub(super) fn check_in(&mut self, event: &EventId, ask: &CheckIn) -> CheckedIn {
        let mark = self.door.mark(&ask.booking, ask.seat);
        let called_off = self.called_off(event).is_some();
        let (answer, mark) = judge_check_in(self.booking(&ask.booking), mark, ask, event, called_off);
        self.mark(&ask.booking, ask.seat, mark);
        answer
    }

    pub(super) fn revoke_ticket(&mut self, event: &EventId, ask: &RevokeTicket) -> Revocation {
        let mark = self.door.mark(&ask.booking, ask.seat);
        let (answer, mark) = judge_revocation(self.booking(&ask.booking), mark, ask, event);
        self.mark(&ask.booking, ask.seat, mark);
        answer
    }

    fn mark(&mut self, booking: &BookingId, seat: SeatIndex, mark: Option<TicketMark>) {
        if let Some((mark, booking)) = mark.zip(self.booking(booking).cloned()) {
            self.door.marks.entry(booking.booking_id.clone()).or_default().insert(seat, mark);
            self.door.changed(&booking);
        }
    }

    pub(super) fn door_bookings(&self, event: &EventId, since: u64, max: usize) -> Vec<DoorBooking> {
        let behind = (event.clone(), since.saturating_add(1))..=(event.clone(), u64::MAX);
        let bookings = self.door.changes.range(behind).filter_map(|((_, version), id)| {
            let marks = self.door.marks.get(id).into_iter().flatten();
            Some(DoorBooking {
                version: *version,
                booking: self.booking(id)?.clone(),
                marks: marks.map(|(seat, mark)| (*seat, mark.clone())).collect(),
            })
        });
        bookings.take(max).collect()
    }

    pub(super) fn door_counts(&self, event: &EventId) -> DoorCounts {
        let (mut by_gate, mut revoked) = (BTreeMap::<String, u64>::new(), 0);
        for (id, marks) in &self.door.marks {
            let Some(booking) = self.booking(id).filter(|booking| booking.event_id == *event) else { continue };
            for (seat, mark) in marks {
                if let Some(entry) = &mark.entry {
                    *by_gate.entry(entry.gate.clone()).or_default() += 1;
                }
                let is_booked = booking.state == BookingState::Confirmed && booking.seat_bought_as(*seat).is_some();
                revoked += u64::from(is_booked && mark.revoked.is_some());
            }
        }
        DoorCounts { by_gate: by_gate.into_iter().collect(), revoked }
    }
}
