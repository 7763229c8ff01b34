use super::*;
use crate::line::testing::{CLOSES_AT, LOBBY_AT, OPENS_AT, TestLine, at, event, policy};

fn inputs(line: &TestLine) -> Inputs {
    Inputs {
        now: at(line.now),
        lane_ends: line.ends(),
        counts: Counts::default(),
        counted_from: line.state.first_open_rank(at(line.now)),
        seats: 100,
        held: 0,
        booked: 0,
        browsing: 0,
        holds_per_second: None,
    }
}

/// A step whose decisions are carried out.
fn step(line: &mut TestLine, meter: &mut Meter, change: impl FnOnce(&mut Inputs)) -> Vec<Decision> {
    let mut inputs = inputs(line);
    change(&mut inputs);
    let decisions = decide(&line.state, &inputs, meter);
    assert!(decisions.len() <= MAX_DECISIONS);
    for decision in &decisions {
        match decision {
            Decision::CloseBatch { ends } => {
                assert_eq!(*ends, line.ends());
                line.close_batch();
            }
            Decision::Append(kind) => line.say(kind.clone()),
        }
    }
    decisions
}

fn closes_a_batch(decisions: &[Decision]) -> bool {
    decisions.iter().any(|decision| matches!(decision, Decision::CloseBatch { .. }))
}

fn appends(decisions: &[Decision], kind: &StateKind) -> bool {
    decisions.contains(&Decision::Append(kind.clone()))
}

#[test]
fn nothing_is_decided_before_the_line_is_opened_or_after_it_closed() {
    let line = TestLine::opened(1);
    let fresh = LineState::new(event());
    assert_eq!(decide(&fresh, &inputs(&line), &mut Meter::new()), []);

    let mut line = TestLine::drawn(1, 3);
    let mut meter = Meter::new();
    line.now = CLOSES_AT;
    assert_eq!(step(&mut line, &mut meter, |_| ()), [Decision::Append(StateKind::Closed)]);
    assert_eq!(step(&mut line, &mut meter, |_| ()), []);
}

#[test]
fn the_lobby_is_drawn_at_the_opening_even_if_it_is_empty() {
    let mut line = TestLine::opened(2);
    let mut meter = Meter::new();
    for now in [LOBBY_AT, OPENS_AT - 1] {
        line.now = now;
        assert_eq!(step(&mut line, &mut meter, |_| ()), []);
    }
    line.now = OPENS_AT;
    assert!(closes_a_batch(&step(&mut line, &mut meter, |_| ())));
    assert_eq!((line.state.batches().len(), line.state.drawn()), (1, 0));
}

#[test]
fn a_later_batch_closes_with_its_stretch_of_time_if_it_saw_a_join() {
    let mut line = TestLine::drawn(2, 4);
    let mut meter = Meter::new();
    let mut closed_at = Vec::new();
    for tick in 1..50 {
        line.now = OPENS_AT + tick * 100;
        if [3, 7, 12, 31].contains(&tick) {
            line.join();
        }
        if closes_a_batch(&step(&mut line, &mut meter, |_| ())) {
            closed_at.push(tick);
        }
    }
    assert_eq!(closed_at, [10, 20, 40]);
    assert_eq!(line.state.drawn(), 8);
}

#[test]
fn a_clock_that_was_set_back_still_closes_batches() {
    let mut line = TestLine::drawn(1, 4);
    let mut meter = Meter::new();
    line.join();
    line.now = OPENS_AT + 3_000_000;
    assert!(closes_a_batch(&step(&mut line, &mut meter, |_| ())));
    line.join();
    line.now = OPENS_AT + 5_000;
    let decisions = decide(&line.state, &inputs(&line), &mut meter);
    assert!(closes_a_batch(&decisions));
}

#[test]
fn lanes_that_shrank_or_multiplied_close_no_batch() {
    let mut line = TestLine::drawn(2, 4);
    line.now += 5_000;
    for lane_ends in [vec![], vec![9], vec![0, 9], vec![9, 9, 9]] {
        let decisions = decide(&line.state, &Inputs { lane_ends, ..inputs(&line) }, &mut Meter::new());
        assert!(!closes_a_batch(&decisions));
    }
}

#[test]
fn ranks_are_called_in_order_at_the_rate() {
    let mut line = TestLine::drawn(1, 500);
    let mut meter = Meter::new();
    for tick in 0..100 {
        line.now = OPENS_AT + tick * 100;
        step(&mut line, &mut meter, |inputs| inputs.seats = 100_000);
    }
    assert_eq!(line.state.served(), 100, "ten seconds at 600 a minute");
}

#[test]
fn no_shows_are_made_up_for_and_take_up_no_room_once_their_window_is_over() {
    let mut line = TestLine::drawn(1, 5_000);
    let mut meter = Meter::new();
    // Half of those who are called come at once and stay.
    for tick in 0..3_000 {
        line.now = OPENS_AT + tick * 100;
        let served = line.state.served();
        step(&mut line, &mut meter, |inputs| {
            let from = inputs.counted_from;
            inputs.counts = Counts {
                active: served / 2,
                admitted: served / 2,
                came: served / 2,
                came_from_rank: served / 2 - from / 2,
                left: 0,
            };
            inputs.seats = 100_000;
        });
    }
    assert!((meter.show_share() - 0.5).abs() < 0.05, "{}", meter.show_share());
    // 1,000 are in at most: the cap.
    let in_now = line.state.served() / 2;
    assert!((990..=1_010).contains(&in_now), "{in_now}");
}

#[test]
fn nobody_is_called_while_paused_and_the_draw_goes_on() {
    let mut line = TestLine::drawn(1, 50);
    let mut meter = Meter::new();
    line.say(StateKind::Paused);
    line.join();
    for tick in 1..30 {
        line.now = OPENS_AT + tick * 100;
        step(&mut line, &mut meter, |_| ());
    }
    assert_eq!((line.state.served(), line.state.drawn()), (0, 51));
}

#[test]
fn sold_out_means_every_seat_booked_and_not_merely_held() {
    let mut line = TestLine::drawn(1, 50);
    let mut meter = Meter::new();
    let held = step(&mut line, &mut meter, |inputs| {
        (inputs.booked, inputs.held) = (99, 1);
    });
    assert_eq!(held, [], "nobody is called where no seat is left, yet it is not sold out");
    line.now += 1_000;
    let booked = step(&mut line, &mut meter, |inputs| inputs.booked = 100);
    assert_eq!(booked, [Decision::Append(StateKind::SoldOut)]);
    line.now += 1_000;
    assert_eq!(step(&mut line, &mut meter, |inputs| inputs.booked = 100), []);
    line.now += 1_000;
    let back = step(&mut line, &mut meter, |inputs| inputs.booked = 98);
    assert!(appends(&back, &StateKind::Reopened));
    line.now += 1_000;
    let calls = step(&mut line, &mut meter, |inputs| inputs.booked = 98);
    assert_eq!(calls, [Decision::Append(StateKind::Served { up_to: 4 })], "about two for each seat");
}

fn steer_act(rate: Option<u32>, cap: Option<u32>, paused: Option<bool>, if_version: Option<u64>) -> OperatorAct {
    OperatorAct::Steer { event: event(), rate_per_minute: rate, max_active: cap, paused, if_version }
}

#[test]
fn steering_says_what_changes_and_nothing_else() {
    let line = TestLine::drawn(1, 1);
    let steer = |act: OperatorAct| steer(&line.state, &act, at(line.now));
    assert_eq!(
        steer(steer_act(Some(60), Some(7), Some(true), None)),
        Ok(vec![StateKind::RateSet { rate_per_minute: 60 }, StateKind::CapSet { max_active: 7 }, StateKind::Paused])
    );
    assert_eq!(steer(steer_act(Some(600), Some(1_000), Some(false), None)), Ok(vec![]));
    assert_eq!(steer(steer_act(None, None, None, None)), Ok(vec![]));
}

#[test]
fn a_rate_or_a_cap_outside_its_limits_is_refused_with_the_limits() {
    let line = TestLine::drawn(1, 1);
    for (rate, cap, names) in [
        (Some(0), None, "ratePerMinute is 0; it must be 1 to 600000"),
        (Some(600_001), None, "ratePerMinute is 600001"),
        (Some(60), Some(0), "maxActive is 0; it must be 1 to 1000000"),
        (None, Some(1_000_001), "maxActive is 1000001"),
    ] {
        let refused = steer(&line.state, &steer_act(rate, cap, None, None), at(line.now));
        let Err(Refusal::Invalid { detail }) = refused else { panic!("{refused:?}") };
        assert!(detail.contains(names), "{detail}");
    }
}

#[test]
fn a_version_counts_as_long_as_no_setting_changed_since() {
    let mut line = TestLine::drawn(1, 9);
    let seen = line.state.version();
    line.call(1);
    let act = |version| steer_act(Some(60), None, None, Some(version));
    assert!(steer(&line.state, &act(seen), at(line.now)).is_ok());
    line.say(StateKind::RateSet { rate_per_minute: 30 });
    let version = line.state.version();
    let mismatch = Err(Refusal::VersionMismatch { version });
    assert_eq!(steer(&line.state, &act(seen), at(line.now)), mismatch);
    assert_eq!(steer(&line.state, &act(version + 1), at(line.now)), mismatch);
    assert!(steer(&line.state, &act(version), at(line.now)).is_ok());
}

#[test]
fn settings_can_change_until_the_lobby_opens() {
    let line = TestLine::opened(1);
    let slower = SalePolicy { rate_per_minute: 5, ..policy() };
    let configure = |policy: &SalePolicy| OperatorAct::Configure { event: event(), policy: policy.clone() };
    let steer_at = |policy: &SalePolicy, now: i64| steer(&line.state, &configure(policy), at(now));
    assert_eq!(steer_at(&slower, LOBBY_AT - 1), Ok(vec![StateKind::PolicyChanged { policy: slower.clone() }]));
    assert_eq!(steer_at(&policy(), LOBBY_AT), Ok(vec![]), "the same settings again are no change");
    let Err(Refusal::Invalid { detail }) = steer_at(&slower, LOBBY_AT) else { panic!("too late") };
    assert!(detail.contains("the lobby has opened"), "{detail}");
    let wrong = SalePolicy { turn_seconds: 1, ..policy() };
    assert!(matches!(steer_at(&wrong, 0), Err(Refusal::Invalid { .. })));
}

#[test]
fn a_line_opens_only_with_settings_that_can_still_come_true() {
    let state = LineState::new(event());
    let opening = Opening { owner: "k".to_owned(), commitment: Digest::ZERO, chain_length: 9, lanes: 1 };
    assert!(open(&state, &policy(), opening.clone(), at(0)).is_ok());
    assert!(open(&state, &policy(), opening.clone(), at(CLOSES_AT)).is_err());
    let wrong = SalePolicy { rate_per_minute: 0, ..policy() };
    assert!(open(&state, &wrong, opening, at(0)).is_err());
    assert_eq!(steer(&state, &steer_act(None, None, None, None), at(0)), Err(Refusal::NotFound));
}

#[test]
fn an_admission_is_revoked_once() {
    let mut line = TestLine::drawn(1, 1);
    let session: crate::id::SessionId = "session_a".parse().unwrap();
    let act = OperatorAct::Revoke { event: event(), session: session.clone() };
    let records = steer(&line.state, &act, at(line.now)).unwrap();
    assert_eq!(records, [StateKind::Revoked { session: session.clone() }]);
    line.say(records[0].clone());
    assert!(line.state.is_revoked(&session));
    assert_eq!(steer(&line.state, &act, at(line.now)), Ok(vec![]));
}

#[test]
fn a_sale_that_has_ended_is_not_steered() {
    let line = TestLine::drawn(1, 1);
    let steer_at = |act: &OperatorAct| steer(&line.state, act, at(CLOSES_AT));
    let refused = steer_at(&steer_act(Some(5), None, None, None));
    assert!(matches!(refused, Err(Refusal::Invalid { detail }) if detail == "the sale has ended"));
    assert_eq!(steer_at(&steer_act(Some(600), None, None, None)), Ok(vec![]));
}
