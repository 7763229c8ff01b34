//! What a transaction of the ledger looks at and changes, and how each verb changes it.
//!
//! A SQL ledger reads what the verbs of a transaction may ask for; they decide here, one after the other, by the shared
//! rules; the ledger writes what changed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use booking_core::{
    booking::{
        Booking, BookingState, CancelSeats, Cancelled, CheckIn, CheckedIn, ClaimSeats, Claimed, ConfirmSeats,
        Confirmed, ExtendHold, Extended, OutboxRow, PaymentAct, Release, Released, Revocation, RevokeTicket,
        SeatChanges, SeatsFor, Standings, TicketMark, given_up, judge_cancel, judge_check_in, judge_claim,
        judge_confirm, judge_expiry, judge_extend, judge_release, judge_revocation, outbox_kind, payment_act,
        seat_status, settles_earlier,
    },
    id::{BookingId, EventId, SessionId, TransactionId, UserId},
    ports::ledger::Applied,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

mod rehouse;

/// A booking as the ledger keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) booking: Booking,
    /// Of the claim that made it.
    pub(crate) max_seats: u32,
    /// Whether it is in [`Books::changed`].
    pub(crate) changed: bool,
}

/// Who has a seat, by hold or booking. Of a hold that ran out, until somebody takes the seat or it is marked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seat {
    /// As it was read.
    pub(crate) stored: Option<BookingId>,
    pub(crate) owner: Option<BookingId>,
    pub(crate) changed: bool,
}

/// An event's sums.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hall {
    /// Rises with every change of its seats.
    pub(crate) version: u64,
    /// Seats booked.
    pub(crate) booked: u64,
    pub(crate) is_called_off: bool,
    /// The first seat of the hall that it is in.
    pub(crate) first_seat: u32,
    /// Whether its bookings are carried over to another hall.
    pub(crate) carries: bool,
    /// Until when no holds are made, so that it can go to another.
    pub(crate) rests_until: Option<Timestamp>,
    pub(crate) changed: bool,
}

/// Seats that a verb changed, and what they are after it.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<EventId, BTreeMap<SeatIndex, SeatStatus>>);

/// What a transaction looks at and changes.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) bookings: HashMap<BookingId, Kept>,
    of_user: HashMap<(UserId, EventId), Vec<BookingId>>,
    of_session: HashMap<SessionId, Vec<BookingId>>,
    pub(crate) seats: HashMap<(EventId, SeatIndex), Seat>,
    pub(crate) halls: HashMap<EventId, Hall>,
    /// Payments of bookings to confirm that are to be given back, or were.
    pub(crate) given_back: HashSet<(BookingId, TransactionId)>,
    /// Holds whose deadline had passed when the books were read, oldest first.
    pub(crate) due: Vec<BookingId>,
    /// Bookings made or changed, each once, in the order of their first change.
    pub(crate) changed: Vec<BookingId>,
    /// Bookings whose seats are fewer than they were, or others.
    pub(crate) reseated: Vec<BookingId>,
    /// One row a change, in order; numbered when they are written.
    pub(crate) outbox: Vec<OutboxRow>,
    /// What the door knows of the tickets of the bookings that are shown there or cancelled.
    pub(crate) marks: HashMap<(BookingId, SeatIndex), TicketMark>,
    /// Those of them that changed.
    pub(crate) marked: BTreeSet<(BookingId, SeatIndex)>,
    /// Acts of payment that belong to the changes.
    pub(crate) acts: Vec<PaymentAct>,
    /// The latest moment of the verbs.
    pub(crate) latest: Timestamp,
}

impl Books {
    /// Takes a booking that was read. Once: what a verb made of it since stands.
    pub(crate) fn keep(&mut self, kept: Kept) {
        if !self.bookings.contains_key(&kept.booking.booking_id) {
            self.insert(kept);
        }
    }

    fn insert(&mut self, kept: Kept) {
        let booking = &kept.booking;
        let id = booking.booking_id.clone();
        let of_user = (booking.user_id.clone(), booking.event_id.clone());
        self.of_user.entry(of_user).or_default().push(id.clone());
        self.of_session.entry(booking.session.clone()).or_default().push(id.clone());
        self.bookings.insert(id, kept);
    }

    /// Runs one verb of the ledger at `now`: `act` on each of `batch`, then the versions of the events it changed.
    pub(crate) fn apply<A, T>(
        &mut self,
        batch: impl IntoIterator<Item = A>,
        now: Timestamp,
        mut act: impl FnMut(&mut Self, A, &mut Touched) -> Option<T>,
    ) -> Applied<T> {
        self.latest = self.latest.max(now);
        let mut touched = Touched::default();
        let answers = batch.into_iter().filter_map(|one| act(self, one, &mut touched)).collect();
        Applied { answers, seats: self.number(touched) }
    }

    pub(crate) fn claim(&mut self, claim: &ClaimSeats, now: Timestamp, touched: &mut Touched) -> Claimed {
        if let Some(earlier) = self.bookings.get(&claim.booking) {
            return settles_earlier(claim, &earlier.booking);
        }
        let is_taken = |seat: &SeatIndex| self.owner(&claim.event, *seat, now).is_some();
        let standings = Standings {
            called_off: self.is_called_off(&claim.event),
            resting: self.is_resting(&claim.event, &claim.seats, now),
            session_over: self.of_session(&claim.session).any(Booking::ends_session),
            seats_of_session: self.seats_of_session(&claim.session, now),
            seats_of_user: self.seats_of_user(&claim.user, &claim.event, now),
            taken: claim.seats.iter().copied().filter(is_taken).collect(),
        };
        let (answer, booking) = judge_claim(claim, &standings, now);
        if let Some(booking) = booking {
            self.changed.push(booking.booking_id.clone());
            self.insert(Kept { booking: booking.clone(), max_seats: claim.max_seats, changed: true });
            self.write(booking, now, touched);
        }
        answer
    }

    pub(crate) fn confirm(&mut self, ask: &ConfirmSeats, now: Timestamp, touched: &mut Touched) -> Confirmed {
        let kept = self.bookings.get(&ask.booking);
        let is_given_back = self.given_back.contains(&(ask.booking.clone(), ask.transaction.clone()));
        let seats = match kept {
            None => SeatsFor::Others,
            Some(_) if is_given_back => SeatsFor::NotForThisPayment,
            Some(kept) if self.is_called_off(&kept.booking.event_id) => SeatsFor::Others,
            Some(kept) if !kept.booking.is_of_hall(self.first_seat(&kept.booking.event_id)) => SeatsFor::Others,
            Some(kept) => self.seats_for(kept, now),
        };
        let (answer, after) = judge_confirm(kept.map(|kept| &kept.booking), ask, seats, now);
        self.change(after, now, touched);
        answer
    }

    pub(crate) fn extend(&mut self, ask: &ExtendHold, now: Timestamp, touched: &mut Touched) -> Extended {
        let kept = self.bookings.get(&ask.booking);
        let has_its_seats = kept.is_some_and(|kept| {
            !self.is_called_off(&kept.booking.event_id) && self.seats_for(kept, now) == SeatsFor::It
        });
        let is_resting =
            kept.is_some_and(|Kept { booking, .. }| self.is_resting(&booking.event_id, &booking.seats, now));
        let (answer, after) = judge_extend(kept.map(|kept| &kept.booking), ask, (has_its_seats, is_resting), now);
        self.change(after, now, touched);
        answer
    }

    pub(crate) fn release(&mut self, ask: &Release, now: Timestamp, touched: &mut Touched) -> Released {
        let (answer, after) = judge_release(self.booking(&ask.booking), ask, now);
        self.change(after, now, touched);
        answer
    }

    /// Marks a hold as expired if its deadline has passed.
    pub(crate) fn expire(&mut self, id: &BookingId, now: Timestamp, touched: &mut Touched) -> Option<Booking> {
        let after = judge_expiry(self.booking(id)?, now)?;
        self.change(Some(after.clone()), now, touched);
        Some(after)
    }

    pub(crate) fn cancel(&mut self, ask: &CancelSeats, now: Timestamp, touched: &mut Touched) -> Cancelled {
        let booking = self.booking(&ask.booking);
        let is_off = booking.is_some_and(|booking| self.is_called_off(&booking.event_id));
        let is_inside = |seat| !is_off && self.mark(&ask.booking, seat).is_some_and(|mark| mark.entry.is_some());
        let (answer, after) = judge_cancel(booking, ask, is_inside, now);
        self.change(after, now, touched);
        answer
    }

    pub(crate) fn check_in(&mut self, event: &EventId, ask: &CheckIn) -> CheckedIn {
        let (booking, mark) = (self.booking(&ask.booking), self.mark(&ask.booking, ask.seat));
        let (answer, mark) = judge_check_in(booking, mark, ask, event, self.is_called_off(event));
        self.set_mark(&ask.booking, ask.seat, mark);
        answer
    }

    pub(crate) fn revoke_ticket(&mut self, event: &EventId, ask: &RevokeTicket) -> Revocation {
        let (booking, mark) = (self.booking(&ask.booking), self.mark(&ask.booking, ask.seat));
        let (answer, mark) = judge_revocation(booking, mark, ask, event);
        self.set_mark(&ask.booking, ask.seat, mark);
        answer
    }

    fn mark(&self, booking: &BookingId, seat: SeatIndex) -> Option<&TicketMark> {
        self.marks.get(&(booking.clone(), seat))
    }

    fn set_mark(&mut self, booking: &BookingId, seat: SeatIndex, mark: Option<TicketMark>) {
        if let Some(mark) = mark {
            self.marked.insert((booking.clone(), seat));
            self.marks.insert((booking.clone(), seat), mark);
        }
    }

    /// Gives each event that was touched its next version, and tells what live maps should show.
    fn number(&mut self, touched: Touched) -> Vec<SeatChanges> {
        let number = |(event_id, changes): (EventId, BTreeMap<_, _>)| {
            let hall = self.halls.entry(event_id.clone()).or_default();
            hall.version += 1;
            hall.changed = true;
            SeatChanges { event_id, version: hall.version, changes: changes.into_iter().collect() }
        };
        touched.0.into_iter().map(number).collect()
    }

    /// Replaces a booking by what became of it.
    fn change(&mut self, after: Option<Booking>, now: Timestamp, touched: &mut Touched) {
        let Some(after) = after else { return };
        let Some(kept) = self.bookings.get_mut(&after.booking_id) else {
            return;
        };
        let before = std::mem::replace(&mut kept.booking, after.clone());
        let booked = |booking: &Booking| {
            if booking.state == BookingState::Confirmed { booking.seats.len() as u64 } else { 0 }
        };
        let hall = self.halls.entry(after.event_id.clone()).or_default();
        hall.booked = (hall.booked + booked(&after)).saturating_sub(booked(&before));
        hall.changed = true;
        if !std::mem::replace(&mut kept.changed, true) {
            self.changed.push(after.booking_id.clone());
        }
        if after.seats.len() < before.seats.len() {
            self.reseated.push(after.booking_id.clone());
        }
        self.acts.extend(payment_act(&before, &after, now));
        for seat in given_up(&before, &after) {
            self.free(&after, seat, touched);
        }
        self.write(after, now, touched);
    }

    /// Frees a seat, unless somebody took it over when the hold of `booking` had run out.
    fn free(&mut self, booking: &Booking, index: SeatIndex, touched: &mut Touched) {
        let seat = self.seats.entry((booking.event_id.clone(), index)).or_default();
        if seat.owner.as_ref() == Some(&booking.booking_id) {
            seat.owner = None;
            seat.changed = true;
            touched.0.entry(booking.event_id.clone()).or_default().insert(index, SeatStatus::Available);
        }
    }

    /// Writes a booking's seats and its outbox row.
    fn write(&mut self, booking: Booking, now: Timestamp, touched: &mut Touched) {
        let status = seat_status(booking.state);
        // Those that stay booked stay as they are.
        let is_extended = booking.state == BookingState::Held && booking.extended;
        let is_new = booking.cancelled_seats.is_empty() && status != SeatStatus::Available;
        for index in booking.seats.iter().filter(|_| is_new) {
            let seat = self.seats.entry((booking.event_id.clone(), *index)).or_default();
            seat.owner = Some(booking.booking_id.clone());
            seat.changed = true;
            if !is_extended {
                touched.0.entry(booking.event_id.clone()).or_default().insert(*index, status);
            }
        }
        self.outbox.push(OutboxRow { number: 0, kind: outbox_kind(&booking).to_owned(), booking, at: now });
    }

    fn is_called_off(&self, event: &EventId) -> bool {
        self.halls.get(event).is_some_and(|hall| hall.is_called_off)
    }

    fn booking(&self, id: &BookingId) -> Option<&Booking> {
        self.bookings.get(id).map(|kept| &kept.booking)
    }

    /// Who has `seat` at `now`, in a live hold or booked.
    fn owner(&self, event: &EventId, seat: SeatIndex, now: Timestamp) -> Option<&Booking> {
        let owner = self.seats.get(&(event.clone(), seat))?.owner.as_ref()?;
        self.booking(owner).filter(|booking| booking.has_seats(now))
    }

    fn seats_for(&self, kept: &Kept, now: Timestamp) -> SeatsFor {
        let booking = &kept.booking;
        let is_free = |seat: &SeatIndex| {
            let owner = self.owner(&booking.event_id, *seat, now);
            owner.is_none_or(|owner| owner.booking_id == booking.booking_id)
        };
        // Also of a hold whose deadline is still to come: a worker whose clock ran ahead may have taken it to be over,
        // and have given its seats to somebody else.
        let free = booking.seats.iter().all(is_free);
        if free && booking.has_seats(now) {
            return SeatsFor::It;
        }
        let has = self.seats_of_session(&booking.session, now).max(self.seats_of_user(
            &booking.user_id,
            &booking.event_id,
            now,
        ));
        if free && has + booking.seats.len() <= kept.max_seats as usize { SeatsFor::It } else { SeatsFor::Others }
    }

    fn of_session(&self, session: &SessionId) -> impl Iterator<Item = &Booking> {
        self.of_session.get(session).into_iter().flatten().filter_map(|id| self.booking(id))
    }

    fn seats_of_session(&self, session: &SessionId, now: Timestamp) -> usize {
        self.of_session(session).filter(|booking| booking.has_seats(now)).map(|booking| booking.seats.len()).sum()
    }

    fn seats_of_user(&self, user: &UserId, event: &EventId, now: Timestamp) -> usize {
        let of_user = self.of_user.get(&(user.clone(), event.clone()));
        let bookings = of_user.into_iter().flatten().filter_map(|id| self.booking(id));
        bookings.filter(|booking| booking.has_seats(now)).map(|booking| booking.seats.len()).sum()
    }
}
