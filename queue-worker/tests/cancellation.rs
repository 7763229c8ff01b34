//! Giving up what was booked: which seats are free, what is given back, and what becomes of a refund that fails.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use booking_core::{
    booking::{Booking, BookingState, PaymentAct, PaymentStep},
    message::{BookingAct, OperatorAct, Outcome, Refusal},
    ports::{
        ledger::LedgerReader as _,
        payments::{Payments as _, SandboxOutcome},
    },
};
use support::{OPENS, World, booking, crew::Crew, invariants, policy, seats, settings, transaction};

/// A sale that is open a day before the event, less some seconds: half of a price is given back.
async fn open_sale(settings: queue_worker::Settings) -> (World, Crew) {
    let world = World::new(2, 4).await;
    let mut crew = Crew::with_faults(&world, settings, None).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    (world, crew)
}

async fn ask(world: &World, crew: &mut Crew, number: u64, act: BookingAct) -> Outcome {
    let question = world.send(number, &booking(number, "a"), act).await;
    crew.turn(world).await;
    world.answer(&question).await.expect("an answer")
}

/// The user `number` buys these seats with the payment of the same number.
async fn buy(world: &World, crew: &mut Crew, number: u64, names: &[&str], outcome: SandboxOutcome) -> Booking {
    let question = world.hold(number, "a", seats(names)).await;
    crew.turn(world).await;
    let held = world.answer(&question).await;
    assert!(matches!(held, Some(Outcome::Booking(_))), "{held:?}");
    let amount = 1_000 * i64::try_from(names.len()).unwrap();
    world.pay(number, amount, outcome).await;
    let act = BookingAct::Confirm { transaction: transaction(number), amount, contact: Some(support::contact(number)) };
    match ask(world, crew, number, act).await {
        Outcome::Booking(booking) => *booking,
        other => panic!("{other:?}"),
    }
}

fn cancel(names: &[&str], refund: Option<i64>) -> BookingAct {
    BookingAct::Cancel { seats: names.iter().map(|name| name.parse().unwrap()).collect(), refund }
}

fn see_to(number: u64, refund: u32, resolved: Option<&str>, command: &str) -> BookingAct {
    BookingAct::SeeTo {
        transaction: transaction(number),
        refund,
        resolved: resolved.map(str::to_owned),
        actor: "anna".to_owned(),
        command: command.to_owned(),
    }
}

async fn refunded(world: &World, number: u64) -> i64 {
    world.payments.standing(&transaction(number)).await.unwrap().expect("a payment").refunded
}

async fn steps(world: &World, number: u64) -> Vec<(PaymentStep, u32)> {
    let acts = world.ledger.payment_acts(&booking(number, "a")).await.unwrap();
    acts.iter().map(|act: &PaymentAct| (act.step, act.refund)).collect()
}

#[tokio::test]
async fn seats_go_one_by_one_and_the_money_goes_back() {
    let (world, mut crew) = open_sale(settings()).await;
    buy(&world, &mut crew, 1, &["1-1", "1-2", "1-3"], SandboxOutcome::Approve).await;
    for _ in 0..2 {
        let Outcome::Booking(reduced) = ask(&world, &mut crew, 1, cancel(&["1-2"], Some(500))).await else { panic!() };
        assert_eq!((reduced.state, reduced.seats.len(), reduced.refund), (BookingState::Confirmed, 2, Some(500)));
        assert_eq!(refunded(&world, 1).await, 500, "once, however often it is asked for");
    }
    // The seat is free at once, and for whoever has an admission.
    buy(&world, &mut crew, 2, &["1-2"], SandboxOutcome::Approve).await;
    let Outcome::Booking(cancelled) = ask(&world, &mut crew, 1, cancel(&[], Some(1_000))).await else { panic!() };
    assert_eq!((cancelled.state, cancelled.refund), (BookingState::Cancelled, Some(1_500)));
    assert_eq!(refunded(&world, 1).await, 1_500);
    let again = ask(&world, &mut crew, 1, cancel(&[], None)).await;
    assert!(matches!(again, Outcome::Booking(again) if *again == *cancelled));
    let expected = [PaymentStep::RefundDue, PaymentStep::Refunded];
    assert_eq!(steps(&world, 1).await[3..], [1, 3].map(|refund| expected.map(|step| (step, refund))).concat());
    assert_eq!(world.ledger.seat_states(&world.event).await.unwrap().taken.len(), 1);
    buy(&world, &mut crew, 3, &["1-1", "1-3"], SandboxOutcome::Approve).await;
    invariants::seats_have_one_owner(&world).await;
    let bookings = [1, 2, 3].map(|number| booking(number, "a"));
    invariants::money_has_its_booking(&world, &bookings, &[1, 2, 3].map(transaction)).await;
}

#[tokio::test]
async fn what_can_not_be_cancelled_is_refused_and_changes_nothing() {
    let (world, mut crew) = open_sale(settings()).await;
    let bought = buy(&world, &mut crew, 1, &["1-1", "1-2"], SandboxOutcome::Approve).await;
    let question = world.hold(2, "a", seats(&["2-1"])).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Booking(_))));
    for (number, act, expected) in [
        (2, cancel(&[], None), Refusal::NotConfirmed),
        (3, cancel(&[], None), Refusal::NotFound),
        (1, cancel(&["9-9"], None), Refusal::UnknownSeat { name: "9-9".to_owned() }),
        (1, cancel(&["2-1"], None), Refusal::UnknownSeat { name: "2-1".to_owned() }),
        (1, cancel(&["1-1", "1-1"], None), Refusal::DuplicateSeat { name: "1-1".to_owned() }),
        (1, cancel(&[], Some(2_000)), Refusal::RefundChanged { refund: 1_000 }),
        (1, cancel(&["1-1"], Some(501)), Refusal::RefundChanged { refund: 500 }),
        (1, see_to(1, 0, None, "s1"), Refusal::NotStuck),
    ] {
        assert!(matches!(ask(&world, &mut crew, number, act).await, Outcome::Refused(refusal) if refusal == expected));
    }
    let foreign = world.send(2, &booking(1, "a"), cancel(&[], None)).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&foreign).await, Some(Outcome::Refused(Refusal::NotFound))));
    // Under twelve hours before nothing is given back; once it has begun nothing is cancelled.
    world.set_clock(86_400_000 - 1_000);
    let Outcome::Booking(reduced) = ask(&world, &mut crew, 1, cancel(&["1-1"], Some(0))).await else { panic!() };
    assert_eq!(reduced.refund, Some(0));
    world.set_clock(86_400_000);
    assert!(matches!(ask(&world, &mut crew, 1, cancel(&[], None)).await, Outcome::Refused(Refusal::EventOver)));
    assert_eq!((bought.seats.len(), refunded(&world, 1).await), (2, 0));
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_waits_for_a_person() {
    let (world, mut crew) = open_sale(settings()).await;
    buy(&world, &mut crew, 1, &["1-1", "1-2"], SandboxOutcome::RefuseRefund).await;
    let Outcome::Booking(reduced) = ask(&world, &mut crew, 1, cancel(&["1-1"], None)).await else { panic!() };
    assert_eq!(reduced.refund, Some(500), "the buyer has a right to it, however it gets there");
    let stuck = world.ledger.stuck_payments(10).await.unwrap();
    assert_eq!(stuck.len(), 1);
    assert_eq!((stuck[0].refund, stuck[0].amount.amount), (1, 500));
    assert!(stuck[0].reason.as_ref().is_some_and(|why| !why.is_empty()));
    crew.turn_until(&world, OPENS + 20_000, 1_000).await;
    assert_eq!(crew.gauges.stuck.get(), 1);
    assert_eq!(refunded(&world, 1).await, 0, "and it is left alone");
    let again = ask(&world, &mut crew, 1, see_to(1, 1, None, "s1")).await;
    assert!(matches!(again, Outcome::Refused(Refusal::StillStuck { .. })), "{again:?}");
    for _ in 0..2 {
        let by_hand = ask(&world, &mut crew, 1, see_to(1, 1, Some("transferred to the bank account"), "s2")).await;
        assert!(matches!(by_hand, Outcome::Done), "{by_hand:?}");
    }
    assert_eq!(world.ledger.stuck_payments(10).await.unwrap(), []);
    let trail = world.ledger.audit_trail(&world.event, None, 10).await.unwrap();
    let entries: Vec<_> = trail.iter().map(|entry| (entry.command.as_str(), entry.actor.as_str())).collect();
    assert_eq!(entries, [("s2", "anna"), ("s1", "anna"), ("c1", "box office")]);
    let other = ask(&world, &mut crew, 1, see_to(1, 1, Some("again"), "s3")).await;
    assert!(matches!(other, Outcome::Refused(Refusal::NotStuck)), "{other:?}");
}

#[tokio::test]
async fn an_event_that_is_called_off_gives_everything_back() {
    let (world, mut crew) = open_sale(settings()).await;
    buy(&world, &mut crew, 1, &["1-1", "1-2"], SandboxOutcome::Approve).await;
    let Outcome::Booking(_) = ask(&world, &mut crew, 1, cancel(&["1-2"], Some(500))).await else { panic!() };
    buy(&world, &mut crew, 2, &["2-1", "2-2", "2-3"], SandboxOutcome::Approve).await;
    let held = world.hold(3, "a", seats(&["1-3"])).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&held).await, Some(Outcome::Booking(_))));
    world.pay(3, 1_000, SandboxOutcome::Approve).await;
    let event = world.event.clone();
    let off = world.command("off", OperatorAct::CallOff { event, reason: "The hall is flooded.".to_owned() }).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&off).await, Some(Outcome::Done)));
    // Whoever is just paying gets nothing, and nothing is taken.
    let act = BookingAct::Confirm { transaction: transaction(3), amount: 1_000, contact: None };
    let late = ask(&world, &mut crew, 3, act).await;
    assert!(matches!(late, Outcome::Refused(Refusal::HoldExpired)), "{late:?}");
    let question = world.hold(4, "a", seats(&["1-4"])).await;
    crew.turn_until(&world, OPENS + 20_000, 1_000).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Refused(Refusal::CalledOff))));
    for (number, expected) in [(1, 1_500), (2, 3_000)] {
        let booking = world.ledger.booking(&booking(number, "a")).await.unwrap().expect("there");
        assert_eq!((booking.state, booking.refund), (BookingState::Cancelled, Some(expected)));
        assert_eq!(refunded(&world, number).await, expected, "the whole price of every seat it still had");
    }
    let bookings = [1, 2, 3].map(|number| booking(number, "a"));
    invariants::money_has_its_booking(&world, &bookings, &[1, 2, 3].map(transaction)).await;
    assert_eq!(world.ledger.seat_states(&world.event).await.unwrap().taken, []);
    let trail = world.ledger.audit_trail(&world.event, None, 1).await.unwrap();
    assert_eq!((trail[0].command.as_str(), trail[0].action.as_str()), ("off", "callOff"));
}
