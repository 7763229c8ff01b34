//! Whose money it is, how much, and what may be done with it.

use booking_core::{
    money::Money,
    ports::{
        PortError,
        payments::{Authorisation, PaymentStatus, Payments as _, Refunded, SandboxOutcome, SandboxPayments as _},
    },
};

use crate::{
    stand_in::StandIn,
    support::{OnStandIn, booking, euros, refund_of, transaction},
};

async fn with_an_intent() -> (StandIn, OnStandIn) {
    let stand_in = StandIn::start();
    let payments = OnStandIn::new(&stand_in);
    payments.create(&transaction(1), euros(500), SandboxOutcome::Approve).await.unwrap();
    (stand_in, payments)
}

async fn status(payments: &OnStandIn) -> PaymentStatus {
    payments.standing(&transaction(1)).await.unwrap().unwrap().status
}

#[tokio::test]
async fn every_request_names_its_version_and_every_change_its_key() {
    let (stand_in, payments) = with_an_intent().await;
    payments.taken(2).await;
    payments.refund(&refund_of(2, 1, 100)).await.unwrap();
    payments.void(&booking(1), &transaction(1)).await.unwrap();
    let seen = stand_in.seen("");
    assert!(seen.len() > 6);
    assert!(seen.iter().all(|seen| seen.version.as_deref() == Some("2024-06-20")), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.key.is_some() == (seen.method == "POST")), "{seen:?}");
}

#[tokio::test]
async fn what_is_not_paid_yet_is_neither_approved_nor_declined() {
    let (stand_in, payments) = with_an_intent().await;
    for unpaid in ["requires_action", "requires_confirmation", "processing", "something_new"] {
        stand_in.change("pi_1", |intent| intent.status = unpaid);
        let answer = payments.authorise(&booking(1), &transaction(1), euros(500)).await;
        assert!(matches!(answer, Err(PortError::Unavailable { .. })), "{unpaid}");
        assert_eq!(status(&payments).await, PaymentStatus::Created);
    }
    stand_in.change("pi_1", |intent| intent.status = "requires_capture");
    assert_eq!(payments.authorise(&booking(1), &transaction(1), euros(500)).await.unwrap(), Authorisation::Approved);
}

#[tokio::test]
async fn what_was_declined_can_not_be_paid_with_another_card() {
    let (stand_in, payments) = with_an_intent().await;
    stand_in.change("pi_1", |intent| intent.status = "requires_payment_method");
    let answer = payments.authorise(&booking(1), &transaction(1), euros(500)).await.unwrap();
    assert!(matches!(answer, Authorisation::Declined(_)));
    assert_eq!(stand_in.intent("pi_1").status, "canceled");
}

#[tokio::test]
async fn a_payment_that_takes_the_money_at_once_is_declined() {
    let (stand_in, payments) = with_an_intent().await;
    for status in ["requires_capture", "succeeded"] {
        stand_in.change("pi_1", |intent| (intent.status, intent.capture_method) = (status, "automatic"));
        let answer = payments.authorise(&booking(1), &transaction(1), euros(500)).await.unwrap();
        assert!(matches!(answer, Authorisation::Declined(_)), "{status}");
    }
    payments.void(&booking(1), &transaction(1)).await.unwrap();
    assert_eq!(stand_in.intent("pi_1").status, "succeeded", "what was never ours is left alone");
}

#[tokio::test]
async fn a_payment_that_was_made_for_a_booking_is_for_that_booking() {
    let (stand_in, payments) = with_an_intent().await;
    stand_in.change("pi_1", |intent| drop(intent.metadata.insert("weir_booking".to_owned(), "booking_1".to_owned())));
    let other = payments.authorise(&booking(2), &transaction(1), euros(500)).await.unwrap();
    assert!(matches!(other, Authorisation::Declined(_)));
    payments.void(&booking(2), &transaction(1)).await.unwrap();
    assert_eq!(payments.authorise(&booking(1), &transaction(1), euros(500)).await.unwrap(), Authorisation::Approved);
    assert!(stand_in.seen("POST").is_empty(), "there is nothing to write");
}

#[tokio::test]
async fn a_payment_that_was_voided_before_it_was_asked_for_is_nobody_s() {
    let (_, payments) = with_an_intent().await;
    payments.void(&booking(1), &transaction(1)).await.unwrap();
    assert_eq!(status(&payments).await, PaymentStatus::Voided);
    for of in [1, 2] {
        let answer = payments.authorise(&booking(of), &transaction(1), euros(500)).await.unwrap();
        assert!(matches!(answer, Authorisation::Declined(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_currency_without_cents_is_in_its_own_units() {
    let (_, payments) = with_an_intent().await;
    let yen = Money { amount: 12_000, currency: "JPY".parse().unwrap() };
    payments.create(&transaction(2), yen, SandboxOutcome::Approve).await.unwrap();
    assert_eq!(payments.authorise(&booking(2), &transaction(2), yen).await.unwrap(), Authorisation::Approved);
    assert_eq!(payments.standing(&transaction(2)).await.unwrap().unwrap().amount, yen);
}

#[tokio::test]
async fn a_refund_that_failed_at_the_bank_is_for_a_person() {
    let (stand_in, payments) = with_an_intent().await;
    payments.taken(2).await;
    assert_eq!(payments.refund(&refund_of(2, 1, 100)).await.unwrap(), Refunded::Done);
    stand_in.fail_refunds();
    let Refunded::Refused(why) = payments.refund(&refund_of(2, 1, 100)).await.unwrap() else { panic!("refused") };
    assert!(why.contains("expired or canceled card"), "{why}");
}

#[tokio::test]
async fn a_refund_is_found_behind_a_hundred_others() {
    let (stand_in, payments) = with_an_intent().await;
    payments.taken(2).await;
    for number in 1..=102 {
        assert_eq!(payments.refund(&refund_of(2, number, 1)).await.unwrap(), Refunded::Done);
    }
    stand_in.forget_keys();
    assert_eq!(payments.refund(&refund_of(2, 1, 1)).await.unwrap(), Refunded::Done);
    assert_eq!(stand_in.refunds().len(), 102);
}
