//! Confirming, giving back, running out, cancelling.

use futures_util::future::{join, join_all};

use super::{
    all_are, called_off, cancel_now, claim, claim_now, confirm_now, give_up, must_cancel, must_confirm, must_hold,
    only, owners, payment, release_now, shown, stored,
};
use crate::{
    booking::{
        BookingState, CancelSeats, Cancelled, ClaimSeats, Claimed, ConfirmSeats, Confirmed, Release, Released,
        SeatChanges,
    },
    holds::SeatClaim,
    id::BookingId,
    ports::{
        contract::{CROWD, at, booking, event, seats, session, transaction, user},
        ledger::Ledger,
    },
    seats::{SeatIndex, SeatStatus},
};

/// A claim like [`claim`]'s that is made after the deadline of those.
fn later(number: u32, indices: &[u32]) -> ClaimSeats {
    ClaimSeats { until: at(120_000), ..claim(number, indices) }
}

/// What a confirmation is, and that it happens once.
pub async fn a_confirmation_books_all_its_seats<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let held = must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    let applied = ledger.confirm(&[payment(1)], at(5)).await.expect("a confirmation");
    assert_eq!(applied.seats.len(), 1);
    assert_eq!(applied.seats[0].version, 2);
    assert_eq!(
        applied.seats[0].changes.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        all_are(SeatStatus::Booked, &[1, 2])
    );
    let (Confirmed::Confirmed(confirmed), _) = only(applied) else { panic!("a live hold is confirmed") };
    let expected = crate::booking::Booking {
        state: BookingState::Confirmed,
        settled_at: Some(at(5)),
        transaction: Some(transaction(1)),
        ..held
    };
    assert_eq!(confirmed, expected);
    assert_eq!(stored(&ledger, 1).await, expected);
    assert_eq!(shown(&ledger).await, (2, all_are(SeatStatus::Booked, &[1, 2])));
    let again = ConfirmSeats { transaction: transaction(9), ..payment(1) };
    let applied = ledger.confirm(&[payment(1), again], at(70_000)).await.expect("a confirmation");
    assert_eq!(applied.answers, [Confirmed::Confirmed(expected.clone()), Confirmed::Confirmed(expected)]);
    assert!(applied.seats.is_empty(), "once is enough");
    assert_eq!(owners(&ledger, at(1_000_000)).await.len(), 2, "a booking has no deadline");
    assert!(matches!(claim_now(&ledger, &later(2, &[2]), at(70_000)).await, Claimed::Unavailable(_)), "invariant 1");
}

/// "There is no such booking of this user."
pub async fn a_booking_is_confirmed_by_its_owner_alone<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let held = must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    let foreign = ConfirmSeats { user: user(2), ..payment(1) };
    let applied = ledger.confirm(&[foreign, payment(2)], at(1)).await.expect("a confirmation");
    assert_eq!(applied.answers, [Confirmed::Unknown, Confirmed::Unknown]);
    assert!(applied.seats.is_empty());
    assert_eq!(stored(&ledger, 1).await, held);
}

/// "A hold past its deadline is still confirmed while nobody took any of its seats", marked as expired or not.
pub async fn a_late_confirmation_takes_seats_that_are_still_free<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    must_confirm(&ledger, 1, at(60_000)).await;
    must_hold(&ledger, &claim(2, &[3, 4]), at(0)).await;
    let expired = ledger.expire(at(60_000), 10).await.expect("expired");
    assert_eq!(expired.answers.len(), 1);
    must_confirm(&ledger, 2, at(60_001)).await;
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Booked, &[1, 2, 3, 4]));
    // A seat that somebody took and lost again is free, too.
    must_hold(&ledger, &claim(3, &[5, 6]), at(0)).await;
    must_hold(&ledger, &later(4, &[6, 7]), at(60_000)).await;
    must_confirm(&ledger, 3, at(120_000)).await;
    assert!(matches!(confirm_now(&ledger, 4, at(120_001)).await, Confirmed::Gone(_)), "invariant 1");
    let owners = owners(&ledger, at(120_001)).await;
    assert_eq!(owners.get(&SeatIndex(6)), Some(&booking(3)));
    assert_eq!(owners.get(&SeatIndex(7)), None, "invariant 2");
}

/// "The hold had run out and somebody has one of its seats": it gets none, and they lose none.
pub async fn a_late_confirmation_takes_nothing_from_anybody<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    must_hold(&ledger, &claim(2, &[3, 4]), at(0)).await;
    must_hold(&ledger, &later(3, &[2]), at(60_000)).await;
    must_hold(&ledger, &later(4, &[3]), at(60_000)).await;
    must_confirm(&ledger, 4, at(60_001)).await;
    for number in [1, 2, 1] {
        let Confirmed::Gone(gone) = confirm_now(&ledger, number, at(60_002)).await else { panic!("invariant 1") };
        assert_eq!((gone.state, gone.transaction), (BookingState::Expired, None), "it is over, and says so");
    }
    let owned: Vec<_> = owners(&ledger, at(60_002)).await.into_iter().collect();
    assert_eq!(owned, [(SeatIndex(2), booking(3)), (SeatIndex(3), booking(4))], "invariants 1 and 2");
    let (_, taken) = shown(&ledger).await;
    assert_eq!(taken.get(&SeatIndex(2)), Some(&SeatStatus::Reserved));
    assert_eq!(taken.get(&SeatIndex(3)), Some(&SeatStatus::Booked));
    assert_eq!((taken.get(&SeatIndex(1)), taken.get(&SeatIndex(4))), (None, None), "what nobody has is free");
}

/// A worker's clock may run ahead and be set back: what was decided by it stands.
pub async fn a_hold_that_was_taken_over_by_a_clock_that_ran_ahead_is_gone<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    must_hold(&ledger, &later(2, &[2, 3]), at(60_000)).await;
    assert!(matches!(confirm_now(&ledger, 1, at(30_000)).await, Confirmed::Gone(_)), "invariant 1");
    must_confirm(&ledger, 2, at(30_001)).await;
    let owned: Vec<_> = owners(&ledger, at(30_001)).await.into_iter().collect();
    assert_eq!(owned, [(SeatIndex(2), booking(2)), (SeatIndex(3), booking(2))], "invariants 1 and 2");
}

/// A hold that ran out counts no more, so that its user may hold as much again; both together would be too much.
pub async fn a_late_confirmation_never_exceeds_the_limit_of_seats<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let of_session = |number, sitting, indices: &[u32], until| ClaimSeats {
        user: user(1),
        session: session(sitting),
        max_seats: 4,
        until,
        ..claim(number, indices)
    };
    let of_one = |number, indices, until| of_session(number, 1, indices, until);
    let pay = |number| ConfirmSeats { user: user(1), ..payment(number) };
    must_hold(&ledger, &of_one(1, &[1, 2, 3], at(60_000)), at(0)).await;
    must_hold(&ledger, &of_one(2, &[4], at(60_000)), at(0)).await;
    must_hold(&ledger, &of_one(3, &[5, 6, 7], at(120_000)), at(60_000)).await;
    let late = ledger.confirm(&[pay(1), pay(2)], at(60_001)).await.expect("a confirmation");
    assert!(matches!(late.answers[..], [Confirmed::Gone(_), Confirmed::Confirmed(_)]), "{:?}", late.answers);
    let last = ledger.confirm(&[pay(3)], at(60_002)).await.expect("a confirmation");
    assert!(matches!(last.answers[..], [Confirmed::Confirmed(_)]), "a live hold was counted when it was made");
    assert_eq!(owners(&ledger, at(60_002)).await.len(), 4);
    // The same user in two sessions, another user in the session of the first.
    must_hold(&ledger, &ClaimSeats { user: user(2), ..of_session(4, 4, &[11, 12, 13], at(60_000)) }, at(0)).await;
    must_hold(&ledger, &ClaimSeats { user: user(2), ..of_session(5, 5, &[14, 15], at(120_000)) }, at(60_000)).await;
    must_hold(&ledger, &ClaimSeats { user: user(3), ..of_session(6, 6, &[21, 22, 23], at(60_000)) }, at(0)).await;
    must_hold(&ledger, &ClaimSeats { user: user(4), ..of_session(7, 6, &[24, 25], at(120_000)) }, at(60_000)).await;
    for (number, who) in [(4, 2), (6, 3)] {
        let late = ledger.confirm(&[ConfirmSeats { user: user(who), ..payment(number) }], at(60_003)).await;
        let answer = only(late.expect("a confirmation")).0;
        assert!(matches!(answer, Confirmed::Gone(_)), "booking {number}: {answer:?}");
    }
}

/// "Or it had been given back or cancelled."
pub async fn what_was_given_back_or_cancelled_is_not_confirmed<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    release_now(&ledger, 1, at(1)).await;
    must_hold(&ledger, &claim(2, &[2]), at(0)).await;
    must_confirm(&ledger, 2, at(1)).await;
    must_cancel(&ledger, give_up(2, &[2], 700), at(2)).await;
    for (number, state) in [(1, BookingState::Released), (2, BookingState::Cancelled)] {
        let Confirmed::Gone(gone) = confirm_now(&ledger, number, at(3)).await else { panic!("booking {number}") };
        assert_eq!(gone.state, state);
    }
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Booked, &[]));
}

/// Invariant 1, with late payments and new claims at once.
pub async fn late_confirmations_and_claims_at_once_never_share_a_seat<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let half = CROWD / 2;
    let old: Vec<_> = (0..half).map(|number| claim(number, &[2 * number, 2 * number + 1])).collect();
    let held = ledger.claim_seats(&old, at(0)).await.expect("a batch");
    assert!(held.answers.iter().all(|answer| matches!(answer, Claimed::Held(_))));
    // Each new claim wants the second seat of one old hold and the first of the next.
    let new: Vec<_> = (0..half - 1).map(|number| later(half + number, &[2 * number + 1, 2 * number + 2])).collect();
    let confirms = join_all((0..half).map(|number| confirm_now(&ledger, number, at(60_000))));
    let claims = join_all(new.iter().map(|claim| claim_now(&ledger, claim, at(60_000))));
    let (confirmed, claimed) = join(confirms, claims).await;
    let confirmed = confirmed.iter().filter(|answer| matches!(answer, Confirmed::Confirmed(_))).count();
    let claimed = claimed.iter().filter(|answer| matches!(answer, Claimed::Held(_))).count();
    let owners = owners(&ledger, at(60_000)).await;
    assert_eq!(owners.len(), 2 * (confirmed + claimed), "invariants 1 and 2: who was answered has its seats");
    assert!(confirmed + claimed >= half as usize / 3, "somebody gets what is free");
}

/// Invariant 3 for bookings.
pub async fn a_confirmation_that_was_answered_survives_a_restart<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    let confirmed = must_confirm(&ledger, 1, at(1)).await;
    let before = shown(&ledger).await;
    drop(ledger);
    let ledger = open().await;
    assert_eq!(stored(&ledger, 1).await, confirmed, "invariant 3");
    assert_eq!(shown(&ledger).await, before);
    assert_eq!(confirm_now(&ledger, 1, at(99_000)).await, Confirmed::Confirmed(confirmed));
}

/// "Given back, now or earlier, or run out before."
pub async fn a_release_frees_the_seats_at_once<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    let applied = ledger.release(&[super::give_back(1)], at(1)).await.expect("a release");
    assert_eq!((applied.seats.len(), applied.seats[0].version), (1, 2));
    let freed: std::collections::BTreeMap<_, _> = applied.seats[0].changes.iter().copied().collect();
    assert_eq!(freed, all_are(SeatStatus::Available, &[1, 2]));
    let (Released::Released(released), _) = only(applied) else { panic!("a live hold is released") };
    assert_eq!((released.state, released.settled_at), (BookingState::Released, Some(at(1))));
    assert_eq!(release_now(&ledger, 1, at(2)).await, Released::Released(released), "twice is once");
    assert_eq!(shown(&ledger).await, (2, all_are(SeatStatus::Available, &[])));
    must_hold(&ledger, &claim(2, &[2]), at(3)).await;
    assert!(matches!(release_now(&ledger, 1, at(4)).await, Released::Released(_)));
    assert_eq!(owners(&ledger, at(4)).await.len(), 1, "a release that is repeated frees nothing of others");
    ledger.expire(at(60_000), 10).await.expect("expired");
    let Released::Released(over) = release_now(&ledger, 2, at(60_001)).await else { panic!("it ran out before") };
    assert_eq!(over.state, BookingState::Expired);
}

/// "It is confirmed or cancelled; there is nothing to give back." "There is no such booking of this user."
pub async fn what_is_not_held_is_not_released<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    let foreign = Release { booking: booking(1), user: user(2) };
    let none = ledger.release(&[foreign, super::give_back(7)], at(1)).await.expect("a release");
    assert_eq!(none.answers, [Released::Unknown, Released::Unknown]);
    assert!(none.seats.is_empty());
    let confirmed = must_confirm(&ledger, 1, at(2)).await;
    assert_eq!(release_now(&ledger, 1, at(3)).await, Released::NotHeld(confirmed));
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Booked, &[1]), "invariant 3");
    must_cancel(&ledger, give_up(1, &[1], 0), at(4)).await;
    assert!(matches!(release_now(&ledger, 1, at(5)).await, Released::NotHeld(_)));
}

/// "Marks up to `max` holds whose deadline has passed as expired", oldest first, in every event.
pub async fn holds_that_ran_out_are_marked_oldest_first<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for (number, until) in [(1, 30_000), (2, 10_000), (3, 20_000), (4, 40_001), (5, 5_000)] {
        must_hold(&ledger, &ClaimSeats { until: at(until), ..claim(number, &[number]) }, at(0)).await;
    }
    must_hold(&ledger, &ClaimSeats { until: at(40_000), event: event(2), ..claim(6, &[1]) }, at(0)).await;
    must_confirm(&ledger, 5, at(1)).await;
    assert!(ledger.expire(at(9_999), 10).await.expect("nothing").answers.is_empty());
    let first = ledger.expire(at(40_000), 2).await.expect("two");
    let ids: Vec<BookingId> = first.answers.iter().map(|booking| booking.booking_id.clone()).collect();
    assert_eq!(ids, [booking(2), booking(3)]);
    for expired in &first.answers {
        assert_eq!((expired.state, expired.settled_at), (BookingState::Expired, Some(at(40_000))));
        assert_eq!(ledger.booking(&expired.booking_id).await.expect("a look").as_ref(), Some(expired));
    }
    let freed: std::collections::BTreeMap<_, _> = first.seats[0].changes.iter().copied().collect();
    assert_eq!((first.seats.len(), freed), (1, all_are(SeatStatus::Available, &[2, 3])));
    let rest = ledger.expire(at(40_000), 10).await.expect("the rest");
    assert_eq!((rest.answers.len(), rest.seats.len()), (2, 2), "of both events");
    assert!(ledger.expire(at(40_000), 10).await.expect("nothing").answers.is_empty(), "once");
    let (_, taken) = shown(&ledger).await;
    assert_eq!((taken.len(), taken.get(&SeatIndex(5))), (2, Some(&SeatStatus::Booked)));
}

/// Seats that a later claim took over are that claim's, whatever ends the earlier one.
pub async fn a_hold_that_was_taken_over_frees_nothing_when_it_ends<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for number in [1, 2, 3] {
        must_hold(&ledger, &claim(number, &[10 * number, 10 * number + 1]), at(0)).await;
        must_hold(&ledger, &later(10 + number, &[10 * number]), at(60_000)).await;
    }
    release_now(&ledger, 1, at(60_001)).await;
    assert!(matches!(confirm_now(&ledger, 2, at(60_001)).await, Confirmed::Gone(_)));
    ledger.expire(at(60_001), 10).await.expect("expired");
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Reserved, &[10, 20, 30]), "invariant 1");
    assert_eq!(owners(&ledger, at(60_001)).await.len(), 3);
    let outbox = ledger.outbox(100).await.expect("the outbox");
    for number in [1, 2, 3] {
        let ended = outbox.iter().filter(|row| row.booking.booking_id == booking(number) && row.kind != "booking.held");
        assert_eq!(ended.count(), 1, "booking {number} ended once");
    }
}

/// Cancelled once, with what it gave back; the seats are free.
pub async fn a_cancellation_frees_the_seats_and_happens_once<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    let early = cancel_now(&ledger, give_up(1, &[1, 2], 100), at(1)).await;
    assert!(early.seats.is_empty());
    assert!(matches!(only(early).0, Cancelled::NotConfirmed(_)));
    must_confirm(&ledger, 1, at(2)).await;
    for (number, who) in [(1, 2), (9, 1)] {
        let unknown = CancelSeats { booking: booking(number), user: user(who), ..give_up(1, &[1, 2], 100) };
        assert_eq!(only(cancel_now(&ledger, unknown, at(3)).await).0, Cancelled::Unknown);
    }
    let applied = cancel_now(&ledger, give_up(1, &[1, 2], 750), at(4)).await;
    assert_eq!(applied.seats.len(), 1);
    let (Cancelled::Cancelled(cancelled), _) = only(applied) else { panic!("a confirmed booking is cancelled") };
    assert_eq!((cancelled.state, cancelled.refund), (BookingState::Cancelled, Some(1_500)));
    assert_eq!(cancelled.settled_at, Some(at(4)));
    let again = cancel_now(&ledger, give_up(1, &[1, 2], 99), at(5)).await;
    assert!(again.seats.is_empty());
    assert_eq!(only(again).0, Cancelled::Cancelled(cancelled), "the first refund stands");
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Available, &[]));
    must_hold(&ledger, &claim(2, &[1, 2]), at(6)).await;
}

/// The seats that are kept stay booked and count as before; the others are free at once. In a batch, too, where a
/// booking is reduced twice and what it gave up is cancelled again.
pub async fn seats_are_cancelled_one_by_one<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[3, 1, 2, 4]), at(0)).await;
    must_confirm(&ledger, 1, at(1)).await;
    let (version, _) = shown(&ledger).await;
    let applied = cancel_now(&ledger, give_up(1, &[1], 100), at(2)).await;
    let changes =
        SeatChanges { event_id: event(1), version: version + 1, changes: vec![(SeatIndex(1), SeatStatus::Available)] };
    assert_eq!(applied.seats, [changes]);
    let (Cancelled::Cancelled(reduced), _) = only(applied) else { panic!("a seat is cancelled") };
    assert_eq!((reduced.state, reduced.refund), (BookingState::Confirmed, Some(100)));
    assert_eq!((&reduced.seats, &reduced.cancelled_seats), (&seats(&[3, 2, 4]), &seats(&[1])));
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Booked, &[2, 3, 4]));
    assert_eq!(ledger.totals(&event(1), at(3)).await.expect("the totals").booked, 3);

    let batch = [give_up(1, &[1, 2], 100), give_up(1, &[3], 10), give_up(1, &[2, 3], 7)];
    let applied = ledger.cancel(&batch, at(4)).await.expect("a cancellation");
    let refunds = applied.answers.iter().map(|answer| match answer {
        Cancelled::Cancelled(booking) => booking.refund,
        other => panic!("not cancelled: {other:?}"),
    });
    assert_eq!(refunds.collect::<Vec<_>>(), [Some(200), Some(210), Some(210)]);
    let stored = ledger.booking(&booking(1)).await.expect("a booking").expect("is there");
    assert_eq!((&stored.seats, &stored.cancelled_seats), (&seats(&[4]), &seats(&[1, 2, 3])));
    assert!(matches!(confirm_now(&ledger, 1, at(5)).await, Confirmed::Confirmed(found) if found == stored));
    let claims = ledger.live_claims(&event(1), at(5)).await.expect("the claims");
    assert_eq!(claims, [SeatClaim { booking: booking(1), seats: seats(&[4]), until: None }]);

    let last = must_cancel(&ledger, give_up(1, &[1, 2, 3, 4], 5), at(6)).await;
    assert_eq!((last.state, last.refund, &last.seats), (BookingState::Cancelled, Some(215), &seats(&[4])));
    assert_eq!(ledger.totals(&event(1), at(6)).await.expect("the totals").booked, 0);
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Available, &[]));
}

/// Invariant 1 for a seat that had an owner before; and the limit of seats counts those that are kept.
pub async fn a_seat_that_was_cancelled_is_sold_again<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2, 3, 4, 5, 6]), at(0)).await;
    must_confirm(&ledger, 1, at(1)).await;
    must_cancel(&ledger, give_up(1, &[5, 6], 0), at(2)).await;
    must_hold(&ledger, &claim(2, &[5]), at(3)).await;
    must_confirm(&ledger, 2, at(4)).await;
    assert_eq!(claim_now(&ledger, &claim(3, &[4, 5, 6]), at(5)).await, Claimed::Unavailable(seats(&[4, 5])));
    // In another session: the one that bought is over.
    let more = ClaimSeats { user: user(1), ..claim(4, &[6, 7, 8]) };
    assert_eq!(claim_now(&ledger, &more, at(5)).await, Claimed::TooManySeats);
    must_hold(&ledger, &ClaimSeats { seats: seats(&[6, 7]), ..more }, at(5)).await;
    // The booking that gave it up has nothing to say about it any more.
    must_cancel(&ledger, give_up(1, &[1, 2, 3, 4], 0), at(6)).await;
    let (_, seats) = shown(&ledger).await;
    let mut expected = all_are(SeatStatus::Booked, &[5]);
    expected.extend(all_are(SeatStatus::Reserved, &[6, 7]));
    assert_eq!(seats, expected);
}

/// Invariant 3, the other way round: what was given up stays given up.
pub async fn a_cancellation_that_was_answered_survives_a_restart<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    must_confirm(&ledger, 1, at(1)).await;
    let reduced = must_cancel(&ledger, give_up(1, &[2], 300), at(2)).await;
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.booking(&booking(1)).await.expect("a booking"), Some(reduced.clone()));
    assert_eq!(must_cancel(&ledger, give_up(1, &[2], 300), at(3)).await, reduced);
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Booked, &[1]));
}

/// "From then on nothing of it is claimed or confirmed", with whoever is at it; what was sold stays sold until it is
/// cancelled. And it is called off once.
pub async fn an_event_that_is_called_off_sells_nothing_more<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    assert_eq!(ledger.called_off(&event(1)).await.expect("a look"), None);
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    must_hold(&ledger, &claim(2, &[2]), at(0)).await;
    let sold = must_confirm(&ledger, 1, at(1)).await;
    let off = called_off("The hall is flooded.", at(2));
    let rush = (3..3 + CROWD).map(|number| {
        let ask = claim(number, &[number]);
        let ledger = &ledger;
        async move { claim_now(ledger, &ask, at(2)).await }
    });
    let (kept, _) = join(ledger.call_off(&event(1), &off), join_all(rush)).await;
    assert_eq!(kept.expect("called off"), off);
    let again = ledger.call_off(&event(1), &called_off("Another reason.", at(3))).await;
    assert_eq!(again.expect("called off before"), off);
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.called_off(&event(1)).await.expect("a look"), Some(off));
    assert_eq!(claim_now(&ledger, &claim(900, &[900]), at(4)).await, Claimed::CalledOff);
    assert!(matches!(confirm_now(&ledger, 2, at(4)).await, Confirmed::Gone(_)));
    assert_eq!(confirm_now(&ledger, 1, at(4)).await, Confirmed::Confirmed(sold), "invariant 3");
    must_hold(&ledger, &ClaimSeats { event: event(2), ..claim(901, &[1]) }, at(4)).await;
    // Also where nothing was sold yet.
    ledger.call_off(&event(3), &called_off("No reason.", at(4))).await.expect("called off");
    let claim = ClaimSeats { event: event(3), ..claim(902, &[1]) };
    assert_eq!(claim_now(&ledger, &claim, at(5)).await, Claimed::CalledOff);
}

/// "In the order made", and no others; in batches that end when all are cancelled.
pub async fn bookings_of_what_was_called_off_are_listed_until_they_are_cancelled<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for number in 1..=5 {
        let of = if number == 4 { event(2) } else { event(1) };
        must_hold(&ledger, &ClaimSeats { event: of, ..claim(number, &[number, 10 + number]) }, at(i64::from(number)))
            .await;
    }
    for number in [1, 3, 4, 5] {
        must_confirm(&ledger, number, at(10)).await;
    }
    assert_eq!(ledger.bookings_called_off(10).await.expect("none"), []);
    must_cancel(&ledger, give_up(3, &[13], 0), at(11)).await;
    ledger.call_off(&event(1), &called_off("A reason.", at(12))).await.expect("called off");
    let listed = async |max| -> Vec<BookingId> {
        let found = ledger.bookings_called_off(max).await.expect("a list");
        found.into_iter().map(|booking| booking.booking_id).collect()
    };
    assert_eq!(listed(10).await, [booking(1), booking(3), booking(5)]);
    assert_eq!(listed(2).await, [booking(1), booking(3)]);
    let batch = [give_up(1, &[1, 11], 1_500), give_up(3, &[3], 1_500)];
    ledger.cancel(&batch, at(13)).await.expect("a cancellation");
    assert_eq!(listed(2).await, [booking(5)]);
    must_cancel(&ledger, give_up(5, &[5, 15], 1_500), at(14)).await;
    assert_eq!(listed(2).await, []);
}
