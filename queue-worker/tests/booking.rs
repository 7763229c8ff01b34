//! Holding, giving back, paying: what is answered, and what becomes of seats and money.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use booking_core::{
    booking::{Booking, BookingState, PaymentStep, SeatChanges},
    id::TransactionId,
    message::{self, BookingAct, OperatorAct, Outcome, Refusal, Wanted},
    ports::{
        ledger::{Ledger as _, LedgerReader as _},
        log::{Log as _, Topic},
        payments::{PaymentStatus, Payments as _, SandboxOutcome},
    },
};
use support::{
    OPENS, World, booking,
    crew::{Crew, Part},
    faults::{Fault, Faults},
    invariants, policy, seats, session, transaction,
};

/// A sale that is open, in a hall of two rows of four.
async fn open_sale() -> (World, Crew) {
    open_sale_of(booking_core::sale::SalePolicy { hold_seconds: 60, ..policy() }).await
}

async fn open_sale_of(policy: booking_core::sale::SalePolicy) -> (World, Crew) {
    let world = World::new(2, 4).await;
    let mut crew = Crew::new(&world).await;
    world.command("c1", world.configure(policy)).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    (world, crew)
}

async fn answer(world: &World, crew: &mut Crew, question: String) -> Outcome {
    crew.turn(world).await;
    world.answer(&question).await.expect("an answer")
}

async fn held(world: &World, crew: &mut Crew, number: u64, wanted: Wanted) -> Booking {
    let question = world.hold(number, "a", wanted).await;
    match answer(world, crew, question).await {
        Outcome::Booking(booking) => *booking,
        other => panic!("{other:?}"),
    }
}

async fn refused(world: &World, crew: &mut Crew, question: String) -> Refusal {
    match answer(world, crew, question).await {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn best(count: u32, category: Option<&str>) -> Wanted {
    Wanted::BestAvailable { count, category: category.map(str::to_owned) }
}

async fn status(world: &World, transaction: &TransactionId) -> Option<PaymentStatus> {
    world.payments.standing(transaction).await.expect("an answer").map(|standing| standing.status)
}

#[tokio::test]
async fn a_hold_has_its_price_and_its_deadline_and_shows_on_the_map() {
    let (world, mut crew) = open_sale().await;
    let booking = held(&world, &mut crew, 1, seats(&["1-1", "1-2"])).await;
    assert_eq!((booking.total.amount, booking.state), (2_000, BookingState::Held));
    assert_eq!(booking.expires_at, world.now().plus_seconds(60));
    let told: SeatChanges = message::decode(&world.entries(&Topic::Seats, 0).await[0]).expect("a change");
    assert_eq!((told.version, told.changes.len()), (1, 2));
}

#[tokio::test]
async fn a_wish_that_is_wrong_is_refused_by_name() {
    let (world, mut crew) = open_sale().await;
    for (wanted, expected) in [
        (seats(&["1-1", "9-9"]), Refusal::UnknownSeat { name: "9-9".to_owned() }),
        (seats(&["1-1", "1-1"]), Refusal::DuplicateSeat { name: "1-1".to_owned() }),
        (seats(&["1-1", "1-2", "1-3", "1-4", "2-1"]), Refusal::TooManySeats { max_seats: 4 }),
        (seats(&[]), Refusal::Invalid { detail: "name at least one seat".to_owned() }),
        (best(0, None), Refusal::Invalid { detail: "name at least one seat".to_owned() }),
        (best(5, None), Refusal::TooManySeats { max_seats: 4 }),
        (best(1, Some("gods")), Refusal::UnknownSeat { name: "gods".to_owned() }),
    ] {
        let question = world.hold(1, &format!("{wanted:?}"), wanted).await;
        assert_eq!(refused(&world, &mut crew, question).await, expected);
    }
}

#[tokio::test]
async fn of_colliding_holds_in_one_batch_the_first_gets_the_seats() {
    let (world, mut crew) = open_sale().await;
    let first = world.hold(1, "a", seats(&["1-1", "1-2"])).await;
    let second = world.hold(2, "a", seats(&["1-2", "1-3"])).await;
    let third = world.hold(3, "a", seats(&["1-3", "1-4"])).await;
    assert!(matches!(answer(&world, &mut crew, first).await, Outcome::Booking(_)));
    let taken = vec!["1-2".parse().expect("a seat id")];
    assert_eq!(refused(&world, &mut crew, second).await, Refusal::SeatsUnavailable { unavailable: taken });
    assert!(matches!(answer(&world, &mut crew, third).await, Outcome::Booking(_)), "the second took none of them");
    invariants::seats_have_one_owner(&world).await;
}

#[tokio::test]
async fn a_hold_that_is_repeated_is_the_same_booking_whatever_was_chosen_for_it() {
    let (world, mut crew) = open_sale().await;
    for wanted in [best(2, None), seats(&["2-1"])] {
        let number = if matches!(wanted, Wanted::Seats(_)) { 2 } else { 1 };
        let first = held(&world, &mut crew, number, wanted.clone()).await;
        assert_eq!(held(&world, &mut crew, number, wanted.clone()).await, first);
        let mut next = Crew::new(&world).await;
        assert_eq!(held(&world, &mut next, number, wanted).await, first, "under the next pool, too");
    }
    let other = world.hold(1, "a", seats(&["2-3"])).await;
    assert_eq!(refused(&world, &mut crew, other).await, Refusal::KeyReused);
    let other = world.hold(2, "a", best(1, None)).await;
    assert_eq!(refused(&world, &mut crew, other).await, Refusal::KeyReused);
    invariants::seats_have_one_owner(&world).await;
}

#[tokio::test]
async fn best_available_holds_in_one_batch_get_seats_of_their_own_until_there_are_none() {
    let (world, mut crew) = open_sale().await;
    let mut questions = Vec::new();
    for number in 0..5 {
        questions.push(world.hold(number, "a", best(2, None)).await);
    }
    crew.turn(&world).await;
    let answers = world.answers().await;
    let granted = questions.iter().filter(|question| matches!(answers[*question], Outcome::Booking(_))).count();
    assert_eq!(granted, 4);
    let none = Outcome::Refused(Refusal::SeatsUnavailable { unavailable: Vec::new() });
    assert_eq!(answers[&questions[4]], none);
    invariants::seats_have_one_owner(&world).await;
}

#[tokio::test]
async fn an_orphan_is_refused_unless_the_policy_allows_it() {
    for orphans_allowed in [false, true] {
        let (world, mut crew) = open_sale_of(booking_core::sale::SalePolicy { orphans_allowed, ..policy() }).await;
        held(&world, &mut crew, 1, seats(&["1-1"])).await;
        let question = world.hold(2, "a", seats(&["1-3"])).await;
        match answer(&world, &mut crew, question).await {
            Outcome::Refused(Refusal::OrphanSeat { orphans }) => {
                assert!(!orphans_allowed);
                assert_eq!(orphans, ["1-2".parse().expect("a seat id")]);
            }
            other => assert!(orphans_allowed && matches!(other, Outcome::Booking(_)), "{other:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_is_held_under_a_revoked_admission_or_after_the_end_but_what_was_held_is_still_told() {
    let (world, mut crew) = open_sale().await;
    let first = held(&world, &mut crew, 1, seats(&["1-1"])).await;
    world.command("r", OperatorAct::Revoke { event: world.event.clone(), session: session(2) }).await;
    crew.turn(&world).await;
    let question = world.hold(2, "a", seats(&["1-2"])).await;
    assert_eq!(refused(&world, &mut crew, question).await, Refusal::AdmissionOver);
    for (ms, expected) in [(3_600_000, Refusal::SaleEnded), (86_400_000, Refusal::EventOver)] {
        world.set_clock(ms);
        crew.turn(&world).await;
        let question = world.hold(3, &ms.to_string(), seats(&["1-3"])).await;
        assert_eq!(refused(&world, &mut crew, question).await, expected);
    }
    assert_eq!(held(&world, &mut crew, 1, seats(&["1-1"])).await.booking_id, first.booking_id);
}

#[tokio::test]
async fn a_release_frees_the_seats_at_once_and_is_the_owners_alone() {
    let (world, mut crew) = open_sale().await;
    let hold = held(&world, &mut crew, 1, seats(&["1-1"])).await;
    let foreign = world.send(2, &hold.booking_id, BookingAct::Release).await;
    assert_eq!(refused(&world, &mut crew, foreign).await, Refusal::NotFound);
    let release = world.send(1, &hold.booking_id, BookingAct::Release).await;
    let again = world.hold(3, "a", seats(&["1-1"])).await;
    assert!(matches!(answer(&world, &mut crew, again).await, Outcome::Booking(_)), "in the same batch");
    assert!(
        matches!(answer(&world, &mut crew, release).await, Outcome::Booking(freed) if freed.state == BookingState::Released)
    );
}

#[tokio::test]
async fn without_the_hold_table_the_ledger_decides_and_the_table_comes_back() {
    let (world, mut crew) = open_sale().await;
    held(&world, &mut crew, 1, seats(&["1-1"])).await;
    world.holds.lose();
    let question = world.hold(2, "a", seats(&["1-1"])).await;
    assert!(matches!(refused(&world, &mut crew, question).await, Refusal::SeatsUnavailable { .. }));
    held(&world, &mut crew, 3, best(1, None)).await;
    invariants::seats_have_one_owner(&world).await;
    assert_eq!(crew.gauges.rebuilt_total.get(), 2);
}

#[tokio::test]
async fn a_command_past_its_deadline_makes_no_ghost_hold() {
    let (world, mut crew) = open_sale().await;
    let question = world.hold(1, "a", seats(&["1-1"])).await;
    world.set_clock(OPENS + 15_000);
    crew.turn(&world).await;
    assert_eq!(world.answer(&question).await, None);
    assert!(world.ledger.booking(&booking(1, "a")).await.expect("a look").is_none());
}

#[tokio::test]
async fn a_paid_hold_is_confirmed_captured_and_answered_the_same_again() {
    let (world, mut crew) = open_sale().await;
    held(&world, &mut crew, 1, seats(&["1-1"])).await;
    world.pay(1, 1_000, SandboxOutcome::Approve).await;
    let question = world.confirm(1, "a", 1, 1_000).await;
    let first = answer(&world, &mut crew, question).await;
    assert!(matches!(&first, Outcome::Booking(booked) if booked.state == BookingState::Confirmed));
    let question = world.confirm(1, "a", 1, 1_000).await;
    assert_eq!(answer(&world, &mut crew, question).await, first);
    let steps: Vec<_> =
        world.ledger.payment_acts(&booking(1, "a")).await.expect("acts").iter().map(|act| act.step).collect();
    assert_eq!(steps, [PaymentStep::Asked, PaymentStep::Authorised, PaymentStep::Captured]);
    let late = world.hold(1, "b", seats(&["1-2"])).await;
    assert_eq!(refused(&world, &mut crew, late).await, Refusal::AdmissionOver, "one admission, one booking");
}

#[tokio::test]
async fn a_payment_that_does_not_fit_is_refused_and_takes_no_money() {
    let (world, mut crew) = open_sale().await;
    held(&world, &mut crew, 1, seats(&["1-1"])).await;
    world.pay(1, 500, SandboxOutcome::Approve).await;
    world.pay(2, 1_000, SandboxOutcome::Decline).await;
    world.pay(3, 1_000, SandboxOutcome::Timeout).await;
    let mismatch = Refusal::AmountMismatch { due: 1_000, paid: 500 };
    for (paid, amount, expected) in [
        (1, 500, "AmountMismatch"),
        (1, 1_000, "AmountMismatch"),
        (2, 1_000, "PaymentDeclined"),
        (3, 1_000, "Unavailable"),
    ] {
        let question = world.confirm(1, "a", paid, amount).await;
        let refusal = refused(&world, &mut crew, question).await;
        assert!(format!("{refusal:?}").starts_with(expected), "{refusal:?}");
        assert!(paid != 1 || refusal == mismatch);
    }
    let foreign = world.confirm(2, "a", 1, 1_000).await;
    assert_eq!(refused(&world, &mut crew, foreign).await, Refusal::NotFound);
    // What never answered is voided once the hold is over.
    crew.turn_until(&world, OPENS + 70_000, 5_000).await;
    assert_eq!(status(&world, &transaction(3)).await, Some(PaymentStatus::Voided));
    assert!(world.ledger.unsettled_payments(world.now(), 10).await.expect("unsettled").is_empty());
}

#[tokio::test]
async fn a_late_payment_gets_free_seats_and_goes_back_where_they_are_gone() {
    let (world, mut crew) = open_sale().await;
    held(&world, &mut crew, 1, seats(&["1-1"])).await;
    held(&world, &mut crew, 2, seats(&["1-2"])).await;
    crew.turn_until(&world, OPENS + 61_000, 1_000).await;
    held(&world, &mut crew, 3, seats(&["1-2"])).await;
    for number in [1, 2] {
        world.pay(number, 1_000, SandboxOutcome::Approve).await;
    }
    let in_time = world.confirm(1, "a", 1, 1_000).await;
    let too_late = world.confirm(2, "a", 2, 1_000).await;
    assert!(matches!(answer(&world, &mut crew, in_time).await, Outcome::Booking(_)));
    assert_eq!(refused(&world, &mut crew, too_late).await, Refusal::HoldExpired);
    assert_eq!(status(&world, &transaction(2)).await, Some(PaymentStatus::Voided));
    // Even when the seat is free again, money that went back pays for nothing.
    let release = world.send(3, &booking(3, "a"), BookingAct::Release).await;
    answer(&world, &mut crew, release).await;
    let again = world.confirm(2, "a", 2, 1_000).await;
    assert_eq!(refused(&world, &mut crew, again).await, Refusal::HoldExpired);
    let all = [booking(1, "a"), booking(2, "a"), booking(3, "a")];
    invariants::money_has_its_booking(&world, &all, &[transaction(1), transaction(2)]).await;
}

#[tokio::test]
async fn a_hold_is_extended_once_in_the_ledger_and_in_the_hold_table() {
    let (world, mut crew) = open_sale().await;
    let hold = held(&world, &mut crew, 1, seats(&["1-1"])).await;
    let mut questions = Vec::new();
    for _ in 0..2 {
        questions.push(world.send(1, &hold.booking_id, BookingAct::Extend).await);
    }
    let foreign = world.send(2, &hold.booking_id, BookingAct::Extend).await;
    crew.turn(&world).await;
    for question in questions {
        let Some(Outcome::Booking(extended)) = world.answer(&question).await else { panic!("it is extended") };
        assert_eq!(extended.expires_at, hold.expires_at.plus_seconds(20), "once");
    }
    assert_eq!(world.answer(&foreign).await, Some(Outcome::Refused(Refusal::NotFound)));
    let again = world.send(1, &hold.booking_id, BookingAct::Extend).await;
    assert!(matches!(answer(&world, &mut crew, again).await, Outcome::Booking(_)));
    assert_eq!(crew.gauges.extended_total.get(), 1, "repeats are not counted");
    // Past its first deadline it is nobody else's, whoever is asked: nothing is contradicted.
    crew.turn_until(&world, OPENS + 70_000, 5_000).await;
    let rival = world.hold(2, "a", seats(&["1-1"])).await;
    assert!(matches!(refused(&world, &mut crew, rival).await, Refusal::SeatsUnavailable { .. }));
    assert_eq!((crew.gauges.contradicted_total.get(), crew.gauges.rebuilt_total.get()), (0, 1));
    crew.turn_until(&world, OPENS + 81_000, 5_000).await;
    held(&world, &mut crew, 2, seats(&["1-1"])).await;
    let late = world.send(1, &hold.booking_id, BookingAct::Extend).await;
    assert_eq!(refused(&world, &mut crew, late).await, Refusal::HoldExpired);
}

#[tokio::test]
async fn an_extension_that_the_hold_table_does_not_hear_of_is_in_it_before_it_is_asked_again() {
    let (world, mut crew) = open_sale().await;
    let hold = held(&world, &mut crew, 1, seats(&["1-1"])).await;
    world.holds.lose();
    let question = world.send(1, &hold.booking_id, BookingAct::Extend).await;
    assert!(matches!(answer(&world, &mut crew, question).await, Outcome::Booking(_)));
    crew.turn_until(&world, OPENS + 70_000, 5_000).await;
    let rival = world.hold(2, "a", seats(&["1-1"])).await;
    assert!(matches!(refused(&world, &mut crew, rival).await, Refusal::SeatsUnavailable { .. }));
    assert_eq!(crew.gauges.contradicted_total.get(), 0);
}

#[tokio::test]
async fn money_told_for_what_can_not_be_had_goes_back_and_what_can_is_confirmed_with_it() {
    let (world, mut crew) = open_sale().await;
    for (number, seat) in [(1, "1-1"), (2, "1-2"), (3, "1-3"), (4, "1-4")] {
        held(&world, &mut crew, number, seats(&[seat])).await;
    }
    for (paid, amount) in [(1, 1_000), (2, 1_000), (3, 1_000), (4, 900), (5, 1_000), (6, 700)] {
        world.pay(paid, amount, SandboxOutcome::Approve).await;
    }
    let tell = async |crew: &mut Crew, number: u64, paid: u64, amount: i64| {
        for _ in 0..2 {
            let question = world.send(number, &booking(number, "a"), support::told(paid, amount)).await;
            answer(&world, crew, question).await;
        }
        status(&world, &transaction(paid)).await.expect("a payment")
    };
    let steps = async |number: u64, paid: u64| -> Vec<PaymentStep> {
        let acts = world.ledger.payment_acts(&booking(number, "a")).await.expect("acts");
        acts.iter().filter(|act| act.transaction == transaction(paid)).map(|act| act.step).collect()
    };
    let back = [PaymentStep::Asked, PaymentStep::VoidDue, PaymentStep::Voided];
    assert_eq!(tell(&mut crew, 1, 1, 1_000).await, PaymentStatus::Captured, "what can be had");
    assert_eq!(tell(&mut crew, 1, 2, 1_000).await, PaymentStatus::Voided, "a second payment");
    assert_eq!(steps(1, 2).await, back);
    let release = world.send(2, &booking(2, "a"), BookingAct::Release).await;
    answer(&world, &mut crew, release).await;
    assert_eq!(tell(&mut crew, 2, 3, 1_000).await, PaymentStatus::Voided, "it was given back");
    assert_eq!(tell(&mut crew, 3, 4, 900).await, PaymentStatus::Voided, "another amount");
    let acts = world.ledger.payment_acts(&booking(3, "a")).await.expect("acts");
    assert!(acts.iter().all(|act| act.amount.amount == 900), "{acts:?}");
    let own = world.confirm(3, "a", 4, 1_000).await;
    assert!(matches!(refused(&world, &mut crew, own).await, Refusal::PaymentDeclined { .. }), "another card may do");
    // The buyer is first, and learns of the amount; then the provider tells.
    let own = world.confirm(4, "a", 6, 1_000).await;
    assert_eq!(refused(&world, &mut crew, own).await, Refusal::AmountMismatch { due: 1_000, paid: 700 });
    assert_eq!(tell(&mut crew, 4, 6, 700).await, PaymentStatus::Voided, "declined, and given back all the same");
    // Cancelled: what paid for it is told again, and then another payment.
    let cancel = world.send(1, &booking(1, "a"), BookingAct::Cancel { seats: Vec::new(), refund: None }).await;
    answer(&world, &mut crew, cancel).await;
    assert_eq!(tell(&mut crew, 1, 1, 1_000).await, PaymentStatus::Captured, "its refund is its own affair");
    assert_eq!(tell(&mut crew, 1, 5, 1_000).await, PaymentStatus::Voided);
    let all = [1, 2, 3, 4].map(|number| booking(number, "a"));
    invariants::money_has_its_booking(&world, &all, &[1, 2, 3, 4, 5, 6].map(transaction)).await;
}

/// Nobody repeats what the provider told once: neither the provider nor the buyer, who is gone.
#[tokio::test]
async fn what_was_told_once_is_seen_to_whatever_call_fails_meanwhile() {
    for fault in [Fault::FailsBefore, Fault::FailsAfter] {
        for call in 0.. {
            let world = World::new(1, 4).await;
            let faults = Faults::at(call, fault);
            let mut crew = Crew::with_faults(&world, support::settings(), Some((Part::Finaliser, &faults))).await;
            crew.drops_failed = false;
            let policy = booking_core::sale::SalePolicy { hold_seconds: 60, ..policy() };
            world.command("c1", world.configure(policy)).await;
            crew.turn(&world).await;
            crew.turn_until(&world, OPENS, 5_000).await;
            for (number, seat, amount) in [(1, "1-1", 1_000), (2, "1-2", 700)] {
                held(&world, &mut crew, number, seats(&[seat])).await;
                world.pay(number, amount, SandboxOutcome::Approve).await;
                world.send(number, &booking(number, "a"), support::told(number, amount)).await;
            }
            // What could not be given back at once goes back when the hold has run out.
            crew.turn_until(&world, OPENS + 90_000, 500).await;
            let found = [status(&world, &transaction(1)).await, status(&world, &transaction(2)).await];
            assert_eq!(found, [Some(PaymentStatus::Captured), Some(PaymentStatus::Voided)], "call {call}, {fault:?}");
            let booked = world.ledger.booking(&booking(1, "a")).await.expect("a look").expect("there");
            assert_eq!(booked.state, BookingState::Confirmed, "call {call}, {fault:?}");
            if !faults.has_struck() {
                assert!(call > 10, "a told payment makes more calls than {call}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn two_payments_for_one_booking_take_the_money_once() {
    let (world, mut crew) = open_sale().await;
    held(&world, &mut crew, 1, seats(&["1-1"])).await;
    let mut questions = Vec::new();
    for paid in [1, 2] {
        world.pay(paid, 1_000, SandboxOutcome::Approve).await;
        questions.push(world.confirm(1, "a", paid, 1_000).await);
    }
    for question in questions {
        assert!(matches!(answer(&world, &mut crew, question).await, Outcome::Booking(_)));
    }
    invariants::money_has_its_booking(&world, &[booking(1, "a")], &[transaction(1), transaction(2)]).await;
}

#[tokio::test]
async fn an_unreadable_command_is_left_out_and_the_next_one_is_done() {
    let (world, mut crew) = open_sale().await;
    world.log.append(&Topic::Bookings, 0, bytes::Bytes::from_static(b"{\"nonsense\":1}")).await.expect("appended");
    held(&world, &mut crew, 1, seats(&["1-1"])).await;
    assert_eq!(crew.gauges.unreadable_total.get(), 2, "once for each group");
}
