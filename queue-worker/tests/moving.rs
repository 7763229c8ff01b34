//! An event that begins at another time: bookings stand, are told once, and give everything back for a while.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::sync::Arc;

use booking_core::{
    booking::{BookingState, MOVED, OutboxRow},
    catalog::Move,
    message::{self, BookingAct, OperatorAct, Outcome, Refusal},
    ports::{
        catalog::CatalogReader as _,
        ledger::LedgerReader as _,
        log::{Log as _, Topic},
        payments::{Payments as _, SandboxOutcome},
    },
};
use support::{
    OPENS, World, at, booking,
    crew::{Crew, Part},
    faults::{Fault, Faults},
    policy, seats, settings, transaction,
};

/// Under a day before the sale: by the policy half of a price is given back.
const NEW_START: i64 = 72_000_000;

fn to(world: &World, starts_at: i64, reason: &str) -> OperatorAct {
    let wanted = Move { starts_at: at(starts_at), reason: reason.to_owned(), give_back_until: None };
    OperatorAct::Move { event: world.event.clone(), wanted }
}

async fn ask(world: &World, crew: &mut Crew, number: u64, act: BookingAct) -> Option<Outcome> {
    let question = world.send(number, &booking(number, "a"), act).await;
    crew.turn(world).await;
    world.answer(&question).await
}

/// The users `numbers` buy a seat each of this row.
async fn buy(world: &World, crew: &mut Crew, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let question = world.hold(number, "a", seats(&[&format!("1-{number}")])).await;
        crew.turn(world).await;
        assert!(matches!(world.answer(&question).await, Some(Outcome::Booking(_))), "{number}");
        world.pay(number, 1_000, SandboxOutcome::Approve).await;
        let act = BookingAct::Confirm { transaction: transaction(number), amount: 1_000, contact: None };
        assert!(matches!(ask(world, crew, number, act).await, Some(Outcome::Booking(_))), "{number}");
    }
}

/// The bookings that the world outside was told to be moved, in order of their ids.
async fn told(world: &World) -> Vec<OutboxRow> {
    let mut told = Vec::new();
    for lane in 0..world.log.lanes(&Topic::Changes).await.unwrap() {
        let rows = world.entries(&Topic::Changes, lane).await;
        told.extend(rows.iter().map(|row| message::decode::<OutboxRow>(row).unwrap()).filter(|row| row.kind == MOVED));
    }
    told.sort_by(|a, b| (&a.booking.booking_id, a.number).cmp(&(&b.booking.booking_id, b.number)));
    told
}

/// An event is moved twice while a part of the workers fails at one call.
async fn moved_event(part: Part, faults: &Arc<Faults>, drops_failed: bool) {
    let world = World::new(1, 8).await;
    // Bookings are told in steps of two.
    let settings = queue_worker::Settings { expire_batch: 2, ..settings() };
    let mut sane = Crew::with_faults(&world, settings.clone(), None).await;
    world.command("c1", world.configure(policy())).await;
    sane.turn(&world).await;
    sane.turn_until(&world, OPENS, 5_000).await;
    buy(&world, &mut sane, 1..=5).await;
    sane.turn(&world).await;
    drop(sane);

    let mut crew = Crew::with_faults(&world, settings, Some((part, faults))).await;
    crew.drops_failed = drops_failed;
    let first = world.command("m1", to(&world, 90_000_000, "The singer is ill.")).await;
    crew.turn_until(&world, OPENS + 10_000, 2_000).await;
    let second = world.command("m2", to(&world, NEW_START, "Another band plays.")).await;
    crew.turn_until(&world, OPENS + 90_000, 10_000).await;
    let case = format!("{part:?}, restarts {}", crew.restarts);
    for question in [first, second] {
        assert!(matches!(world.answer(&question).await, Some(Outcome::Done)), "{case}");
    }
    let event = world.catalog.event(&world.event).await.unwrap().expect("there");
    let moves: Vec<_> = event.moves.iter().map(|moved| (moved.command.as_str(), moved.from, moved.to)).collect();
    let starts = [86_400_000, 90_000_000, NEW_START].map(at);
    assert_eq!(moves, [("m1", starts[0], starts[1]), ("m2", starts[1], starts[2])], "{case}");
    assert_eq!(event.starts_at, at(NEW_START), "{case}");
    let telling = world.ledger.telling(&world.event).await.unwrap().expect("moved");
    assert_eq!((&telling.moved, telling.told, telling.left), (&event.moves[1], 5, 0), "{case}");
    let told = told(&world).await;
    let mut expected: Vec<_> = (1..=5).flat_map(|number| [booking(number, "a"), booking(number, "a")]).collect();
    expected.sort();
    let ids: Vec<_> = told.iter().map(|row| row.booking.booking_id.clone()).collect();
    assert_eq!(ids, expected, "{case}: each once for each move");
    assert!(told.iter().all(|row| row.booking.state == BookingState::Confirmed), "{case}: bookings stand");
    let trail = world.ledger.audit_trail(&world.event, None, 10).await.unwrap();
    let done: Vec<_> = trail.iter().map(|entry| (entry.command.as_str(), entry.action.as_str())).collect();
    assert_eq!(done, [("m2", "move"), ("m1", "move"), ("c1", "configure")], "{case}: each once");
    assert_eq!(trail[0].before["startsAt"], serde_json::json!(at(90_000_000)), "{case}");
}

async fn at_every_call(part: Part, fault: Fault) {
    let drops_failed = matches!(fault, Fault::DiesBefore | Fault::DiesAfter);
    for call in 0.. {
        let faults = Faults::at(call, fault);
        moved_event(part, &faults, drops_failed).await;
        if !faults.has_struck() {
            assert!(call > 10, "{part:?} makes more calls than {call}");
            return;
        }
    }
}

#[tokio::test]
async fn an_event_is_moved_whenever_its_keeper_dies() {
    for fault in [Fault::DiesBefore, Fault::DiesAfter, Fault::FailsAfter] {
        at_every_call(Part::Keeper, fault).await;
    }
}

#[tokio::test]
async fn everybody_is_told_once_whenever_who_tells_them_dies() {
    for fault in [Fault::DiesBefore, Fault::DiesAfter, Fault::FailsBefore, Fault::FailsAfter] {
        at_every_call(Part::Expiry, fault).await;
    }
}

#[tokio::test]
async fn whoever_had_booked_gets_everything_back_for_a_while_and_others_what_the_policy_says() {
    let world = World::new(1, 8).await;
    let mut crew = Crew::with_faults(&world, settings(), None).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    buy(&world, &mut crew, 1..=3).await;
    let wanted = Move {
        starts_at: at(NEW_START),
        reason: "The singer is ill.".to_owned(),
        give_back_until: Some(at(20_000_000)),
    };
    let moved = world.command("m1", OperatorAct::Move { event: world.event.clone(), wanted }).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&moved).await, Some(Outcome::Done)));
    crew.turn_until(&world, OPENS + 62_000, 10_000).await;
    buy(&world, &mut crew, 4..=4).await;
    let cancel = |refund| BookingAct::Cancel { seats: Vec::new(), refund: Some(refund) };
    let half = ask(&world, &mut crew, 1, cancel(500)).await;
    assert!(matches!(half, Some(Outcome::Refused(Refusal::RefundChanged { refund: 1_000 }))), "{half:?}");
    let Some(Outcome::Booking(whole)) = ask(&world, &mut crew, 1, cancel(1_000)).await else { panic!() };
    assert_eq!((whole.state, whole.refund), (BookingState::Cancelled, Some(1_000)));
    assert_eq!(world.payments.standing(&transaction(1)).await.unwrap().expect("a payment").refunded, 1_000);
    let new = ask(&world, &mut crew, 4, cancel(1_000)).await;
    assert!(matches!(new, Some(Outcome::Refused(Refusal::RefundChanged { refund: 500 }))), "{new:?}");
    // The time to give back in is over; then nothing is given back; then the event begins.
    for (now, refund) in [(20_000_000, 500), (NEW_START - 1_000, 0)] {
        world.set_clock(now);
        let late = ask(&world, &mut crew, 2, cancel(999)).await;
        assert!(matches!(late, Some(Outcome::Refused(Refusal::RefundChanged { refund: found })) if found == refund));
    }
    world.set_clock(NEW_START);
    let over = ask(&world, &mut crew, 2, cancel(0)).await;
    assert!(matches!(over, Some(Outcome::Refused(Refusal::EventOver))), "{over:?}");
}

#[tokio::test]
async fn the_hold_pool_sells_until_the_new_start() {
    let world = World::new(1, 8).await;
    let mut crew = Crew::with_faults(&world, settings(), None).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    buy(&world, &mut crew, 1..=1).await;
    let now = world.now().as_millis() - support::START;
    let sooner = world.command("m1", to(&world, now + 5_000, "It is sooner.")).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&sooner).await, Some(Outcome::Done)));
    crew.turn_until(&world, now + 6_000, 1_000).await;
    let question = world.hold(2, "a", seats(&["1-2"])).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Refused(Refusal::EventOver))));
}

#[tokio::test]
async fn what_is_no_move_is_refused_and_changes_nothing() {
    let world = World::new(1, 8).await;
    let mut crew = Crew::with_faults(&world, settings(), None).await;
    world.set_clock(10_000);
    let until = |until: i64| {
        let wanted = Move { starts_at: at(NEW_START), reason: "Why".to_owned(), give_back_until: Some(at(until)) };
        OperatorAct::Move { event: world.event.clone(), wanted }
    };
    let elsewhere = OperatorAct::Move {
        event: "evt_9".parse().unwrap(),
        wanted: Move { starts_at: at(NEW_START), reason: "Why".to_owned(), give_back_until: None },
    };
    for (id, act, is_expected) in [
        ("r1", to(&world, 10_000, "Why"), "future"),
        ("r2", to(&world, 86_400_000, "Why"), "already"),
        ("r3", to(&world, NEW_START, " "), "reason"),
        ("r4", until(10_000), "giveBackUntil"),
        ("r5", until(NEW_START + 1), "giveBackUntil"),
        ("r6", elsewhere, "no such thing"),
    ] {
        let question = world.command(id, act).await;
        crew.turn(&world).await;
        let Some(Outcome::Refused(why)) = world.answer(&question).await else { panic!("{id}") };
        assert!(why.to_string().contains(is_expected), "{id}: {why}");
    }
    assert_eq!(world.ledger.audit_trail(&world.event, None, 10).await.unwrap(), []);
    assert_eq!(*world.catalog.event(&world.event).await.unwrap().unwrap(), support::show());
    // The same request twice is one move; once it is called off, it is not moved any more.
    for id in ["m1", "m2"] {
        let question = world.command(id, to(&world, NEW_START, "Why")).await;
        crew.turn(&world).await;
        assert!(matches!(world.answer(&question).await, Some(Outcome::Done)));
    }
    assert_eq!(world.catalog.event(&world.event).await.unwrap().unwrap().moves.len(), 1);
    let event = world.event.clone();
    world.command("off", OperatorAct::CallOff { event, reason: "Why".to_owned() }).await;
    let question = world.command("m3", to(&world, 86_400_000, "Why")).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Refused(Refusal::CalledOff))));
}
