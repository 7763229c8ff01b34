//! Invariants 1, 2, 3 and 9: seats and money.

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{
    booking::{Booking, BookingState, PaymentAct, PaymentStatus, PaymentStep, open_since},
    id::{BookingId, TransactionId},
    message::Wanted,
    ports::{catalog::CatalogReader as _, ledger::LedgerReader as _, payments::Payments as _},
    seats::SeatIndex,
};

use super::{Books, Stores, Told, answer};

impl Books {
    /// Invariant 3 begins here: what a visitor was told is to stay.
    pub(super) fn told_booking(&mut self, booking: &Booking) {
        let counted = &mut self.counted;
        let told = self.told.entry(booking.booking_id.clone()).or_insert(Told {
            held: None,
            confirmed: false,
            cancelled: false,
        });
        if booking.state == BookingState::Cancelled || !booking.cancelled_seats.is_empty() {
            counted.cancellations += u64::from(!std::mem::replace(&mut told.cancelled, true));
        }
        match booking.state {
            BookingState::Held if told.held.is_none() => {
                counted.holds += 1;
                told.held = Some(booking.clone());
            }
            // Once promised, the later deadline is the one that counts.
            BookingState::Held if booking.extended => {
                counted.extensions += u64::from(told.held.as_ref().is_some_and(|held| !held.extended));
                told.held = Some(booking.clone());
            }
            BookingState::Confirmed if !told.confirmed => {
                counted.confirmations += 1;
                told.confirmed = true;
            }
            _ => {}
        }
        self.ledger_changed = true;
    }

    pub(super) fn check_ledger(&mut self, stores: &Stores) {
        if std::mem::take(&mut self.ledger_changed) {
            let rows = self.rows(stores);
            self.check_seats(&rows);
            self.check_told(&rows);
            self.money_moved = true;
        }
        if std::mem::take(&mut self.money_moved) {
            self.check_money(stores);
        }
    }

    fn rows(&self, stores: &Stores) -> BTreeMap<BookingId, Booking> {
        let row = |id: &BookingId| Some((id.clone(), answer(stores.ledger.booking(id))?));
        self.asked.keys().filter_map(row).collect()
    }

    /// Invariants 1 and 2, by the latest moment that the ledger decided by.
    fn check_seats(&mut self, rows: &BTreeMap<BookingId, Booking>) {
        let mut owners: BTreeMap<SeatIndex, &Booking> = BTreeMap::new();
        let mut broken = None;
        for booking in rows.values().filter(|booking| booking.has_seats(self.ledger_time)) {
            for seat in &booking.seats {
                if let Some(other) = owners.insert(*seat, booking) {
                    let what = format!("seat {seat} belongs to {} and to {}", other.booking_id, booking.booking_id);
                    broken = Some((1, what));
                }
            }
        }
        for (id, booking) in rows {
            let asked = &self.asked[id];
            let wanted = match &asked.wanted {
                Wanted::Seats(seats) => seats.len(),
                Wanted::BestAvailable { count, .. } => *count as usize,
            };
            let distinct = all_seats(booking);
            let count = booking.seats.len() + booking.cancelled_seats.len();
            if distinct.len() != wanted || count != wanted || booking.user_id != asked.user {
                broken = Some((2, format!("{id} has {} of the {wanted} seats asked for", distinct.len())));
            }
        }
        if let Some((invariant, what)) = broken {
            self.break_rule(invariant, what);
        }
    }

    /// Invariant 3: what visitors were told of holds and confirmations.
    fn check_told(&mut self, rows: &BTreeMap<BookingId, Booking>) {
        let mut lost = None;
        for (id, told) in &self.told {
            let row = rows.get(id);
            let is_booked = |row: &Booking| match row.state {
                BookingState::Confirmed => row.cancelled_seats.is_empty() || self.cancelled.contains(id),
                BookingState::Cancelled => self.cancelled.contains(id),
                _ => false,
            };
            if told.confirmed && !row.is_some_and(is_booked) {
                lost = Some(format!("{id} was told to be confirmed, the ledger has {:?}", row.map(|row| row.state)));
            }
            let Some(held) = &told.held else { continue };
            let stands = row.is_some_and(|row| {
                let ran_out = held.expires_at <= self.ledger_time;
                let is_right = match row.state {
                    BookingState::Held => row.expires_at >= held.expires_at,
                    BookingState::Confirmed => true,
                    BookingState::Expired => ran_out,
                    BookingState::Released => self.released.contains(id),
                    BookingState::Cancelled => self.cancelled.contains(id),
                };
                is_right && all_seats(row) == all_seats(held)
            });
            if !stands {
                let row = row.map(|row| (row.state, row.seats.clone()));
                lost = Some(format!(
                    "{id} was told to hold {:?} until {}, the ledger has {row:?}",
                    held.seats, held.expires_at
                ));
            }
        }
        if let Some(what) = lost {
            self.break_rule(3, what);
        }
    }

    /// Invariant 9, at any moment: what the provider took or set aside is accounted for.
    fn check_money(&mut self, stores: &Stores) {
        let open: Vec<_> = self.payments.iter().filter(|(id, _)| !self.settled.contains(*id)).collect();
        let mut settled = Vec::new();
        let mut broken = None;
        for (transaction, id) in open {
            match account(stores, transaction, id) {
                Ok(true) => settled.push(transaction.clone()),
                Ok(false) => {}
                Err(what) => broken = Some(what),
            }
        }
        self.settled.extend(settled);
        if let Some(what) = broken {
            self.break_rule(9, what);
        }
    }

    pub(super) fn is_settled(&self, stores: &Stores) -> bool {
        let rows = self.rows(stores);
        let open = rows.values().any(|booking| booking.state == BookingState::Held);
        let unsettled = |(transaction, id): (&TransactionId, &BookingId)| {
            let acts = answer(stores.ledger.payment_acts(id));
            acts.iter().any(|act| act.transaction == *transaction && act.step.is_begin() && is_open(&acts, act))
        };
        !open && !self.payments.iter().any(unsettled)
    }

    /// Invariant 9, at the end: every payment is taken for a confirmed booking that costs as much, or given back, or was
    /// never asked for; and every confirmed booking is paid. And nothing that visitors were told is lost.
    pub(super) fn check_balance(&mut self, stores: &Stores) {
        let Some(event) = answer(stores.catalog.event(&self.event)) else { return };
        let Some(venue) = answer(stores.catalog.venue(&event.venue_id)) else { return };
        let mut broken = None;
        for (transaction, id) in &self.payments {
            let status = answer(stores.payments.standing(transaction)).map(|standing| standing.status);
            let acts = answer(stores.ledger.payment_acts(id));
            // Not by the last of them: a finaliser that wakes late may note what it saw after the end.
            let steps: Vec<_> = acts.iter().filter(|act| act.transaction == *transaction).map(|act| act.step).collect();
            let balanced = match status {
                Some(PaymentStatus::Captured) => steps.contains(&PaymentStep::Captured),
                Some(PaymentStatus::Authorised) => false,
                Some(PaymentStatus::Voided) => steps.contains(&PaymentStep::Voided),
                Some(PaymentStatus::Declined | PaymentStatus::Created) => {
                    steps.is_empty() || steps.iter().any(|step| step.is_end())
                }
                None => steps.is_empty(),
            };
            if !balanced {
                broken = Some(format!("{transaction} for {id} is {status:?} at the provider, the trail has {steps:?}"));
            }
        }
        for (id, booking) in self.rows(stores) {
            if !matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled) {
                continue;
            }
            let due = event.total(&venue.seat_map, &all_seats(&booking).into_iter().collect::<Vec<_>>());
            let acts = answer(stores.ledger.payment_acts(&id));
            let taken: Vec<_> = acts.iter().filter(|act| act.step == PaymentStep::Captured).collect();
            let is_paid = taken.len() == 1
                && Some(&taken[0].transaction) == booking.transaction.as_ref()
                && Some(taken[0].amount) == due;
            if !is_paid {
                let steps: Vec<_> = acts.iter().map(|act| (act.step, act.transaction.as_str())).collect();
                let by = &booking.transaction;
                broken = Some(format!("{id} is confirmed by {by:?} and costs {due:?}, the trail has {steps:?}"));
            }
            // What is due for cancelled seats was given back, or waits for a person: nothing of it is forgotten.
            let amounts =
                |step| -> i64 { acts.iter().filter(|act| act.step == step).map(|act| act.amount.amount).sum() };
            let given_back = amounts(PaymentStep::Refunded) + amounts(PaymentStep::Stuck);
            let (due, owed) = (amounts(PaymentStep::RefundDue), booking.refund.unwrap_or(0));
            if due != owed || given_back != owed {
                broken = Some(format!("{id} owes {owed}; {due} are due, {given_back} were given back or are stuck"));
            }
        }
        if let Some(what) = broken {
            self.break_rule(9, what);
        }
    }
}

/// Whether this payment has come to its end; an error where it is not accounted for.
fn account(stores: &Stores, transaction: &TransactionId, id: &BookingId) -> Result<bool, String> {
    let Some(standing) = answer(stores.payments.standing(transaction)) else { return Ok(false) };
    let status = standing.status;
    if matches!(status, PaymentStatus::Created | PaymentStatus::Declined) {
        return Ok(false);
    }
    let acts = answer(stores.ledger.payment_acts(id));
    let was = |step| acts.iter().any(|act| act.transaction == *transaction && act.step == step);
    let of_it = acts.iter().filter(|act| act.transaction == *transaction && act.refund == 0);
    let ended = open_since(of_it).is_none();
    let booking = answer(stores.ledger.booking(id));
    let pays = booking.is_some_and(|booking| {
        matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled)
            && booking.transaction.as_ref() == Some(transaction)
    });
    // Never more than is due, and never before the ledger says so.
    let due = acts.iter().filter(|act| act.transaction == *transaction && act.step == PaymentStep::RefundDue);
    let due: i64 = due.map(|act| act.amount.amount).sum();
    if standing.refunded > due {
        return Err(format!("{} were refunded of {transaction} for {id}, {due} were due", standing.refunded));
    }
    let (holds, is_final) = match status {
        PaymentStatus::Authorised => (was(PaymentStep::Asked) && !ended, false),
        PaymentStatus::Captured => (pays && was(PaymentStep::Asked), false),
        PaymentStatus::Voided => (!pays && was(PaymentStep::VoidDue), was(PaymentStep::Voided)),
        PaymentStatus::Created | PaymentStatus::Declined => (true, false),
    };
    if holds {
        return Ok(is_final);
    }
    let steps: Vec<_> = acts.iter().filter(|act| act.transaction == *transaction).map(|act| act.step).collect();
    Err(format!("{transaction} is {status:?} at the provider; the trail of {id} has {steps:?}, and it pays: {pays}"))
}

/// The seats that it has or had.
fn all_seats(booking: &Booking) -> BTreeSet<SeatIndex> {
    booking.seats.iter().chain(&booking.cancelled_seats).copied().collect()
}

/// Whether something is left to do by itself about the money of `act`.
fn is_open(acts: &[PaymentAct], act: &PaymentAct) -> bool {
    let of_it = || acts.iter().filter(|other| other.is_of_one_with(act));
    open_since(of_it()).is_some() && !of_it().any(|other| other.step == PaymentStep::Stuck)
}
