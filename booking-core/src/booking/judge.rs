//! The ledger's judgements: what a claim, a confirmation, a release, an expiry or a cancellation becomes.
//!
//! A ledger gathers what stands in its own way, asks here, and writes the booking that comes back (with its outbox row
//! and its seats) in one transaction. Without one there is nothing to write.

use super::{
    Booking, BookingEvent, BookingState, Cancelled, ClaimSeats, Claimed, ConfirmSeats, Confirmed, Release, Released,
    Step, step,
};
use crate::{id::UserId, seats::SeatIndex, time::Timestamp};

/// What a ledger knows when seats are claimed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standings {
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
    /// Not so.
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
        state: BookingState::Held,
        total: claim.total,
        expires_at: claim.until,
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

/// What becomes of a cancellation that gives back `refund` minor units, and the booking to write.
pub fn judge_cancel(
    stored: Option<&Booking>,
    user: &UserId,
    refund: i64,
    now: Timestamp,
) -> (Cancelled, Option<Booking>) {
    let Some(booking) = stored.filter(|booking| booking.user_id == *user) else {
        return (Cancelled::Unknown, None);
    };
    let (step, mut after) = booking.turned(BookingEvent::CalledOff, now);
    if let Some(cancelled) = &mut after {
        cancelled.refund = Some(refund);
    }
    let stands = after.as_ref().unwrap_or(booking).clone();
    let answer = if step == Step::No { Cancelled::NotConfirmed(stands) } else { Cancelled::Cancelled(stands) };
    (answer, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, money::Money};

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
            let standings = Standings { session_over, seats_of_session, seats_of_user, taken };
            let (answer, booking) = judge_claim(&claim(asked), &standings, Timestamp::default());
            assert!(expected(&answer), "row {number}: {answer:?}");
            assert_eq!(booking.is_some(), held(&answer), "row {number}: written if held");
        }
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
