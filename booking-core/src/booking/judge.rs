//! The ledger's judgements: what a claim, a confirmation, a release, an expiry or a cancellation becomes.
//!
//! A ledger gathers what stands in its own way, asks here, and writes the booking that comes back (with its outbox row
//! and its seats) in one transaction. Without one there is nothing to write.

use super::{
    Booking, BookingEvent, BookingState, CancelSeats, Cancelled, ClaimSeats, Claimed, ConfirmSeats, Confirmed,
    PaymentAct, PaymentStep, Release, Released, Step, cancels_a_seat_inside, seat_status, step,
};
use crate::{
    money::Money,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

/// What a ledger knows when seats are claimed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standings {
    /// Whether the event was called off.
    pub called_off: bool,
    /// Whether one of the claim's seats is of another hall than the event is in, or the event is about to go to another.
    pub resting: bool,
    /// Whether a booking of the claim's session is or was confirmed.
    pub session_over: bool,
    /// Seats of live holds and bookings of the claim's session.
    pub seats_of_session: usize,
    /// Seats of live holds and bookings of the claim's user in its event.
    pub seats_of_user: usize,
    /// The claim's seats that are booked or in a live hold.
    pub taken: Vec<SeatIndex>,
}

/// Whether the seats of a booking are to be had for it, now that it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatsFor {
    /// Each is its own, or free: nobody's, or in somebody's hold that ran out. And where its own hold has run out, its
    /// session and its user would not have more seats with it than its claim's `max_seats`.
    It,
    /// Not so; or the event was called off, or is in another hall by now.
    Others,
    /// Not for this payment, whoever has them: it is to be given back, or was.
    NotForThisPayment,
}

impl Booking {
    /// Whether it is a hold whose deadline is after `now`.
    pub fn is_live_hold(&self, now: Timestamp) -> bool {
        self.state == BookingState::Held && self.expires_at > now
    }

    /// Whether its seats count as its own at `now`: a live hold, or booked.
    pub fn has_seats(&self, now: Timestamp) -> bool {
        self.state == BookingState::Confirmed || self.is_live_hold(now)
    }

    /// Whether an admission that made it is over with it: it is or was confirmed.
    pub fn ends_session(&self) -> bool {
        matches!(self.state, BookingState::Confirmed | BookingState::Cancelled)
    }

    fn turned(&self, event: BookingEvent, now: Timestamp) -> (Step, Option<Self>) {
        let step = step(self.state, event);
        let after = match step {
            Step::To(state) => Some(Self { state, settled_at: Some(now), ..self.clone() }),
            Step::Stays | Step::No => None,
        };
        (step, after)
    }
}

/// The answer to a claim whose booking id is known already: the same request gets its booking, as it is by now.
pub fn settles_earlier(claim: &ClaimSeats, earlier: &Booking) -> Claimed {
    let same =
        earlier.fingerprint == claim.fingerprint && earlier.user_id == claim.user && earlier.event_id == claim.event;
    if same { Claimed::Held(earlier.clone()) } else { Claimed::KeyReused }
}

/// What becomes of `claim`, and the booking to write. A claim whose id is known is not judged again:
/// [`settles_earlier`].
pub fn judge_claim(claim: &ClaimSeats, standings: &Standings, now: Timestamp) -> (Claimed, Option<Booking>) {
    if standings.called_off {
        return (Claimed::CalledOff, None);
    }
    if standings.resting {
        return (Claimed::Resting, None);
    }
    let had = standings.seats_of_session.max(standings.seats_of_user);
    if standings.session_over {
        return (Claimed::SessionOver, None);
    }
    if had + claim.seats.len() > claim.max_seats as usize {
        return (Claimed::TooManySeats, None);
    }
    if !standings.taken.is_empty() {
        return (Claimed::Unavailable(standings.taken.clone()), None);
    }
    let booking = Booking {
        booking_id: claim.booking.clone(),
        event_id: claim.event.clone(),
        user_id: claim.user.clone(),
        session: claim.session.clone(),
        seats: claim.seats.clone(),
        cancelled_seats: Vec::new(),
        bought_as: Vec::new(),
        state: BookingState::Held,
        total: claim.total,
        expires_at: claim.until,
        extended: false,
        created_at: now,
        settled_at: None,
        transaction: None,
        refund: None,
        fingerprint: claim.fingerprint,
    };
    (Claimed::Held(booking.clone()), Some(booking))
}

/// What becomes of a paid booking, and the booking to write. `stored`: the booking as it is, if there is one.
pub fn judge_confirm(
    stored: Option<&Booking>,
    ask: &ConfirmSeats,
    seats: SeatsFor,
    now: Timestamp,
) -> (Confirmed, Option<Booking>) {
    let Some(booking) = stored.filter(|booking| booking.user_id == ask.user) else {
        return (Confirmed::Unknown, None);
    };
    let event = match seats {
        SeatsFor::It => BookingEvent::PaidInTime,
        SeatsFor::Others => BookingEvent::PaidTooLate,
        SeatsFor::NotForThisPayment => {
            let stands = booking.clone();
            let is_confirmed = stands.state == BookingState::Confirmed;
            return (if is_confirmed { Confirmed::Confirmed(stands) } else { Confirmed::Gone(stands) }, None);
        }
    };
    let (_, mut after) = booking.turned(event, now);
    if let Some(confirmed) = after.as_mut().filter(|after| after.state == BookingState::Confirmed) {
        confirmed.transaction = Some(ask.transaction.clone());
    }
    let stands = after.as_ref().unwrap_or(booking).clone();
    let answer =
        if stands.state == BookingState::Confirmed { Confirmed::Confirmed(stands) } else { Confirmed::Gone(stands) };
    (answer, after)
}

/// What becomes of a release, and the booking to write.
pub fn judge_release(stored: Option<&Booking>, ask: &Release, now: Timestamp) -> (Released, Option<Booking>) {
    let Some(booking) = stored.filter(|booking| booking.user_id == ask.user) else {
        return (Released::Unknown, None);
    };
    let (step, after) = booking.turned(BookingEvent::GivenBack, now);
    let stands = after.as_ref().unwrap_or(booking).clone();
    let answer = if step == Step::No { Released::NotHeld(stands) } else { Released::Released(stands) };
    (answer, after)
}

/// The booking to write where `booking` is a hold whose deadline has passed.
pub fn judge_expiry(booking: &Booking, now: Timestamp) -> Option<Booking> {
    let ran_out = booking.state == BookingState::Held && !booking.is_live_hold(now);
    ran_out.then(|| booking.turned(BookingEvent::RanOut, now).1).flatten()
}

/// What becomes of a cancellation, and the booking to write. `is_inside` says of a seat, as it was bought, that
/// somebody was let in with its ticket; of an event that was called off, nobody counts as inside.
pub fn judge_cancel(
    stored: Option<&Booking>,
    ask: &CancelSeats,
    is_inside: impl FnMut(SeatIndex) -> bool,
    now: Timestamp,
) -> (Cancelled, Option<Booking>) {
    let Some(booking) = stored.filter(|booking| booking.user_id == ask.user) else {
        return (Cancelled::Unknown, None);
    };
    if cancels_a_seat_inside(booking, ask, is_inside) {
        return (Cancelled::Used(booking.clone()), None);
    }
    let (step, cancelled) = booking.turned(BookingEvent::CalledOff, now);
    if step == Step::No {
        return (Cancelled::NotConfirmed(booking.clone()), None);
    }
    let is_given_up = |seat: &SeatIndex| ask.seats.iter().any(|(given_up, _)| *given_up == booking.bought(*seat));
    let (given_up, kept): (Vec<SeatIndex>, Vec<SeatIndex>) = booking.seats.iter().partition(|seat| is_given_up(seat));
    let Some(mut after) = cancelled.filter(|_| !given_up.is_empty()) else {
        return (Cancelled::Cancelled(booking.clone()), None);
    };
    let asked = |seat: &SeatIndex| ask.seats.iter().find(|(given_up, _)| *given_up == booking.bought(*seat));
    let amount_of = |seat| asked(seat).map_or(0, |(_, amount)| *amount);
    let paid_back = booking.refund.unwrap_or(0);
    let refund: i64 = given_up.iter().map(amount_of).sum();
    after.refund = Some((paid_back + refund).clamp(paid_back, booking.total.amount.max(paid_back)));
    if !kept.is_empty() {
        after = Booking { state: booking.state, settled_at: booking.settled_at, seats: kept, ..after };
        after.cancelled_seats.extend(given_up);
    }
    (Cancelled::Cancelled(after.clone()), Some(after))
}

/// The seats that a booking which has become `after` no longer has and had before.
pub fn given_up<'a>(before: &'a Booking, after: &'a Booking) -> impl Iterator<Item = SeatIndex> + 'a {
    let still = seat_status(after.state) != SeatStatus::Available;
    before.seats.iter().copied().filter(move |seat| !(still && after.seats.contains(seat)))
}

/// The act to record together with a booking that has become `after`: what pays for it is set aside, where it was
/// confirmed; money is due, where seats were cancelled against some.
pub fn payment_act(before: &Booking, after: &Booking, now: Timestamp) -> Option<PaymentAct> {
    let act = |step, refund, amount| {
        let amount = Money { amount, ..after.total };
        let transaction = after.transaction.clone()?;
        Some(PaymentAct { booking: after.booking_id.clone(), transaction, refund, step, amount, at: now, reason: None })
    };
    let is_new = before.state != BookingState::Confirmed && after.state == BookingState::Confirmed;
    if is_new {
        return act(PaymentStep::Authorised, 0, after.total.amount);
    }
    let due = after.refund.unwrap_or(0) - before.refund.unwrap_or(0);
    let cancelled =
        after.cancelled_seats.len() + if after.state == BookingState::Cancelled { after.seats.len() } else { 0 };
    (due > 0).then(|| act(PaymentStep::RefundDue, u32::try_from(cancelled).unwrap_or(u32::MAX), due)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    /// What a row's answer must be.
    type Expected<'a> = &'a dyn Fn(&Claimed) -> bool;

    fn claim(seats: u32) -> ClaimSeats {
        ClaimSeats {
            booking: "booking_1".parse().unwrap(),
            event: "evt_1".parse().unwrap(),
            user: "user_1".parse().unwrap(),
            session: "session_1".parse().unwrap(),
            seats: (0..seats).map(SeatIndex).collect(),
            total: Money { amount: 500, currency: "EUR".parse().unwrap() },
            until: Timestamp::from_millis(60_000),
            max_seats: 4,
            fingerprint: Digest::ZERO,
        }
    }

    #[test]
    fn a_claim_is_judged_by_its_admission_then_its_limit_then_its_seats() {
        let taken = || vec![SeatIndex(0)];
        let held = |answer: &Claimed| matches!(answer, Claimed::Held(_));
        // seats asked, of the session, of the user, session over, taken
        let table: [(u32, usize, usize, bool, Vec<SeatIndex>, Expected<'_>); 8] = [
            (4, 0, 0, false, vec![], &held),
            (2, 2, 0, false, vec![], &held),
            (2, 0, 2, false, vec![], &held),
            (5, 0, 0, false, taken(), &|answer| *answer == Claimed::TooManySeats),
            (2, 3, 0, false, vec![], &|answer| *answer == Claimed::TooManySeats),
            (2, 0, 3, false, vec![], &|answer| *answer == Claimed::TooManySeats),
            (5, 0, 0, true, taken(), &|answer| *answer == Claimed::SessionOver),
            (1, 0, 0, false, taken(), &|answer| *answer == Claimed::Unavailable(vec![SeatIndex(0)])),
        ];
        for (number, (asked, seats_of_session, seats_of_user, session_over, taken, expected)) in
            table.into_iter().enumerate()
        {
            let standings = Standings { session_over, seats_of_session, seats_of_user, taken, ..Standings::default() };
            let (answer, booking) = judge_claim(&claim(asked), &standings, Timestamp::default());
            assert!(expected(&answer), "row {number}: {answer:?}");
            assert_eq!(booking.is_some(), held(&answer), "row {number}: written if held");
        }
    }

    fn booked(seats: u32) -> Booking {
        let (_, held) = judge_claim(&claim(seats), &Standings::default(), Timestamp::default());
        let transaction = Some("txn_1".parse().unwrap());
        Booking { state: BookingState::Confirmed, settled_at: Some(Timestamp::default()), transaction, ..held.unwrap() }
    }

    fn cancel(seats: &[(u32, i64)]) -> CancelSeats {
        CancelSeats {
            booking: "booking_1".parse().unwrap(),
            user: "user_1".parse().unwrap(),
            seats: seats.iter().map(|(seat, amount)| (SeatIndex(*seat), *amount)).collect(),
        }
    }

    #[test]
    fn seats_are_cancelled_one_by_one_and_each_once() {
        let now = Timestamp::from_millis(9);
        let whole = booked(3);
        let (answer, first) = judge_cancel(Some(&whole), &cancel(&[(1, 100), (7, 400)]), |_| false, now);
        let first = first.expect("changed");
        assert_eq!(answer, Cancelled::Cancelled(first.clone()));
        assert_eq!((first.state, first.settled_at), (BookingState::Confirmed, whole.settled_at));
        assert_eq!(
            (&first.seats[..], &first.cancelled_seats[..]),
            (&[SeatIndex(0), SeatIndex(2)][..], &[SeatIndex(1)][..])
        );
        assert_eq!(first.refund, Some(100), "a seat of somebody else does not count");
        let due = payment_act(&whole, &first, now).expect("money is due");
        assert_eq!((due.refund, due.amount.amount, due.step), (1, 100, PaymentStep::RefundDue));
        assert_eq!(given_up(&whole, &first).collect::<Vec<_>>(), [SeatIndex(1)]);

        let again = judge_cancel(Some(&first), &cancel(&[(1, 100)]), |_| false, now);
        assert_eq!(again, (Cancelled::Cancelled(first.clone()), None));

        let (_, last) = judge_cancel(Some(&first), &cancel(&[(0, 0), (1, 100), (2, 0)]), |_| false, now);
        let last = last.expect("changed");
        assert_eq!((last.state, last.settled_at, last.refund), (BookingState::Cancelled, Some(now), Some(100)));
        assert_eq!(payment_act(&first, &last, now), None, "nothing more is given back");
        assert_eq!(given_up(&first, &last).count(), 2);
        let again = judge_cancel(Some(&last), &cancel(&[(0, 500), (2, 500)]), |_| false, now);
        assert_eq!(again, (Cancelled::Cancelled(last), None));
    }

    #[test]
    fn no_more_is_given_back_than_was_paid() {
        let (_, after) =
            judge_cancel(Some(&booked(2)), &cancel(&[(0, 400), (1, 400)]), |_| false, Timestamp::default());
        assert_eq!(after.unwrap().refund, Some(500));
        let (_, after) = judge_cancel(Some(&booked(2)), &cancel(&[(0, -400)]), |_| false, Timestamp::default());
        assert_eq!(after.unwrap().refund, Some(0));
    }

    #[test]
    fn nothing_is_claimed_of_an_event_that_was_called_off() {
        let standings = Standings { called_off: true, session_over: true, ..Standings::default() };
        assert_eq!(judge_claim(&claim(1), &standings, Timestamp::default()), (Claimed::CalledOff, None));
    }

    #[test]
    fn a_payment_that_comes_too_late_ends_the_hold_and_is_not_taken() {
        let (_, held) = judge_claim(&claim(1), &Standings::default(), Timestamp::default());
        let held = held.unwrap();
        let ask = ConfirmSeats {
            booking: held.booking_id.clone(),
            user: held.user_id.clone(),
            transaction: "txn_1".parse().unwrap(),
        };
        let now = Timestamp::from_millis(70_000);
        let (answer, after) = judge_confirm(Some(&held), &ask, SeatsFor::Others, now);
        let expired = after.expect("the hold is marked");
        assert_eq!((expired.state, &expired.transaction), (BookingState::Expired, &None));
        assert_eq!(answer, Confirmed::Gone(expired.clone()));
        let (answer, after) = judge_confirm(Some(&expired), &ask, SeatsFor::It, now);
        assert!(matches!(answer, Confirmed::Confirmed(_)), "free again, and paid again");
        assert_eq!(after.map(|booking| booking.transaction), Some(Some(ask.transaction)));
    }
}
