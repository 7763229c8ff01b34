use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

/// A sale with room for everybody.
fn input(ms: i64) -> MeterInput {
    MeterInput {
        now: at(ms),
        rate_per_minute: 600,
        max_active: 1_000_000,
        paused: false,
        active: 0,
        pending: 0,
        not_admitted: 0,
        browsing: 0,
        seats_left: 1_000_000,
        holds_per_second: None,
        waiting: 1_000_000,
    }
}

/// Calls of steps every 100 ms from `from` to `to`, `change`d.
fn calls(meter: &mut Meter, from: i64, to: i64, change: impl Fn(&mut MeterInput)) -> u64 {
    let step = |ms| {
        let mut input = input(ms);
        change(&mut input);
        meter.call(&input)
    };
    (from / 100..to / 100).map(|tick| tick * 100).map(step).sum()
}

#[test]
fn it_calls_at_the_rate() {
    assert_eq!(calls(&mut Meter::new(), 0, 60_000, |_| ()), 600);
}

#[test]
fn the_first_visitor_of_a_slow_sale_is_called_at_once() {
    let mut meter = Meter::new();
    assert_eq!(calls(&mut meter, 0, 100, |input| input.rate_per_minute = 1), 1);
    assert_eq!(calls(&mut meter, 100, 60_000, |input| input.rate_per_minute = 1), 0);
    assert_eq!(calls(&mut meter, 60_000, 61_000, |input| input.rate_per_minute = 1), 1);
}

#[test]
fn it_calls_more_where_fewer_come() {
    let mut meter = Meter::new();
    meter.learn(10_000, 5_000);
    assert!((meter.show_share() - 0.5).abs() < 0.01);
    let called = calls(&mut meter, 0, 60_000, |_| ());
    assert!((1_190..=1_210).contains(&called), "{called}");
}

#[test]
fn the_share_is_learned_from_closed_cohorts_once_each_and_never_falls_below_its_floor() {
    let mut meter = Meter::new();
    meter.learn(100, 80);
    let learned = meter.show_share();
    assert!((0.8..0.9).contains(&learned), "{learned}");
    meter.learn(100, 80);
    meter.learn(50, 1);
    assert!((meter.show_share() - learned).abs() < f64::EPSILON);
    (2..200).for_each(|cohort| meter.learn(cohort * 100, 80));
    assert!((meter.show_share() - LOWEST_SHARE).abs() < f64::EPSILON);
    meter.learn(30_000, 90_000);
    assert!(meter.show_share() <= 1.0);
}

#[test]
fn a_pause_or_a_stall_is_not_made_up_for() {
    let mut meter = Meter::new();
    assert_eq!(calls(&mut meter, 0, 10_000, |_| ()), 100);
    assert_eq!(calls(&mut meter, 10_000, 70_000, |input| input.paused = true), 0);
    assert_eq!(calls(&mut meter, 70_000, 71_000, |_| ()), 10);
    // A keeper that did nothing for an hour makes up for one second of it.
    assert_eq!(meter.call(&input(3_700_000)), 10);
    // A clock that was set back makes up for nothing, and does not stand still until it has caught up.
    assert_eq!(meter.call(&input(0)), 0);
    assert_eq!(meter.call(&input(1_000)), 10);
}

#[test]
fn a_full_desk_stops_calling_and_its_room_is_filled_without_a_burst() {
    let mut meter = Meter::new();
    let full = |input: &mut MeterInput| (input.max_active, input.active) = (500, 500);
    assert_eq!(calls(&mut meter, 0, 60_000, full), 0);
    let with_room = |input: &mut MeterInput| (input.max_active, input.active) = (500, 100);
    assert_eq!(calls(&mut meter, 60_000, 60_100, with_room), 10, "one second's worth");
}

#[test]
fn those_called_and_those_at_the_desk_take_up_the_room() {
    let room = |pending: u64, not_admitted: u64| {
        let mut meter = Meter::new();
        let desk = |input: &mut MeterInput| {
            (input.max_active, input.active) = (100, 90);
            (input.pending, input.not_admitted, input.rate_per_minute) = (pending, not_admitted, 600_000);
        };
        calls(&mut meter, 0, 1_000, desk)
    };
    assert!(room(0, 0) >= 10);
    assert_eq!(room(10, 0), 0);
    assert_eq!(room(0, 12), 0);
}

#[test]
fn who_was_turned_away_and_stays_away_does_not_keep_the_room_for_ever() {
    let mut meter = Meter::new();
    let left = |input: &mut MeterInput| {
        (input.max_active, input.active, input.not_admitted) = (100, 50, 60);
    };
    assert_eq!(calls(&mut meter, 0, 1_000, left), 0);
    assert!(calls(&mut meter, 1_000, 60_000, left) > 0);
}

#[test]
fn a_few_more_are_called_for_the_last_room_where_some_do_not_come() {
    let mut meter = Meter::new();
    meter.learn(1_000_000, 500_000);
    let desk = |active: u64, ms: i64| MeterInput { max_active: 10, active, ..input(ms) };
    assert_eq!(meter.call(&desk(10, 0)), 0);
    assert_eq!(meter.call(&desk(8, 1_000)), 3, "room for two, and half of those called come");
}

#[test]
fn near_the_end_no_more_than_two_look_at_each_seat() {
    let near_the_end = |seats_left: u64, browsing: u64, pending: u64| {
        let mut meter = Meter::new();
        meter.call(&input(0));
        let mut input = input(1_000);
        (input.rate_per_minute, input.seats_left, input.browsing, input.pending) =
            (6_000, seats_left, browsing, pending);
        meter.call(&input)
    };
    assert_eq!(near_the_end(0, 0, 0), 0);
    assert_eq!(near_the_end(3, 0, 0), 6);
    assert_eq!(near_the_end(3, 4, 0), 2);
    assert_eq!(near_the_end(3, 4, 2), 0);
    assert_eq!(near_the_end(3, 100, 0), 0);
}

#[test]
fn the_pools_capacity_limits_the_rate() {
    assert_eq!(calls(&mut Meter::new(), 0, 60_000, |input| input.holds_per_second = Some(5)), 300);
}

fn any_input() -> impl Strategy<Value = (i64, MeterInput)> {
    let sale = (1_u32..600_000, 1_u32..2_000, any::<bool>(), prop::option::of(0_u32..1_000));
    let desk = (0_u64..3_000, 0_u64..3_000, 0_u64..3_000, 0_u64..3_000);
    (-1_000_i64..5_000, sale, desk, 0_u64..500, 0_u64..500).prop_map(|(later, sale, desk, seats_left, waiting)| {
        let (rate_per_minute, max_active, paused, holds_per_second) = sale;
        let (active, pending, not_admitted, browsing) = desk;
        let input = MeterInput {
            now: at(0),
            rate_per_minute,
            max_active,
            paused,
            active,
            pending,
            not_admitted,
            browsing,
            seats_left,
            holds_per_second,
            waiting,
        };
        (later, input)
    })
}

proptest! {
    #[test]
    fn it_never_calls_while_paused_or_sold_out_nor_more_than_wait_or_a_seconds_worth(
        inputs in prop::collection::vec(any_input(), 1..40),
        cohorts in prop::collection::vec((0_u64..500, 0_u64..500), 40),
    ) {
        let (mut meter, mut twin) = (Meter::new(), Meter::new());
        let (mut ms, mut called, mut came) = (1_000_000, 0, 0);
        for ((later, mut input), (more, come)) in inputs.into_iter().zip(cohorts) {
            ms += later;
            (called, came) = (called + more, came + come);
            input.now = at(ms);
            for meter in [&mut meter, &mut twin] {
                meter.learn(called, came);
            }
            prop_assert!((LOWEST_SHARE..=1.0).contains(&meter.show_share()));
            let calls = meter.call(&input);
            prop_assert_eq!(calls, twin.call(&input), "the same inputs, another decision");
            prop_assert!(calls <= input.waiting);
            prop_assert!(calls == 0 || !input.paused && input.seats_left > 0);
            prop_assert!(calls == 0 || input.active < u64::from(input.max_active));
            let seconds_worth = f64::from(input.rate_per_minute) / 60.0 / meter.show_share();
            prop_assert!(calls as f64 <= seconds_worth + 1.0 + 1e-6);
        }
    }

    #[test]
    fn in_the_long_run_those_who_come_come_at_the_rate(
        rate in 1_u32..6_000,
        share in 0.1_f64..1.0,
        steps in prop::collection::vec(20_i64..400, 3_000),
    ) {
        let mut meter = Meter::new();
        let called = 1_000_000_000_u64;
        meter.learn(called, whole(called as f64 * share));
        let mut ms = 0;
        let mut calls = 0;
        for step in steps {
            ms += step;
            calls += meter.call(&MeterInput { rate_per_minute: rate, ..input(ms) });
        }
        let expected = f64::from(rate) / 60_000.0 * ms as f64;
        let comers = calls as f64 * meter.show_share();
        prop_assert!((comers - expected).abs() <= 2.0 + expected * 0.01, "{comers} came, {expected} should");
    }
}
