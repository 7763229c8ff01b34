//! The keeper: one at a time, obedient, and the same line whoever keeps it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::sync::Arc;

use backends::memory::Lanes;
use booking_core::{
    desk::Ended,
    id::EventId,
    line::{merkle, record::StateKind, state::Phase},
    message::{OperatorAct, Outcome, Refusal},
    ports::{
        desk::{Admit, Desk as _},
        ledger::LedgerReader as _,
        log::{Log as _, Topic},
    },
};
use queue_worker::{Error, Gauges, Settings, keeper::Keeper};
use support::{OPENS, World, at, crew::Crew, invariants, policy, session, settings, show, user, venue};

fn keeper(world: &World) -> Keeper {
    Keeper::new(world.parts(), settings(), Arc::new(Gauges::default()), 0)
}

async fn world_with_a_sale() -> (World, Crew) {
    let world = World::new(2, 4).await;
    let mut crew = Crew::new(&world).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    (world, crew)
}

#[tokio::test]
async fn a_keeper_that_was_taken_over_changes_nothing_and_stops() {
    let world = World::new(2, 4).await;
    let mut zombie = keeper(&world);
    world.command("c1", world.configure(policy())).await;
    zombie.step(at(0)).await.expect("opened");
    for number in 0..6 {
        world.join(number).await;
    }
    let mut successor = keeper(&world);
    successor.step(at(100)).await.expect("taken over");
    assert_eq!(world.line().await.epoch(), 2);
    successor.step(at(OPENS)).await.expect("drawn");
    let before = world.line().await;
    assert_eq!(before.batches().len(), 1);
    let refused = zombie.step(at(OPENS + 100)).await;
    assert!(matches!(refused, Err(Error::Superseded { .. })), "{refused:?}");
    assert_eq!(world.line().await.head_hash(), before.head_hash(), "invariant 10");
    successor.step(at(OPENS + 200)).await.expect("goes on");
    invariants::old_epochs_change_nothing(&world).await;
}

#[tokio::test]
async fn of_two_keepers_at_once_one_keeps_and_a_command_is_done_once() {
    let world = World::new(2, 4).await;
    world.command("c1", world.configure(policy())).await;
    let (mut one, mut other) = (keeper(&world), keeper(&world));
    let mut superseded = 0;
    for step in 0..20 {
        if step == 10 {
            world.command("c2", world.steer_rate(60)).await;
        }
        for keeper in [&mut one, &mut other] {
            if keeper.step(at(step * 100)).await.is_err() {
                superseded += 1;
                *keeper = self::keeper(&world);
            }
        }
    }
    assert!(superseded > 0);
    assert_eq!(world.line().await.rate_per_minute(), 60);
    let records = world.entries(&Topic::State(world.event.clone()), 0).await;
    let set = records.iter().filter(|text| text.windows(7).any(|at| at == b"rateSet")).count();
    assert_eq!(set, 1);
    invariants::old_epochs_change_nothing(&world).await;
}

#[tokio::test]
async fn a_batchs_root_is_over_its_entries_however_few_are_kept_at_hand() {
    for max_open_entries in [0, 3, 1_000] {
        let world = World::new(2, 4).await;
        let tuned = Settings { max_open_entries, ..settings() };
        let mut crew = Crew::with_faults(&world, tuned, None).await;
        world.command("c1", world.configure(policy())).await;
        crew.turn(&world).await;
        for number in 0..10 {
            world.join(number).await;
        }
        crew.turn_until(&world, OPENS, 1_000).await;
        for number in 10..15 {
            world.join(number).await;
        }
        crew.turn_until(&world, OPENS + 2_000, 500).await;
        let line = world.line().await;
        assert_eq!(line.batches().iter().map(|batch| batch.size).collect::<Vec<_>>(), [10, 5]);
        for batch in line.batches() {
            let mut entries = Vec::new();
            for (lane, (start, end)) in (0..).zip(batch.start.iter().zip(&*batch.end)) {
                let joins = world.entries(&Topic::Line(world.event.clone()), lane).await;
                let range = usize::try_from(*start).expect("few")..usize::try_from(*end).expect("few");
                entries.extend(joins[range].iter().map(|join| booking_core::line::entry::JoinRecord::entry_in(join)));
            }
            assert_eq!(batch.root, merkle::root(entries.into_iter()), "{max_open_entries} kept");
        }
    }
}

#[tokio::test]
async fn steering_is_answered_with_the_version_that_holds_it_and_leaves_its_trail() {
    let (world, mut crew) = world_with_a_sale().await;
    let steered = world.command("c2", world.steer_rate(1_200)).await;
    crew.turn(&world).await;
    let line = world.line().await;
    assert_eq!(world.answer(&steered).await, Some(Outcome::Steered { version: line.version() }));
    assert_eq!((line.rate_per_minute(), line.max_active()), (1_200, 1_000));
    let trail = world.ledger.audit_trail(&world.event, None, 10).await.expect("the trail");
    assert_eq!(trail.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["steer", "configure"]);
    assert_eq!((trail[0].actor.as_str(), trail[0].at), ("box office", at(0)));
    assert_eq!(trail[0].before["ratePerMinute"], 600);
    assert_eq!(trail[0].after["ratePerMinute"], 1_200);
}

#[tokio::test]
async fn a_command_that_comes_twice_is_done_once_even_when_others_came_between() {
    let (world, mut crew) = world_with_a_sale().await;
    for (id, rate) in [("c2", 100), ("c3", 200), ("c2", 100)] {
        world.command(id, world.steer_rate(rate)).await;
        crew.turn(&world).await;
    }
    assert_eq!(world.line().await.rate_per_minute(), 200, "the first is not done again over the second");
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_not_begun() {
    let (world, mut crew) = world_with_a_sale().await;
    let late = world.command("c2", world.steer_rate(100)).await;
    world.set_clock(15_000);
    crew.turn(&world).await;
    assert_eq!(world.answer(&late).await, None);
    assert_eq!(world.line().await.rate_per_minute(), 600);
}

#[tokio::test]
async fn what_an_operator_may_not_do_is_refused_and_leaves_no_trail() {
    let (world, mut crew) = world_with_a_sale().await;
    let event: EventId = "evt_none".parse().expect("an id");
    let mut unsold = policy();
    unsold.closes_at = at(-1);
    let mut stale = world.steer_rate(100);
    if let OperatorAct::Steer { if_version, .. } = &mut stale {
        *if_version = Some(0);
    }
    for (act, expected) in [
        (world.steer_rate(0), "Invalid"),
        (stale, "VersionMismatch"),
        (OperatorAct::Revoke { event: event.clone(), session: session(1) }, "NotFound"),
        (OperatorAct::Configure { event, policy: policy() }, "NotFound"),
        (world.configure(unsold), "Invalid"),
        (
            OperatorAct::PutEvent {
                event: Box::new(booking_core::catalog::Event { title: "Other".to_owned(), ..show() }),
            },
            "Conflict",
        ),
        (OperatorAct::PutVenue { venue: Box::new(venue(1, 1)) }, "Conflict"),
        (
            OperatorAct::PutVenue {
                venue: Box::new(booking_core::catalog::Venue { name: String::new(), ..venue(1, 1) }),
            },
            "Invalid",
        ),
    ] {
        let question = world.command(&format!("{act:?}").chars().take(60).collect::<String>(), act).await;
        crew.turn(&world).await;
        let Some(Outcome::Refused(refusal)) = world.answer(&question).await else { panic!("{expected}") };
        assert!(format!("{refusal:?}").starts_with(expected), "{refusal:?} is not {expected}");
    }
    assert_eq!(world.ledger.audit_trail(&world.event, None, 10).await.expect("the trail").len(), 1);
}

#[tokio::test]
async fn a_venue_and_an_event_are_put_once_and_have_a_trail() {
    let (world, mut crew) = world_with_a_sale().await;
    let hall = booking_core::catalog::Venue { venue_id: "venue_2".parse().expect("an id"), ..venue(1, 3) };
    let play = booking_core::catalog::Event {
        event_id: "evt_2".parse().expect("an id"),
        venue_id: hall.venue_id.clone(),
        ..show()
    };
    for (id, act) in [
        ("p1", OperatorAct::PutVenue { venue: Box::new(hall.clone()) }),
        ("p2", OperatorAct::PutEvent { event: Box::new(play) }),
        ("p1", OperatorAct::PutVenue { venue: Box::new(hall) }),
    ] {
        let question = world.command(id, act).await;
        crew.turn(&world).await;
        assert_eq!(world.answer(&question).await, Some(Outcome::Done));
    }
    for trail in ["evt_venue_2", "evt_2"] {
        let trail = world.ledger.audit_trail(&trail.parse().expect("an id"), None, 10).await.expect("the trail");
        assert_eq!(trail.len(), 1);
    }
}

#[tokio::test]
async fn revoking_ends_the_admission_at_the_desk_and_in_the_state_log() {
    let (world, mut crew) = world_with_a_sale().await;
    let place = world.join(1).await;
    crew.turn_until(&world, OPENS + 1_000, 500).await;
    let line = world.line().await;
    let rank = line.ranked(place).expect("drawn").rank;
    assert!(matches!(world.come(1, place, rank, &line).await, Some(Admit::Admitted { .. })));
    let question = world.command("r", OperatorAct::Revoke { event: world.event.clone(), session: session(1) }).await;
    crew.turn(&world).await;
    assert_eq!(world.answer(&question).await, Some(Outcome::Done));
    assert!(world.line().await.is_revoked(&session(1)));
    let standing = world.desk.place_of(&world.event, &user(1)).await.expect("a look").expect("there");
    assert_eq!(standing.ended, Some(Ended::Revoked));
}

#[tokio::test]
async fn a_paused_line_calls_nobody_and_goes_on_at_the_rate() {
    let (world, mut crew) = world_with_a_sale().await;
    for number in 0..100 {
        world.join(number).await;
    }
    let pause = |paused| OperatorAct::Steer {
        event: show().event_id,
        rate_per_minute: None,
        max_active: None,
        paused: Some(paused),
        if_version: None,
    };
    world.command("p", pause(true)).await;
    crew.turn_until(&world, OPENS + 5_000, 100).await;
    let line = world.line().await;
    assert_eq!((line.drawn(), line.served(), line.phase(world.now())), (100, 0, Phase::Paused));
    world.command("g", pause(false)).await;
    crew.turn_until(&world, OPENS + 5_500, 100).await;
    assert!((1..=8).contains(&world.line().await.served()), "no burst after the rest");
}

#[tokio::test]
async fn a_line_ends_at_its_time_and_stays_ended_under_the_next_keeper() {
    let (world, mut crew) = world_with_a_sale().await;
    world.set_clock(3_600_000);
    crew.turn(&world).await;
    assert!(world.line().await.is_closed());
    let records = world.entries(&Topic::State(world.event.clone()), 0).await.len();
    let mut next = Crew::new(&world).await;
    let question = world.command("c9", world.steer_rate(9)).await;
    next.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Refused(Refusal::Invalid { .. }))));
    assert_eq!(world.entries(&Topic::State(world.event.clone()), 0).await.len(), records, "nothing follows closed");
}

#[tokio::test]
async fn a_keeper_serves_the_events_of_its_lane_alone() {
    let lanes = Lanes { line: 3, keyed: 4, replies: 2 };
    let world = World::with_lanes(2, 4, lanes).await;
    let mut crew = Crew::new(&world).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn_until(&world, 1_000, 100).await;
    assert_eq!((crew.restarts, crew.gauges.superseded_total.get()), (0, 0), "nobody fought");
    assert_eq!(world.line().await.epoch(), 1);
}

#[tokio::test]
async fn times_in_the_state_log_never_go_back_with_the_clock() {
    let (world, mut crew) = world_with_a_sale().await;
    for number in 0..20 {
        world.join(number).await;
    }
    crew.turn_until(&world, OPENS + 500, 100).await;
    let before = world.line().await;
    world.set_clock(OPENS - 5_000);
    crew.turn(&world).await;
    world.command("c2", world.steer_rate(1_200)).await;
    crew.turn(&world).await;
    let after = world.line().await;
    assert_eq!(after.rate_per_minute(), 1_200);
    assert!(after.last_at() >= before.last_at());
    crew.turn_until(&world, OPENS + 3_000, 100).await;
    assert!(world.line().await.served() > before.served(), "and the line goes on");
}

#[tokio::test]
async fn a_record_that_is_no_state_record_is_ignored() {
    let (world, mut crew) = world_with_a_sale().await;
    let forged = world.line().await.next(StateKind::Owned { owner: "nobody".to_owned() }, at(0));
    let mut text = forged.text().to_vec();
    text.truncate(text.len() - 1);
    world.log.append(&Topic::State(world.event.clone()), 0, text.into()).await.expect("appended");
    crew.turn_until(&world, 500, 100).await;
    assert_eq!((world.line().await.epoch(), crew.restarts), (1, 0));
}
