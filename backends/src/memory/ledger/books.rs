//! What the ledger in memory keeps, and how each verb changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use booking_core::{
    booking::{
        AuditEntry, Booking, BookingState, CalledOff, CancelSeats, Cancelled, ClaimSeats, Claimed, ConfirmSeats,
        Confirmed, EventHall, ExtendHold, Extended, OutboxRow, PaymentAct, PaymentStep, Release, Released, SeatChanges,
        SeatsFor, Standings, Totals, given_up, judge_cancel, judge_claim, judge_confirm, judge_expiry, judge_extend,
        judge_release, open_since, outbox_kind, payment_act, seat_status, settles_earlier,
    },
    digest::Digest,
    holds::SeatClaim,
    id::{BookingId, EventId, SessionId, UserId},
    ports::ledger::SeatStates,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

use super::door::Door;
use super::moved::Teller;

/// Seats that a transaction changed, and what they are after it.
#[derive(Debug, Default)]
pub(super) struct Touched(pub(super) BTreeMap<EventId, BTreeMap<SeatIndex, SeatStatus>>);

/// Everything the ledger knows.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) rows: HashMap<BookingId, Row>,
    /// In the order made.
    of_user: HashMap<UserId, Vec<BookingId>>,
    of_session: HashMap<SessionId, Vec<BookingId>>,
    pub(super) halls: HashMap<EventId, Hall>,
    /// Holds that are not settled, soonest deadline first.
    deadlines: BTreeSet<(Timestamp, BookingId)>,
    pub(super) outbox: VecDeque<OutboxRow>,
    pub(super) outbox_rows: u64,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) audited: HashSet<(EventId, String)>,
    pub(super) payments: HashMap<BookingId, Vec<PaymentAct>>,
    pub(super) chain_ends: HashMap<EventId, Digest>,
    pub(super) door: Door,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) booking: Booking,
    /// Of the claim that made it.
    max_seats: u32,
}

#[derive(Debug, Default)]
pub(super) struct Hall {
    pub(super) version: u64,
    called_off: Option<CalledOff>,
    pub(super) telling: Option<Teller>,
    pub(super) housing: EventHall,
    /// Who has each seat, by hold or booking. Of a hold that ran out, until somebody takes the seat or it is marked.
    pub(super) seats: BTreeMap<SeatIndex, BookingId>,
}

impl Books {
    pub(super) fn booking(&self, id: &BookingId) -> Option<&Booking> {
        self.rows.get(id).map(|row| &row.booking)
    }

    pub(super) fn unsettled_payments(&self, until: Timestamp, max: usize) -> Vec<PaymentAct> {
        let is_due = |began: &PaymentAct, acts: &[&PaymentAct]| {
            let is_stuck = acts.iter().any(|act| act.step == PaymentStep::Stuck);
            (began.at <= until && !is_stuck).then(|| began.clone())
        };
        self.open_payments(is_due, max)
    }

    pub(super) fn stuck_payments(&self, max: usize) -> Vec<PaymentAct> {
        let stuck = |_: &PaymentAct, acts: &[&PaymentAct]| {
            acts.iter().find(|act| act.step == PaymentStep::Stuck).map(|act| (*act).clone())
        };
        self.open_payments(stuck, max)
    }

    pub(super) fn refunds_left(&self, event: &EventId) -> u64 {
        let is_of_it = |act: &PaymentAct| self.booking(&act.booking).is_some_and(|booking| booking.event_id == *event);
        let due = |act: &PaymentAct, _: &[&PaymentAct]| (act.refund > 0 && is_of_it(act)).then(|| act.clone());
        self.open_payments(due, usize::MAX).len() as u64
    }

    /// Of each payment or refund that is open, the act that `which` picks from the one that began it and all about it;
    /// oldest first.
    fn open_payments(
        &self,
        which: impl Fn(&PaymentAct, &[&PaymentAct]) -> Option<PaymentAct>,
        max: usize,
    ) -> Vec<PaymentAct> {
        let mut found = Vec::new();
        for acts in self.payments.values() {
            let mut of_money: BTreeMap<_, Vec<&PaymentAct>> = BTreeMap::new();
            for act in acts {
                of_money.entry((&act.transaction, act.refund)).or_default().push(act);
            }
            found.extend(of_money.values().filter_map(|acts| which(open_since(acts.iter().copied())?, acts)));
        }
        found.sort_by_key(|act| (act.at, act.booking.clone(), act.transaction.clone(), act.refund));
        found.truncate(max);
        found
    }

    pub(super) fn bookings_of(&self, user: &UserId, before: Option<&BookingId>, max: usize) -> Vec<Booking> {
        let made = self.of_user.get(user).map_or(&[][..], Vec::as_slice);
        let end = match before {
            Some(before) => made.iter().position(|id| id == before).unwrap_or(0),
            None => made.len(),
        };
        made[..end].iter().rev().take(max).filter_map(|id| self.booking(id)).cloned().collect()
    }

    pub(super) fn seat_states(&self, event: &EventId) -> SeatStates {
        let Some(hall) = self.halls.get(event) else { return SeatStates::default() };
        let status = |(seat, id): (&SeatIndex, &BookingId)| Some((*seat, seat_status(self.booking(id)?.state)));
        SeatStates { version: hall.version, taken: hall.seats.iter().filter_map(status).collect() }
    }

    pub(super) fn totals(&self, event: &EventId, now: Timestamp) -> Totals {
        let mut sessions = HashSet::new();
        let mut totals = Totals::default();
        for booking in self.live_bookings(event, now) {
            if booking.state == BookingState::Confirmed {
                totals.booked += booking.seats.len() as u64;
            } else {
                totals.held += booking.seats.len() as u64;
                sessions.insert(&booking.session);
            }
        }
        totals.holding_sessions = sessions.len() as u64;
        totals
    }

    pub(super) fn live_claims(&self, event: &EventId, now: Timestamp) -> Vec<SeatClaim> {
        let claim = |booking: &Booking| SeatClaim {
            booking: booking.booking_id.clone(),
            seats: booking.seats.clone(),
            until: (booking.state == BookingState::Held).then_some(booking.expires_at),
        };
        self.live_bookings(event, now).map(claim).collect()
    }

    pub(super) fn called_off(&self, event: &EventId) -> Option<CalledOff> {
        self.halls.get(event)?.called_off.clone()
    }

    pub(super) fn call_off(&mut self, event: &EventId, called_off: &CalledOff) -> CalledOff {
        let hall = self.halls.entry(event.clone()).or_default();
        hall.called_off.get_or_insert_with(|| called_off.clone()).clone()
    }

    pub(super) fn all_bookings(&self, after: Option<&BookingId>, max: usize) -> Vec<Booking> {
        let behind = |row: &&Row| after.is_none_or(|after| row.booking.booking_id > *after);
        let mut bookings: Vec<&Booking> = self.rows.values().filter(behind).map(|row| &row.booking).collect();
        bookings.sort_by_key(|booking| &booking.booking_id);
        bookings.into_iter().take(max).cloned().collect()
    }

    pub(super) fn seat_owners(&self, event: &EventId) -> Vec<(SeatIndex, BookingId)> {
        let seats = self.halls.get(event).into_iter().flat_map(|hall| &hall.seats);
        seats.map(|(seat, owner)| (*seat, owner.clone())).collect()
    }

    pub(super) fn bookings_called_off(&self, max: usize) -> Vec<Booking> {
        let off = self.halls.values().filter(|hall| hall.called_off.is_some());
        let owners: BTreeSet<&BookingId> = off.flat_map(|hall| hall.seats.values()).collect();
        let bookings = owners.into_iter().filter_map(|id| self.booking(id));
        let mut booked: Vec<&Booking> = bookings.filter(|booking| booking.state == BookingState::Confirmed).collect();
        booked.sort_by_key(|booking| (booking.created_at, &booking.booking_id));
        booked.into_iter().take(max).cloned().collect()
    }

    /// The event's bookings that have their seats at `now`, each once.
    fn live_bookings(&self, event: &EventId, now: Timestamp) -> impl Iterator<Item = &Booking> {
        let owners: BTreeSet<_> = self.halls.get(event).into_iter().flat_map(|hall| hall.seats.values()).collect();
        owners.into_iter().filter_map(|id| self.booking(id)).filter(move |booking| booking.has_seats(now))
    }

    pub(super) fn claim(&mut self, claim: &ClaimSeats, now: Timestamp, touched: &mut Touched) -> Claimed {
        if let Some(earlier) = self.booking(&claim.booking) {
            return settles_earlier(claim, earlier);
        }
        let standings = Standings {
            called_off: self.called_off(&claim.event).is_some(),
            resting: self.is_resting(&claim.event, &claim.seats, now),
            session_over: self.of_session(&claim.session).any(Booking::ends_session),
            seats_of_session: self.seats_of_session(&claim.session, now),
            seats_of_user: self.seats_of_user(&claim.user, &claim.event, now),
            taken: claim.seats.iter().copied().filter(|seat| self.owner(&claim.event, *seat, now).is_some()).collect(),
        };
        let (answer, booking) = judge_claim(claim, &standings, now);
        if let Some(booking) = booking {
            self.of_user.entry(claim.user.clone()).or_default().push(claim.booking.clone());
            self.of_session.entry(claim.session.clone()).or_default().push(claim.booking.clone());
            self.write(booking, claim.max_seats, now, touched);
        }
        answer
    }

    pub(super) fn confirm(&mut self, ask: &ConfirmSeats, now: Timestamp, touched: &mut Touched) -> Confirmed {
        let row = self.rows.get(&ask.booking);
        let seats = match row {
            None => SeatsFor::Others,
            Some(_) if self.is_given_back(ask) => SeatsFor::NotForThisPayment,
            Some(row) if self.called_off(&row.booking.event_id).is_some() => SeatsFor::Others,
            Some(row) if !row.booking.is_of_hall(self.first_seat(&row.booking.event_id)) => SeatsFor::Others,
            Some(row) => self.seats_for(row, now),
        };
        let max_seats = row.map_or(0, |row| row.max_seats);
        let (answer, after) = judge_confirm(row.map(|row| &row.booking), ask, seats, now);
        self.write_if(after, max_seats, now, touched);
        answer
    }

    pub(super) fn extend(&mut self, ask: &ExtendHold, now: Timestamp, touched: &mut Touched) -> Extended {
        let row = self.rows.get(&ask.booking);
        let max_seats = row.map_or(0, |row| row.max_seats);
        let has_its_seats = row.is_some_and(|row| {
            self.called_off(&row.booking.event_id).is_none() && self.seats_for(row, now) == SeatsFor::It
        });
        let is_resting = row.is_some_and(|row| self.is_resting(&row.booking.event_id, &row.booking.seats, now));
        let (answer, after) = judge_extend(row.map(|row| &row.booking), ask, (has_its_seats, is_resting), now);
        self.write_if(after, max_seats, now, touched);
        answer
    }

    pub(super) fn release(&mut self, ask: &Release, now: Timestamp, touched: &mut Touched) -> Released {
        let row = self.rows.get(&ask.booking);
        let max_seats = row.map_or(0, |row| row.max_seats);
        let (answer, after) = judge_release(row.map(|row| &row.booking), ask, now);
        self.write_if(after, max_seats, now, touched);
        answer
    }

    pub(super) fn expire(&mut self, now: Timestamp, max: usize, touched: &mut Touched) -> Vec<Booking> {
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now).take(max);
        let due: Vec<_> = due.filter_map(|(_, id)| self.rows.get(id)).collect();
        let after: Vec<_> =
            due.into_iter().filter_map(|row| Some((judge_expiry(&row.booking, now)?, row.max_seats))).collect();
        for (booking, max_seats) in &after {
            self.write(booking.clone(), *max_seats, now, touched);
        }
        after.into_iter().map(|(booking, _)| booking).collect()
    }

    pub(super) fn cancel(&mut self, ask: &CancelSeats, now: Timestamp, touched: &mut Touched) -> Cancelled {
        let row = self.rows.get(&ask.booking);
        let max_seats = row.map_or(0, |row| row.max_seats);
        let is_off = row.is_some_and(|row| self.called_off(&row.booking.event_id).is_some());
        let is_inside = |seat: SeatIndex| !is_off && self.door.is_inside(&ask.booking, seat);
        let (answer, after) = judge_cancel(row.map(|row| &row.booking), ask, is_inside, now);
        self.write_if(after, max_seats, now, touched);
        answer
    }

    /// Gives each event that was touched its next version, and tells what live maps should show.
    pub(super) fn number(&mut self, touched: Touched) -> Vec<SeatChanges> {
        let number = |(event_id, changes): (EventId, BTreeMap<_, _>)| {
            let hall = self.halls.entry(event_id.clone()).or_default();
            hall.version += 1;
            SeatChanges { event_id, version: hall.version, changes: changes.into_iter().collect() }
        };
        touched.0.into_iter().map(number).collect()
    }

    fn write_if(&mut self, booking: Option<Booking>, max_seats: u32, now: Timestamp, touched: &mut Touched) {
        if let Some(booking) = booking {
            self.write(booking, max_seats, now, touched);
        }
    }

    /// Writes a booking with its outbox row and its seats.
    fn write(&mut self, booking: Booking, max_seats: u32, now: Timestamp, touched: &mut Touched) {
        let id = &booking.booking_id;
        let status = seat_status(booking.state);
        let hall = self.halls.entry(booking.event_id.clone()).or_default();
        if let Some(before) = self.rows.get(id).map(|row| &row.booking) {
            for seat in given_up(before, &booking) {
                // Unless somebody took it over when this hold had run out.
                if hall.seats.get(&seat) == Some(id) {
                    hall.seats.remove(&seat);
                    touched.0.entry(booking.event_id.clone()).or_default().insert(seat, SeatStatus::Available);
                }
            }
            let due = payment_act(before, &booking, now);
            self.payments.entry(id.clone()).or_default().extend(due);
            self.deadlines.remove(&(before.expires_at, id.clone()));
        }
        // Those that stay booked or held stay as they are.
        let is_extended = booking.state == BookingState::Held && booking.extended;
        let is_new = booking.cancelled_seats.is_empty() && status != SeatStatus::Available && !is_extended;
        for seat in booking.seats.iter().filter(|_| is_new) {
            hall.seats.insert(*seat, id.clone());
            touched.0.entry(booking.event_id.clone()).or_default().insert(*seat, status);
        }
        if booking.state == BookingState::Held {
            self.deadlines.insert((booking.expires_at, id.clone()));
        }
        self.door.changed(&booking);
        self.outbox_rows += 1;
        let kind = outbox_kind(&booking).to_owned();
        self.outbox.push_back(OutboxRow { number: self.outbox_rows, kind, booking: booking.clone(), at: now });
        self.rows.insert(id.clone(), Row { booking, max_seats });
    }

    /// Who has `seat` at `now`, in a live hold or booked.
    fn owner(&self, event: &EventId, seat: SeatIndex, now: Timestamp) -> Option<&Booking> {
        let booking = self.booking(self.halls.get(event)?.seats.get(&seat)?)?;
        booking.has_seats(now).then_some(booking)
    }

    /// Notes a payment act, unless it was noted before, or would give back what its booking is confirmed with.
    pub(super) fn record_payment(&mut self, act: &PaymentAct) {
        let pays = self.booking(&act.booking).is_some_and(|booking| {
            booking.state == BookingState::Confirmed && booking.transaction.as_ref() == Some(&act.transaction)
        });
        let acts = self.payments.entry(act.booking.clone()).or_default();
        let is_known = acts.iter().any(|kept| kept.is_of_one_with(act) && kept.step == act.step);
        if !(is_known || pays && act.step == PaymentStep::VoidDue) {
            acts.push(act.clone());
        }
    }

    fn is_given_back(&self, ask: &ConfirmSeats) -> bool {
        let acts = self.payments.get(&ask.booking).map_or(&[][..], Vec::as_slice);
        acts.iter().any(|act| act.transaction == ask.transaction && act.step == PaymentStep::VoidDue)
    }

    fn seats_for(&self, row: &Row, now: Timestamp) -> SeatsFor {
        let booking = &row.booking;
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
        if free && has + booking.seats.len() <= row.max_seats as usize { SeatsFor::It } else { SeatsFor::Others }
    }

    fn of_session(&self, session: &SessionId) -> impl Iterator<Item = &Booking> {
        self.of_session.get(session).into_iter().flatten().filter_map(|id| self.booking(id))
    }

    fn seats_of_session(&self, session: &SessionId, now: Timestamp) -> usize {
        self.of_session(session).filter(|booking| booking.has_seats(now)).map(|booking| booking.seats.len()).sum()
    }

    fn seats_of_user(&self, user: &UserId, event: &EventId, now: Timestamp) -> usize {
        let bookings = self.of_user.get(user).into_iter().flatten().filter_map(|id| self.booking(id));
        bookings
            .filter(|booking| booking.event_id == *event && booking.has_seats(now))
            .map(|booking| booking.seats.len())
            .sum()
    }
}
