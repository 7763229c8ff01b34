use super::*;
use crate::{digest::Digest, money::Money, time::Timestamp};

fn booking_id(number: u32) -> BookingId {
    format!("booking_{number}").parse().unwrap()
}

fn claim(number: u32, seats: &[u32]) -> SeatClaim {
    SeatClaim { booking: booking_id(number), seats: seats.iter().copied().map(SeatIndex).collect(), until: None }
}

fn table(seats: &[u32]) -> SeatSet {
    let mut table = SeatSet::with_len(10);
    for seat in seats {
        table.insert(SeatIndex(*seat));
    }
    table
}

#[test]
fn seats_that_everybody_agrees_on_are_no_difference() {
    let owners = [(SeatIndex(1), booking_id(1)), (SeatIndex(2), booking_id(1)), (SeatIndex(5), booking_id(2))];
    let claims = [claim(1, &[1, 2]), claim(2, &[5])];
    assert!(compare_seats(&claims, &owners, Some(&table(&[1, 2, 5]))).is_empty());
    assert!(compare_seats(&claims, &owners, None).is_empty(), "a table that is not ready says nothing");
}

#[test]
fn a_hold_that_ran_out_may_still_be_in_the_seats_record() {
    assert!(compare_seats(&[], &[(SeatIndex(1), booking_id(1))], None).is_empty());
}

#[test]
fn every_difference_of_seats_is_found_and_named() {
    let owners = [(SeatIndex(1), booking_id(1)), (SeatIndex(3), booking_id(9))];
    let claims = [claim(1, &[1, 3]), claim(2, &[1, 4])];
    let found: Vec<_> = compare_seats(&claims, &owners, Some(&table(&[1, 3, 7]))).into_iter().collect();
    let its_own = |seat, booking, owner: Option<u32>| SeatDifference::NotItsOwn {
        seat: SeatIndex(seat),
        booking: booking_id(booking),
        owner: owner.map(booking_id),
    };
    assert_eq!(
        found,
        [
            SeatDifference::DoubleSold { seat: SeatIndex(1), bookings: vec![booking_id(1), booking_id(2)] },
            its_own(3, 1, Some(9)),
            its_own(4, 2, None),
            SeatDifference::KeptFromSale { seat: SeatIndex(7) },
            SeatDifference::UnknownToTheTable { seat: SeatIndex(4) },
        ]
    );
    let of_the_table: Vec<_> = found.iter().map(SeatDifference::is_of_the_table).collect();
    assert_eq!(of_the_table, [false, false, false, true, true]);
    assert_eq!(found[0].to_string(), "seat 1 is sold to booking_1 and booking_2");
}

fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn paid_booking(state: BookingState) -> Booking {
    Booking {
        booking_id: booking_id(1),
        event_id: "evt_1".parse().unwrap(),
        user_id: "user_1".parse().unwrap(),
        session: "session_1".parse().unwrap(),
        seats: vec![SeatIndex(1)],
        cancelled_seats: Vec::new(),
        bought_as: Vec::new(),
        state,
        total: euros(1_000),
        expires_at: Timestamp::from_millis(10),
        extended: false,
        created_at: Timestamp::from_millis(1),
        settled_at: None,
        transaction: (state == BookingState::Confirmed || state == BookingState::Cancelled).then(transaction),
        refund: None,
        fingerprint: Digest::ZERO,
    }
}

fn transaction() -> TransactionId {
    "txn_1".parse().unwrap()
}

/// The acts of these steps; a refund's are of 400.
fn acts(steps: &[PaymentStep]) -> Vec<PaymentAct> {
    let is_refund = |step| matches!(step, PaymentStep::RefundDue | PaymentStep::Refunded);
    let act = |step: &PaymentStep| PaymentAct {
        booking: booking_id(1),
        transaction: transaction(),
        refund: u32::from(is_refund(*step)),
        step: *step,
        amount: euros(if is_refund(*step) { 400 } else { 1_000 }),
        reason: None,
        at: Timestamp::from_millis(5),
    };
    steps.iter().map(act).collect()
}

#[test]
fn a_payment_is_what_the_trail_says_or_the_difference_is_named() {
    use BookingState::{Cancelled, Confirmed, Expired};
    use PaymentDifference::{Lost, NotTaken, OtherAmount, OtherRefund, StillSetAside, TakenForNothing};
    use PaymentStatus::{Authorised, Captured, Created, Declined, Voided};
    use PaymentStep as Step;
    let taken = [Step::Asked, Step::Authorised, Step::Captured];
    let refunded = [Step::Asked, Step::Authorised, Step::Captured, Step::RefundDue, Step::Refunded];
    let at = |status, amount, refunded| Some(PaymentStanding { status, amount: euros(amount), refunded });
    let cases = [
        // What agrees.
        (Confirmed, &taken[..], at(Captured, 1_000, 0), None),
        (Cancelled, &refunded[..], at(Captured, 1_000, 400), None),
        (Cancelled, &refunded[..4], at(Captured, 1_000, 0), None),
        (Cancelled, &refunded[..4], at(Captured, 1_000, 400), None),
        (Expired, &[Step::Asked, Step::VoidDue, Step::Voided], at(Voided, 1_000, 0), None),
        (Expired, &[Step::Asked, Step::Declined], at(Declined, 1_000, 0), None),
        (Expired, &[Step::Asked, Step::Declined], at(Created, 1_000, 0), None),
        (Expired, &[Step::Asked, Step::Declined], None, None),
        (Expired, &[Step::Asked, Step::VoidDue, Step::Voided], at(Captured, 1_000, 1_000), None),
        // What is under way, or a person's.
        (Confirmed, &taken[..1], at(Authorised, 1_000, 0), None),
        (Confirmed, &taken[..2], at(Authorised, 1_000, 0), None),
        (Expired, &[Step::Asked, Step::VoidDue], at(Authorised, 1_000, 0), None),
        (Expired, &[Step::Asked, Step::Stuck], at(Captured, 1_000, 0), None),
        (Expired, &[Step::Asked, Step::Stuck, Step::Resolved], at(Captured, 1_000, 0), None),
        // What has one right answer.
        (Confirmed, &taken[..], at(Authorised, 1_000, 0), Some(NotTaken)),
        (Confirmed, &taken[1..2], at(Authorised, 1_000, 0), Some(NotTaken)),
        (Expired, &[Step::Asked, Step::VoidDue, Step::Voided], at(Authorised, 1_000, 0), Some(StillSetAside)),
        (Expired, &[Step::Asked, Step::Declined], at(Authorised, 1_000, 0), Some(StillSetAside)),
        // What has not.
        (Expired, &[Step::Asked, Step::Voided], at(Captured, 1_000, 0), Some(TakenForNothing)),
        (Confirmed, &taken[..], at(Voided, 1_000, 0), Some(Lost { status: Some(Voided) })),
        (Confirmed, &taken[..], None, Some(Lost { status: None })),
        (Confirmed, &taken[..], at(Captured, 900, 0), Some(OtherAmount { recorded: 1_000, provider: 900 })),
        (Confirmed, &taken[..], at(Captured, 1_000, 1), Some(OtherRefund { recorded: 0, provider: 1 })),
        (Cancelled, &refunded[..], at(Captured, 1_000, 0), Some(OtherRefund { recorded: 400, provider: 0 })),
        (Cancelled, &refunded[..4], at(Captured, 1_000, 500), Some(OtherRefund { recorded: 0, provider: 500 })),
    ];
    for (state, steps, standing, expected) in cases {
        let found = compare_payment(&paid_booking(state), &acts(steps), &transaction(), standing.as_ref());
        assert_eq!(found, expected, "{state:?}, {steps:?}, {standing:?}");
    }
}

#[test]
fn another_payment_of_a_confirmed_booking_must_not_have_taken_money() {
    let mut booking = paid_booking(BookingState::Confirmed);
    booking.transaction = Some("txn_2".parse().unwrap());
    let standing = |status| PaymentStanding { status, amount: euros(1_000), refunded: 0 };
    let given_back = acts(&[PaymentStep::Asked, PaymentStep::VoidDue, PaymentStep::Voided]);
    let found = |status| compare_payment(&booking, &given_back, &transaction(), Some(&standing(status)));
    assert_eq!(found(PaymentStatus::Captured), Some(PaymentDifference::TakenForNothing));
    assert_eq!(found(PaymentStatus::Voided), None);
    assert_eq!(payments_of(&given_back), [transaction()]);
}
