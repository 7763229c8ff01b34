//! Extending holds: once, and only what is live; deadlines that move.

use futures_util::future::join_all;

use super::{
    all_are, called_off, claim, claim_now, confirm_now, extend_now, give_up, more_time, must_cancel, must_confirm,
    must_hold, owners, release_now, shown, stored,
};
use crate::{
    booking::{Booking, BookingState, ClaimSeats, Claimed, Confirmed, ExtendHold, Extended, Released},
    ports::{
        contract::{CROWD, at, booking, seats, user},
        ledger::Ledger,
    },
    seats::SeatStatus,
};

/// "Each once: whoever asks again is told that, with the same booking." In one batch, too.
pub async fn a_live_hold_is_extended_once<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let held = must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    must_hold(&ledger, &claim(2, &[5]), at(0)).await;
    let before = shown(&ledger).await;
    let batch = [more_time(1), more_time(1), ExtendHold { user: user(2), ..more_time(1) }, more_time(9), more_time(2)];
    let applied = ledger.extend(&batch, at(10)).await.expect("an extension");
    assert!(applied.seats.is_empty());
    let extended = Booking { expires_at: at(90_000), extended: true, ..held };
    let (once, again) = (Extended::Extended(extended.clone()), Extended::Again(extended.clone()));
    assert_eq!(applied.answers[..4], [once, again.clone(), Extended::Unknown, Extended::Unknown]);
    assert!(matches!(&applied.answers[4], Extended::Extended(other) if other.booking_id == booking(2)));
    assert_eq!(extend_now(&ledger, 1, at(89_999)).await, again, "also past its first deadline");
    assert_eq!(stored(&ledger, 1).await, extended);
    assert_eq!(shown(&ledger).await, before);
    let again = claim_now(&ledger, &claim(1, &[1, 2]), at(20)).await;
    assert_eq!(again, Claimed::Held(extended.clone()), "whoever repeats the claim learns it");
    let outbox = ledger.outbox(100).await.expect("the outbox");
    let told: Vec<_> = outbox.iter().filter(|row| row.booking.booking_id == booking(1)).collect();
    let kinds: Vec<_> = told.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!((kinds, &told[1].booking), (vec!["booking.held", "booking.extended"], &extended));
    assert!(ledger.extend(&[], at(10)).await.expect("an empty batch").answers.is_empty());
    let confirmed = must_confirm(&ledger, 1, at(80_000)).await;
    assert_eq!((confirmed.expires_at, confirmed.extended), (at(90_000), true));
    assert_eq!(shown(&ledger).await.1[&seats(&[1])[0]], SeatStatus::Booked);
}

/// "It has run out or was given back, one of its seats is somebody else's, or its event was called off."
pub async fn what_is_no_live_hold_is_not_extended<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for number in 1..=5 {
        must_hold(&ledger, &claim(number, &[10 * number, 10 * number + 1]), at(0)).await;
    }
    must_confirm(&ledger, 1, at(1)).await;
    must_confirm(&ledger, 2, at(1)).await;
    must_cancel(&ledger, give_up(2, &[20, 21], 0), at(2)).await;
    release_now(&ledger, 3, at(2)).await;
    let before = shown(&ledger).await;
    for (number, is_sold) in [(1, true), (2, true), (3, false), (4, false)] {
        let kept = stored(&ledger, number).await;
        let expected = if is_sold { Extended::NotHeld(kept.clone()) } else { Extended::Gone(kept.clone()) };
        assert_eq!(extend_now(&ledger, number, at(60_000)).await, expected);
        assert_eq!(stored(&ledger, number).await, kept, "nothing changed");
    }
    assert_eq!(shown(&ledger).await, before);
    // A worker whose clock ran ahead took it to be over and gave one of its seats away.
    must_hold(&ledger, &ClaimSeats { until: at(120_000), ..claim(6, &[50]) }, at(60_000)).await;
    assert!(matches!(extend_now(&ledger, 5, at(59_000)).await, Extended::Gone(_)), "invariant 1");
    assert_eq!(owners(&ledger, at(60_001)).await.len(), 3);
    ledger.expire(at(60_001), 10).await.expect("expired");
    assert!(
        matches!(extend_now(&ledger, 4, at(59_000)).await, Extended::Gone(over) if over.state == BookingState::Expired)
    );
    ledger.call_off(&crate::ports::contract::event(1), &called_off("A reason.", at(60_002))).await.expect("called off");
    assert!(matches!(extend_now(&ledger, 6, at(60_003)).await, Extended::Gone(_)));
}

/// Everything that asks whether a hold is live goes by its new deadline.
pub async fn a_hold_that_is_extended_ends_with_its_new_deadline<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2]), at(0)).await;
    must_hold(&ledger, &claim(2, &[5]), at(0)).await;
    extend_now(&ledger, 1, at(59_999)).await;
    let next = |number, indices: &[u32]| ClaimSeats { until: at(200_000), ..claim(number, indices) };
    assert_eq!(claim_now(&ledger, &next(3, &[2, 3]), at(89_999)).await, Claimed::Unavailable(seats(&[2])));
    let claims = ledger.live_claims(&crate::ports::contract::event(1), at(70_000)).await.expect("the claims");
    assert_eq!((claims.len(), claims[0].until), (1, Some(at(90_000))), "what a hold table is rebuilt from");
    let totals = ledger.totals(&crate::ports::contract::event(1), at(89_999)).await.expect("the totals");
    assert_eq!(totals.held, 2);
    let expired = ledger.expire(at(89_999), 10).await.expect("expired").answers;
    assert_eq!(expired.iter().map(|over| over.booking_id.clone()).collect::<Vec<_>>(), [booking(2)]);
    must_hold(&ledger, &next(4, &[2]), at(90_000)).await;
    assert_eq!(ledger.expire(at(90_000), 10).await.expect("expired").answers.len(), 1);
    assert!(matches!(confirm_now(&ledger, 1, at(90_001)).await, Confirmed::Gone(_)));
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Reserved, &[2]));
    // One that is given back frees its seats, extended or not.
    must_hold(&ledger, &next(5, &[7]), at(90_002)).await;
    extend_now(&ledger, 5, at(90_003)).await;
    assert!(matches!(release_now(&ledger, 5, at(90_004)).await, Released::Released(_)));
    assert_eq!(shown(&ledger).await.1, all_are(SeatStatus::Reserved, &[2]));
}

/// Invariant 1, with the two at its very deadline, many times over.
pub async fn an_extension_and_a_claim_at_once_never_share_a_seat<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for number in 0..CROWD {
        must_hold(&ledger, &claim(number, &[number]), at(0)).await;
    }
    let (last, over) = (at(59_999), at(60_000));
    let extensions = (0..CROWD).map(|number| extend_now(&ledger, number, last));
    let rivals = (0..CROWD).map(|number| {
        let ask = ClaimSeats { until: at(200_000), ..claim(1_000 + number, &[number]) };
        let ledger = &ledger;
        async move { claim_now(ledger, &ask, over).await }
    });
    let (extended, claimed) = futures_util::future::join(join_all(extensions), join_all(rivals)).await;
    for (number, (extended, claimed)) in extended.iter().zip(&claimed).enumerate() {
        let is_extended = matches!(extended, Extended::Extended(_));
        assert_ne!(is_extended, matches!(claimed, Claimed::Held(_)), "invariant 1: {number} {extended:?} {claimed:?}");
    }
    assert_eq!(owners(&ledger, over).await.len(), CROWD as usize);
}

/// Invariant 3 for the time that somebody was promised.
pub async fn an_extension_that_was_answered_survives_a_restart<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    let Extended::Extended(extended) = extend_now(&ledger, 1, at(1)).await else { panic!("a live hold is extended") };
    drop(ledger);
    let ledger = open().await;
    assert_eq!(stored(&ledger, 1).await, extended, "invariant 3");
    assert_eq!(extend_now(&ledger, 1, at(89_999)).await, Extended::Again(extended));
    let rival = ClaimSeats { until: at(200_000), ..claim(2, &[1]) };
    assert_eq!(claim_now(&ledger, &rival, at(89_999)).await, Claimed::Unavailable(seats(&[1])));
}
