//! The rate and the cap: invariant 6.

use futures_util::future::join_all;

use super::{ANY_RATE, admit, counts, crowd, must_admit, request, stand, standing_crowd};
use crate::ports::{
    contract::{CROWD, at, event, session, user},
    desk::{Admit, AdmitRequest, Desk, Ended},
    log::Log,
};

/// Invariant 6, with many at once and while sessions end.
pub async fn active_sessions_never_exceed_the_cap<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let requests = standing_crowd(&desk, &log, ANY_RATE, 7).await;
    assert_eq!(crowd(&desk, &requests, at(0)).await, 7, "invariant 6: the cap is 7");
    assert_eq!(crowd(&desk, &requests, at(59_999)).await, 7, "the same seven, nobody else");
    let counted = counts(&desk, 0, at(59_999)).await;
    assert_eq!((counted.active, counted.admitted, counted.came), (7, 7, u64::from(CROWD)));
    assert_eq!(counts(&desk, 0, at(60_000)).await.active, 0, "a session ends by comparing its deadline");
    let fresh: Vec<_> = (CROWD..2 * CROWD).collect();
    let fresh = join_all(fresh.into_iter().map(|number| {
        let (desk, log) = (&desk, &log);
        async move { request(number, stand(desk, log, &user(number)).await, ANY_RATE, 7) }
    }))
    .await;
    assert_eq!(crowd(&desk, &fresh, at(60_000)).await, 7, "their room is free");
    let lower: Vec<_> = fresh.iter().map(|request| AdmitRequest { max_active: 3, ..request.clone() }).collect();
    assert_eq!(crowd(&desk, &lower, at(60_001)).await, 7, "a lowered cap ends nobody's session, and admits nobody");
}

/// "Ends an admission: its room at the desk is free."
pub async fn a_session_that_is_finished_makes_room_at_once<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let (first, second) = (stand(&desk, &log, &user(1)).await, stand(&desk, &log, &user(2)).await);
    must_admit(&desk, &request(1, first, ANY_RATE, 1), at(0)).await;
    assert!(matches!(admit(&desk, &request(2, second, ANY_RATE, 1), at(1_000)).await, Admit::Full { .. }));
    for _ in 0..2 {
        desk.finish(&event(1), &session(1), Ended::Booked, at(1_001)).await.expect("finished");
    }
    must_admit(&desk, &request(2, second, ANY_RATE, 1), at(1_001)).await;
    assert_eq!(admit(&desk, &request(1, first, ANY_RATE, 9), at(1_002)).await, Admit::Over(Some(Ended::Booked)));
    desk.finish(&event(1), &session(1), Ended::Revoked, at(1_003)).await.expect("nothing");
    let standing = desk.place_of(&event(1), &user(1)).await.expect("a standing");
    assert_eq!(standing.and_then(|standing| standing.ended), Some(Ended::Booked), "it ended once");
}

/// Invariant 6: a burst of one second's worth, for rates low and high.
pub async fn admissions_at_one_moment_are_one_seconds_worth<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let mut from = 0;
    for (per_minute, burst, now) in
        [(1, 1, 0), (59, 1, 200_000), (60, 1, 400_000), (600, 10, 600_000), (3_000, 50, 800_000)]
    {
        let requests = join_all((from..from + 60).map(|number| {
            let (desk, log) = (&desk, &log);
            async move { request(number, stand(desk, log, &user(number)).await, per_minute, 1_000) }
        }))
        .await;
        assert_eq!(crowd(&desk, &requests, at(now)).await, burst, "invariant 6: {per_minute} a minute");
        from += 60;
    }
}

/// Invariant 6: a crowd that never stops asking, over a minute and more.
pub async fn admissions_in_a_minute_are_the_rate_and_one_seconds_worth<D: Desk, L: Log>(
    open: impl AsyncFn() -> (D, L),
) {
    let (desk, log) = open().await;
    let requests = standing_crowd(&desk, &log, 120, 1_000).await;
    let mut waiting = requests.into_iter().peekable();
    // Below 60 a minute one second's worth is less than one: no minute holds more than the rate.
    for (begin, per_minute, least, most) in [(0, 120, 140, 122), (500_000, 2, 3, 2)] {
        let mut moments = Vec::new();
        for now in (begin..=begin + 70_000).step_by(100) {
            while let Some(next) = waiting.peek() {
                let asked = AdmitRequest { rate_per_minute: per_minute, ..next.clone() };
                if !matches!(admit(&desk, &asked, at(now)).await, Admit::Admitted { .. }) {
                    break;
                }
                moments.push(now);
                waiting.next();
            }
        }
        assert!(moments.len() >= least, "at {per_minute} a minute only {} came in", moments.len());
        for from in &moments {
            let inside = moments.iter().filter(|moment| (*from..=from + 60_000).contains(*moment)).count();
            assert!(inside <= most, "invariant 6: {inside} in the minute from {from} at {per_minute} a minute");
        }
    }
}

/// "They stay first; come again no sooner than in this many milliseconds": the wait is honest.
pub async fn whoever_comes_when_told_to_is_admitted<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let mut now = 0;
    for (number, per_minute) in [(1, 45), (2, 45), (3, 7), (4, 600), (5, 60)] {
        let asked = request(number, stand(&desk, &log, &user(number)).await, per_minute, 1_000);
        if let Admit::Full { retry_after_ms } = admit(&desk, &asked, at(now)).await {
            let wait = i64::try_from(retry_after_ms).expect("a wait of less than a minute");
            assert!((1..=60_001).contains(&wait), "{wait}");
            if wait > 1 {
                let early = admit(&desk, &asked, at(now + wait - 1)).await;
                assert_eq!(early, Admit::Full { retry_after_ms: 1 }, "user {number}");
            }
            now += wait;
            must_admit(&desk, &asked, at(now)).await;
        } else {
            assert_eq!(number, 1, "only the first finds the whole room");
        }
    }
}

/// "`now` may jump back; the desk never decides by an earlier moment than it decided by before."
pub async fn a_clock_that_jumps_back_gives_nothing_away<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let mut places = Vec::new();
    for number in 1..=3 {
        places.push(stand(&desk, &log, &user(number)).await);
    }
    must_admit(&desk, &request(1, places[0], 30, 10), at(100_000)).await;
    for now in [0, 100_000, 50_000, 101_000, 99_000] {
        let answer = admit(&desk, &request(2, places[1], 30, 10), at(now)).await;
        assert!(matches!(answer, Admit::Full { .. }), "invariant 6: at {now}");
    }
    must_admit(&desk, &request(2, places[1], 30, 10), at(103_000)).await;
    assert_eq!(counts(&desk, 0, at(160_000)).await.active, 1);
    assert_eq!(counts(&desk, 0, at(0)).await.active, 1, "a session that is over stays over");
    assert_eq!(admit(&desk, &request(1, places[0], 30, 10), at(0)).await, Admit::Over(None));
    let late = must_admit(&desk, &request(3, places[2], 30, 10), at(0)).await;
    assert_eq!(late.1, at(220_000), "a session is as long as promised, from the latest moment seen");
}

/// Invariant 6 does not begin anew with the process.
pub async fn the_rate_and_the_cap_survive_a_restart<D: Desk, L: Log>(open: impl AsyncFn() -> (D, L)) {
    let (desk, log) = open().await;
    let (first, second) = (stand(&desk, &log, &user(1)).await, stand(&desk, &log, &user(2)).await);
    must_admit(&desk, &request(1, first, 2, 1), at(0)).await;
    drop((desk, log));
    let (desk, _log) = open().await;
    for (rate, cap, now) in [(ANY_RATE, 1, 29_000), (2, 10, 29_999), (2, 10, 0)] {
        let answer = admit(&desk, &request(2, second, rate, cap), at(now)).await;
        assert!(matches!(answer, Admit::Full { .. }), "invariant 6: {rate} a minute, {cap} at once: {answer:?}");
    }
    must_admit(&desk, &request(2, second, 2, 10), at(30_001)).await;
}
