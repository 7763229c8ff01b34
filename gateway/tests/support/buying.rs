//! A sale, and what a buyer does in it.

use booking_core::sale::SalePolicy;
use serde_json::{Value, json};

use crate::{
    support::{self, ADMIN_KEY, Guest, World, read, slug, text, until},
    workers,
};

/// An event with an open sale, made as an operator makes it.
pub(crate) async fn sale(world: &World) -> String {
    sale_of(world, &world.policy(200)).await
}

/// The same with a policy of its own.
pub(crate) async fn sale_of(world: &World, policy: &SalePolicy) -> String {
    workers::start(world);
    let create = async |path: &str, body: Value| {
        let (status, body) = read(world.post(path).bearer_auth(ADMIN_KEY).json(&body).send().await.unwrap()).await;
        assert_eq!(status, 201, "{body}");
        body
    };
    let mut venue = support::hall_map();
    venue["name"] = "Town Hall".into();
    venue["address"] = "1 Market Square".into();
    venue["location"] = json!({ "city": "Ghent" });
    let venue = create("/v1/operator/venues", venue).await;
    let event = json!({
        "title": "A loud evening", "description": "Music.", "venueId": venue["venueId"],
        "startsAt": world.now().plus_seconds(86_400), "currency": "EUR", "prices": { "stalls": 2_500 },
    });
    let event = text(&create("/v1/operator/events", event).await["eventId"]);
    let path = format!("/v1/operator/events/{event}/sale");
    let put = world.request(reqwest::Method::PUT, &path).bearer_auth(ADMIN_KEY).json(policy).send().await.unwrap();
    let (status, body) = read(put).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&body["commitment"]).len(), 64);
    event
}

/// A guest who is in, and the admission.
pub(crate) async fn admitted(world: &World, event: &str) -> (Guest, String) {
    let guest = world.guest().await;
    let (status, place) = world.join(event, &guest).await;
    assert!(status == 201, "{place}");
    let token = text(&place["placeToken"]);
    until("called", || async { world.place(event, &token).await.1["state"] == "called" }).await;
    let mut admission = Value::Null;
    for _ in 0..100 {
        let (status, body) = world.claim(event, &guest, &token).await;
        if status == 200 {
            admission = body;
            break;
        }
        assert_eq!(slug(&body), "desk-full", "{body}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    (guest, text(&admission["admissionToken"]))
}

pub(crate) async fn reserve(world: &World, who: &(Guest, String), key: &str, body: Value) -> (u16, Value) {
    let request = world.post("/v1/bookings/reserve").bearer_auth(&who.0.token).header("Weir-Admission", &who.1);
    read(request.header("Idempotency-Key", key).json(&body).send().await.unwrap()).await
}

pub(crate) async fn booking(world: &World, guest: &Guest, id: &str) -> (u16, Value) {
    read(world.get(&format!("/v1/bookings/{id}")).bearer_auth(&guest.token).send().await.unwrap()).await
}

pub(crate) async fn pay(world: &World, amount: i64, outcome: &str) -> String {
    let body = json!({ "amount": amount, "currency": "EUR", "outcome": outcome });
    let (status, body) = read(world.post("/v1/sandbox/payments").json(&body).send().await.unwrap()).await;
    assert_eq!(status, 201, "{body}");
    text(&body["transactionId"])
}

pub(crate) async fn confirm(world: &World, guest: &Guest, id: &str, transaction: &str, amount: i64) -> (u16, Value) {
    let details = json!({ "paymentMethod": "card", "transactionId": transaction, "amount": amount });
    let body = json!({ "bookingId": id, "paymentDetails": details });
    let request = world.post("/v1/bookings/confirm").bearer_auth(&guest.token).json(&body);
    read(request.send().await.unwrap()).await
}
