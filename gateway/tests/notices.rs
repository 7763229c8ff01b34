//! What the payment provider tells unasked.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "support/buying.rs"]
mod buying;
mod support;
#[path = "support/workers.rs"]
mod workers;

use std::time::Duration;

use booking_core::{
    message::{self, BookingAct, BookingCommand},
    ports::{
        log::{Log as _, Topic},
        payments::{PaymentStatus, Payments as _},
    },
};
use buying::{admitted, booking, confirm, pay, reserve, sale};
use gateway::Settings;
use serde_json::{Value, json};
use support::{Guest, World, read, roomy, slug, text, until};

async fn notice(world: &World, signature: &str, body: &Value) -> (u16, Value) {
    let request = world.post("/v1/payments/notices").header("Notice-Signature", signature).json(body);
    read(request.send().await.unwrap()).await
}

fn paid_for(booking: &str, transaction: &str, amount: i64) -> Value {
    json!({ "booking": booking, "transaction": transaction, "amount": amount })
}

/// A guest who holds one seat, and the booking.
async fn held(world: &World, event: &str, seat: &str) -> (Guest, String) {
    let buyer = admitted(world, event).await;
    let (status, held) = reserve(world, &buyer, "k1", json!({ "eventId": event, "seats": [seat] })).await;
    assert_eq!(status, 201, "{held}");
    (buyer.0, text(&held["bookingId"]))
}

async fn status(world: &World, guest: &Guest, id: &str) -> String {
    text(&booking(world, guest, id).await.1["status"])
}

/// What of it is in the log for the workers.
async fn passed_on(world: &World) -> Vec<BookingCommand> {
    let mut commands = Vec::new();
    for lane in 0..world.log.lanes(&Topic::Bookings).await.unwrap() {
        let entries = world.log.read(&Topic::Bookings, lane, 0, 1_000, Duration::ZERO).await.unwrap();
        commands.extend(entries.iter().map(|entry| message::decode::<BookingCommand>(&entry.payload).unwrap()));
    }
    commands.retain(|command| matches!(command.act, BookingAct::Paid { .. }));
    commands
}

#[tokio::test]
async fn a_buyer_who_was_cut_off_after_paying_gets_the_seats() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (guest, id) = held(&world, &event, "A-1").await;
    let paid = pay(&world, 2_500, "approve").await;
    assert_eq!(notice(&world, "good", &paid_for(&id, &paid, 2_500)).await, (200, Value::Null));
    until("confirmed", || async { status(&world, &guest, &id).await == "confirmed" }).await;
    let commands = passed_on(&world).await;
    assert_eq!(commands[0].user.as_str(), guest.user);
    let left = commands[0].deadline.millis_since(world.now());
    assert!(left > 1_800_000, "workers that are away for a while still find it: {left} ms");
}

#[tokio::test]
async fn a_notice_before_and_after_and_beside_the_buyers_own_word_is_one_booking() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (guest, id) = held(&world, &event, "A-1").await;
    let paid = pay(&world, 2_500, "approve").await;
    let told = paid_for(&id, &paid, 2_500);
    let (first, own, second) = tokio::join!(
        notice(&world, "good", &told),
        confirm(&world, &guest, &id, &paid, 2_500),
        notice(&world, "good", &told),
    );
    assert_eq!((first.0, own.0, second.0), (200, 200, 200));
    assert_eq!(notice(&world, "good", &told).await.0, 200);
    let (_, shown) = booking(&world, &guest, &id).await;
    assert_eq!(shown["tickets"], own.1["tickets"]);
    let standing = async || world.payments.standing(&paid.parse().unwrap()).await.unwrap().unwrap().status;
    until("taken", || async { standing().await == PaymentStatus::Captured }).await;
    let commands = passed_on(&world).await.len();
    assert_eq!(notice(&world, "good", &told).await.0, 200);
    assert_eq!(passed_on(&world).await.len(), commands, "what is confirmed is not asked for again");
}

#[tokio::test]
async fn what_the_provider_did_not_sign_does_nothing() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (guest, id) = held(&world, &event, "A-1").await;
    let paid = pay(&world, 2_500, "approve").await;
    for signature in ["forged", "", "old"] {
        let (status, body) = notice(&world, signature, &paid_for(&id, &paid, 2_500)).await;
        assert_eq!((status, slug(&body)), (400, "invalid-request"), "{signature}");
    }
    let unsigned = world.post("/v1/payments/notices").json(&paid_for(&id, &paid, 2_500)).send().await.unwrap();
    assert_eq!(unsigned.headers()["content-type"], "application/problem+json");
    assert_eq!(unsigned.status(), 400);
    assert_eq!(notice(&world, "good", &json!("é".repeat(50_000))).await.0, 413);
    assert!(passed_on(&world).await.is_empty());
    assert_eq!(status(&world, &guest, &id).await, "reserved");
}

#[tokio::test]
async fn what_is_of_no_interest_is_taken_note_of_and_no_more() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (guest, id) = held(&world, &event, "A-1").await;
    let paid = pay(&world, 2_500, "approve").await;
    for told in [json!({ "something": "else" }), paid_for("booking_none", &paid, 2_500)] {
        assert_eq!(notice(&world, "good", &told).await.0, 200, "{told}");
    }
    assert!(passed_on(&world).await.is_empty());
    assert_eq!(confirm(&world, &guest, &id, &paid, 2_500).await.0, 200);
}

#[tokio::test]
async fn money_for_what_can_not_be_had_any_more_or_of_another_amount_goes_back() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (guest, id) = held(&world, &event, "A-1").await;
    let standing = async |paid: &str| world.payments.standing(&paid.parse().unwrap()).await.unwrap().unwrap().status;
    let given_back = async |paid: &str, amount: i64| {
        for _ in 0..2 {
            assert_eq!(notice(&world, "good", &paid_for(&id, paid, amount)).await.0, 200);
        }
        until("given back", || async { standing(paid).await == PaymentStatus::Voided }).await;
    };
    given_back(&pay(&world, 2_000, "approve").await, 2_000).await;
    let bought = pay(&world, 2_500, "approve").await;
    assert_eq!(confirm(&world, &guest, &id, &bought, 2_500).await.0, 200, "another amount has not hurt the hold");
    given_back(&pay(&world, 2_500, "approve").await, 2_500).await;
    until("taken", || async { standing(&bought).await == PaymentStatus::Captured }).await;
    let cancel = world.post(&format!("/v1/bookings/{id}/cancel")).bearer_auth(&guest.token).send().await.unwrap();
    assert_eq!(cancel.status(), 200);
    given_back(&pay(&world, 2_500, "approve").await, 2_500).await;
    assert_eq!(notice(&world, "good", &paid_for(&id, &bought, 2_500)).await.0, 200);
    assert_eq!(standing(&bought).await, PaymentStatus::Captured, "what was bought with it is refunded by its policy");

    let (guest, id) = held(&world, &event, "A-2").await;
    let path = format!("/v1/bookings/{id}");
    let given = world.request(reqwest::Method::DELETE, &path).bearer_auth(&guest.token).send().await.unwrap();
    assert_eq!(given.status(), 204);
    let late = pay(&world, 2_500, "approve").await;
    assert_eq!(notice(&world, "good", &paid_for(&id, &late, 2_500)).await.0, 200);
    until("given back", || async { standing(&late).await == PaymentStatus::Voided }).await;
}

#[tokio::test]
async fn the_provider_is_not_held_to_a_visitors_rate_and_forgers_are() {
    let world = World::with(Settings { address_requests_per_minute: 5, ..roomy() }).await;
    for _ in 0..50 {
        assert_eq!(notice(&world, "good", &json!({})).await.0, 200);
    }
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(notice(&world, "forged", &json!({})).await.0);
    }
    assert_eq!(answers[0], 400);
    assert_eq!(answers.last(), Some(&429));
    assert_eq!(notice(&world, "good", &json!({})).await.0, 200);
}

#[tokio::test]
async fn where_no_provider_sends_notices_there_is_nothing() {
    let world = World::with_notices(Settings { sandbox: false, ..roomy() }, None).await;
    let (status, body) = notice(&world, "good", &json!({})).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
}

#[tokio::test]
async fn the_sandbox_tells_as_a_provider_would_and_takes_its_time_when_asked_to() {
    let world = World::with_notices(roomy(), None).await;
    let event = sale(&world).await;
    let (guest, id) = held(&world, &event, "A-1").await;
    let order = async |key: &str, change: Value| {
        let mut body = json!({ "amount": 2_500, "currency": "EUR", "bookingId": id, "notices": [0] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let request = world.post("/v1/sandbox/payments").header("Idempotency-Key", key).json(&body);
        read(request.send().await.unwrap()).await
    };
    for (key, wrong) in [
        ("late", json!({ "notices": [600_001] })),
        ("many", json!({ "notices": [0, 0, 0, 0, 0] })),
        ("of what", json!({ "bookingId": null })),
        ("what for", json!({ "notices": [] })),
        ("slow", json!({ "delayMs": 60_001 })),
    ] {
        let (status, body) = order(key, wrong).await;
        assert_eq!((status, slug(&body)), (400, "invalid-request"), "{key}");
    }
    // Another amount than is due: it goes back, and nothing else happens.
    assert_eq!(order("short", json!({ "amount": 2_400 })).await.0, 201);
    until("given back", || async { order("short", json!({ "amount": 2_400 })).await.1["status"] == "voided" }).await;
    assert_eq!(status(&world, &guest, &id).await, "reserved");
    // The notice is there long before the answer, and comes again after it.
    let wish = json!({ "delayMs": 1_500, "notices": [0, 100, 2_500] });
    let (made, paid) = order("good", wish.clone()).await;
    assert_eq!(made, 201, "{paid}");
    let begun = std::time::Instant::now();
    until("confirmed", || async { status(&world, &guest, &id).await == "confirmed" }).await;
    assert!(begun.elapsed() > Duration::from_millis(1_200), "{:?}", begun.elapsed());
    let (_, shown) = booking(&world, &guest, &id).await;
    let (made, sold) = confirm(&world, &guest, &id, &text(&paid["transactionId"]), 2_500).await;
    assert_eq!((made, &sold["tickets"]), (200, &shown["tickets"]));
    until("taken", || async { order("good", wish.clone()).await.1["status"] == "captured" }).await;
    let forged = world.post("/v1/payments/notices").header("Sandbox-Signature", "t=1777629600,v1=00").json(&json!({}));
    let (made, body) = read(forged.send().await.unwrap()).await;
    assert_eq!((made, slug(&body)), (400, "invalid-request"));
}
