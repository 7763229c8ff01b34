//! Admissions: one of an identity, how it ends, and what is told of it.

use futures_util::future::join_all;

use super::{ANY_RATE, admit, counts, must_admit, request, stand};
use crate::{
    desk::ChangeKind,
    ports::{
        contract::{CROWD, at, event, session, user},
        desk::{Admit, AdmitRequest, Change, Counts, Desk, Ended, Standing},
        log::Log,
    },
};

/// One admission of a place, whatever session the caller proposes the next time.
pub async fn an_admission_is_the_same_as_long_as_it_lives_and_over_then<D: Desk, L: Log>(
    open: impl AsyncFn() -> (D, L),
) {
    let (desk, log) = open().await;
    let place = stand(&desk, &log, &user(1)).await;
    let asked = request(1, place, 1, 1);
    let first = must_admit(&desk, &asked, at(0)).await;
    assert_eq!(first, (session(1), at(60_000)));
    let again = AdmitRequest { session: session(2), session_seconds: 600, ..asked.clone() };
    for now in [0, 1, 59_999] {
        assert_eq!(must_admit(&desk, &again, at(now)).await, first, "at {now}");
    }
    for now in [60_000, 60_001, 600_000] {
        assert_eq!(admit(&desk, &again, at(now)).await, Admit::Over(None), "at {now}");
    }
    assert_eq!(counts(&desk, 0, at(600_000)).await.admitted, 1);
}

/// Invariant 7, with many at once.
pub async fn many_admissions_of_one_identity_at_once_are_one<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let place = stand(&desk, &log, &user(1)).await;
    let requests: Vec<_> = (0..CROWD)
        .map(|number| AdmitRequest { session: session(number), ..request(1, place, ANY_RATE, 1_000) })
        .collect();
    let answers = join_all(requests.iter().map(|request| must_admit(&desk, request, at(0)))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "invariant 7: one live admission");
    let counted = counts(&desk, 0, at(0)).await;
    assert_eq!((counted.active, counted.admitted, counted.came), (1, 1, 1), "invariant 7");
}

/// "An admission that was answered survives a restart" (invariants 3 and 7), and so does how it ended.
pub async fn an_admission_that_was_answered_survives_a_restart<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let (live, over) = (stand(&desk, &log, &user(1)).await, stand(&desk, &log, &user(2)).await);
    let admitted = must_admit(&desk, &request(1, live, ANY_RATE, 10), at(0)).await;
    must_admit(&desk, &request(2, over, ANY_RATE, 10), at(0)).await;
    desk.finish(&event(1), &session(2), Ended::Revoked, at(5)).await.expect("finished");
    drop((desk, log));
    let (desk, _log) = open().await;
    let again = AdmitRequest { session: session(7), ..request(1, live, ANY_RATE, 10) };
    assert_eq!(must_admit(&desk, &again, at(10)).await, admitted, "invariants 3 and 7");
    assert_eq!(admit(&desk, &request(2, over, ANY_RATE, 10), at(10)).await, Admit::Over(Some(Ended::Revoked)));
    assert_eq!(admit(&desk, &again, at(60_000)).await, Admit::Over(None));
    desk.finish(&event(1), &session(1), Ended::Booked, at(60_001)).await.expect("finished");
    assert_eq!(admit(&desk, &again, at(60_002)).await, Admit::Over(Some(Ended::Booked)));
}

/// A hold may outlive the admission that made it; when it is paid, the place shows as booked.
pub async fn a_booking_after_the_admission_ran_out_still_shows<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let place = stand(&desk, &log, &user(1)).await;
    must_admit(&desk, &request(1, place, ANY_RATE, 1), at(0)).await;
    assert_eq!(counts(&desk, 0, at(60_000)).await.active, 0);
    desk.finish(&event(1), &session(1), Ended::Booked, at(60_001)).await.expect("finished");
    let standing = desk.place_of(&event(1), &user(1)).await.expect("a standing");
    assert_eq!(standing, Some(Standing { place, ended: Some(Ended::Booked) }));
    assert_eq!(counts(&desk, 0, at(60_001)).await.active, 0);
}

/// "Up to `max` changes after number `after` (0: from the first), in order."
pub async fn changes_are_numbered_in_order_and_survive_a_restart<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let mut places = Vec::new();
    for number in 1..=3 {
        places.push(stand(&desk, &log, &user(number)).await);
    }
    for number in [1, 2] {
        must_admit(&desk, &request(number, places[number as usize - 1], ANY_RATE, 2), at(0)).await;
    }
    admit(&desk, &request(3, places[2], ANY_RATE, 2), at(1)).await;
    desk.finish(&event(1), &session(2), Ended::Booked, at(2)).await.expect("finished");
    desk.give_up(&event(1), &user(3), at(3)).await.expect("given up");
    desk.give_up(&event(1), &user(1), at(4)).await.expect("given up");
    let expected: Vec<_> = [
        (places[0], ChangeKind::Admitted(at(60_000))),
        (places[1], ChangeKind::Admitted(at(60_000))),
        (places[1], ChangeKind::Ended(Ended::Booked)),
        (places[2], ChangeKind::Ended(Ended::GivenUp)),
        (places[0], ChangeKind::Ended(Ended::GivenUp)),
    ]
    .into_iter()
    .zip(1..)
    .map(|((place, what), number)| Change { number, place, what })
    .collect();
    assert_eq!(desk.changes(&event(1), 0, 100).await.expect("changes"), expected);
    drop((desk, log));
    let (desk, _log) = open().await;
    assert_eq!(desk.changes(&event(1), 0, 100).await.expect("changes"), expected, "after a restart");
    assert_eq!(desk.changes(&event(1), 1, 2).await.expect("changes"), expected[1..3]);
    assert_eq!(desk.changes(&event(1), 5, 100).await.expect("changes"), []);
}

/// "How many of the places with this rank or a higher one have come", each once.
pub async fn counts_are_exact_and_survive_a_restart<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    for number in [1, 5, 63, 64, 65, 200] {
        let place = stand(&desk, &log, &user(number)).await;
        for now in [0, 1] {
            admit(&desk, &request(number, place, ANY_RATE, 2), at(now)).await;
        }
    }
    stand(&desk, &log, &user(300)).await;
    desk.give_up(&event(1), &user(300), at(2)).await.expect("given up");
    drop((desk, log));
    let (desk, _log) = open().await;
    for (from_rank, came_from_rank) in [(0, 6), (1, 6), (2, 5), (64, 3), (65, 2), (200, 1), (201, 0), (1 << 40, 0)] {
        let expected = Counts { active: 2, admitted: 2, came: 6, came_from_rank, left: 1 };
        assert_eq!(counts(&desk, from_rank, at(3)).await, expected, "from {from_rank}");
    }
}
