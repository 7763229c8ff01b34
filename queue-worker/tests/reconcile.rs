//! Comparing what is kept twice: what agrees is left alone, what has one right answer is mended, the rest is named.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::sync::Arc;

use booking_core::{
    booking::{PaymentAct, PaymentStatus, PaymentStep},
    holds::SeatClaim,
    message::Outcome,
    money::Money,
    ports::payments::SandboxOutcome,
    reconcile::{Difference, PaymentDifference, SeatDifference},
    seats::SeatIndex,
};
use queue_worker::{
    Gauges, Progress,
    reconcile::{Found, Reconciler, Report},
};
use support::{OPENS, World, booking, crew::Crew, policy, seats, settings, show, transaction};

/// A sale with a booking of seat 0 and a hold of seat 1.
async fn running_sale() -> (World, Crew) {
    let world = World::new(2, 4).await;
    let mut crew = Crew::with_faults(&world, settings(), None).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    for (number, seat) in [(1, "1-1"), (2, "1-2")] {
        let question = world.hold(number, "a", seats(&[seat])).await;
        crew.turn(&world).await;
        assert!(matches!(world.answer(&question).await, Some(Outcome::Booking(_))));
    }
    world.pay(1, 1_000, SandboxOutcome::Approve).await;
    let question = world.confirm(1, "a", 1, 1_000).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Booking(_))));
    (world, crew)
}

async fn reconcile(world: &World, mends: bool) -> (Report, Arc<Gauges>) {
    let gauges = Arc::<Gauges>::default();
    let mut reconciler = Reconciler::once(world.parts(), Arc::clone(&gauges), mends);
    let mut now = world.now();
    while reconciler.report().is_none() {
        if let Progress::Later(ms) = reconciler.step(now).await.unwrap() {
            now = now.plus_millis(i64::try_from(ms).unwrap());
        }
    }
    (reconciler.report().unwrap().clone(), gauges)
}

fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

#[tokio::test]
async fn a_sale_that_went_well_agrees_with_itself() {
    let (world, _crew) = running_sale().await;
    let (report, gauges) = reconcile(&world, true).await;
    assert_eq!((report.events, report.payments, report.differences), (1, 1, 0), "{report:?}");
    assert_eq!((gauges.double_sold_total.get(), gauges.unreconciled_payments.get()), (0, 0));
}

#[tokio::test]
async fn a_hold_table_that_went_astray_is_rebuilt_from_the_ledger() {
    let (world, _crew) = running_sale().await;
    let parts = world.parts();
    let event = show().event_id;
    let astray = SeatClaim { booking: booking(9, "a"), seats: vec![SeatIndex(0), SeatIndex(5)], until: None };
    parts.holds.rebuild(&event, &[astray]).await.unwrap();
    let differences =
        [SeatDifference::KeptFromSale { seat: SeatIndex(5) }, SeatDifference::UnknownToTheTable { seat: SeatIndex(1) }];
    let named = |is_mended| {
        differences.clone().map(|of| Found { difference: Difference::Seat(event.clone(), of), is_mended }).to_vec()
    };
    assert_eq!(reconcile(&world, false).await.0.found, named(false), "a dry run only names them");
    assert_eq!(reconcile(&world, true).await.0.found, named(true));
    let taken: Vec<_> = parts.holds.taken(&event, world.now()).await.unwrap().iter().collect();
    assert_eq!(taken, [SeatIndex(0), SeatIndex(1)]);
    assert_eq!(reconcile(&world, true).await.0.differences, 0);
}

#[tokio::test]
async fn money_that_was_forgotten_is_taken_or_released() {
    let (world, _crew) = running_sale().await;
    let parts = world.parts();
    // Set aside for a hold, and recorded as given back, which never got to the provider.
    world.pay(2, 1_000, SandboxOutcome::Approve).await;
    parts.payments.authorise(&booking(2, "a"), &transaction(2), euros(1_000)).await.unwrap();
    for step in [PaymentStep::Asked, PaymentStep::Voided] {
        let (booking, transaction, amount, at) = (booking(2, "a"), transaction(2), euros(1_000), world.now());
        let act = PaymentAct { booking, transaction, refund: 0, step, amount, reason: None, at };
        parts.ledger.record_payment(&act).await.unwrap();
    }
    let difference = Difference::Payment(booking(2, "a"), transaction(2), PaymentDifference::StillSetAside);
    let (report, gauges) = reconcile(&world, false).await;
    assert_eq!(report.found, [Found { difference: difference.clone(), is_mended: false }]);
    assert_eq!(gauges.unreconciled_payments.get(), 1);
    let (report, gauges) = reconcile(&world, true).await;
    assert_eq!(report.found, [Found { difference, is_mended: true }]);
    assert_eq!(gauges.unreconciled_payments.get(), 0);
    let standing = parts.payments.standing(&transaction(2)).await.unwrap().unwrap();
    assert_eq!(standing.status, PaymentStatus::Voided);
    assert_eq!(reconcile(&world, true).await.0.differences, 0);
}

#[tokio::test]
async fn money_taken_for_nothing_is_a_persons_affair() {
    let (world, _crew) = running_sale().await;
    let parts = world.parts();
    world.pay(2, 1_000, SandboxOutcome::Approve).await;
    parts.payments.authorise(&booking(2, "a"), &transaction(2), euros(1_000)).await.unwrap();
    parts.payments.capture(&booking(2, "a"), &transaction(2)).await.unwrap();
    for step in [PaymentStep::Asked, PaymentStep::Declined] {
        let (booking, transaction, amount, at) = (booking(2, "a"), transaction(2), euros(1_000), world.now());
        let act = PaymentAct { booking, transaction, refund: 0, step, amount, reason: None, at };
        parts.ledger.record_payment(&act).await.unwrap();
    }
    let difference = Difference::Payment(booking(2, "a"), transaction(2), PaymentDifference::TakenForNothing);
    for _ in 0..2 {
        let (report, gauges) = reconcile(&world, true).await;
        assert_eq!(report.found, [Found { difference: difference.clone(), is_mended: false }]);
        assert_eq!(gauges.unreconciled_payments.get(), 1);
    }
    let acts = parts.ledger.payment_acts(&booking(2, "a")).await.unwrap();
    assert_eq!(acts.len(), 2, "nothing was done about it");
}
