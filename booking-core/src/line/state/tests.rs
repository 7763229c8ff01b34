use super::*;
use crate::line::testing::{CLOSES_AT, LOBBY_AT, OPENS_AT, TestLine, at, event, policy};
use crate::line::{
    Place,
    record::{StateKind, StateRecord},
};

mod random;

/// What a fold shows, without what it only keeps at hand.
fn shown(state: &LineState) -> impl PartialEq + std::fmt::Debug + use<> {
    let now = state.last_at();
    let turns: Vec<Turn> = (0..state.drawn()).map(|rank| state.turn(rank, now)).collect();
    let numbers = (state.version(), state.drawn(), state.served(), state.rate_per_minute(), state.max_active());
    let flags = (state.is_paused(), state.is_sold_out(), state.is_closed(), state.phase(now));
    (state.head_hash(), state.epoch(), state.owner().to_owned(), numbers, flags, turns)
}

#[test]
fn a_line_begins_with_opened_of_its_own_event_and_epoch_1() {
    let line = TestLine::opened(3);
    let opened = StateRecord::parse(&line.texts[0]).unwrap();
    assert_eq!((line.state.epoch(), line.state.owner(), line.state.lanes()), (1, "keeper-1", 3));

    let mut elsewhere = LineState::new("evt_other".parse().unwrap());
    assert!(!elsewhere.apply(&line.texts[0]).is_accepted());

    let mut fresh = LineState::new(event());
    let paused = fresh.next(StateKind::Paused, at(0));
    assert!(!fresh.apply(&paused.text()).is_accepted());
    for epoch in [0, 2] {
        let record = StateRecord { epoch, ..opened.clone() };
        assert_eq!(fresh.apply(&record.text()), Applied::Ignored(Ignored::WrongEpoch));
    }
}

#[test]
fn a_record_that_does_not_follow_the_head_changes_nothing() {
    let mut line = TestLine::drawn(2, 10);
    line.call(3);
    let next = line.state.next(StateKind::Served { up_to: 5 }, at(line.now));
    let before = shown(&line.state);
    let cases = [
        (StateRecord { seq: next.seq + 1, ..next.clone() }, Ignored::OutOfSequence),
        (StateRecord { seq: next.seq - 1, ..next.clone() }, Ignored::OutOfSequence),
        (StateRecord { prev: Digest([1; 32]), ..next.clone() }, Ignored::NotChained),
        (StateRecord { epoch: next.epoch + 1, ..next.clone() }, Ignored::WrongEpoch),
        (StateRecord { epoch: next.epoch - 1, ..next.clone() }, Ignored::WrongEpoch),
        (StateRecord { at: next.at.plus_millis(-1), ..next.clone() }, Ignored::BackInTime),
    ];
    for (record, why) in cases {
        assert_eq!(line.state.apply(&record.text()), Applied::Ignored(why), "{record:?}");
    }
    assert_eq!(line.state.apply(b"not a record"), Applied::Ignored(Ignored::Unreadable));
    assert_eq!(shown(&line.state), before);
    assert!(line.state.apply(&next.text()).is_accepted());
}

#[test]
fn a_record_that_contradicts_the_line_changes_nothing() {
    let mut line = TestLine::drawn(2, 10);
    line.call(3);
    let good = line.texts[1].clone();
    let StateKind::BatchClosed { .. } = StateRecord::parse(&good).unwrap().kind else { panic!("a batch") };
    let before = shown(&line.state);
    let again = StateRecord::parse(&good).unwrap().kind;
    let zero = StateKind::RateSet { rate_per_minute: 0 };
    let opened = StateRecord::parse(&line.texts[0]).unwrap().kind;
    for kind in [
        StateKind::Served { up_to: 3 },
        StateKind::Served { up_to: 2 },
        StateKind::Served { up_to: 11 },
        StateKind::CapSet { max_active: 0 },
        StateKind::PolicyChanged { policy: policy() },
        zero,
        again,
        opened,
    ] {
        let text = line.state.next(kind, at(line.now)).text();
        assert!(!line.state.apply(&text).is_accepted(), "{text:?}");
    }
    assert_eq!(shown(&line.state), before);
}

#[test]
fn each_part_of_a_batch_is_held_to_the_line() {
    let mut line = TestLine::drawn(2, 10);
    (0..5).for_each(|_| _ = line.join());
    let mut ahead = line.clone();
    ahead.close_batch();
    let good = StateRecord::parse(&ahead.texts[2]).unwrap();
    let text = String::from_utf8(good.text().to_vec()).unwrap();
    let StateKind::BatchClosed { start, end, size, before, root, reveal, seed, .. } = &good.kind else {
        panic!("a batch")
    };
    let offsets = |offsets: &[u64]| serde_json::to_string(offsets).unwrap();
    let changes = [
        (r#""batch":1"#.to_owned(), r#""batch":2"#.to_owned()),
        (format!(r#""start":{}"#, offsets(start)), r#""start":[0,0]"#.to_owned()),
        (format!(r#""end":{}"#, offsets(end)), format!(r#""end":[{}]"#, end[0])),
        (format!(r#""size":{size}"#), format!(r#""size":{}"#, size + 1)),
        (format!(r#""before":{before}"#), format!(r#""before":{}"#, before - 1)),
        (root.to_string(), Digest([1; 32]).to_string()),
        (reveal.to_string(), Digest([1; 32]).to_string()),
        (seed.to_string(), Digest([1; 32]).to_string()),
        (r#""beacon":"""#.to_owned(), r#""beacon":"00""#.to_owned()),
    ];
    for (from, to) in changes {
        let forged = text.replacen(&from, &to, 1);
        assert_ne!(forged, text, "{from}");
        let mut state = line.state.clone();
        assert!(matches!(state.apply(forged.as_bytes()), Applied::Ignored(Ignored::Inconsistent(_))), "{forged}");
    }
    assert!(line.state.apply(text.as_bytes()).is_accepted());
}

#[test]
fn what_a_keeper_of_an_old_epoch_still_writes_changes_nothing() {
    // Invariant 10. Given a keeper that lost the line while it was about to call:
    let mut line = TestLine::drawn(2, 10);
    let zombie = line.state.clone();
    line.say(StateKind::Owned { owner: "keeper-2".to_owned() });
    line.call(2);
    // When it goes on with what it knew, or with the chain as it is now but its own epoch:
    let late = zombie.next(StateKind::Served { up_to: 9 }, at(line.now));
    let current = line.state.next(StateKind::Served { up_to: 9 }, at(line.now));
    let before = shown(&line.state);
    for record in [late, StateRecord { epoch: 1, ..current }] {
        assert!(!line.state.apply(&record.text()).is_accepted());
    }
    // Then nothing changes.
    assert_eq!(shown(&line.state), before);
    assert_eq!((line.state.epoch(), line.state.owner()), (2, "keeper-2"));
}

#[test]
fn of_two_that_take_over_at_once_the_first_is_the_keeper() {
    let mut line = TestLine::drawn(1, 1);
    let second = line.state.next(StateKind::Owned { owner: "late".to_owned() }, at(line.now));
    line.say(StateKind::Owned { owner: "early".to_owned() });
    assert!(!line.state.apply(&second.text()).is_accepted());
    assert_eq!((line.state.owner(), line.state.epoch()), ("early", 2));
}

#[test]
fn nothing_follows_closed() {
    let mut line = TestLine::drawn(1, 1);
    line.say(StateKind::Closed);
    for kind in [StateKind::Served { up_to: 1 }, StateKind::Owned { owner: "k".to_owned() }, StateKind::Closed] {
        let text = line.state.next(kind, at(line.now)).text();
        assert!(!line.state.apply(&text).is_accepted());
    }
    assert_eq!(line.state.phase(at(LOBBY_AT)), Phase::Closed);
}

#[test]
fn the_phase_follows_the_clock_and_the_records() {
    let mut line = TestLine::opened(1);
    assert_eq!(LineState::new(event()).phase(at(0)), Phase::Scheduled);
    for (ms, phase) in [
        (LOBBY_AT - 1, Phase::Scheduled),
        (LOBBY_AT, Phase::Lobby),
        (OPENS_AT - 1, Phase::Lobby),
        (OPENS_AT, Phase::Open),
        (CLOSES_AT - 1, Phase::Open),
        (CLOSES_AT, Phase::Closed),
    ] {
        assert_eq!(line.state.phase(at(ms)), phase, "{ms}");
    }
    line.say(StateKind::Paused);
    assert_eq!(line.state.phase(at(OPENS_AT)), Phase::Paused);
    line.say(StateKind::SoldOut);
    assert_eq!(line.state.phase(at(OPENS_AT)), Phase::SoldOut);
    line.say(StateKind::Reopened);
    line.say(StateKind::Resumed);
    assert_eq!(line.state.phase(at(OPENS_AT)), Phase::Open);
}

#[test]
fn the_steered_version_moves_only_with_settings() {
    let mut line = TestLine::drawn(1, 5);
    assert_eq!((line.state.steered_version(), line.state.version()), (1, 2));
    line.call(1);
    assert_eq!((line.state.steered_version(), line.state.version()), (1, 3));
    line.say(StateKind::Paused);
    assert_eq!((line.state.steered_version(), line.state.version()), (4, 4));
}

#[test]
fn a_known_rank_is_taken_only_where_it_is_possible() {
    let mut line = TestLine::drawn(3, 20);
    let late = line.join();
    assert_eq!(line.state.ranked(late), None);
    line.close_batch();
    assert_eq!(line.state.ranked(late), Some(Ranked { batch: 1, index: 0, rank: 20 }));
    assert_eq!(line.state.ranked_known(late, 20), line.state.ranked(late));
    assert_eq!(line.state.ranked_known(late, 19), None);
    assert_eq!(line.state.ranked(Place { lane: 3, offset: 0 }), None);
    assert_eq!(line.state.ranked(Place { lane: 0, offset: 1_000 }), None);
}
