//! What a buyer can do once the event has begun, the same on every kind of installation.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Client, PATIENCE, SaleOf, Visitor,
    edges::{hold, order, pay, status_is},
    life::{buy, come_in},
    open_sale,
};

/// How long a hold lasts, and how soon the event begins once that is settled.
const HOLD_SECONDS: u32 = 15;
const BEGINS_IN_MS: i64 = 5_000;

/// Has an event begin while seats of it are held and after others ran out, and asks for everything once more.
pub(crate) async fn event_that_has_begun(client: &Client, admin: &str) {
    let sale = SaleOf { hold_seconds: HOLD_SECONDS, extend_seconds: 30, opens_in_ms: 3_000, ..SaleOf::default() };
    let event = open_sale(client, admin, &sale).await;
    let (owner, sold) = buy(client, &event, &json!({"seats": ["A-1", "A-2"]}), "approve").await;
    let mut visitors = Vec::new();
    for _ in 0..5 {
        visitors.push(come_in(client, &event).await);
    }
    let [late, cut_off, payer, giver, newcomer] = visitors.try_into().unwrap_or_else(|_| panic!("five"));
    let ran_out = hold(&late, &json!({"seats": ["B-1"]})).await;
    let unheard = hold(&cut_off, &json!({"seats": ["E-1"]})).await;
    for (visitor, held) in [(&late, &ran_out), (&cut_off, &unheard)] {
        status_is(visitor, held, "expired").await;
    }
    let moved = json!({"startsAt": super::from_now(BEGINS_IN_MS), "reason": "The curfew is sooner."});
    client.operate(admin, Method::POST, &format!("/v1/operator/events/{event}/move"), &moved).await.expect(200);
    let kept = hold(&payer, &json!({"seats": ["C-1"]})).await;
    let given = hold(&giver, &json!({"seats": ["F-1"]})).await;
    tokio::time::sleep(Duration::from_millis(BEGINS_IN_MS.unsigned_abs() + 1_000)).await;

    // A hold that lives is paid for, or given back, and is not made longer.
    post(&payer, &kept, "extend").await.refuses(409, "event-over");
    let paid = pay(&payer, &kept, "approve").await;
    assert_eq!(payer.confirm(&kept, &paid).await.unwrap().expect(200)["status"], "confirmed");
    let path = format!("/v1/bookings/{}", given["bookingId"].as_str().unwrap());
    assert_eq!(giver.send(Method::DELETE, &path, &[], None).await.unwrap().status, 204);

    // Nothing more is held.
    newcomer.reserve("first", &json!({"seats": ["D-1"]})).await.unwrap().refuses(409, "event-over");
    newcomer.reserve("second", &json!({"bestAvailable": {"count": 2}})).await.unwrap().refuses(409, "event-over");

    // What comes late goes back, whoever tells of it, though nobody has the seats.
    let paid = order(&late, &ran_out, "k", &json!({"notices": [3_000]})).await;
    for _ in 0..2 {
        let refused = late.confirm(&ran_out, paid["transactionId"].as_str().unwrap()).await.unwrap();
        refused.refuses(409, "event-over");
        assert_eq!(refused.body["detail"], "The event has begun.");
    }
    given_back(&late, &ran_out, &json!({"notices": [3_000]})).await;
    given_back(&cut_off, &unheard, &json!({"notices": [0]})).await;
    for (visitor, held) in [(&late, &ran_out), (&cut_off, &unheard)] {
        assert_eq!(visitor.booking(held["bookingId"].as_str().unwrap()).await.expect(200)["status"], "expired");
    }

    // What was bought is neither cancelled nor given back, whatever the buyer was told before.
    for wanted in [json!({}), json!({"seats": ["A-1"]}), json!({"refundAmount": 0}), json!({"refundAmount": 9_000})] {
        let path = format!("/v1/bookings/{}/cancel", sold["bookingId"].as_str().unwrap());
        owner.send(Method::POST, &path, &[], Some(&wanted)).await.unwrap().refuses(409, "event-over");
    }
    let stands = owner.booking(sold["bookingId"].as_str().unwrap()).await.expect(200);
    assert_eq!((&stands["status"], &stands["tickets"]), (&json!("confirmed"), &sold["tickets"]));
    assert_eq!([&stands["cancellation"], &stands["refundAmount"]], [&Value::Null; 2], "nothing is offered: {stands}");
}

async fn post(visitor: &Visitor, booking: &Value, act: &str) -> super::Answer {
    let path = format!("/v1/bookings/{}/{act}", booking["bookingId"].as_str().unwrap());
    visitor.send(Method::POST, &path, &[], None).await.unwrap()
}

/// Waits until the payment for `held` is given back.
async fn given_back(visitor: &Visitor, held: &Value, wish: &Value) {
    let started = Instant::now();
    while order(visitor, held, "k", wish).await["status"] != "voided" {
        assert!(started.elapsed() < PATIENCE, "never given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
