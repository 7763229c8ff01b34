//! Claiming seats: invariants 1 and 2, deadlines, limits.

use futures_util::future::join_all;

use super::{
    all_are, claim, claim_now, give_up, must_cancel, must_confirm, must_hold, only, owners, release_now, shown, stored,
};
use crate::{
    booking::{BookingState, ClaimSeats, Claimed, SeatChanges},
    ports::{
        contract::{CROWD, at, booking, event, fingerprint, seats, session, user},
        ledger::Ledger,
    },
    seats::{SeatIndex, SeatStatus},
};

/// What a hold is, everywhere it shows.
pub async fn a_claim_holds_all_its_seats<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let asked = claim(1, &[7, 3, 5, 2]);
    let applied = ledger.claim_seats(std::slice::from_ref(&asked), at(10)).await.expect("a claim");
    let (Claimed::Held(held), changes) = only(applied) else { panic!("free seats are held") };
    assert_eq!(
        (&held.booking_id, &held.event_id, &held.user_id, &held.session, &held.seats),
        (&asked.booking, &asked.event, &asked.user, &asked.session, &asked.seats),
    );
    assert_eq!((held.state, held.total, held.expires_at), (BookingState::Held, asked.total, asked.until));
    assert_eq!((held.created_at, held.settled_at, &held.transaction, held.refund), (at(10), None, &None, None));
    assert_eq!(held.fingerprint, asked.fingerprint);
    assert_eq!(stored(&ledger, 1).await, held);
    assert_eq!(shown(&ledger).await, (1, all_are(SeatStatus::Reserved, &[2, 3, 5, 7])));
    let [SeatChanges { event_id, version: 1, changes }] = &changes[..] else { panic!("one change: {changes:?}") };
    assert_eq!(
        (event_id, changes.iter().copied().collect()),
        (&event(1), all_are(SeatStatus::Reserved, &[2, 3, 5, 7]))
    );
    assert_eq!(owners(&ledger, at(10)).await.len(), 4);
}

/// "A claim is all its seats or none" (invariant 2), and names the seats that are in its way.
pub async fn a_claim_with_a_taken_seat_holds_none<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[4, 2]), at(0)).await;
    let before = shown(&ledger).await;
    let applied = ledger.claim_seats(&[claim(2, &[5, 4, 3, 2])], at(1)).await.expect("a claim");
    assert!(applied.seats.is_empty(), "nothing changed: {:?}", applied.seats);
    assert_eq!(only(applied).0, Claimed::Unavailable(seats(&[4, 2])), "in the order asked");
    assert_eq!(shown(&ledger).await, before, "invariant 2");
    assert_eq!(ledger.booking(&booking(2)).await.expect("a look"), None);
    must_hold(&ledger, &claim(2, &[5, 3]), at(1)).await;
}

/// "Safe to repeat": the same request has its booking, whatever became of it.
pub async fn a_claim_that_is_repeated_is_the_same_booking<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let asked = claim(1, &[1, 2]);
    let held = must_hold(&ledger, &asked, at(0)).await;
    let before = shown(&ledger).await;
    // The try that comes later was priced, timed and perhaps given other seats anew; the first one stands.
    let again = ClaimSeats { until: at(90_000), seats: seats(&[8, 9]), ..asked.clone() };
    let twice = ledger.claim_seats(&[asked.clone(), again.clone()], at(5)).await.expect("a claim");
    assert_eq!(twice.answers, [Claimed::Held(held.clone()), Claimed::Held(held)]);
    assert!(twice.seats.is_empty());
    assert_eq!(shown(&ledger).await, before);
    let confirmed = must_confirm(&ledger, 1, at(6)).await;
    assert_eq!(claim_now(&ledger, &again, at(7)).await, Claimed::Held(confirmed));
    must_hold(&ledger, &claim(2, &[5]), at(8)).await;
    release_now(&ledger, 2, at(9)).await;
    let released = stored(&ledger, 2).await;
    assert_eq!(released.state, BookingState::Released);
    assert_eq!(claim_now(&ledger, &claim(2, &[5]), at(10)).await, Claimed::Held(released));
}

/// "The idempotency key belongs to another request."
pub async fn an_id_that_belongs_to_another_request_is_refused<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let held = must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    let other = ClaimSeats { fingerprint: fingerprint("another request"), ..claim(1, &[2]) };
    assert_eq!(claim_now(&ledger, &other, at(1)).await, Claimed::KeyReused);
    let foreign = ClaimSeats { user: user(2), ..claim(1, &[1]) };
    assert_eq!(claim_now(&ledger, &foreign, at(1)).await, Claimed::KeyReused);
    assert_eq!(stored(&ledger, 1).await, held);
    assert_eq!(shown(&ledger).await, (1, all_are(SeatStatus::Reserved, &[1])));
}

/// "In a batch, earlier claims come first"; what it changed is one change an event.
pub async fn a_batch_of_claims_is_decided_in_its_order<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let elsewhere = ClaimSeats { event: event(2), ..claim(5, &[1]) };
    let batch = [claim(1, &[1, 2]), claim(2, &[2, 3]), claim(3, &[3]), claim(1, &[1, 2]), elsewhere, claim(4, &[1, 4])];
    let applied = ledger.claim_seats(&batch, at(0)).await.expect("a batch");
    let held: Vec<_> = applied.answers.iter().map(|answer| matches!(answer, Claimed::Held(_))).collect();
    assert_eq!(held, [true, false, true, true, true, false], "{:?}", applied.answers);
    assert_eq!(applied.answers[1], Claimed::Unavailable(seats(&[2])));
    assert_eq!(applied.answers[5], Claimed::Unavailable(seats(&[1])));
    assert_eq!(shown(&ledger).await, (1, all_are(SeatStatus::Reserved, &[1, 2, 3])));
    let mut changes = applied.seats;
    changes.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    let [here, there] = &changes[..] else { panic!("one change an event: {changes:?}") };
    assert_eq!((&here.event_id, here.version, here.changes.len()), (&event(1), 1, 3));
    assert_eq!((&there.event_id, there.version, there.changes.len()), (&event(2), 1, 1));
    assert_eq!(owners(&ledger, at(0)).await.len(), 3);
    let none = ledger.claim_seats(&[], at(0)).await.expect("an empty batch");
    assert!(none.answers.is_empty() && none.seats.is_empty());
}

/// Invariants 1 and 2, with many at once.
pub async fn overlapping_claims_at_once_never_share_a_seat<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    // Three seats each of sixty, each seat wanted by ten.
    let batches: Vec<Vec<ClaimSeats>> = (0..CROWD)
        .map(|number| claim(number, &[number * 7 % 60, (number * 7 + 13) % 60, (number * 7 + 29) % 60]))
        .collect::<Vec<_>>()
        .chunks(3)
        .map(<[_]>::to_vec)
        .collect();
    let applied = join_all(batches.iter().map(|batch| ledger.claim_seats(batch, at(0)))).await;
    let (mut held, mut versions) = (0, Vec::new());
    for applied in applied {
        let applied = applied.expect("a batch");
        held += applied.answers.iter().filter(|answer| matches!(answer, Claimed::Held(_))).count();
        versions.extend(applied.seats.iter().map(|changes| changes.version));
    }
    let owners = owners(&ledger, at(0)).await;
    assert_eq!(owners.len(), held * 3, "invariants 1 and 2: who was answered has all its seats");
    assert!(held >= 10, "a claim is refused for a taken seat only: {held}");
    versions.sort_unstable();
    let (version, taken) = shown(&ledger).await;
    assert_eq!(versions, (1..=version).collect::<Vec<_>>(), "each change of the seats has a version of its own");
    assert_eq!(taken.len(), owners.len());
}

/// "A live hold is one whose deadline is after `now`; a claim takes over seats of holds that are not."
pub async fn a_hold_ends_with_its_deadline<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    let next = ClaimSeats { until: at(120_000), ..claim(2, &[2, 3]) };
    assert_eq!(claim_now(&ledger, &next, at(59_999)).await, Claimed::Unavailable(seats(&[2])));
    assert_eq!(owners(&ledger, at(59_999)).await.len(), 2);
    assert_eq!(owners(&ledger, at(60_000)).await.len(), 0);
    must_hold(&ledger, &next, at(60_000)).await;
    let owners = owners(&ledger, at(60_000)).await;
    assert_eq!(owners.into_iter().collect::<Vec<_>>(), [(SeatIndex(2), booking(2)), (SeatIndex(3), booking(2))]);
    let once = ClaimSeats { until: at(120_000), ..claim(3, &[1]) };
    must_hold(&ledger, &once, at(60_000)).await;
}

/// "Live holds and bookings of one session, and of one user in one event, never exceed the claim's `max_seats`."
pub async fn a_session_and_a_user_never_have_more_seats_than_allowed<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let asked = |number, indices: &[u32], who, sitting| ClaimSeats {
        user: user(who),
        session: session(sitting),
        max_seats: 4,
        ..claim(number, indices)
    };
    assert_eq!(claim_now(&ledger, &asked(1, &[1, 2, 3, 4, 5], 1, 1), at(0)).await, Claimed::TooManySeats);
    must_hold(&ledger, &asked(2, &[1, 2, 3], 1, 1), at(0)).await;
    for (number, who, sitting) in [(3, 1, 1), (4, 1, 2), (5, 2, 1)] {
        let answer = claim_now(&ledger, &asked(number, &[11, 12], who, sitting), at(1)).await;
        assert_eq!(answer, Claimed::TooManySeats, "user {who} in session {sitting}");
    }
    let in_one_batch = [asked(6, &[4], 1, 1), asked(7, &[5], 1, 1)];
    let applied = ledger.claim_seats(&in_one_batch, at(2)).await.expect("a batch");
    assert!(matches!(applied.answers[..], [Claimed::Held(_), Claimed::TooManySeats]), "{:?}", applied.answers);
    let elsewhere = ClaimSeats { event: event(2), ..asked(8, &[1, 2, 3, 4], 1, 8) };
    must_hold(&ledger, &elsewhere, at(3)).await;
    must_hold(&ledger, &asked(9, &[21, 22, 23, 24], 3, 3), at(3)).await;
    // Given back, and run out: they count no more.
    let owner = crate::booking::Release { booking: booking(2), user: user(1) };
    ledger.release(&[owner], at(4)).await.expect("a release");
    let later = ClaimSeats { until: at(90_000), ..asked(10, &[31, 32, 33], 1, 1) };
    must_hold(&ledger, &later, at(5)).await;
    assert_eq!(claim_now(&ledger, &asked(11, &[34], 1, 1), at(59_999)).await, Claimed::TooManySeats);
    must_hold(&ledger, &ClaimSeats { until: at(90_000), ..asked(12, &[34], 1, 1) }, at(60_000)).await;
}

/// "The session has a confirmed booking: its admission is over."
pub async fn a_session_that_has_bought_holds_no_more<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    must_confirm(&ledger, 1, at(1)).await;
    let more = ClaimSeats { session: session(1), user: user(1), ..claim(2, &[2]) };
    assert_eq!(claim_now(&ledger, &more, at(2)).await, Claimed::SessionOver);
    must_cancel(&ledger, give_up(1, &[1], 0), at(3)).await;
    assert_eq!(claim_now(&ledger, &more, at(4)).await, Claimed::SessionOver, "also when it is cancelled");
    must_hold(&ledger, &ClaimSeats { session: session(3), ..more }, at(5)).await;
}

/// Invariant 3 for holds.
pub async fn a_hold_that_was_answered_survives_a_restart<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let held = must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    let before = shown(&ledger).await;
    drop(ledger);
    let ledger = open().await;
    assert_eq!(stored(&ledger, 1).await, held, "invariant 3");
    assert_eq!(shown(&ledger).await, before);
    assert_eq!(owners(&ledger, at(1)).await.len(), 2);
    assert_eq!(claim_now(&ledger, &claim(1, &[1, 2]), at(1)).await, Claimed::Held(held));
    assert_eq!(claim_now(&ledger, &claim(2, &[2]), at(1)).await, Claimed::Unavailable(seats(&[2])));
}

/// The same seat number of another event is another seat.
pub async fn events_have_seats_of_their_own<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    must_hold(&ledger, &ClaimSeats { event: event(2), ..claim(2, &[1, 2]) }, at(0)).await;
    assert_eq!(shown(&ledger).await, (1, all_are(SeatStatus::Reserved, &[1])));
    let there = ledger.seat_states(&event(2)).await.expect("the seats");
    assert_eq!((there.version, there.taken.len()), (1, 2));
    assert_eq!(ledger.seat_states(&event(3)).await.expect("the seats"), crate::ports::ledger::SeatStates::default());
}
