//! A sale paid through Stripe, against the built executable and a stand-in for Stripe.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;
#[path = "../../backends/tests/stripe/stand_in.rs"]
mod stand_in;

use std::time::{SystemTime, UNIX_EPOCH};

use booking_core::{money::Money, ports::payments::SandboxOutcome};
use kit::{Client, PATIENCE, SaleOf, Visitor, Weir, data, folder, open_sale, operator_key};
use ring::hmac;
use serde_json::{Value, json};
use stand_in::{Fault, KEY, StandIn};

const SECRET: &str = "whsec_test";

/// A Weir that is paid through a stand-in, and a sale.
async fn sale(folder: &tempfile::TempDir, stand_in: &StandIn) -> (Weir, Client, String) {
    let data = data(folder);
    let key = operator_key(&data, "admin");
    let settings = [
        "stores.payments=stripe:".to_owned(),
        format!("stripe.secret_key={KEY}"),
        format!("stripe.api_base={}", stand_in.base()),
        format!("stripe.webhook_secrets=whsec_next,{SECRET}"),
        "worker.settle_after_ms=1000".to_owned(),
        "worker.settle_every_ms=100".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let weir = Weir::start_with(&data, &settings);
    let client = Client::new(&weir.public);
    let event = open_sale(&client, &key, &SaleOf::default()).await;
    (weir, client, event)
}

/// A visitor who holds one seat, and the booking.
async fn held(client: &Client, event: &str) -> (Visitor, Value) {
    let mut visitor = Visitor::arrive(client, event).await.unwrap();
    visitor.join().await.unwrap().expect(201);
    visitor.come_in().await;
    let held = visitor.reserve("k1", &json!({ "bestAvailable": { "count": 1 } })).await.unwrap().expect(201);
    (visitor, held)
}

/// What the shop's server and the buyer's browser do between them.
fn paid(stand_in: &StandIn, id: &str, held: &Value, outcome: SandboxOutcome) {
    let currency = held["currency"].as_str().unwrap().parse().unwrap();
    let amount = Money { amount: held["totalAmount"].as_i64().unwrap(), currency };
    assert!(stand_in.make(id, amount, outcome));
    let booking = held["bookingId"].as_str().unwrap().to_owned();
    stand_in.change(id, |intent| drop(intent.metadata.insert("weir_booking".to_owned(), booking)));
}

/// What Stripe sends about an intent, signed with `secret`. Answers the status.
async fn event_of(weir: &Weir, intent: &str, held: &Value, secret: &str) -> u16 {
    let body = json!({
        "id": "evt_1", "object": "event", "type": "payment_intent.amount_capturable_updated",
        "data": { "object": {
            "id": intent, "object": "payment_intent", "status": "requires_capture", "amount": held["totalAmount"],
            "amount_capturable": held["totalAmount"], "currency": "eur", "capture_method": "manual",
            "metadata": { "weir_booking": held["bookingId"] }, "latest_charge": "ch_1",
        } },
    })
    .to_string();
    #[allow(clippy::disallowed_methods, reason = "Stripe has a clock of its own")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mac = hex::encode(hmac::sign(&key, format!("{now}.{body}").as_bytes()));
    let request = reqwest::Client::new().post(format!("{}/v1/payments/notices", weir.public));
    let request = request.header("Stripe-Signature", format!("t={now},v1={mac},v0=00"));
    request.header("Content-Type", "application/json").body(body).send().await.unwrap().status().as_u16()
}

async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_pays_at_stripe_and_the_money_is_taken_once() {
    let (folder, stand_in) = (folder(), StandIn::start());
    let (weir, client, event) = sale(&folder, &stand_in).await;
    let (visitor, booking) = held(&client, &event).await;
    paid(&stand_in, "pi_declined", &booking, SandboxOutcome::Decline);
    let refused = visitor.confirm(&booking, "pi_declined").await.unwrap();
    assert_eq!(refused.expect(402)["detail"], "The payment was declined: Your card was declined.");
    paid(&stand_in, "pi_good", &booking, SandboxOutcome::Approve);
    // Answers that got lost, on the way.
    stand_in.fail("/capture", [Fault::DroppedAfter]);
    let sold = visitor.confirm(&booking, "pi_good").await.unwrap().expect(200);
    assert_eq!(sold["status"], "confirmed");
    until("the money is taken", || async { stand_in.intent("pi_good").status == "succeeded" }).await;
    assert_eq!(visitor.confirm(&booking, "pi_good").await.unwrap().expect(200)["tickets"], sold["tickets"]);
    // Somebody else's payment buys nothing.
    let (other, others) = held(&client, &event).await;
    other.confirm(&others, "pi_good").await.unwrap().expect(402);
    assert_eq!(stand_in.intent("pi_good").captures, 1);
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_whose_browser_died_after_paying_gets_the_seats() {
    let (folder, stand_in) = (folder(), StandIn::start());
    let (weir, client, event) = sale(&folder, &stand_in).await;
    let (visitor, booking) = held(&client, &event).await;
    paid(&stand_in, "pi_1", &booking, SandboxOutcome::Approve);
    assert_eq!(event_of(&weir, "pi_1", &booking, "whsec_forged").await, 400);
    assert_eq!(stand_in.intent("pi_1").captures, 0);
    for _ in 0..3 {
        assert_eq!(event_of(&weir, "pi_1", &booking, SECRET).await, 200);
    }
    until("the money is taken", || async { stand_in.intent("pi_1").status == "succeeded" }).await;
    // The browser comes back and confirms, and Stripe sends it again: the same booking.
    let sold = visitor.confirm(&booking, "pi_1").await.unwrap().expect(200);
    assert_eq!(sold["status"], "confirmed");
    assert_eq!(event_of(&weir, "pi_1", &booking, SECRET).await, 200);
    assert_eq!(stand_in.intent("pi_1").captures, 1);
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_whose_capture_failed_is_settled_without_its_buyer() {
    let (folder, stand_in) = (folder(), StandIn::start());
    let (weir, client, event) = sale(&folder, &stand_in).await;
    let (visitor, booking) = held(&client, &event).await;
    paid(&stand_in, "pi_1", &booking, SandboxOutcome::Approve);
    // Longer than one errand's tries.
    stand_in.fail("/capture", vec![Fault::Refused(500, &[("stripe-should-retry", "false")]); 3]);
    visitor.confirm(&booking, "pi_1").await.unwrap().expect(200);
    until("the money is taken", || async { stand_in.intent("pi_1").status == "succeeded" }).await;
    assert_eq!(stand_in.intent("pi_1").captures, 1);
    assert_eq!(weir.terminate(), Some(0));
}
