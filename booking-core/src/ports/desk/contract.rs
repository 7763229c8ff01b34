//! The desk's suite: see [`crate::ports::contract`]. What it opens is a desk and the log that holds the line.

mod admissions;
mod places;
mod rate;

use futures_util::future::join_all;

pub use admissions::*;
pub use places::*;
pub use rate::*;

use super::{Admit, AdmitRequest, Counts, Desk};
use crate::{
    digest::Digest,
    id::{SessionId, UserId},
    line::{Place, entry::JoinRecord},
    ports::{
        contract::{CROWD, at, event, session, user},
        log::{Log, Topic},
    },
    time::Timestamp,
};

/// Makes one test of each sentence of the desk's contract.
#[macro_export]
macro_rules! desk_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) desk:
            the_first_place_of_an_identity_stands
            a_place_that_was_answered_survives_a_restart
            many_claims_of_one_identity_at_once_have_one_place
            a_place_that_is_over_is_replaced_once
            a_place_that_may_not_be_replaced_stands
            nobody_is_admitted_at_a_place_that_is_not_theirs
            an_admission_is_the_same_as_long_as_it_lives_and_over_then
            many_admissions_of_one_identity_at_once_are_one
            active_sessions_never_exceed_the_cap
            a_session_that_is_finished_makes_room_at_once
            admissions_at_one_moment_are_one_seconds_worth
            admissions_in_a_minute_are_the_rate_and_one_seconds_worth
            whoever_comes_when_told_to_is_admitted
            a_clock_that_jumps_back_gives_nothing_away
            an_admission_that_was_answered_survives_a_restart
            the_rate_and_the_cap_survive_a_restart
            a_place_given_up_is_over_with_its_admission
            what_is_unknown_ends_without_a_trace
            a_booking_after_the_admission_ran_out_still_shows
            changes_are_numbered_in_order_and_survive_a_restart
            counts_are_exact_and_survive_a_restart
            events_are_apart
        }
    };
}

/// A rate so high that it is in nobody's way.
const ANY_RATE: u32 = 600_000;

/// Puts a join of `user` into the line, as a gateway does before it asks the desk.
async fn join(log: &impl Log, user: &UserId) -> Place {
    let record = JoinRecord { entry: Digest::of(&[user.as_str().as_bytes()]), user: user.clone(), joined_at: at(0) };
    let offset = log.append(&Topic::Line(event(1)), 0, record.encode()).await.expect("an append");
    Place { lane: 0, offset }
}

/// Joins and claims the place, which must be free.
async fn stand(desk: &impl Desk, log: &impl Log, user: &UserId) -> Place {
    let place = join(log, user).await;
    assert_eq!(desk.claim_place(&event(1), user, place, None).await.expect("a claim"), place);
    place
}

/// A request of the user `number`, whose rank is their number, for a session of a minute.
fn request(number: u32, place: Place, rate_per_minute: u32, max_active: u32) -> AdmitRequest {
    let (user, session) = (user(number), session(number));
    AdmitRequest { user, place, rank: number.into(), session, rate_per_minute, max_active, session_seconds: 60 }
}

async fn admit(desk: &impl Desk, request: &AdmitRequest, now: Timestamp) -> Admit {
    desk.admit(&event(1), request, now).await.expect("an answer")
}

async fn must_admit(desk: &impl Desk, request: &AdmitRequest, now: Timestamp) -> (SessionId, Timestamp) {
    match admit(desk, request, now).await {
        Admit::Admitted { session, expires_at } => (session, expires_at),
        other => panic!("not admitted: {other:?}"),
    }
}

async fn counts(desk: &impl Desk, from_rank: u64, now: Timestamp) -> Counts {
    desk.counts(&event(1), from_rank, now).await.expect("counts")
}

/// How many of a crowd that all come at `now` are admitted.
async fn crowd(desk: &impl Desk, requests: &[AdmitRequest], now: Timestamp) -> usize {
    let answers = join_all(requests.iter().map(|request| admit(desk, request, now))).await;
    for answer in &answers {
        match answer {
            Admit::Admitted { .. } => {}
            Admit::Full { retry_after_ms } => assert!(*retry_after_ms >= 1, "a wait has a length"),
            other => panic!("neither in nor told to wait: {other:?}"),
        }
    }
    answers.iter().filter(|answer| matches!(answer, Admit::Admitted { .. })).count()
}

async fn standing_crowd(desk: &impl Desk, log: &impl Log, rate: u32, cap: u32) -> Vec<AdmitRequest> {
    join_all((0..CROWD).map(|number| async move { request(number, stand(desk, log, &user(number)).await, rate, cap) }))
        .await
}
