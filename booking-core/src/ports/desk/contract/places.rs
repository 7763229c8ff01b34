//! Places: one an identity, and what becomes of it.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::{ANY_RATE, admit, counts, join, must_admit, request, stand};
use crate::{
    line::Place,
    ports::{
        contract::{CROWD, at, event, session, user},
        desk::{Admit, AdmitRequest, Counts, Desk, Ended, Standing},
        log::Log,
    },
};

/// "Gives `user` the place `place`, unless they already stand at one. Answers the place that stands."
pub async fn the_first_place_of_an_identity_stands<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    assert_eq!(desk.place_of(&event(1), &user(1)).await.expect("a standing"), None);
    let first = stand(&desk, &log, &user(1)).await;
    let second = join(&log, &user(1)).await;
    for asked in [second, first, second] {
        let stands = desk.claim_place(&event(1), &user(1), asked, None).await.expect("a claim");
        assert_eq!(stands, first, "invariant 7: one place an identity");
    }
    let standing = desk.place_of(&event(1), &user(1)).await.expect("a standing");
    assert_eq!(standing, Some(Standing { place: first, ended: None }));
    assert_eq!(desk.place_of(&event(1), &user(2)).await.expect("a standing"), None);
}

/// "A place that `claim_place` answered survives a restart as long as the line's log holds its entry."
pub async fn a_place_that_was_answered_survives_a_restart<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let plain = stand(&desk, &log, &user(1)).await;
    // Two joins of one visitor at once: the later one reaches the desk first.
    let (earlier, later) = (join(&log, &user(2)).await, join(&log, &user(2)).await);
    for asked in [later, earlier] {
        assert_eq!(desk.claim_place(&event(1), &user(2), asked, None).await.expect("a claim"), later);
    }
    drop((desk, log));
    let (desk, _log) = open().await;
    for (number, place) in [(1, plain), (2, later)] {
        let standing = desk.place_of(&event(1), &user(number)).await.expect("a standing");
        assert_eq!(standing, Some(Standing { place, ended: None }), "invariant 3: user {number}");
    }
}

/// Invariant 7, with many at once.
pub async fn many_claims_of_one_identity_at_once_have_one_place<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let claims = (0..CROWD).map(|_| async {
        let place = join(&log, &user(1)).await;
        desk.claim_place(&event(1), &user(1), place, None).await.expect("a claim")
    });
    let stands: BTreeSet<_> = join_all(claims).await.into_iter().collect();
    assert_eq!(stands.len(), 1, "invariant 7: {stands:?}");
}

/// "`instead_of` names a place that is over and may be replaced": if it is the one that stands.
pub async fn a_place_that_is_over_is_replaced_once<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let lapsed = stand(&desk, &log, &user(1)).await;
    let (second, third) = (join(&log, &user(1)).await, join(&log, &user(1)).await);
    for (asked, instead_of, stands) in
        [(second, third, lapsed), (second, lapsed, second), (second, lapsed, second), (third, lapsed, second)]
    {
        let claimed = desk.claim_place(&event(1), &user(1), asked, Some(instead_of)).await.expect("a claim");
        assert_eq!(claimed, stands, "invariant 7: {asked:?} instead of {instead_of:?}");
    }
    assert_eq!(admit(&desk, &request(1, lapsed, ANY_RATE, 10), at(0)).await, Admit::NotTheirPlace);
    desk.give_up(&event(1), &user(1), at(0)).await.expect("given up");
    let claimed = desk.claim_place(&event(1), &user(1), third, Some(second)).await.expect("a claim");
    assert_eq!(claimed, third, "who gave up may join anew");
    drop((desk, log));
    let (desk, _log) = open().await;
    let standing = desk.place_of(&event(1), &user(1)).await.expect("a standing");
    assert_eq!(standing, Some(Standing { place: third, ended: None }), "invariant 3");
}

/// A live admission, a booking and a revocation are not left behind by joining anew; one that ran out is.
pub async fn a_place_that_may_not_be_replaced_stands<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    for (number, ended) in [(1, None), (2, Some(Ended::Booked)), (3, Some(Ended::Revoked))] {
        let place = stand(&desk, &log, &user(number)).await;
        must_admit(&desk, &request(number, place, ANY_RATE, 10), at(0)).await;
        if let Some(why) = ended {
            desk.finish(&event(1), &session(number), why, at(1)).await.expect("finished");
        }
        let anew = join(&log, &user(number)).await;
        let claimed = desk.claim_place(&event(1), &user(number), anew, Some(place)).await.expect("a claim");
        assert_eq!(claimed, place, "invariant 7: {ended:?}");
    }
    counts(&desk, 0, at(60_000)).await;
    let (old, anew) = (desk.place_of(&event(1), &user(1)).await.expect("a standing"), join(&log, &user(1)).await);
    let old = old.expect("they joined").place;
    let claimed = desk.claim_place(&event(1), &user(1), anew, Some(old)).await.expect("a claim");
    assert_eq!(claimed, anew, "an admission that ran out may be followed by a new place");
    must_admit(&desk, &AdmitRequest { session: session(9), ..request(1, anew, ANY_RATE, 10) }, at(60_001)).await;
}

/// "This identity stands at another place, or at none."
pub async fn nobody_is_admitted_at_a_place_that_is_not_theirs<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let place = stand(&desk, &log, &user(1)).await;
    let elsewhere = Place { offset: place.offset + 1, ..place };
    assert_eq!(admit(&desk, &request(2, place, ANY_RATE, 10), at(0)).await, Admit::NotTheirPlace);
    assert_eq!(admit(&desk, &request(1, elsewhere, ANY_RATE, 10), at(0)).await, Admit::NotTheirPlace);
    assert_eq!(counts(&desk, 0, at(0)).await, Counts::default(), "nobody came");
}

/// "Ends `user`'s place, and their admission with it if there is one."
pub async fn a_place_given_up_is_over_with_its_admission<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let (before, inside) = (stand(&desk, &log, &user(1)).await, stand(&desk, &log, &user(2)).await);
    must_admit(&desk, &request(2, inside, ANY_RATE, 1), at(0)).await;
    for number in [1, 2, 2, 1] {
        desk.give_up(&event(1), &user(number), at(1)).await.expect("given up");
    }
    let counted = counts(&desk, 0, at(1)).await;
    assert_eq!((counted.active, counted.left, counted.came), (0, 2, 1), "twice is once");
    drop((desk, log));
    let (desk, _log) = open().await;
    for (number, place) in [(1, before), (2, inside)] {
        let answer = admit(&desk, &request(number, place, ANY_RATE, 9), at(2)).await;
        assert_eq!(answer, Admit::Over(Some(Ended::GivenUp)), "user {number}");
        let standing = desk.place_of(&event(1), &user(number)).await.expect("a standing");
        assert_eq!(standing, Some(Standing { place, ended: Some(Ended::GivenUp) }));
    }
}

/// "Without a place: nothing." "Unknown or ended already: nothing."
pub async fn what_is_unknown_ends_without_a_trace<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, _log) = open().await;
    desk.give_up(&event(1), &user(1), at(0)).await.expect("nothing");
    desk.finish(&event(1), &session(1), Ended::Revoked, at(0)).await.expect("nothing");
    assert_eq!(counts(&desk, 0, at(0)).await, Counts::default());
    assert_eq!(desk.changes(&event(1), 0, 10).await.expect("changes"), []);
}

/// Every event has a desk of its own.
pub async fn events_are_apart<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let place = stand(&desk, &log, &user(1)).await;
    must_admit(&desk, &request(1, place, 1, 1), at(0)).await;
    assert_eq!(desk.place_of(&event(2), &user(1)).await.expect("a standing"), None);
    assert_eq!(desk.counts(&event(2), 0, at(0)).await.expect("counts"), Counts::default());
    desk.finish(&event(2), &session(1), Ended::Revoked, at(0)).await.expect("nothing");
    assert_eq!(counts(&desk, 0, at(0)).await.active, 1);
    let other = Place { lane: 0, offset: 0 };
    assert_eq!(desk.claim_place(&event(2), &user(2), other, None).await.expect("a claim"), other);
    let answer = desk.admit(&event(2), &request(2, other, 1, 1), at(0)).await.expect("an answer");
    assert!(matches!(answer, Admit::Admitted { .. }), "another event's rate and cap");
}
