//! Every request that Weir makes to Stripe, as the mock takes it that Stripe publishes: it knows which addresses and
//! parameters there are, and refuses the others.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeMap;

use booking_core::ports::payments::{Payments as _, Refunded, SandboxOutcome, SandboxPayments as _};

#[path = "stripe/stand_in.rs"]
mod stand_in;
#[path = "stripe/support.rs"]
mod support;

use stand_in::{Seen, StandIn};
use support::{OnStandIn, booking, euros, refund_of, transaction};

fn mock() -> String {
    std::env::var("WEIR_TEST_STRIPE_MOCK")
        .expect("start it: `scripts/servers up stripe_mock`, then `eval \"$(scripts/servers env)\"`")
}

/// The requests of every verb, one of each kind.
async fn requests() -> Vec<Seen> {
    let stand_in = StandIn::start();
    let payments = OnStandIn::new(&stand_in);
    payments.stripe.examine().await.unwrap();
    payments.taken(1).await;
    for number in 1..=101 {
        assert_eq!(payments.refund(&refund_of(1, number, 1)).await.unwrap(), Refunded::Done);
    }
    payments.create(&transaction(2), euros(500), SandboxOutcome::Approve).await.unwrap();
    payments.void(&booking(2), &transaction(2)).await.unwrap();
    payments.create(&transaction(3), euros(500), SandboxOutcome::Decline).await.unwrap();
    payments.authorise(&booking(3), &transaction(3), euros(500)).await.unwrap();
    stand_in.forget_keys();
    payments.refund(&refund_of(1, 1, 1)).await.unwrap();
    let kinds: BTreeMap<String, Seen> = stand_in.seen("").into_iter().map(|seen| (kind(&seen), seen)).collect();
    kinds.into_values().collect()
}

/// Method, address without ids, and the parameters' names.
fn kind(seen: &Seen) -> String {
    let path: Vec<&str> =
        seen.path.split('/').map(|part| if part.starts_with("pi_") { "{intent}" } else { part }).collect();
    let fields: Vec<&str> = seen.form.split('&').map(|field| field.split('=').next().unwrap_or_default()).collect();
    format!("{} {} {}", seen.method, path.join("/"), fields.join(" "))
}

async fn replayed(http: &reqwest::Client, seen: &Seen, form: &str) -> (u16, String) {
    let method: reqwest::Method = seen.method.parse().unwrap();
    let url = format!("{}{}", mock(), seen.path);
    let request = if method == reqwest::Method::GET {
        http.get(format!("{url}?{form}"))
    } else {
        let key = seen.key.as_deref().unwrap();
        let request = http.post(url).header("Idempotency-Key", key).body(form.to_owned());
        request.header("Content-Type", "application/x-www-form-urlencoded")
    };
    let version = seen.version.as_deref().unwrap();
    let answer = request.bearer_auth("sk_test_123").header("Stripe-Version", version).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn stripe_takes_every_request() {
    let requests = requests().await;
    let http = reqwest::Client::new();
    let kinds: Vec<String> = requests.iter().map(kind).collect();
    assert_eq!(kinds.len(), 8, "{kinds:#?}");
    for seen in &requests {
        let (status, body) = replayed(&http, seen, &seen.form).await;
        assert_eq!(status, 200, "{}: {body}", kind(seen));
    }
}

/// So that the test above says something.
#[tokio::test]
async fn the_mock_refuses_what_stripe_does_not_know() {
    let requests = requests().await;
    let refund = requests.iter().find(|seen| seen.path == "/v1/refunds" && seen.method == "POST").unwrap();
    let (status, body) = replayed(&reqwest::Client::new(), refund, &format!("{}&booking=1", refund.form)).await;
    assert_eq!(status, 400, "{body}");
}

/// The adapter reads the mock's own intents and refunds, which have every field that Stripe's have.
#[tokio::test]
async fn what_stripe_answers_can_be_read() {
    let stand_in = StandIn::start();
    let settings = backends::stripe::StripeSettings { api_base: mock(), ..support::settings(&stand_in) };
    let stripe = backends::stripe::StripePayments::new(settings).unwrap();
    stripe.examine().await.unwrap();
    let standing = stripe.standing(&transaction(1)).await.unwrap();
    assert!(standing.is_some());
}
