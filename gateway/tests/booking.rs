//! From an admission to the tickets, with the real workers behind the gateway.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "support/buying.rs"]
mod buying;
mod support;
#[path = "support/workers.rs"]
mod workers;

use booking_core::{ports::ledger::LedgerReader as _, sale::SalePolicy, time::Timestamp};
use buying::{admitted, booking, confirm, pay, reserve, sale, sale_of};
use gateway::Settings;
use serde_json::{Value, json};
use support::{Guest, World, read, roomy, slug, text, until};

async fn extend(world: &World, guest: &Guest, id: &str) -> (u16, Value) {
    read(world.post(&format!("/v1/bookings/{id}/extend")).bearer_auth(&guest.token).send().await.unwrap()).await
}

#[tokio::test]
async fn seats_are_reserved_paid_for_and_become_tickets() {
    let world = World::new().await;
    let event = sale(&world).await;
    let buyer = admitted(&world, &event).await;
    let mut live = support::Events::open(world.get(&format!("/v1/events/{event}/seats/stream"))).await;
    live.event().await;

    let (status, held) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    assert_eq!(status, 201, "{held}");
    assert_eq!((&held["status"], &held["seats"]), (&"reserved".into(), &json!(["A-1", "A-2"])));
    assert_eq!((&held["totalAmount"], &held["currency"]), (&5_000.into(), &"EUR".into()));
    assert_eq!(held["seatDetails"][0]["row"], "A");
    let (name, delta) = live.event().await;
    assert_eq!((name.as_str(), &delta["changes"]), ("delta", &json!([["A-1", "reserved"], ["A-2", "reserved"]])));
    let (status, again) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    assert_eq!((status, &again["bookingId"]), (201, &held["bookingId"]), "a repeated request is one");
    let (status, other) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-3"] })).await;
    assert_eq!((status, slug(&other)), (422, "idempotency-key-reused"));

    let id = text(&held["bookingId"]);
    let declined = pay(&world, 5_000, "decline").await;
    let (status, body) = confirm(&world, &buyer.0, &id, &declined, 5_000).await;
    assert_eq!((status, slug(&body)), (402, "payment-declined"));
    let paid = pay(&world, 5_000, "approve").await;
    let (status, body) = confirm(&world, &buyer.0, &id, &paid, 4_000).await;
    assert_eq!((status, slug(&body)), (422, "amount-mismatch"));
    let (status, sold) = confirm(&world, &buyer.0, &id, &paid, 5_000).await;
    assert_eq!((status, &sold["status"]), (200, &"confirmed".into()), "{sold}");
    assert_eq!(sold["tickets"].as_array().unwrap().len(), 2);
    let (status, same) = confirm(&world, &buyer.0, &id, &paid, 5_000).await;
    assert_eq!((status, &same["tickets"]), (200, &sold["tickets"]));
    let (_, shown) = booking(&world, &buyer.0, &id).await;
    assert_eq!(shown, sold);

    let qr = world.get(&text(&sold["qrCode"])).bearer_auth(&buyer.0.token).send().await.unwrap();
    assert_eq!(qr.headers()["content-type"], "image/svg+xml");
    assert!(qr.text().await.unwrap().contains("<svg"));
    let map = read(world.get(&format!("/v1/events/{event}/seats")).send().await.unwrap()).await.1;
    assert!(text(&map["statuses"]).starts_with("bba"));
}

#[tokio::test]
async fn somebody_elses_booking_is_not_there() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (owner, other) = (admitted(&world, &event).await, world.guest().await);
    let (_, held) = reserve(&world, &owner, "k1", json!({ "eventId": event, "seats": ["A-1"] })).await;
    let id = text(&held["bookingId"]);
    let paid = pay(&world, 2_500, "approve").await;
    let path = format!("/v1/bookings/{id}");
    let delete = world.request(reqwest::Method::DELETE, &path).bearer_auth(&other.token).send().await.unwrap();
    let qr = world.get(&format!("{path}/qr.svg")).bearer_auth(&other.token).send().await.unwrap();
    let answers = [
        booking(&world, &other, &id).await,
        confirm(&world, &other, &id, &paid, 2_500).await,
        read(delete).await,
        read(qr).await,
    ];
    for (status, body) in answers {
        assert_eq!((status, slug(&body)), (404, "not-found"));
    }
    let nobody = world.get(&path).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(booking(&world, &owner.0, "booking_none").await.0, 404);
}

#[tokio::test]
async fn seats_that_are_taken_unknown_named_twice_or_too_many_are_refused_by_name() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (one, two) = (admitted(&world, &event).await, admitted(&world, &event).await);
    let (status, _) = reserve(&world, &one, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    assert_eq!(status, 201);
    let (status, body) = reserve(&world, &two, "k1", json!({ "eventId": event, "seats": ["A-2", "A-3"] })).await;
    assert_eq!((status, slug(&body), &body["unavailable"]), (409, "seats-unavailable", &json!(["A-2"])));
    let refused = [
        (json!({ "eventId": event, "seats": ["Z-9"] }), 422, "unknown-seat"),
        (json!({ "eventId": event, "seats": ["A-4", "A-4"] }), 422, "duplicate-seat"),
        (json!({ "eventId": event, "seats": ["B-1", "B-2", "B-3", "B-4", "B-5"] }), 422, "too-many-seats"),
        (json!({ "eventId": event, "bestAvailable": { "count": 5 } }), 422, "too-many-seats"),
        (json!({ "eventId": event, "bestAvailable": { "count": 0 } }), 400, "invalid-request"),
        (json!({ "eventId": event, "seats": [] }), 400, "invalid-request"),
        (json!({ "eventId": event }), 400, "invalid-request"),
        (json!({ "eventId": event, "seats": ["B-1"], "bestAvailable": { "count": 1 } }), 400, "invalid-request"),
        (json!({ "eventId": event, "seats": ["B-1"], "free": true }), 400, "invalid-request"),
        (json!({ "eventId": "evt_none", "seats": ["B-1"] }), 403, "admission-required"),
    ];
    for (at, (body, status, name)) in refused.into_iter().enumerate() {
        let answer = reserve(&world, &two, &format!("wrong-{at}"), body).await;
        assert_eq!((answer.0, slug(&answer.1)), (status, name), "{at}");
    }
    let (status, best) =
        reserve(&world, &two, "best", json!({ "eventId": event, "bestAvailable": { "count": 3 } })).await;
    assert_eq!((status, best["seats"].as_array().map(Vec::len)), (201, Some(3)), "{best}");
}

#[tokio::test]
async fn a_hold_is_extended_once_by_what_the_sale_says() {
    let world = World::new().await;
    let event = sale_of(&world, &SalePolicy { hold_seconds: 10, extend_seconds: 90, ..world.policy(200) }).await;
    let (owner, other) = (admitted(&world, &event).await, world.guest().await);
    let (_, held) = reserve(&world, &owner, "k1", json!({ "eventId": event, "seats": ["A-1"] })).await;
    assert_eq!(held["extendableBySeconds"], 90, "{held}");
    let id = text(&held["bookingId"]);
    let (status, body) = extend(&world, &other, &id).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
    let nobody = world.post(&format!("/v1/bookings/{id}/extend")).send().await.unwrap();
    assert_eq!(nobody.status(), 401);

    let until = |shown: &Value| text(&shown["expiresAt"]).parse::<Timestamp>().unwrap();
    let (status, extended) = extend(&world, &owner.0, &id).await;
    assert_eq!((status, &extended["status"]), (200, &"reserved".into()), "{extended}");
    assert_eq!(until(&extended).millis_since(until(&held)), 90_000);
    assert_eq!(extended["extendableBySeconds"], Value::Null, "once");
    let both = tokio::join!(extend(&world, &owner.0, &id), extend(&world, &owner.0, &id));
    for (status, again) in [both.0, both.1] {
        assert_eq!((status, &again), (200, &extended), "the same answer, and no second extension");
    }
    assert_eq!(booking(&world, &owner.0, &id).await.1, extended);
    let paid = pay(&world, 2_500, "approve").await;
    assert_eq!(confirm(&world, &owner.0, &id, &paid, 2_500).await.0, 200);
    let (status, body) = extend(&world, &owner.0, &id).await;
    assert_eq!((status, slug(&body)), (409, "not-reserved"));
}

#[tokio::test]
async fn a_hold_that_is_over_is_not_extended() {
    let world = World::new().await;
    let event = sale_of(&world, &SalePolicy { extend_seconds: 60, ..world.policy(200) }).await;
    let buyer = admitted(&world, &event).await;
    let (_, held) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1"] })).await;
    let path = format!("/v1/bookings/{}", text(&held["bookingId"]));
    let given = world.request(reqwest::Method::DELETE, &path).bearer_auth(&buyer.0.token).send().await.unwrap();
    assert_eq!(given.status(), 204);
    let (status, body) = extend(&world, &buyer.0, &text(&held["bookingId"])).await;
    assert_eq!((status, slug(&body)), (409, "hold-expired"));

    // Whoever the operator put out gets no more time.
    let (_, held) = reserve(&world, &buyer, "k2", json!({ "eventId": event, "seats": ["A-2"] })).await;
    let id = text(&held["bookingId"]);
    let session = world.ledger.booking(&id.parse().unwrap()).await.unwrap().unwrap().session;
    let path = format!("/v1/operator/events/{event}/admissions/{session}/revoke");
    let put_out = world.post(&path).bearer_auth(support::ADMIN_KEY).send().await.unwrap();
    assert_eq!(put_out.status(), 204);
    until("put out", || async { extend(&world, &buyer.0, &id).await.0 == 403 }).await;
    assert_eq!(slug(&extend(&world, &buyer.0, &id).await.1), "admission-required");
    let policy = serde_json::to_value(SalePolicy { extend_seconds: 3_601, ..world.policy(200) }).unwrap();
    let path = format!("/v1/operator/events/{event}/sale");
    let put = world.request(reqwest::Method::PUT, &path).bearer_auth(support::ADMIN_KEY).json(&policy);
    let (status, body) = read(put.send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (422, "invalid-setting"));
}

#[tokio::test]
async fn seats_given_back_are_free_at_once() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (one, two) = (admitted(&world, &event).await, admitted(&world, &event).await);
    let (_, held) = reserve(&world, &one, "k1", json!({ "eventId": event, "seats": ["A-1"] })).await;
    assert_eq!(held["extendableBySeconds"], Value::Null, "{held}");
    let (status, body) = extend(&world, &one.0, &text(&held["bookingId"])).await;
    assert_eq!((status, slug(&body)), (409, "not-extendable"), "this sale gives no more time");
    let path = format!("/v1/bookings/{}", text(&held["bookingId"]));
    let given = world.request(reqwest::Method::DELETE, &path).bearer_auth(&one.0.token).send().await.unwrap();
    assert_eq!(given.status(), 204);
    let (_, shown) = booking(&world, &one.0, &text(&held["bookingId"])).await;
    assert_eq!(shown["status"], "released");
    let (status, _) = reserve(&world, &two, "k1", json!({ "eventId": event, "seats": ["A-1"] })).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn a_reservation_that_takes_too_long_is_pending_and_can_be_asked_for() {
    let world = World::with(Settings { reply_wait_ms: 100, ..roomy() }).await;
    let _keeper = world.line("evt_1", world.policy(60_000)).await;
    let guest = world.guest().await;
    let session = "session_1".parse().unwrap();
    let (event, user) = ("evt_1".parse().unwrap(), guest.user.parse().unwrap());
    let until_end = world.now().plus_seconds(600);
    let claims = booking_core::admission::AdmissionClaims::new(
        "http://weir.test",
        &event,
        &user,
        &session,
        world.now(),
        until_end,
        4,
    );
    let who = (guest, support::admission(&claims));
    let body = json!({ "eventId": "evt_1", "seats": ["A-1"] });
    // No worker is running.
    let (status, pending) = reserve(&world, &who, "k1", body.clone()).await;
    assert_eq!((status, &pending["status"]), (202, &"pending".into()), "{pending}");
    let id = text(&pending["bookingId"]);
    assert_eq!(booking(&world, &who.0, &id).await, (200, json!({ "bookingId": id, "status": "pending" })));
    let other = world.guest().await;
    assert_eq!(booking(&world, &other, &id).await.0, 404);
    // A gateway that did not send it knows by the address alone how long it may take.
    let now = world.now().as_millis();
    let elsewhere = "booking_ffffffffffffffffffffffffffffffff";
    for (until, status) in [(now + 10_000, 200), (now - 1, 404), (now + 3_600_000, 404)] {
        let asked = booking(&world, &who.0, &format!("{elsewhere}?pendingUntil={until}")).await;
        assert_eq!(asked.0, status, "{asked:?}");
    }
    assert_eq!(booking(&world, &who.0, &format!("{elsewhere}?pendingUntil=soon")).await.0, 400);
    let (status, running) = reserve(&world, &who, "k1", body).await;
    assert_eq!((status, slug(&running)), (409, "request-in-progress"));
    let other_body = json!({ "eventId": "evt_1", "seats": ["A-2"] });
    let (status, reused) = reserve(&world, &who, "k1", other_body).await;
    assert_eq!((status, slug(&reused)), (422, "idempotency-key-reused"));
    workers::start(&world);
    until("answered", || async { booking(&world, &who.0, &id).await.1["status"] != "pending" }).await;
    let (status, shown) = booking(&world, &who.0, &id).await;
    assert!(status == 409 || shown["status"] == "reserved", "{status} {shown}");
}

#[tokio::test]
async fn a_user_sees_their_bookings_page_by_page_newest_first_and_nobody_elses() {
    let world = World::new().await;
    let event = sale(&world).await;
    let list = async |guest: &Guest, query: &str| {
        read(world.get(&format!("/v1/bookings{query}")).bearer_auth(&guest.token).send().await.unwrap()).await
    };
    let buyer = admitted(&world, &event).await;
    let (status, none) = list(&buyer.0, "").await;
    assert_eq!((status, none), (200, json!({ "bookings": [], "next": null })));
    let mut made = Vec::new();
    for seat in ["A-1", "A-2", "A-3"] {
        let (status, held) = reserve(&world, &buyer, seat, json!({ "eventId": event, "seats": [seat] })).await;
        assert_eq!(status, 201, "{held}");
        made.insert(0, held["bookingId"].clone());
    }
    let (_, first) = list(&buyer.0, "?pageSize=2").await;
    let ids = |page: &Value| page["bookings"].as_array().unwrap().iter().map(|one| one["bookingId"].clone()).collect();
    let mut seen: Vec<Value> = ids(&first);
    assert_eq!(first["bookings"][0]["status"], "reserved");
    let (_, last) = list(&buyer.0, &format!("?pageSize=2&cursor={}", text(&first["next"]))).await;
    seen.extend(ids(&last));
    assert_eq!((seen, &last["next"]), (made.clone(), &Value::Null));
    // Another's cursor leads nowhere.
    let other = world.guest().await;
    let (_, none) = list(&other, &format!("?cursor={}", text(&made[0]))).await;
    assert_eq!(none["bookings"], json!([]));
    for wrong in ["?pageSize=0", "?pageSize=101", "?cursor=nonsense", "?page=2"] {
        let (status, body) = list(&other, wrong).await;
        assert_eq!((status, slug(&body)), (400, "invalid-request"), "{wrong}");
    }
    assert_eq!(read(world.get("/v1/bookings").send().await.unwrap()).await.0, 401);
}

/// As a door does: with nothing but the public keys.
async fn claims_of(world: &World, token: &str) -> Option<Value> {
    let jwks = read(world.get("/.well-known/jwks.json").send().await.unwrap()).await.1;
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("ticket+jwt"));
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&header.kid.unwrap())?).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.set_required_spec_claims(&["iss", "sub", "aud"]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
}

#[tokio::test]
async fn each_seat_has_a_ticket_that_a_door_can_check_until_it_is_cancelled() {
    let world = World::new().await;
    let event = sale(&world).await;
    let buyer = admitted(&world, &event).await;
    let (_, held) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    let id = text(&held["bookingId"]);
    let paid = pay(&world, 5_000, "approve").await;
    let (_, sold) = confirm(&world, &buyer.0, &id, &paid, 5_000).await;
    let tickets = sold["tickets"].as_array().unwrap();
    for (ticket, seat) in tickets.iter().zip(["A-1", "A-2"]) {
        let token = text(&ticket["token"]);
        let claims = claims_of(&world, &token).await.expect("it is ours");
        assert_eq!((&claims["sub"], &claims["bkg"]), (&ticket["ticketId"], &sold["bookingId"]));
        assert_eq!((&claims["seat"], &claims["aud"]), (&json!(seat), &json!(format!("weir:{event}"))));
        let at = token.len() - 20;
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_eq!(claims_of(&world, &forged).await, None);
        // It opens nothing that an admission would.
        let (status, body) =
            reserve(&world, &(buyer.0.clone(), token), "k2", json!({ "eventId": event, "seats": ["A-3"] })).await;
        assert_eq!((status, slug(&body)), (403, "admission-required"));
    }

    let picture = async |guest: &Guest, path: &str| {
        let answer = world.get(path).bearer_auth(&guest.token).send().await.unwrap();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (answer.status().as_u16(), kind.unwrap_or_default(), answer.bytes().await.unwrap())
    };
    let svg = text(&tickets[1]["qrCode"]);
    let (status, kind, bytes) = picture(&buyer.0, &svg).await;
    assert_eq!((status, kind.as_str()), (200, "image/svg+xml"));
    assert!(String::from_utf8_lossy(&bytes).contains("<svg"));
    let (status, kind, bytes) = picture(&buyer.0, &svg.replace(".svg", ".png")).await;
    assert_eq!((status, kind.as_str(), &bytes[..8]), (200, "image/png", &b"\x89PNG\r\n\x1a\n"[..]));
    let other = world.guest().await;
    assert_eq!(picture(&other, &svg).await.0, 404, "somebody else's");
    assert_eq!(picture(&buyer.0, &svg.replace("ticket_", "ticket_x")).await.0, 404);

    let cancel = world.post(&format!("/v1/bookings/{id}/cancel")).bearer_auth(&buyer.0.token);
    let (status, reduced) = read(cancel.json(&json!({ "seats": ["A-2"] })).send().await.unwrap()).await;
    assert_eq!((status, &reduced["tickets"]), (200, &json!([tickets[0]])), "the other stays as it is");
    assert_eq!(picture(&buyer.0, &svg).await.0, 404, "cancelled");
}
