use proptest::prelude::*;

use super::*;
use crate::line::{
    record::StateKind,
    testing::{CLOSES_AT, LOBBY_AT, OPENS_AT, TestLine, at},
};

/// The place that came out of the draw with `rank`.
fn drawn(line: &TestLine, rank: u64) -> PlaceFacts {
    let with_rank = |place: &Place| line.state.ranked(*place).is_some_and(|ranked| ranked.rank == rank);
    let place = line.places().find(with_rank).unwrap();
    PlaceFacts { place, ranked: line.state.ranked(place), ..undrawn() }
}

fn undrawn() -> PlaceFacts {
    PlaceFacts {
        token: "token".to_owned(),
        place: Place { lane: 0, offset: 0 },
        entry: Digest([200; 32]),
        joined_at: at(LOBBY_AT),
        ranked: None,
        presence: Presence::Absent,
        crowd: 100,
    }
}

fn state_of(line: &TestLine, facts: &PlaceFacts, ms: i64) -> (PlaceState, bool) {
    let view = view(&line.state, facts, at(ms));
    (view.state, view.turn.is_some())
}

#[test]
fn before_the_draw_a_place_is_in_the_lobby_and_then_being_drawn() {
    let line = TestLine::opened(1);
    for (ms, state) in [
        (LOBBY_AT, PlaceState::Lobby),
        (OPENS_AT - 1, PlaceState::Lobby),
        (OPENS_AT, PlaceState::Drawing),
        (CLOSES_AT, PlaceState::Ended),
    ] {
        let view = view(&line.state, &undrawn(), at(ms));
        assert_eq!(view.state, state, "{ms}");
        assert_eq!((view.batch, view.index, view.rank, view.position, view.ahead), (None, None, None, None, None));
        assert_eq!((view.eta, view.turn), (None, None));
    }
}

#[test]
fn a_drawn_place_waits_is_called_lapses_is_called_again_and_lapses_for_good() {
    let mut line = TestLine::drawn(2, 10);
    let facts = drawn(&line, 4);
    let waiting = view(&line.state, &facts, at(line.now));
    assert_eq!(waiting.state, PlaceState::Waiting);
    assert_eq!((waiting.rank, waiting.position, waiting.ahead), (Some(4), Some(5), Some(4)));
    line.call(4);
    let next = view(&line.state, &facts, at(line.now));
    assert_eq!((next.state, next.position, next.ahead), (PlaceState::Waiting, Some(1), Some(0)));
    line.call(4);
    let called = line.now;
    for (after_ms, expected) in [
        (0, (PlaceState::Called, true)),
        (59_999, (PlaceState::Called, true)),
        (60_000, (PlaceState::Lapsed, true)),
        (120_000, (PlaceState::Called, true)),
        (180_000, (PlaceState::Lapsed, false)),
    ] {
        assert_eq!(state_of(&line, &facts, called + after_ms), expected, "{after_ms}");
    }
    let turn = |after_ms| view(&line.state, &facts, at(called + after_ms)).turn.unwrap();
    let first = TurnView { opens_at: at(called), closes_at: at(called + 60_000), last: false };
    let second = TurnView { opens_at: at(called + 120_000), closes_at: at(called + 180_000), last: true };
    assert_eq!((turn(0), turn(60_000), turn(120_000)), (first, second, second));
    assert_eq!(view(&line.state, &facts, at(called)).position, Some(1));
}

#[test]
fn what_the_desk_knows_goes_before_the_turn() {
    let mut line = TestLine::drawn(1, 3);
    line.call(3);
    let at_desk = |presence| PlaceFacts { presence, ..drawn(&line, 0) };
    let now = line.now;
    let admitted = at_desk(Presence::Admitted(at(now + 1_000)));
    for (facts, ms, state, may_rejoin) in [
        (admitted.clone(), now, PlaceState::Admitted, false),
        (admitted.clone(), now + 1_000, PlaceState::Ended, true),
        (admitted, CLOSES_AT, PlaceState::Ended, false),
        (at_desk(Presence::Admitted(at(CLOSES_AT + 9))), CLOSES_AT, PlaceState::Admitted, false),
        (at_desk(Presence::Over(None)), now, PlaceState::Ended, true),
        (at_desk(Presence::Over(Some(Ended::Booked))), now, PlaceState::Ended, false),
        (at_desk(Presence::Over(Some(Ended::Revoked))), now, PlaceState::Ended, false),
        (at_desk(Presence::Over(Some(Ended::GivenUp))), now, PlaceState::Left, true),
        (at_desk(Presence::Over(Some(Ended::GivenUp))), CLOSES_AT, PlaceState::Left, false),
        (at_desk(Presence::Absent), now + 181_000, PlaceState::Lapsed, false),
        (at_desk(Presence::Absent), now + 182_000, PlaceState::Lapsed, true),
    ] {
        let view = view(&line.state, &facts, at(ms));
        assert_eq!((view.state, view.may_rejoin), (state, may_rejoin), "{:?} at {ms}", facts.presence);
    }
}

#[test]
fn somebody_who_gave_up_before_the_draw_may_join_anew() {
    let line = TestLine::opened(1);
    let left = PlaceFacts { presence: Presence::Over(Some(Ended::GivenUp)), ..undrawn() };
    let view = view(&line.state, &left, at(LOBBY_AT));
    assert_eq!((view.state, view.may_rejoin), (PlaceState::Left, true));
}

#[test]
fn the_eta_is_a_band_around_the_rate() {
    let line = TestLine::drawn(1, 1_000);
    let eta = |rank| view(&line.state, &drawn(&line, rank), at(line.now)).eta.unwrap();
    for (rank, seconds) in [(0, 0), (9, 1), (100, 10), (600, 60), (999, 100)] {
        let Eta { low_seconds, high_seconds } = eta(rank);
        assert!(low_seconds <= seconds && seconds <= high_seconds, "{rank}: {low_seconds} to {high_seconds}");
        assert!(high_seconds <= 2 * seconds + 30, "{rank}: {low_seconds} to {high_seconds}");
    }
}

#[test]
fn the_eta_takes_in_how_fast_it_goes() {
    let mut line = TestLine::drawn(1, 1_000);
    // A tenth of the rate: the desk is full.
    for _ in 0..60 {
        line.call(1);
        line.now += 1_000;
    }
    let Eta { low_seconds, high_seconds } = view(&line.state, &drawn(&line, 660), at(line.now)).eta.unwrap();
    assert!(low_seconds <= 60 && high_seconds >= 600, "{low_seconds} to {high_seconds}");
}

#[test]
fn nothing_is_foretold_while_nobody_is_called() {
    let mut line = TestLine::drawn(1, 10);
    let facts = drawn(&line, 5);
    line.say(StateKind::Paused);
    assert_eq!(view(&line.state, &facts, at(line.now)).eta, None);
    line.say(StateKind::Resumed);
    line.say(StateKind::SoldOut);
    assert_eq!(view(&line.state, &facts, at(line.now)).eta, None);
}

#[test]
fn polls_are_far_apart_far_from_the_front_and_close_near_it() {
    let line = TestLine::drawn(1, 6_000);
    let poll = |rank| view(&line.state, &drawn(&line, rank), at(line.now)).poll_after_ms;
    assert!((1_000..=2_000).contains(&poll(0)));
    assert!((15_000..=30_000).contains(&poll(5_999)));
    let lapsed = view(&line.state, &PlaceFacts { presence: Presence::Over(None), ..undrawn() }, at(line.now));
    assert!(lapsed.poll_after_ms >= 15_000);
}

#[test]
fn polls_around_the_opening_are_spread() {
    let line = TestLine::opened(1);
    let poll = |lot: u8, crowd| {
        let facts = PlaceFacts { entry: Digest([lot; 32]), crowd, ..undrawn() };
        view(&line.state, &facts, at(OPENS_AT - 5_000)).poll_after_ms
    };
    for crowd in [0, 100, 1_000_000, u64::MAX] {
        assert!(poll(0, crowd) >= 5_000 && poll(255, crowd) <= 36_000);
    }
    assert!(poll(255, 1_000_000) - poll(0, 1_000_000) > 25_000);
    let far = view(&line.state, &undrawn(), at(LOBBY_AT)).poll_after_ms;
    assert!((15_000..=30_000).contains(&far));
}

#[test]
fn the_view_has_the_names_of_the_contract() {
    let mut line = TestLine::drawn(1, 3);
    line.call(1);
    let facts = drawn(&line, 0);
    let shown = serde_json::to_value(view(&line.state, &facts, at(line.now))).unwrap();
    assert_eq!(shown["state"], "called");
    assert_eq!(shown["phase"], "open");
    assert_eq!(shown["turn"]["last"], false);
    assert_eq!(shown["eta"], serde_json::Value::Null);
    for name in [
        "eventId",
        "placeToken",
        "entry",
        "state",
        "batch",
        "index",
        "rank",
        "position",
        "ahead",
        "joined",
        "eta",
        "turn",
        "pollAfterMs",
        "phase",
        "paused",
        "ratePerMinute",
        "served",
        "serverTime",
    ] {
        assert!(shown.get(name).is_some(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_view_is_consistent_at_any_moment(rank in 0_u64..30, called in 0_u64..31, ms in 0_i64..10_000_000) {
        let mut line = TestLine::drawn(2, 30);
        if called > 0 {
            line.call(called.min(30));
        }
        let view = view(&line.state, &drawn(&line, rank), at(ms));
        prop_assert_eq!(view.ahead.map(|ahead| ahead + 1), view.position);
        prop_assert!(view.turn.is_none() || matches!(view.state, PlaceState::Called | PlaceState::Lapsed));
        prop_assert!((1_000..=40_000).contains(&view.poll_after_ms) || view.state == PlaceState::Lobby);
        if let Some(Eta { low_seconds, high_seconds }) = view.eta {
            prop_assert!(low_seconds <= high_seconds && view.state == PlaceState::Waiting);
        }
        let text = serde_json::to_string(&view).unwrap();
        prop_assert_eq!(serde_json::from_str::<PlaceView>(&text).unwrap(), view);
    }
}
