//! Telling the bookings of an event that it was moved.

use std::collections::HashSet;

use booking_core::{
    booking::{Booking, BookingState, MOVED, OutboxRow, TELL_AGAIN_MS, Telling},
    catalog::Moved,
    id::{BookingId, EventId},
    time::Timestamp,
};

use super::books::Books;

/// Who was told of an event's latest move.
#[derive(Debug)]
pub(super) struct Teller {
    moved: Moved,
    told: HashSet<BookingId>,
    /// From when on others are to be told; `None`: all are.
    tell_at: Option<Timestamp>,
}

impl Books {
    pub(super) fn telling(&self, event: &EventId) -> Option<Telling> {
        let teller = self.halls.get(event)?.telling.as_ref()?;
        let booked = self.made_before(event, teller).filter(|booking| booking.state == BookingState::Confirmed);
        let (told, left): (Vec<_>, Vec<_>) = booked.partition(|booking| teller.told.contains(&booking.booking_id));
        Some(Telling { moved: teller.moved.clone(), told: told.len() as u64, left: left.len() as u64 })
    }

    pub(super) fn record_move(&mut self, event: &EventId, moved: &Moved) {
        let telling = &mut self.halls.entry(event.clone()).or_default().telling;
        if telling.as_ref().is_none_or(|earlier| earlier.moved.number < moved.number) {
            *telling = Some(Teller { moved: moved.clone(), told: HashSet::new(), tell_at: Some(moved.at) });
        }
    }

    pub(super) fn tell_moved(&mut self, max: usize, now: Timestamp) -> usize {
        let due = self.halls.iter().filter_map(|(event, hall)| Some((hall.telling.as_ref()?.tell_at?, event)));
        let Some((_, event)) = due.filter(|(at, _)| *at <= now).min() else { return 0 };
        let event = event.clone();
        let Some(teller) = self.halls.get(&event).and_then(|hall| hall.telling.as_ref()) else { return 0 };
        let mut left: Vec<Booking> = self
            .made_before(&event, teller)
            .filter(|booking| !teller.told.contains(&booking.booking_id))
            .cloned()
            .collect();
        left.sort_by(|a, b| a.booking_id.cmp(&b.booking_id));
        let has_holds = left.iter().any(|booking| booking.state == BookingState::Held);
        let booked = left.into_iter().filter(|booking| booking.state == BookingState::Confirmed);
        let told: Vec<Booking> = booked.take(max).collect();
        if let Some(teller) = self.halls.get_mut(&event).and_then(|hall| hall.telling.as_mut()) {
            teller.told.extend(told.iter().map(|booking| booking.booking_id.clone()));
            if told.len() < max {
                let goes_on = has_holds || now <= teller.moved.booked_until();
                teller.tell_at = goes_on.then(|| now.plus_millis(TELL_AGAIN_MS));
            }
        }
        let count = told.len();
        for booking in told {
            self.outbox_rows += 1;
            self.outbox.push_back(OutboxRow { number: self.outbox_rows, kind: MOVED.to_owned(), booking, at: now });
        }
        count
    }

    fn made_before(&self, event: &EventId, teller: &Teller) -> impl Iterator<Item = &Booking> {
        let until = teller.moved.booked_until();
        let bookings = self.rows.values().map(|row| &row.booking);
        bookings.filter(move |booking| booking.event_id == *event && booking.created_at <= until)
    }
}
