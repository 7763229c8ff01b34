//! What happens to a booking at the edges of its life, the same on every kind of installation.

use std::time::{Duration, Instant};

use futures_util::{
    FutureExt as _,
    future::{LocalBoxFuture, join_all},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, PATIENCE, SaleOf, Visitor, life::come_in, open_sale};

/// How long a hold of this sale lasts, and by how much it is extended.
const HOLD_SECONDS: u32 = 10;
const EXTEND_SECONDS: u32 = 30;

/// All of it in one sale, side by side. Answers whoever holds seats at the end, and the booking, extended.
pub(crate) async fn edges_of_a_booking(client: &Client, admin: &str) -> (Visitor, Value) {
    let sale = SaleOf { hold_seconds: HOLD_SECONDS, extend_seconds: EXTEND_SECONDS, ..SaleOf::default() };
    let event = open_sale(client, admin, &sale).await;
    let event = event.as_str();
    let edges: Vec<LocalBoxFuture<'_, ()>> = vec![
        a_hold_is_extended_once(client, event).boxed_local(),
        a_late_payment_buys_what_is_free_and_goes_back_for_what_is_not(client, event).boxed_local(),
        a_payment_is_declined_and_another_pays(client, event).boxed_local(),
        a_provider_that_charges_without_an_answer_is_asked_again(client, event).boxed_local(),
        two_confirmations_at_once_are_one_booking(client, event).boxed_local(),
        two_payments_at_once_take_the_money_once(client, event).boxed_local(),
        a_cancellation_while_the_money_is_taken_gives_it_back(client, event).boxed_local(),
        a_payment_and_a_release_at_once_end_in_one_of_the_two(client, event).boxed_local(),
        a_notice_comes_before_the_answer_and_again_after_it(client, event).boxed_local(),
        a_buyer_who_is_cut_off_after_paying_gets_the_seats(client, event).boxed_local(),
        money_told_for_what_can_not_be_had_goes_back(client, event).boxed_local(),
        what_nobody_signed_does_nothing(client).boxed_local(),
    ];
    join_all(edges).await;
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["H-9", "H-10"]})).await;
    let path = format!("/v1/bookings/{}/extend", held["bookingId"].as_str().unwrap());
    let extended = visitor.send(Method::POST, &path, &[], None).await.unwrap().expect(200);
    (visitor, extended)
}

/// Asks for the same again when every process has died and others have taken over: it is the same booking, as it was.
pub(crate) async fn the_same_after_a_crash(client: &Client, (mut visitor, held): (Visitor, Value)) {
    visitor.at(client);
    let again = hold(&visitor, &json!({"seats": ["H-9", "H-10"]})).await;
    assert_eq!((&again["bookingId"], &again["expiresAt"]), (&held["bookingId"], &held["expiresAt"]), "invariant 3");
    let other = visitor.reserve("first", &json!({"seats": ["H-11"]})).await.unwrap();
    other.refuses(422, "idempotency-key-reused");
    let paid = pay(&visitor, &held, "approve").await;
    assert_eq!(visitor.confirm(&held, &paid).await.unwrap().expect(200)["status"], "confirmed");
}

async fn a_hold_is_extended_once(client: &Client, event: &str) {
    let (visitor, rival) = tokio::join!(come_in(client, event), come_in(client, event));
    let wanted = json!({"seats": ["A-1", "A-2"]});
    let held = hold(&visitor, &wanted).await;
    assert_eq!(held["extendableBySeconds"], EXTEND_SECONDS, "{held}");
    let path = format!("/v1/bookings/{}/extend", held["bookingId"].as_str().unwrap());
    let extend = async || visitor.send(Method::POST, &path, &[], None).await.unwrap();
    rival.send(Method::POST, &path, &[], None).await.unwrap().refuses(404, "not-found");
    let (one, other) = tokio::join!(extend(), extend());
    let (extended, same) = (one.expect(200), other.expect(200));
    assert_eq!(extended, same, "twice is once");
    let until = |shown: &Value| shown["expiresAt"].as_str().unwrap().parse::<booking_core::time::Timestamp>().unwrap();
    assert_eq!(until(&extended).millis_since(until(&held)), i64::from(EXTEND_SECONDS) * 1_000);
    // Past its first deadline, and past what the hold table adds to it.
    tokio::time::sleep(Duration::from_secs(u64::from(HOLD_SECONDS) + 2)).await;
    let mut refused = rival.reserve("k", &wanted).await.unwrap();
    while refused.status == 202 {
        refused = rival.reserve("k", &wanted).await.unwrap();
    }
    refused.refuses(409, "seats-unavailable");
    assert_eq!(extend().await.expect(200), extended);
    let paid = pay(&visitor, &held, "approve").await;
    visitor.confirm(&held, &paid).await.unwrap().expect(200);
    extend().await.refuses(409, "not-reserved");
}

async fn a_late_payment_buys_what_is_free_and_goes_back_for_what_is_not(client: &Client, event: &str) {
    let (early, late, third) = tokio::join!(come_in(client, event), come_in(client, event), come_in(client, event));
    let free = hold(&early, &json!({"seats": ["B-1", "B-2"]})).await;
    let sold = hold(&late, &json!({"seats": ["B-5", "B-6"]})).await;
    for (visitor, booking) in [(&early, &free), (&late, &sold)] {
        status_is(visitor, booking, "expired").await;
        let path = format!("/v1/bookings/{}/extend", booking["bookingId"].as_str().unwrap());
        visitor.send(Method::POST, &path, &[], None).await.unwrap().refuses(409, "hold-expired");
    }
    // The hold table lets go a little later than the ledger.
    let (started, mut tries) = (Instant::now(), 0);
    let taken = loop {
        let again = third.reserve(&format!("k{tries}"), &json!({"seats": ["B-5", "B-6"]})).await.unwrap();
        match again.status.as_u16() {
            201 => break again.body,
            202 => {}
            _ => {
                again.refuses(409, "seats-unavailable");
                tries += 1;
            }
        }
        assert!(started.elapsed() < PATIENCE, "never free");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(taken["status"], "reserved", "{taken}");
    let paid = pay(&late, &sold, "approve").await;
    late.confirm(&sold, &paid).await.unwrap().refuses(409, "hold-expired");
    // Money that went back pays for nothing, not even for seats that are free again.
    let release = format!("/v1/bookings/{}", taken["bookingId"].as_str().unwrap());
    assert_eq!(third.send(Method::DELETE, &release, &[], None).await.unwrap().status, 204);
    late.confirm(&sold, &paid).await.unwrap().refuses(409, "hold-expired");
    let paid = pay(&early, &free, "approve").await;
    assert_eq!(early.confirm(&free, &paid).await.unwrap().expect(200)["status"], "confirmed");
}

async fn a_payment_is_declined_and_another_pays(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["C-1", "C-2"]})).await;
    let declined = pay(&visitor, &held, "decline").await;
    for _ in 0..2 {
        visitor.confirm(&held, &declined).await.unwrap().refuses(402, "payment-declined");
    }
    let short = visitor.pay(&json!(4_500), &held["currency"], "approve").await.unwrap();
    visitor.confirm(&held, &short).await.unwrap().refuses(422, "amount-mismatch");
    let paid = pay(&visitor, &held, "approve").await;
    let sold = visitor.confirm(&held, &paid).await.unwrap().expect(200);
    // What was sold is not sold again by a payment that failed.
    assert_eq!(visitor.confirm(&held, &declined).await.unwrap().expect(200)["tickets"], sold["tickets"]);
    for _ in 0..2 {
        let whole = cancel(&visitor, &held).await.expect(200);
        assert_eq!((&whole["status"], &whole["refundAmount"]), (&json!("cancelled"), &json!(9_000)), "{whole}");
    }
    visitor.confirm(&held, &paid).await.unwrap().refuses(409, "not-reserved");
}

async fn a_provider_that_charges_without_an_answer_is_asked_again(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["D-1", "D-2"]})).await;
    let charged = pay(&visitor, &held, "timeoutAuthorised").await;
    visitor.confirm(&held, &charged).await.unwrap().refuses(503, "unavailable");
    assert_eq!(visitor.confirm(&held, &charged).await.unwrap().expect(200)["status"], "confirmed");
}

async fn two_confirmations_at_once_are_one_booking(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["E-1", "E-2"]})).await;
    let paid = pay(&visitor, &held, "approve").await;
    let (one, other) = tokio::join!(visitor.confirm(&held, &paid), visitor.confirm(&held, &paid));
    assert_eq!(one.unwrap().expect(200), other.unwrap().expect(200));
}

async fn two_payments_at_once_take_the_money_once(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["F-1", "F-2"]})).await;
    let (first, second) = (pay(&visitor, &held, "approve").await, pay(&visitor, &held, "approve").await);
    let (one, other) = tokio::join!(visitor.confirm(&held, &first), visitor.confirm(&held, &second));
    assert_eq!(one.unwrap().expect(200)["tickets"], other.unwrap().expect(200)["tickets"]);
}

async fn a_cancellation_while_the_money_is_taken_gives_it_back(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["G-1", "G-2"]})).await;
    let paid = pay(&visitor, &held, "approve").await;
    let cancel_at_once = async {
        let started = Instant::now();
        loop {
            let answer = cancel(&visitor, &held).await;
            if answer.status == 200 {
                return answer.body;
            }
            answer.refuses(409, "not-confirmed");
            assert!(started.elapsed() < PATIENCE, "never confirmed");
        }
    };
    let (sold, cancelled) = tokio::join!(visitor.confirm(&held, &paid), cancel_at_once);
    assert_eq!(sold.unwrap().status, 200);
    assert_eq!((&cancelled["status"], &cancelled["refundAmount"]), (&json!("cancelled"), &json!(9_000)));
    let started = Instant::now();
    while visitor.booking(held["bookingId"].as_str().unwrap()).await.expect(200)["refundStatus"] != "refunded" {
        assert!(started.elapsed() < PATIENCE, "never refunded");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_payment_and_a_release_at_once_end_in_one_of_the_two(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["H-1", "H-2"]})).await;
    let paid = pay(&visitor, &held, "approve").await;
    let path = format!("/v1/bookings/{}", held["bookingId"].as_str().unwrap());
    let release = visitor.send(Method::DELETE, &path, &[], None);
    let (sold, released) = tokio::join!(visitor.confirm(&held, &paid), release);
    let (sold, released) = (sold.unwrap(), released.unwrap());
    if sold.status == 200 {
        released.refuses(409, "not-reserved");
    } else {
        sold.refuses(409, "hold-expired");
        assert_eq!(released.status, 204);
    }
}

async fn a_notice_comes_before_the_answer_and_again_after_it(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["I-1", "I-2"]})).await;
    let paid = order(&visitor, &held, "k", &json!({"delayMs": 1_000, "notices": [0, 200, 2_500]})).await;
    let paid = paid["transactionId"].as_str().unwrap();
    let sold = visitor.confirm(&held, paid).await.unwrap().expect(200);
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    let shown = visitor.booking(held["bookingId"].as_str().unwrap()).await.expect(200);
    assert_eq!((&shown["status"], &shown["tickets"]), (&json!("confirmed"), &sold["tickets"]));
}

async fn a_buyer_who_is_cut_off_after_paying_gets_the_seats(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["J-1", "J-2"]})).await;
    order(&visitor, &held, "k", &json!({"notices": [300]})).await;
    status_is(&visitor, &held, "confirmed").await;
}

async fn money_told_for_what_can_not_be_had_goes_back(client: &Client, event: &str) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, &json!({"seats": ["J-5", "J-6"]})).await;
    let given_back = async |key: &str, wish: Value| {
        let started = Instant::now();
        while order(&visitor, &held, key, &wish).await["status"] != "voided" {
            assert!(started.elapsed() < PATIENCE, "{key} never went back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    given_back("another amount", json!({"amount": 8_999, "notices": [0]})).await;
    let paid = pay(&visitor, &held, "approve").await;
    visitor.confirm(&held, &paid).await.unwrap().expect(200);
    given_back("twice", json!({"notices": [0, 0]})).await;
    cancel(&visitor, &held).await.expect(200);
    given_back("cancelled", json!({"notices": [0]})).await;
}

async fn what_nobody_signed_does_nothing(client: &Client) {
    for signature in ["", "t=1777629600,v1=00"] {
        let headers = [("sandbox-signature", signature)];
        let forged = client.send(Method::POST, "/v1/payments/notices", &headers, Some(&json!({}))).await.unwrap();
        forged.refuses(400, "invalid-request");
    }
}

/// Makes a payment for `held` with everything that the sandbox can be asked for; made again, it says how it stands.
pub(super) async fn order(visitor: &Visitor, held: &Value, key: &str, wish: &Value) -> Value {
    let mut body = json!({
        "amount": held["totalAmount"], "currency": held["currency"], "bookingId": held["bookingId"],
    });
    body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    let key = format!("{} {key}", held["bookingId"].as_str().unwrap());
    let headers = [("idempotency-key", key.as_str())];
    visitor.send(Method::POST, "/v1/sandbox/payments", &headers, Some(&body)).await.unwrap().expect(201)
}

pub(super) async fn hold(visitor: &Visitor, wanted: &Value) -> Value {
    let held = visitor.reserve("first", wanted).await.unwrap();
    if held.status == 202 { visitor.settled(&held.body).await } else { held.expect(201) }
}

pub(super) async fn pay(visitor: &Visitor, held: &Value, outcome: &str) -> String {
    visitor.pay(&held["totalAmount"], &held["currency"], outcome).await.unwrap()
}

async fn cancel(visitor: &Visitor, booking: &Value) -> super::Answer {
    let path = format!("/v1/bookings/{}/cancel", booking["bookingId"].as_str().unwrap());
    visitor.send(Method::POST, &path, &[], None).await.unwrap()
}

pub(super) async fn status_is(visitor: &Visitor, booking: &Value, status: &str) {
    let started = Instant::now();
    while visitor.booking(booking["bookingId"].as_str().unwrap()).await.expect(200)["status"] != status {
        assert!(started.elapsed() < PATIENCE, "never {status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
