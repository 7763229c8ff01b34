//! Each part of the workers dies, or is failed by a port, at every single call; afterwards everything is as it should.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use booking_core::{
    booking::{BookingState, CheckIn, GateEntry},
    id::{BookingId, TransactionId},
    line::Place,
    message::{BookingAct, Outcome, Refusal},
    ports::{
        ledger::LedgerReader as _,
        payments::{PaymentStatus, Payments as _, SandboxOutcome},
    },
    seats::SeatIndex,
};
use support::{
    OPENS, World, booking, contact,
    crew::{Crew, Part},
    faults::{Fault, Faults},
    invariants, policy, seats, settings, transaction,
};

/// A sale in small: steered, with a collision, a best choice, a release, a decline, an expiry, a late payment, a payment
/// that never answers, and a booking cancelled in part and then whole. What gets no answer is asked again, as people do.
async fn small_sale(part: Part, faults: &std::sync::Arc<Faults>, drops_failed: bool) {
    let world = World::new(2, 4).await;
    let mut crew = Crew::with_faults(&world, settings(), Some((part, faults))).await;
    crew.drops_failed = drops_failed;
    let configured = world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    let mut places: Vec<Place> = Vec::new();
    for number in 0..6 {
        places.push(world.join(number).await);
    }
    crew.turn_until(&world, OPENS, 5_000).await;
    let steered = world.command("c2", world.steer_rate(1_200)).await;
    crew.turn_until(&world, OPENS + 2_000, 500).await;
    for (number, outcome) in [
        (1, SandboxOutcome::Approve),
        (2, SandboxOutcome::Decline),
        (3, SandboxOutcome::Approve),
        (4, SandboxOutcome::Timeout),
        (5, SandboxOutcome::Approve),
    ] {
        world.pay(number, 2_000, outcome).await;
    }
    let best = booking_core::message::Wanted::BestAvailable { count: 2, category: None };
    let mut asked: Vec<(u64, BookingAct, String)> = Vec::new();
    for (number, wanted) in [
        (1, seats(&["1-1", "1-2"])),
        (2, seats(&["1-2", "1-3"])),
        (3, best.clone()),
        (4, best.clone()),
        (5, seats(&["2-1", "2-2"])),
    ] {
        let question = world.hold(number, "a", wanted.clone()).await;
        let fingerprint = booking_core::digest::Digest::of(&[format!("{wanted:?}").as_bytes()]);
        let act = BookingAct::Hold { session: support::session(number), max_seats: 4, wanted, fingerprint };
        asked.push((number, act, question));
    }
    ask_until_answered(&world, &mut crew, asked).await;
    let late = world.hold(0, "b", best).await;
    crew.turn_until(&world, OPENS + 3_000, 500).await;
    let mut asked = Vec::new();
    for (number, paid) in [(1, 1), (4, 4), (5, 5)] {
        let act = BookingAct::Confirm { transaction: transaction(paid), amount: 2_000, contact: Some(contact(number)) };
        let question = world.send(number, &booking(number, "a"), act.clone()).await;
        asked.push((number, act, question));
    }
    for (number, act) in [(4, BookingAct::Extend), (3, BookingAct::Release)] {
        let question = world.send(number, &booking(number, "a"), act.clone()).await;
        asked.push((number, act, question));
    }
    ask_until_answered(&world, &mut crew, asked).await;
    // A payment for what was given back, and a long wait: what is left expires, what hangs is settled.
    let act = BookingAct::Confirm { transaction: transaction(3), amount: 2_000, contact: Some(contact(3)) };
    let question = world.send(3, &booking(3, "a"), act.clone()).await;
    ask_until_answered(&world, &mut crew, vec![(3, act, question)]).await;
    let mut asked = Vec::new();
    for seats in [vec!["1-2".parse().unwrap()], Vec::new()] {
        let act = BookingAct::Cancel { seats, refund: None };
        let question = world.send(1, &booking(1, "a"), act.clone()).await;
        asked.push((1, act, question));
    }
    ask_until_answered(&world, &mut crew, asked).await;
    // Somebody buys what was cancelled, and comes to the door: the same scan at one gate, then another gate. The other
    // ticket is revoked.
    world.pay(6, 2_000, SandboxOutcome::Approve).await;
    let wanted = seats(&["1-1", "1-2"]);
    let fingerprint = booking_core::digest::Digest::of(&[format!("{wanted:?}").as_bytes()]);
    let hold = BookingAct::Hold { session: support::session(6), max_seats: 4, wanted, fingerprint };
    let confirm = BookingAct::Confirm { transaction: transaction(6), amount: 2_000, contact: Some(contact(6)) };
    for act in [hold, confirm] {
        let question = world.send(6, &booking(6, "a"), act.clone()).await;
        ask_until_answered(&world, &mut crew, vec![(6, act, question)]).await;
    }
    let scan = |gate: &str, at| {
        let entry = GateEntry { gate: gate.to_owned(), scan: "s1".to_owned(), at };
        BookingAct::CheckIn { scans: vec![CheckIn { booking: booking(6, "a"), seat: SeatIndex(0), entry }] }
    };
    let mut asked = Vec::new();
    for gate in ["North", "South", "North"] {
        let act = scan(gate, world.now());
        let question = world.send(6, &booking(6, "a"), act.clone()).await;
        asked.push((6, act, question));
    }
    let revoke = BookingAct::RevokeTicket {
        seat: SeatIndex(1),
        why: Some("stolen".to_owned()),
        actor: "ada".to_owned(),
        command: "r1".to_owned(),
    };
    let question = world.send(6, &booking(6, "a"), revoke.clone()).await;
    asked.push((6, revoke, question));
    ask_until_answered(&world, &mut crew, asked).await;
    // What the provider tells: a second payment for what is sold, one for what was given back, one of another amount for
    // what is held, and one for what ran out; and once more what is sold.
    let wanted = booking_core::message::Wanted::BestAvailable { count: 2, category: None };
    let fingerprint = booking_core::digest::Digest::of(&[format!("{wanted:?}").as_bytes()]);
    let hold = BookingAct::Hold { session: support::session(7), max_seats: 4, wanted, fingerprint };
    let question = world.send(7, &booking(7, "a"), hold.clone()).await;
    ask_until_answered(&world, &mut crew, vec![(7, hold, question)]).await;
    let mut asked = Vec::new();
    for (number, paid, amount) in [(6, 7, 2_000), (3, 8, 2_000), (7, 9, 1_999), (4, 10, 2_000), (6, 6, 2_000)] {
        if paid != 6 {
            world.pay(paid, amount, SandboxOutcome::Approve).await;
        }
        let act = support::told(paid, amount);
        let question = world.send(number, &booking(number, "a"), act.clone()).await;
        asked.push((number, act, question));
    }
    ask_until_answered(&world, &mut crew, asked).await;
    crew.turn_until(&world, 100_000, 10_000).await;
    for paid in 7..=9 {
        let status = world.payments.standing(&transaction(paid)).await.expect("a look").expect("a payment").status;
        assert_eq!(status, PaymentStatus::Voided, "invariant 9: payment {paid} can't be for anything");
    }
    let counts = world.ledger.door_counts(&world.event).await.expect("counts");
    assert_eq!((counts.by_gate, counts.revoked), (vec![("North".to_owned(), 1)], 1), "invariant 11");

    let case = format!("{part:?}, restarts {}", crew.restarts);
    let line = world.line().await;
    let answers = world.answers().await;
    assert!(
        matches!(answers.get(&configured), Some(Outcome::Steered { .. })),
        "{case}: {:?}",
        answers.get(&configured)
    );
    assert!(matches!(answers.get(&steered), Some(Outcome::Steered { .. })), "{case}: {:?}", answers.get(&steered));
    assert!(answers.contains_key(&late) || part == Part::Pool, "{case}");
    assert_eq!(line.rate_per_minute(), 1_200, "{case}");
    assert_eq!(line.served(), 6, "{case}: everybody is called");
    let trail = world.ledger.audit_trail(&world.event, None, 10).await.expect("the trail");
    let done: Vec<_> = trail.iter().map(|entry| entry.command.as_str()).collect();
    assert_eq!(done, ["r1", "c2", "c1"], "{case}: each once");
    let first = world.ledger.booking(&booking(1, "a")).await.expect("a look").expect("there");
    assert_eq!((first.state, first.refund), (BookingState::Cancelled, Some(1_000)), "{case}");
    let bookings: Vec<BookingId> = (0..8).flat_map(|number| [booking(number, "a"), booking(number, "b")]).collect();
    let payments: Vec<TransactionId> = (1..=10).map(transaction).collect();
    invariants::seats_have_one_owner(&world).await;
    invariants::what_was_answered_is_so(&world).await;
    invariants::everybody_is_drawn_once(&world, &line, &places).await;
    invariants::old_epochs_change_nothing(&world).await;
    invariants::money_has_its_booking(&world, &bookings, &payments).await;
    invariants::the_outbox_is_published(&world, &bookings).await;
    if crew.gauges.addresses_lost_total.get() == 0 {
        let may_double = part == Part::Courier && faults.has_struck();
        invariants::buyers_are_written_to(&world, if may_double { settings().mail_at_once } else { 0 }).await;
    }
    let may_double = matches!(part, Part::Webhooks | Part::Relay) && faults.has_struck();
    invariants::the_endpoint_is_told(&world, may_double).await;
    no_seat_is_lost(&world, &mut crew).await;
    assert_eq!(crew.gauges.double_sold_total.get(), 0);
}

/// Asks again what was not answered, or answered as worth repeating.
async fn ask_until_answered(world: &World, crew: &mut Crew, mut asked: Vec<(u64, BookingAct, String)>) {
    for round in 1..=4 {
        let ms = world.now().as_millis() - support::START;
        crew.turn_until(world, ms + 500, 500).await;
        let answers = world.answers().await;
        for (number, act, question) in &mut asked {
            let again = answers
                .get(question)
                .is_none_or(|outcome| matches!(outcome, Outcome::Refused(Refusal::Unavailable { .. })));
            if again && round < 4 {
                *question = world.send(*number, &booking(*number, "a"), act.clone()).await;
            }
        }
    }
}

/// Every seat that the ledger has free can be had: nothing holds it in the hold table alone.
async fn no_seat_is_lost(world: &World, crew: &mut Crew) {
    let claims = world.ledger.live_claims(&world.event, world.now()).await.expect("claims");
    let held: usize = claims.iter().map(|claim| claim.seats.len()).sum();
    for number in 0..(8 - held as u64) {
        let wanted = booking_core::message::Wanted::BestAvailable { count: 1, category: None };
        let mut answer = None;
        // Twice, because the fault may strike just here.
        for _ in 0..2 {
            let question = world.hold(100 + number, "last", wanted.clone()).await;
            crew.turn(world).await;
            answer = world.answer(&question).await;
            if matches!(answer, Some(Outcome::Booking(_))) {
                break;
            }
        }
        assert!(matches!(answer, Some(Outcome::Booking(_))), "seat {number}: {answer:?}");
    }
    assert_eq!(world.ledger.seat_states(&world.event).await.expect("the seats").taken.len(), 8);
}

async fn at_every_call(part: Part, fault: Fault) {
    let drops_failed = matches!(fault, Fault::DiesBefore | Fault::DiesAfter);
    for call in 0.. {
        let faults = Faults::at(call, fault);
        small_sale(part, &faults, drops_failed).await;
        if !faults.has_struck() {
            assert!(call > 10, "{part:?} makes more calls than {call}");
            return;
        }
    }
}

#[tokio::test]
async fn a_small_sale_goes_well_when_nothing_fails() {
    small_sale(Part::Keeper, &Faults::never(), true).await;
}

/// One test for each part and way to fail: they run side by side.
macro_rules! at_every_call {
    ($($test:ident: $part:ident $fault:ident,)*) => {
        $(#[tokio::test]
        async fn $test() {
            at_every_call(Part::$part, Fault::$fault).await;
        })*
    };
}

at_every_call! {
    a_keeper_that_dies_before_any_call_loses_and_doubles_nothing: Keeper DiesBefore,
    a_keeper_that_dies_after_any_call_loses_and_doubles_nothing: Keeper DiesAfter,
    a_keeper_that_any_call_fails_once_loses_and_doubles_nothing: Keeper FailsBefore,
    a_keeper_that_any_call_fails_once_when_done_loses_and_doubles_nothing: Keeper FailsAfter,
    a_pool_that_dies_before_any_call_loses_and_doubles_nothing: Pool DiesBefore,
    a_pool_that_dies_after_any_call_loses_and_doubles_nothing: Pool DiesAfter,
    a_pool_that_any_call_fails_once_loses_and_doubles_nothing: Pool FailsBefore,
    a_pool_that_any_call_fails_once_when_done_loses_and_doubles_nothing: Pool FailsAfter,
    a_finaliser_that_dies_before_any_call_loses_and_doubles_nothing: Finaliser DiesBefore,
    a_finaliser_that_dies_after_any_call_loses_and_doubles_nothing: Finaliser DiesAfter,
    a_finaliser_that_any_call_fails_once_loses_and_doubles_nothing: Finaliser FailsBefore,
    a_finaliser_that_any_call_fails_once_when_done_loses_and_doubles_nothing: Finaliser FailsAfter,
    an_expiry_that_dies_before_any_call_loses_and_doubles_nothing: Expiry DiesBefore,
    an_expiry_that_dies_after_any_call_loses_and_doubles_nothing: Expiry DiesAfter,
    a_relay_that_dies_before_any_call_loses_and_doubles_nothing: Relay DiesBefore,
    a_relay_that_dies_after_any_call_loses_and_doubles_nothing: Relay DiesAfter,
    a_courier_that_dies_before_any_call_loses_and_doubles_nothing: Courier DiesBefore,
    a_courier_that_dies_after_any_call_loses_nothing: Courier DiesAfter,
    a_courier_that_any_call_fails_once_loses_and_doubles_nothing: Courier FailsBefore,
    a_courier_that_any_call_fails_once_when_done_loses_nothing: Courier FailsAfter,
    webhooks_whose_sender_dies_before_any_call_are_all_told_in_order: Webhooks DiesBefore,
    webhooks_whose_sender_dies_after_any_call_are_all_told_in_order: Webhooks DiesAfter,
    webhooks_that_any_call_fails_once_are_all_told_in_order: Webhooks FailsBefore,
    webhooks_that_any_call_fails_once_when_done_are_all_told_in_order: Webhooks FailsAfter,
}
