//! Carrying the bookings of an event over to another hall.

use std::collections::BTreeSet;

use booking_core::{
    booking::{
        Begun, Booking, BookingState, Carry, EventHall, HallChange, Housing, OutboxRow, REHOUSED, ToCarry, judge_begin,
        judge_carry,
    },
    id::{BookingId, EventId},
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

use super::books::{Books, Touched};

impl Books {
    pub(super) fn first_seat(&self, event: &EventId) -> u32 {
        self.halls.get(event).map_or(0, |hall| hall.housing.first_seat)
    }

    /// Whether nothing of `seats` is claimed at `now`.
    pub(super) fn is_resting(&self, event: &EventId, seats: &[SeatIndex], now: Timestamp) -> bool {
        let Some(EventHall { first_seat, carries, rests_until, .. }) = self.halls.get(event).map(|hall| &hall.housing)
        else {
            return false;
        };
        *carries || rests_until.is_some_and(|until| until > now) || seats.iter().any(|seat| seat.0 < *first_seat)
    }

    pub(super) fn housing(&self, event: &EventId) -> Option<Housing> {
        let housing = &self.halls.get(event)?.housing;
        let left = self.owners_before(event, housing.first_seat).len() as u64;
        Some(Housing { change: housing.change.clone()?, left, is_done: !housing.carries })
    }

    pub(super) fn begin_rehousing(
        &mut self,
        event: &EventId,
        change: &HallChange,
        version: u64,
        now: Timestamp,
    ) -> Begun {
        let of_event = self.rows.values().map(|row| &row.booking).filter(|booking| booking.event_id == *event);
        let live: Vec<Timestamp> =
            of_event.filter(|booking| booking.is_live_hold(now)).map(|booking| booking.expires_at).collect();
        let holds = live.iter().max().map(|last| (live.len() as u64, *last));
        let hall = self.halls.entry(event.clone()).or_default();
        let (begun, after) = judge_begin(&hall.housing, change, (version, hall.version), holds);
        if let Some(after) = after {
            hall.housing = after;
        }
        begun
    }

    pub(super) fn bookings_to_carry(&self, max: usize) -> Option<ToCarry> {
        let mut carrying: Vec<_> = self.halls.iter().filter(|(_, hall)| hall.housing.carries).collect();
        carrying.sort_by_key(|(event, _)| *event);
        let (event, hall) = carrying.first()?;
        let owners = self.owners_before(event, hall.housing.first_seat).into_iter().take(max);
        let bookings = owners.filter_map(|id| self.booking(id).cloned()).collect();
        Some(ToCarry { event: (*event).clone(), change: hall.housing.change.clone()?, bookings })
    }

    pub(super) fn carry(&mut self, ask: &Carry, now: Timestamp, touched: &mut Touched) -> bool {
        let Some(after) = self.booking(&ask.booking).and_then(|booking| judge_carry(booking, &ask.ways)) else {
            return false;
        };
        let Some(row) = self.rows.get_mut(&ask.booking) else { return false };
        let before = std::mem::replace(&mut row.booking, after.clone());
        let seats = &mut self.halls.entry(after.event_id.clone()).or_default().seats;
        let changes = touched.0.entry(after.event_id.clone()).or_default();
        for seat in before.seats.iter().filter(|seat| !after.seats.contains(seat)) {
            seats.remove(seat);
            changes.insert(*seat, SeatStatus::Available);
        }
        for seat in after.seats.iter().filter(|seat| !before.seats.contains(seat)) {
            seats.insert(*seat, ask.booking.clone());
            changes.insert(*seat, SeatStatus::Booked);
        }
        self.door.changed(&after);
        if ask.is_told {
            self.outbox_rows += 1;
            let (number, kind) = (self.outbox_rows, REHOUSED.to_owned());
            self.outbox.push_back(OutboxRow { number, kind, booking: after, at: now });
        }
        true
    }

    pub(super) fn end_rehousing(&mut self, event: &EventId, number: u32) {
        let is_left = !self.owners_before(event, self.first_seat(event)).is_empty();
        if let Some(hall) = self.halls.get_mut(event)
            && !is_left
            && hall.housing.change.as_ref().is_some_and(|change| change.rehoused.number == number)
        {
            hall.housing.carries = false;
        }
    }

    /// The confirmed bookings of `event` that have a seat before `first_seat`.
    fn owners_before(&self, event: &EventId, first_seat: u32) -> BTreeSet<&BookingId> {
        let seats = self.halls.get(event).into_iter().flat_map(|hall| hall.seats.range(..SeatIndex(first_seat)));
        let is_booked = |booking: &Booking| booking.state == BookingState::Confirmed;
        seats.map(|(_, owner)| owner).filter(|owner| self.booking(owner).is_some_and(is_booked)).collect()
    }
}
