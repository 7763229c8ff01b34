//! Bookings that go to another hall with their event.

use booking_core::{
    booking::{Carry, OutboxRow, REHOUSED, judge_carry},
    id::EventId,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

use super::{Books, Touched};

impl Books {
    /// Whether nothing of `seats` is claimed at `now`.
    pub(super) fn is_resting(&self, event: &EventId, seats: &[SeatIndex], now: Timestamp) -> bool {
        self.halls.get(event).is_some_and(|hall| {
            hall.carries
                || hall.rests_until.is_some_and(|until| until > now)
                || seats.iter().any(|seat| seat.0 < hall.first_seat)
        })
    }

    pub(super) fn first_seat(&self, event: &EventId) -> u32 {
        self.halls.get(event).map_or(0, |hall| hall.first_seat)
    }

    /// Gives a booking its seats in the new hall; false: it has none of those that it would come from.
    pub(crate) fn carry(&mut self, ask: &Carry, now: Timestamp, touched: &mut Touched) -> bool {
        let Some(after) = self.booking(&ask.booking).and_then(|booking| judge_carry(booking, &ask.ways)) else {
            return false;
        };
        let Some(kept) = self.bookings.get_mut(&ask.booking) else { return false };
        let before = std::mem::replace(&mut kept.booking, after.clone());
        if !std::mem::replace(&mut kept.changed, true) {
            self.changed.push(ask.booking.clone());
        }
        self.reseated.push(ask.booking.clone());
        for seat in before.seats.iter().filter(|seat| !after.seats.contains(seat)) {
            self.free(&after, *seat, touched);
        }
        for index in after.seats.iter().filter(|seat| !before.seats.contains(seat)) {
            let seat = self.seats.entry((after.event_id.clone(), *index)).or_default();
            (seat.owner, seat.changed) = (Some(ask.booking.clone()), true);
            touched.0.entry(after.event_id.clone()).or_default().insert(*index, SeatStatus::Booked);
        }
        if ask.is_told {
            self.outbox.push(OutboxRow { number: 0, kind: REHOUSED.to_owned(), booking: after, at: now });
        }
        true
    }
}
