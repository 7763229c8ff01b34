//! The payment provider's suite: see [`crate::ports::contract`]. It makes its payments as the sandbox lets it.

use futures_util::future::join_all;

use super::{
    Authorisation, PaymentStanding, PaymentStatus, Payments, Refund, Refunded, SandboxOutcome, SandboxPayments,
};
use crate::ports::contract::{booking, euros, transaction};

mod sandbox;

pub use sandbox::*;

/// Makes one test of each sentence of the payment provider's contract.
#[macro_export]
macro_rules! payments_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) payments:
            money_is_set_aside_and_then_taken
            every_verb_may_be_repeated
            a_transaction_pays_for_one_booking
            the_amount_is_what_the_provider_says
            a_declined_payment_stays_declined
            a_payment_that_never_answers_is_an_error_and_may_be_voided
            what_was_voided_is_not_taken
            another_bookings_money_is_left_alone
            an_unknown_payment_is_declined
            a_payment_is_made_once
            a_payment_may_be_authorised_without_an_answer
            what_was_taken_is_refunded_in_parts
            a_refund_is_made_once
            no_more_is_refunded_than_was_taken
            a_provider_may_refuse_a_refund
            payments_survive_a_restart
        }
    };
}

async fn create(payments: &impl SandboxPayments, number: u32, outcome: SandboxOutcome) {
    payments.create(&transaction(number), euros(500), outcome).await.expect("made");
}

async fn authorise(payments: &impl Payments, of: u32, number: u32) -> Authorisation {
    payments.authorise(&booking(of), &transaction(number), euros(500)).await.expect("an answer")
}

async fn standing(payments: &impl Payments, number: u32) -> Option<PaymentStanding> {
    payments.standing(&transaction(number)).await.expect("an answer")
}

async fn status(payments: &impl Payments, number: u32) -> Option<PaymentStatus> {
    standing(payments, number).await.map(|standing| standing.status)
}

/// A payment of 500 that was taken for the booking of the same number.
async fn taken(payments: &impl SandboxPayments, number: u32, outcome: SandboxOutcome) {
    create(payments, number, outcome).await;
    assert_eq!(authorise(payments, number, number).await, Authorisation::Approved);
    payments.capture(&booking(number), &transaction(number)).await.expect("taken");
}

fn refund_of(of: u32, number: u32, amount: i64) -> Refund {
    Refund { booking: booking(of), transaction: transaction(of), number, amount: euros(amount) }
}

async fn refund(payments: &impl Payments, of: u32, number: u32, amount: i64) -> Refunded {
    payments.refund(&refund_of(of, number, amount)).await.expect("an answer")
}

/// Authorise, then capture.
pub async fn money_is_set_aside_and_then_taken<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Created));
    assert_eq!(authorise(&payments, 1, 1).await, Authorisation::Approved);
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Authorised));
    payments.capture(&booking(1), &transaction(1)).await.expect("taken");
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Captured));
}

/// "Every verb is idempotent by booking id."
pub async fn every_verb_may_be_repeated<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    let answers = join_all((0..20).map(|_| authorise(&payments, 1, 1))).await;
    assert!(answers.iter().all(|answer| *answer == Authorisation::Approved));
    for _ in 0..2 {
        payments.capture(&booking(1), &transaction(1)).await.expect("taken");
        assert_eq!(authorise(&payments, 1, 1).await, Authorisation::Approved);
        assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Captured), "taken once, and still");
    }
    create(&payments, 2, SandboxOutcome::Approve).await;
    authorise(&payments, 2, 2).await;
    for _ in 0..2 {
        payments.void(&booking(2), &transaction(2)).await.expect("given back");
        assert_eq!(status(&payments, 2).await, Some(PaymentStatus::Voided));
    }
}

/// "A transaction pays for one booking", with many asking at once.
pub async fn a_transaction_pays_for_one_booking<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    let answers = join_all((0..20).map(|of| authorise(&payments, of, 1))).await;
    let approved = answers.iter().filter(|answer| **answer == Authorisation::Approved).count();
    assert_eq!(approved, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| !matches!(answer, Authorisation::AmountMismatch(_))));
}

/// "The amount and the currency are what the provider says, never what the client says."
pub async fn the_amount_is_what_the_provider_says<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    let dollars = crate::money::Money { currency: "USD".parse().expect("three capital letters"), ..euros(500) };
    for due in [euros(499), euros(501), dollars] {
        let answer = payments.authorise(&booking(1), &transaction(1), due).await.expect("an answer");
        assert_eq!(answer, Authorisation::AmountMismatch(euros(500)));
    }
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Created), "nothing is set aside");
    assert_eq!(authorise(&payments, 2, 1).await, Authorisation::Approved, "nor is it bound to a booking");
}

/// For a reason that the buyer may read.
pub async fn a_declined_payment_stays_declined<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Decline).await;
    for _ in 0..2 {
        let Authorisation::Declined(reason) = authorise(&payments, 1, 1).await else { panic!("declined") };
        assert!(!reason.is_empty());
        assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Declined));
    }
    assert!(payments.capture(&booking(1), &transaction(1)).await.is_err(), "there is nothing to take");
    payments.void(&booking(1), &transaction(1)).await.expect("nothing to give back");
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Declined));
}

/// "An error means that the outcome is unknown: repeat, or void."
pub async fn a_payment_that_never_answers_is_an_error_and_may_be_voided<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Timeout).await;
    for _ in 0..2 {
        assert!(payments.authorise(&booking(1), &transaction(1), euros(500)).await.is_err());
    }
    payments.void(&booking(1), &transaction(1)).await.expect("given back");
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Voided));
    assert!(matches!(authorise(&payments, 1, 1).await, Authorisation::Declined(_)));
}

/// Money given back is gone: invariant 9 has no way from a void to a booking.
pub async fn what_was_voided_is_not_taken<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    assert!(payments.capture(&booking(1), &transaction(1)).await.is_err(), "nothing is set aside yet");
    authorise(&payments, 1, 1).await;
    payments.void(&booking(1), &transaction(1)).await.expect("given back");
    assert!(payments.capture(&booking(1), &transaction(1)).await.is_err(), "invariant 9");
    assert!(matches!(authorise(&payments, 1, 1).await, Authorisation::Declined(_)), "a transaction pays once");
    create(&payments, 2, SandboxOutcome::Approve).await;
    authorise(&payments, 2, 2).await;
    payments.capture(&booking(2), &transaction(2)).await.expect("taken");
    assert!(payments.void(&booking(2), &transaction(2)).await.is_err(), "what was taken is refunded, not voided");
    assert_eq!(status(&payments, 2).await, Some(PaymentStatus::Captured));
}

/// A booking's void or capture reaches only what was set aside for it.
pub async fn another_bookings_money_is_left_alone<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    authorise(&payments, 1, 1).await;
    payments.void(&booking(2), &transaction(1)).await.expect("nothing of its own to give back");
    assert!(payments.capture(&booking(2), &transaction(1)).await.is_err());
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Authorised));
}

/// A transaction that the provider does not know pays for nothing.
pub async fn an_unknown_payment_is_declined<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    assert_eq!(status(&payments, 1).await, None);
    assert!(matches!(authorise(&payments, 1, 1).await, Authorisation::Declined(_)));
    payments.void(&booking(1), &transaction(1)).await.expect("nothing to give back");
    assert!(payments.capture(&booking(1), &transaction(1)).await.is_err());
    assert_eq!(status(&payments, 1).await, None);
}

/// "The same id again with the same content is one"; with other content it is refused.
pub async fn a_payment_is_made_once<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    authorise(&payments, 1, 1).await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Authorised), "not begun anew");
    assert!(payments.create(&transaction(1), euros(501), SandboxOutcome::Approve).await.is_err());
    assert!(payments.create(&transaction(1), euros(500), SandboxOutcome::Decline).await.is_err());
}

/// "An error means that the outcome is unknown": the money may be set aside all the same.
pub async fn a_payment_may_be_authorised_without_an_answer<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::TimeoutAuthorised).await;
    assert!(payments.authorise(&booking(1), &transaction(1), euros(500)).await.is_err());
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Authorised));
    assert_eq!(authorise(&payments, 1, 1).await, Authorisation::Approved, "whoever repeats learns it");
    payments.capture(&booking(1), &transaction(1)).await.expect("taken");
    create(&payments, 2, SandboxOutcome::TimeoutAuthorised).await;
    assert!(payments.authorise(&booking(2), &transaction(2), euros(500)).await.is_err());
    payments.void(&booking(2), &transaction(2)).await.expect("given back");
    assert_eq!(status(&payments, 2).await, Some(PaymentStatus::Voided));
}

/// What was captured is refunded, whole or in parts; and it stays captured.
pub async fn what_was_taken_is_refunded_in_parts<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    taken(&payments, 1, SandboxOutcome::Approve).await;
    for (number, amount, refunded) in [(1, 200, 200), (4, 299, 499), (5, 1, 500)] {
        assert_eq!(refund(&payments, 1, number, amount).await, Refunded::Done);
        let expected = PaymentStanding { status: PaymentStatus::Captured, amount: euros(500), refunded };
        assert_eq!(standing(&payments, 1).await, Some(expected));
    }
}

/// "Every verb is idempotent by booking id, a refund by its number beside that", with many asking at once and after a
/// restart.
pub async fn a_refund_is_made_once<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    taken(&payments, 1, SandboxOutcome::Approve).await;
    let answers = join_all((0..20).map(|_| refund(&payments, 1, 1, 300))).await;
    assert!(answers.iter().all(|answer| *answer == Refunded::Done), "{answers:?}");
    drop(payments);
    let payments = open().await;
    assert_eq!(refund(&payments, 1, 1, 300).await, Refunded::Done);
    assert_eq!(standing(&payments, 1).await.map(|standing| standing.refunded), Some(300));
    assert!(payments.refund(&refund_of(1, 1, 100)).await.is_err(), "the number is another refund's");
    assert_eq!(standing(&payments, 1).await.map(|standing| standing.refunded), Some(300));
}

/// "Refunds never add up to more than was captured"; and what was not captured for the booking is not refunded.
pub async fn no_more_is_refunded_than_was_taken<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    taken(&payments, 1, SandboxOutcome::Approve).await;
    let refused = async |of, number, amount| {
        let answer = refund(&payments, of, number, amount).await;
        assert!(matches!(&answer, Refunded::Refused(why) if !why.is_empty()), "{answer:?}");
    };
    refused(1, 1, 501).await;
    assert_eq!(refund(&payments, 1, 2, 300).await, Refunded::Done);
    refused(1, 3, 201).await;
    // Asked for at once, what is left goes to one of them.
    let answers = join_all((4..8).map(|number| refund(&payments, 1, number, 150))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Refunded::Done).count(), 1, "{answers:?}");
    assert_eq!(standing(&payments, 1).await.map(|standing| standing.refunded), Some(450));
    create(&payments, 2, SandboxOutcome::Approve).await;
    refused(2, 1, 100).await;
    authorise(&payments, 2, 2).await;
    refused(2, 1, 100).await;
    let of_another = Refund { booking: booking(3), ..refund_of(1, 1, 10) };
    assert!(matches!(payments.refund(&of_another).await, Ok(Refunded::Refused(_))));
    refused(9, 1, 100).await;
}

/// "It can't be given back this way": what was taken stays taken.
pub async fn a_provider_may_refuse_a_refund<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    taken(&payments, 1, SandboxOutcome::RefuseRefund).await;
    for _ in 0..2 {
        assert!(matches!(refund(&payments, 1, 1, 100).await, Refunded::Refused(why) if !why.is_empty()));
        let expected = PaymentStanding { status: PaymentStatus::Captured, amount: euros(500), refunded: 0 };
        assert_eq!(standing(&payments, 1).await, Some(expected));
    }
}

/// What stands at a provider does not depend on us.
pub async fn payments_survive_a_restart<P: SandboxPayments>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    create(&payments, 1, SandboxOutcome::Approve).await;
    create(&payments, 2, SandboxOutcome::Approve).await;
    authorise(&payments, 1, 1).await;
    drop(payments);
    let payments = open().await;
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Authorised));
    assert_eq!(status(&payments, 2).await, Some(PaymentStatus::Created));
    payments.capture(&booking(1), &transaction(1)).await.expect("taken");
    assert!(matches!(authorise(&payments, 2, 1).await, Authorisation::Declined(_)), "still of one booking");
}
