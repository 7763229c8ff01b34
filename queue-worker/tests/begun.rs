//! An event that has begun: what is sold, paid for and given back from then on.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use booking_core::{
    booking::BookingState,
    catalog::Move,
    message::{BookingAct, OperatorAct, Outcome, Refusal},
    ports::{
        ledger::LedgerReader as _,
        payments::{PaymentStatus, Payments as _, SandboxOutcome},
    },
};
use support::{
    OPENS, World, at, booking,
    crew::{Crew, Part},
    faults::{Fault, Faults},
    invariants, policy, seats, settings, told, transaction,
};

/// When the event begins: the first hold has run out by then, and the second has not.
const BEGINS: i64 = OPENS + 70_000;

/// An event that has begun. User 1 held a seat too long ago, user 2 holds one, user 3 has bought one.
async fn begun(crew_of: impl AsyncFnOnce(&World) -> Crew) -> (World, Crew) {
    let world = World::new(1, 8).await;
    let mut crew = crew_of(&world).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    hold(&world, &mut crew, 1).await;
    hold(&world, &mut crew, 3).await;
    world.pay(3, 1_000, SandboxOutcome::Approve).await;
    assert!(matches!(confirm(&world, &mut crew, 3, 3).await, Outcome::Booking(_)));
    let wanted = Move { starts_at: at(BEGINS), reason: "It is sooner.".to_owned(), give_back_until: None };
    world.command("m1", OperatorAct::Move { event: world.event.clone(), wanted }).await;
    crew.turn_until(&world, OPENS + 50_000, 5_000).await;
    hold(&world, &mut crew, 2).await;
    crew.turn_until(&world, BEGINS, 5_000).await;
    (world, crew)
}

async fn ask(world: &World, crew: &mut Crew, question: String) -> Outcome {
    crew.turn(world).await;
    world.answer(&question).await.expect("an answer")
}

async fn hold(world: &World, crew: &mut Crew, number: u64) {
    let question = world.hold(number, "a", seats(&[&format!("1-{number}")])).await;
    assert!(matches!(ask(world, crew, question).await, Outcome::Booking(_)));
}

async fn confirm(world: &World, crew: &mut Crew, number: u64, paid: u64) -> Outcome {
    let question = world.confirm(number, "a", paid, 1_000).await;
    ask(world, crew, question).await
}

async fn status(world: &World, paid: u64) -> PaymentStatus {
    world.payments.standing(&transaction(paid)).await.unwrap().expect("a payment").status
}

async fn state(world: &World, number: u64) -> BookingState {
    world.ledger.booking(&booking(number, "a")).await.unwrap().expect("there").state
}

const OVER: Outcome = Outcome::Refused(Refusal::EventOver);

#[tokio::test]
async fn a_payment_that_comes_late_goes_back_though_the_seats_are_free() {
    let (world, mut crew) = begun(Crew::new).await;
    for paid in [1, 4] {
        world.pay(paid, 1_000, SandboxOutcome::Approve).await;
    }
    for _ in 0..2 {
        assert_eq!(confirm(&world, &mut crew, 1, 1).await, OVER);
        assert_eq!(status(&world, 1).await, PaymentStatus::Voided);
    }
    let question = world.send(1, &booking(1, "a"), told(4, 1_000)).await;
    ask(&world, &mut crew, question).await;
    assert_eq!(status(&world, 4).await, PaymentStatus::Voided, "what the provider tells, too");
    world.pay(5, 1_000, SandboxOutcome::Decline).await;
    let declined = confirm(&world, &mut crew, 1, 5).await;
    assert!(matches!(declined, Outcome::Refused(Refusal::PaymentDeclined { .. })), "{declined:?}");
    assert_eq!(state(&world, 1).await, BookingState::Expired);
    invariants::money_has_its_booking(
        &world,
        &[1, 2, 3].map(|number| booking(number, "a")),
        &[1, 3, 4].map(transaction),
    )
    .await;
}

#[tokio::test]
async fn a_hold_that_lives_is_kept_to_its_deadline() {
    let (world, mut crew) = begun(Crew::new).await;
    let more = world.send(2, &booking(2, "a"), BookingAct::Extend).await;
    assert_eq!(ask(&world, &mut crew, more).await, OVER, "but no longer");
    world.pay(2, 1_000, SandboxOutcome::Approve).await;
    assert!(matches!(confirm(&world, &mut crew, 2, 2).await, Outcome::Booking(_)));
    assert_eq!((status(&world, 2).await, state(&world, 2).await), (PaymentStatus::Captured, BookingState::Confirmed));
}

#[tokio::test]
async fn nothing_more_is_held_and_what_was_bought_is_not_cancelled() {
    let (world, mut crew) = begun(Crew::new).await;
    let question = world.hold(4, "a", seats(&["1-4"])).await;
    assert_eq!(ask(&world, &mut crew, question).await, OVER);
    for refund in [None, Some(0), Some(1_000)] {
        let question = world.send(3, &booking(3, "a"), BookingAct::Cancel { seats: Vec::new(), refund }).await;
        assert_eq!(ask(&world, &mut crew, question).await, OVER);
    }
    assert_eq!(state(&world, 3).await, BookingState::Confirmed);
    assert_eq!(world.payments.standing(&transaction(3)).await.unwrap().expect("a payment").refunded, 0);
    let release = world.send(2, &booking(2, "a"), BookingAct::Release).await;
    assert!(matches!(ask(&world, &mut crew, release).await, Outcome::Booking(_)), "a hold can be given back");
}

#[tokio::test]
async fn what_is_told_late_goes_back_whatever_call_fails_meanwhile() {
    for fault in [Fault::DiesBefore, Fault::DiesAfter, Fault::FailsBefore, Fault::FailsAfter] {
        for call in 0.. {
            let (world, crew) = begun(Crew::new).await;
            drop(crew);
            let faults = Faults::at(call, fault);
            let mut crew = Crew::with_faults(&world, settings(), Some((Part::Finaliser, &faults))).await;
            crew.drops_failed = matches!(fault, Fault::DiesBefore | Fault::DiesAfter);
            world.pay(1, 1_000, SandboxOutcome::Approve).await;
            world.send(1, &booking(1, "a"), told(1, 1_000)).await;
            crew.turn_until(&world, BEGINS + 30_000, 500).await;
            let found = (status(&world, 1).await, state(&world, 1).await);
            assert_eq!(found, (PaymentStatus::Voided, BookingState::Expired), "call {call}, {fault:?}");
            if !faults.has_struck() {
                assert!(call > 10, "a told payment makes more calls than {call}");
                break;
            }
        }
    }
}
