//! The payment provider's suite: see [`crate::ports::contract`]. It makes its payments as the sandbox lets it.

use futures_util::future::join_all;

use super::{Authorisation, PaymentStatus, Payments, SandboxOutcome, SandboxPayments};
use crate::ports::contract::{booking, euros, transaction};

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

async fn status(payments: &impl Payments, number: u32) -> Option<PaymentStatus> {
    payments.status(&transaction(number)).await.expect("an answer")
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
