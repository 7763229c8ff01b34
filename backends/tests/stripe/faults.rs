//! Lost answers, refusals for now, and what is too much: tried again, but never without end, and never done twice.

use std::time::{Duration, Instant};

use backends::{Secret, stripe::StripeSettings};
use booking_core::ports::{
    PortError,
    payments::{Authorisation, Payments as _, Refunded, SandboxOutcome, SandboxPayments as _},
};

use crate::{
    stand_in::{Fault, StandIn},
    support::{OnStandIn, booking, euros, refund_of, settings, transaction},
};

async fn with_an_intent() -> (StandIn, OnStandIn) {
    let stand_in = StandIn::start();
    let payments = OnStandIn::new(&stand_in);
    payments.create(&transaction(1), euros(500), SandboxOutcome::Approve).await.unwrap();
    (stand_in, payments)
}

async fn authorise(payments: &OnStandIn) -> Result<Authorisation, PortError> {
    payments.authorise(&booking(1), &transaction(1), euros(500)).await
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again() {
    let (stand_in, payments) = with_an_intent().await;
    stand_in.fail(
        "GET /v1/payment_intents/",
        [Fault::Refused(500, &[]), Fault::Refused(429, &[]), Fault::Refused(409, &[]), Fault::DroppedBefore],
    );
    assert_eq!(authorise(&payments).await.unwrap(), Authorisation::Approved);
    assert_eq!(stand_in.seen("GET /v1/payment_intents/pi_1").len(), 5);
}

#[tokio::test]
async fn the_tries_have_an_end_and_the_outcome_is_unknown_then() {
    let (stand_in, payments) = with_an_intent().await;
    stand_in.fail("GET /v1/payment_intents/", vec![Fault::Refused(503, &[]); 100]);
    let error = authorise(&payments).await.unwrap_err();
    assert!(matches!(&error, PortError::Unavailable { .. }), "{error}");
    assert_eq!(stand_in.seen("GET").len(), 8);
}

#[tokio::test]
async fn stripe_says_itself_whether_another_try_helps() {
    let (stand_in, payments) = with_an_intent().await;
    stand_in.fail("GET", [Fault::Refused(500, &[("stripe-should-retry", "false")])]);
    assert!(authorise(&payments).await.is_err());
    assert_eq!(stand_in.seen("GET").len(), 1);
    stand_in.fail("GET", [Fault::Refused(400, &[("stripe-should-retry", "true")])]);
    assert_eq!(authorise(&payments).await.unwrap(), Authorisation::Approved);
}

#[tokio::test]
async fn a_verb_ends_in_time_whatever_stripe_does() {
    let (stand_in, _) = with_an_intent().await;
    let hasty = StripeSettings {
        try_timeout: Duration::from_millis(100),
        give_up_after: Duration::from_millis(300),
        ..settings(&stand_in)
    };
    let payments = OnStandIn::with(&stand_in, hasty);
    stand_in.fail("GET", vec![Fault::HangsAfter; 100]);
    let began = Instant::now();
    assert!(matches!(authorise(&payments).await, Err(PortError::Unavailable { .. })));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(stand_in.seen("GET").len() <= 4);
}

#[tokio::test]
async fn no_more_is_asked_at_once_than_is_set() {
    let (stand_in, _) = with_an_intent().await;
    let payments = OnStandIn::with(&stand_in, StripeSettings { in_flight: 2, tries: 10, ..settings(&stand_in) });
    let answers = futures_util::future::join_all((0..20).map(|_| authorise(&payments))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == Authorisation::Approved));
    assert!((1..=2).contains(&stand_in.most_under_way()), "{}", stand_in.most_under_way());
}

#[tokio::test]
async fn a_refund_whose_answer_got_lost_is_made_once() {
    let (stand_in, _) = with_an_intent().await;
    let payments =
        OnStandIn::with(&stand_in, StripeSettings { try_timeout: Duration::from_millis(500), ..settings(&stand_in) });
    payments.taken(1).await;
    stand_in.fail("POST /v1/refunds", [Fault::DroppedAfter, Fault::HangsAfter, Fault::DroppedAfter]);
    assert_eq!(payments.refund(&refund_of(1, 1, 200)).await.unwrap(), Refunded::Done);
    let keys: Vec<_> = stand_in.seen("POST /v1/refunds").into_iter().map(|seen| seen.key).collect();
    assert_eq!(keys, vec![Some("weir-refund-booking_1-1".to_owned()); 4]);
    assert_eq!(stand_in.refunds(), [200]);
}

#[tokio::test]
async fn a_refund_is_made_once_though_its_key_is_forgotten() {
    let (stand_in, payments) = with_an_intent().await;
    payments.taken(1).await;
    stand_in.fail("POST /v1/refunds", vec![Fault::DroppedAfter; 8]);
    assert!(matches!(payments.refund(&refund_of(1, 1, 200)).await, Err(PortError::Unavailable { .. })));
    stand_in.forget_keys();
    assert_eq!(payments.refund(&refund_of(1, 1, 200)).await.unwrap(), Refunded::Done);
    assert_eq!(stand_in.refunds(), [200]);
    // Stripe keeps a failure as an answer, too: an error until the key is forgotten, and no second refund after that.
    stand_in.fail("POST /v1/refunds", [Fault::Broken]);
    assert!(matches!(payments.refund(&refund_of(1, 2, 100)).await, Err(PortError::Unavailable { .. })));
    stand_in.forget_keys();
    assert_eq!(payments.refund(&refund_of(1, 2, 100)).await.unwrap(), Refunded::Done);
    assert_eq!(stand_in.refunds(), [200, 100]);
}

#[tokio::test]
async fn a_capture_whose_answer_got_lost_takes_the_money_once() {
    let (stand_in, payments) = with_an_intent().await;
    assert_eq!(authorise(&payments).await.unwrap(), Authorisation::Approved);
    stand_in.fail("/capture", [Fault::DroppedAfter, Fault::DroppedAfter]);
    payments.capture(&booking(1), &transaction(1)).await.unwrap();
    stand_in.forget_keys();
    payments.capture(&booking(1), &transaction(1)).await.unwrap();
    assert_eq!(stand_in.intent("pi_1").captures, 1);
}

#[tokio::test]
async fn a_capture_that_stripe_keeps_as_failed_can_be_asked_for_again() {
    let (stand_in, payments) = with_an_intent().await;
    authorise(&payments).await.unwrap();
    stand_in.fail("/capture", [Fault::Broken]);
    assert!(matches!(payments.capture(&booking(1), &transaction(1)).await, Err(PortError::Unavailable { .. })));
    payments.capture(&booking(1), &transaction(1)).await.unwrap();
    assert_eq!(stand_in.intent("pi_1").captures, 1);
}

#[tokio::test]
async fn a_payment_stays_of_one_booking_when_its_key_is_forgotten() {
    let (stand_in, payments) = with_an_intent().await;
    authorise(&payments).await.unwrap();
    stand_in.forget_keys();
    let other = payments.authorise(&booking(2), &transaction(1), euros(500)).await.unwrap();
    assert!(matches!(other, Authorisation::Declined(_)), "{other:?}");
    assert_eq!(stand_in.intent("pi_1").metadata["weir_booking"], "booking_1");
}

#[tokio::test]
async fn what_a_key_was_answered_before_is_not_taken_for_how_things_stand() {
    let (stand_in, payments) = with_an_intent().await;
    authorise(&payments).await.unwrap();
    payments.void(&booking(1), &transaction(1)).await.unwrap();
    // One who looked before all that, and goes on only now.
    stand_in.fail(
        "GET",
        [Fault::Says(
            r#"{"status":"requires_capture","amount":500,"amount_capturable":500,"currency":"eur","capture_method":"manual"}"#,
        )],
    );
    let answer = authorise(&payments).await.unwrap();
    assert!(matches!(answer, Authorisation::Declined(_)), "{answer:?}");
}

#[tokio::test]
async fn answers_that_can_t_be_read_are_errors() {
    let (stand_in, payments) = with_an_intent().await;
    payments.taken(2).await;
    for says in
        ["", "<html>", "{}", "[]", "null", r#"{"status":[]}"#, r#"{"status":"succeeded","amount":"1","currency":7}"#]
    {
        stand_in.fail("GET /v1/payment_intents/pi_1", [Fault::Says(says)]);
        assert!(matches!(authorise(&payments).await, Err(PortError::Damaged { .. })), "{says}");
        stand_in.fail("GET /v1/refunds", [Fault::Says(says)]);
        assert!(matches!(payments.refund(&refund_of(2, 1, 1)).await, Err(PortError::Damaged { .. })), "{says}");
    }
    assert_eq!(stand_in.refunds(), [0_i64; 0]);
}

#[tokio::test]
async fn a_key_that_stripe_refuses_is_not_told() {
    let (stand_in, _) = with_an_intent().await;
    let settings = StripeSettings { secret_key: Secret::new("sk_test_wrong"), ..settings(&stand_in) };
    let payments = OnStandIn::with(&stand_in, settings);
    let error = authorise(&payments).await.unwrap_err();
    assert!(matches!(&error, PortError::Unavailable { reason, .. } if reason.contains("secret key")), "{error}");
    for text in [error.to_string(), format!("{error:?}"), format!("{:?}", payments.stripe)] {
        assert!(!text.contains("wrong"), "{text}");
    }
    assert!(payments.stripe.examine().await.is_err());
    OnStandIn::new(&stand_in).stripe.examine().await.unwrap();
}
