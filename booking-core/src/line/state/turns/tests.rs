use super::*;
use crate::line::{
    record::StateKind,
    testing::{OPENS_AT, TestLine, at},
};

#[test]
fn a_turn_comes_twice_and_then_is_over() {
    let mut line = TestLine::drawn(1, 5);
    line.call(2);
    let called = line.now;
    let turn = |ms: i64| line.state.turn(1, at(called + ms));
    let first = Turn::Open { opens_at: at(called), closes_at: at(called + 60_000), last: false };
    let second = (at(called + 120_000), at(called + 180_000));
    let between = Turn::Between { opens_at: second.0, closes_at: second.1 };
    let last = Turn::Open { opens_at: second.0, closes_at: second.1, last: true };
    for (ms, is) in [
        (-5_000, first),
        (0, first),
        (59_999, first),
        (60_000, between),
        (119_999, between),
        (120_000, last),
        (179_999, last),
        (180_000, Turn::Over),
    ] {
        assert_eq!(turn(ms), is, "{ms}");
    }
    assert_eq!(line.state.turn(2, at(called + 1_000_000)), Turn::NotYet);
    let at_desk = |ms: i64| line.state.turn_at_desk(1, at(called + ms));
    for (ms, is) in
        [(60_000, first), (61_999, first), (62_000, between), (120_000, last), (181_999, last), (182_000, Turn::Over)]
    {
        assert_eq!(at_desk(ms), is, "at the desk, {ms}");
    }
}

#[test]
fn a_turn_does_not_run_out_while_the_sale_is_paused() {
    let mut line = TestLine::drawn(1, 5);
    line.call(1);
    let called = line.now;
    line.now += 10_000;
    line.say(StateKind::Paused);
    let in_pause = line.state.turn(0, at(called + 500_000));
    let moved = |by: i64| Turn::Open { opens_at: at(called + by), closes_at: at(called + by + 60_000), last: false };
    assert_eq!(in_pause, moved(490_000));
    line.now += 100_000;
    line.say(StateKind::Resumed);
    line.call(1);
    assert_eq!(line.state.turn(0, at(called + 159_999)), moved(100_000));
    assert!(matches!(line.state.turn(0, at(called + 160_000)), Turn::Between { .. }));
    assert!(matches!(line.state.turn(1, at(called + 169_999)), Turn::Open { .. }));
    assert!(matches!(line.state.turn(1, at(called + 170_000)), Turn::Between { .. }));
}

#[test]
fn the_first_open_rank_is_the_lowest_whose_first_window_is_open_at_the_desk() {
    let mut line = TestLine::drawn(1, 100);
    assert_eq!(line.state.first_open_rank(at(line.now)), 0);
    for _ in 0..10 {
        line.call(3);
        line.now += 1_000;
    }
    for ms in (0..100_000).step_by(500) {
        let now = at(OPENS_AT + ms);
        let is_open =
            |rank: &u64| matches!(line.state.turn_at_desk(*rank, now), Turn::Open { last: false, .. } | Turn::NotYet);
        let expected = (0..100).find(is_open);
        assert_eq!(Some(line.state.first_open_rank(now)), expected, "{ms}");
    }
}
