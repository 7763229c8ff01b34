//! What becomes of a booking after it was paid for, the same on every kind of installation.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Client, PATIENCE, SaleOf, Visitor,
    endpoint::Endpoint,
    open_sale,
    post_office::{NOBODY, PostOffice},
};

/// Buys, cancels in part and whole, sells what was given up again, and sees to a refund that the provider refuses.
pub(crate) async fn cancel_and_refund(client: &Client, admin: &str, viewer: &str) {
    let event = open_sale(client, admin, &SaleOf { opens_in_ms: 3_000, ..SaleOf::default() }).await;
    let (first, sold) = buy(client, &event, &json!({"bestAvailable": {"count": 3}}), "approve").await;
    let id = sold["bookingId"].as_str().unwrap();
    assert_eq!(sold["cancellation"], json!({"percent": 100, "refundAmount": 13_500}), "what it would give back");
    assert!(sold["seatDetails"].as_array().unwrap().iter().all(|seat| seat["refund"] == 4_500), "{sold}");

    // Whoever was told of another amount cancels nothing.
    let seat = sold["seats"][1].clone();
    let changed = cancel(&first, id, &json!({"seats": [seat], "refundAmount": 9_000})).await;
    changed.refuses(409, "refund-changed");
    assert_eq!(changed.body["refundAmount"], 4_500);
    cancel(&first, id, &json!({"seats": ["9-99"]})).await.refuses(422, "unknown-seat");
    cancel(&first, id, &json!({"seats": []})).await.refuses(400, "invalid-request");

    // One seat goes, and is free at once for whoever is in.
    let reduced = cancel(&first, id, &json!({"seats": [seat], "refundAmount": 4_500})).await.expect(200);
    assert_eq!((&reduced["status"], &reduced["refundAmount"]), (&json!("confirmed"), &json!(4_500)), "{reduced}");
    assert_eq!(reduced["cancelledSeats"], json!([seat]));
    assert_eq!(reduced["tickets"].as_array().map(Vec::len), Some(2));
    let again = cancel(&first, id, &json!({"seats": [seat]})).await.expect(200);
    assert_eq!(again["refundAmount"], 4_500, "once, however often it is asked for");
    assert_eq!(refund_status(&first, id, "refunded").await["refundAmount"], 4_500);
    let (second, resold) = buy(client, &event, &json!({"seats": [seat]}), "refuseRefund").await;

    // The rest goes, without a body, and can be asked for again.
    for _ in 0..2 {
        let whole =
            first.send(Method::POST, &format!("/v1/bookings/{id}/cancel"), &[], None).await.unwrap().expect(200);
        assert_eq!((&whole["status"], &whole["refundAmount"]), (&json!("cancelled"), &json!(13_500)), "{whole}");
        assert_eq!((&whole["tickets"], &whole["cancellation"]), (&Value::Null, &Value::Null));
    }
    refund_status(&first, id, "refunded").await;
    let foreign = resold["bookingId"].as_str().unwrap();
    cancel(&first, foreign, &json!({})).await.refuses(404, "not-found");

    // A refund that the provider refuses waits for a person.
    cancel(&second, foreign, &json!({})).await.expect(200);
    refund_status(&second, foreign, "delayed").await;
    let path = "/v1/operator/payments/stuck";
    let stuck = client.operate(viewer, Method::GET, path, &json!(null)).await.expect(200);
    let stuck = stuck["payments"].as_array().unwrap().iter().find(|stuck| stuck["bookingId"] == foreign).unwrap();
    assert_eq!((&stuck["amount"], &stuck["refund"], &stuck["eventId"]), (&json!(4_500), &json!(1), &json!(event)));
    let path = format!("/v1/operator/payments/{foreign}");
    let mut wish = json!({"transactionId": stuck["transactionId"], "refund": 1});
    client.operate(viewer, Method::POST, &path, &wish).await.refuses(403, "forbidden");
    let payments = |words: &[&str]| run("payments", client, admin, words);
    let (_, listed) = payments(&["stuck"]);
    assert!(listed.contains(&format!("{foreign} refund 1 of 4500 EUR")), "{listed}");
    let which = [foreign, "--transaction", stuck["transactionId"].as_str().unwrap(), "--refund", "1"];
    let (is_done, said) = payments(&[&["repeat"], &which[..]].concat());
    assert!(!is_done && said.contains("still-stuck"), "{said}");
    let (is_done, said) = payments(&[&["resolve"], &which[..], &["--how", "sent to the bank account"]].concat());
    assert!(is_done, "{said}");
    wish["resolved"] = json!("sent once more");
    client.operate(admin, Method::POST, &path, &wish).await.refuses(409, "not-stuck");
    refund_status(&second, foreign, "refunded").await;
    let trail = format!("/v1/operator/events/{event}/audit");
    let trail = client.operate(viewer, Method::GET, &trail, &json!(null)).await.expect(200);
    assert_eq!(trail["entries"][0]["after"]["resolved"], "sent to the bank account");
}

/// Buys, moves the event, tells the buyer, and gives everything back where the policy would give half.
pub(crate) async fn move_and_give_back(client: &Client, admin: &str, viewer: &str) {
    let event = open_sale(client, admin, &SaleOf { opens_in_ms: 3_000, ..SaleOf::default() }).await;
    let (first, sold) = buy(client, &event, &json!({"bestAvailable": {"count": 2}}), "approve").await;
    let (second, other) = buy(client, &event, &json!({"bestAvailable": {"count": 1}}), "approve").await;
    let id = sold["bookingId"].as_str().unwrap();
    let path = format!("/v1/operator/events/{event}/move");
    let later = super::from_now(60 * 86_400_000);
    for (starts_at, number) in [(&later, 1), (&later, 1), (&super::from_now(20 * 3_600_000), 2)] {
        let wanted = json!({"startsAt": starts_at, "reason": "The hall is flooded."});
        client.operate(viewer, Method::POST, &path, &wanted).await.refuses(403, "forbidden");
        let moved = client.operate(admin, Method::POST, &path, &wanted).await.expect(200);
        assert_eq!((&moved["number"], &moved["startsAt"]), (&json!(number), &json!(starts_at)), "{moved}");
    }
    let said = events(client, admin, &["move", &event, "--to", "2020-01-01T00:00:00Z", "--reason", "Why"]);
    assert!(!said.0 && said.1.contains("startsAt must be in the future"), "{said:?}");
    preview_another_hall(client, admin, &event).await;
    let started = std::time::Instant::now();
    loop {
        let told = client.operate(viewer, Method::GET, &path, &json!(null)).await.expect(200);
        let shown = first.booking(id).await.expect(200);
        // Every gateway and worker goes by the new start within some seconds.
        if told["told"] == 2 && shown["moved"]["to"] == told["startsAt"] {
            assert_eq!((&told["left"], &shown["cancellation"]["percent"]), (&json!(0), &json!(100)), "{shown}");
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{told} {shown}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let details = client.get(&format!("/v1/events/{event}")).await.expect(200);
    assert_eq!(details["eventDetails"]["moved"]["from"], json!(later));
    let whole = cancel(&first, id, &json!({"refundAmount": 9_000})).await.expect(200);
    assert_eq!((&whole["status"], &whole["refundAmount"]), (&json!("cancelled"), &json!(9_000)), "{whole}");
    refund_status(&first, id, "refunded").await;
    let stands = second.booking(other["bookingId"].as_str().unwrap()).await.expect(200);
    assert_eq!((&stands["status"], &stands["tickets"]), (&json!("confirmed"), &other["tickets"]), "bookings stand");
}

/// Buys, cancels a seat, and has the event moved and called off: each buyer gets a letter about each, once.
pub(crate) async fn write_to_buyers(client: &Client, admin: &str, office: &PostOffice) {
    let event = open_sale(client, admin, &SaleOf { opens_in_ms: 3_000, ..SaleOf::default() }).await;
    let (first, sold) = buy(client, &event, &json!({"bestAvailable": {"count": 2}}), "approve").await;
    office.await_letter(&first.address(), "Your tickets: ").await;
    let seat = json!({"seats": [sold["seats"][0]]});
    cancel(&first, sold["bookingId"].as_str().unwrap(), &seat).await.expect(200);
    office.await_letter(&first.address(), "Some of your tickets are cancelled: ").await;

    // An address that is none costs nothing; one that the server refuses holds nobody up.
    let second = come_in(client, &event).await;
    let held = hold(&second, &json!({"bestAvailable": {"count": 1}})).await;
    let transaction = second.pay(&held["totalAmount"], &held["currency"], "approve").await.unwrap();
    second.confirm_with(&held, &transaction, "a b@example.org").await.unwrap().refuses(400, "invalid-request");
    second.confirm_with(&held, &transaction, NOBODY).await.unwrap().expect(200);
    let (third, _) = buy(client, &event, &json!({"bestAvailable": {"count": 1}}), "approve").await;
    office.await_letter(&third.address(), "Your tickets: ").await;

    let path = format!("/v1/operator/events/{event}");
    let moved = json!({"startsAt": super::from_now(60 * 86_400_000), "reason": "The hall is flooded."});
    client.operate(admin, Method::POST, &format!("{path}/move"), &moved).await.expect(200);
    for buyer in [&first, &third] {
        office.await_letter(&buyer.address(), "At another time: ").await;
    }
    let reason = json!({"reason": "The singer is ill."});
    client.operate(admin, Method::POST, &format!("{path}/call-off"), &reason).await.expect(200);
    for buyer in [&first, &third] {
        office.await_letter(&buyer.address(), "Your booking is cancelled: ").await;
    }
    assert_eq!((office.subjects(&first.address()).len(), office.subjects(&third.address()).len()), (4, 3));
    assert!(office.copies().values().all(|copies| *copies == 1), "{:?}", office.copies());
    assert!(office.subjects(NOBODY).is_empty());
}

/// Buys and cancels: the endpoint, which first refuses, is told of both in order, and once more when an operator wants.
pub(crate) async fn tell_the_endpoint(client: &Client, admin: &str, viewer: &str, endpoint: &Endpoint) {
    let event = open_sale(client, admin, &SaleOf { opens_in_ms: 3_000, ..SaleOf::default() }).await;
    let (first, sold) = buy(client, &event, &json!({"bestAvailable": {"count": 2}}), "approve").await;
    let id = sold["bookingId"].as_str().unwrap();
    cancel(&first, id, &json!({})).await.expect(200);
    let told = endpoint.taken(2).await;
    let kinds: Vec<_> = told.iter().map(|(_, kind, of)| (kind.as_str(), of.as_str())).collect();
    assert_eq!(kinds, [("booking.confirmed", id), ("booking.cancelled", id)]);

    let path = "/v1/operator/webhooks/deliveries";
    let started = std::time::Instant::now();
    let deliveries = loop {
        let page =
            client.operate(viewer, Method::GET, &format!("{path}?endpoint=shop"), &json!(null)).await.expect(200);
        let deliveries = page["deliveries"].as_array().unwrap().clone();
        if deliveries.len() == 4 {
            break deliveries;
        }
        assert!(started.elapsed() < PATIENCE, "{page}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let outcomes: Vec<_> = deliveries.iter().map(|delivery| delivery["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["taken", "taken", "failed", "began"]);
    assert_eq!((&deliveries[1]["hookId"], &deliveries[1]["tries"]), (&json!(told[0].0), &json!(1)), "{deliveries:?}");
    assert_eq!(deliveries[2]["reason"], "it answered 503 Service Unavailable");

    let since = json!({"since": "2020-01-01T00:00:00Z"});
    let replay = |endpoint: &str| format!("/v1/operator/webhooks/{endpoint}/replay");
    client.operate(viewer, Method::POST, &replay("shop"), &since).await.refuses(403, "forbidden");
    client.operate(admin, Method::POST, &replay("nobody"), &since).await.refuses(404, "not-found");
    let webhooks = |words: &[&str]| run("webhooks", client, admin, words);
    let said = webhooks(&["replay", "shop", "--since", "2020-01-01T00:00:00Z"]);
    assert!(said.0, "{said:?}");
    let again = endpoint.taken(4).await;
    assert_eq!(again[2..], told, "with the same ids");
    let said = webhooks(&["deliveries", "--endpoint", "shop"]);
    assert!(
        said.0 && said.1.contains("shop replay since 2020-01-01T00:00:00.000Z, asked for by test-admin"),
        "{said:?}"
    );
    assert!(said.1.contains(&format!("failed {} booking.confirmed {id}: it answered 503", told[0].0)), "{said:?}");
}

/// Looks at a hall with a row less, in which one of the seats that are sold is named anew.
async fn preview_another_hall(client: &Client, admin: &str, event: &str) {
    let smaller = client.operate(admin, Method::POST, "/v1/operator/venues", &super::venue(1, 10)).await.expect(201);
    let smaller = smaller["venueId"].as_str().unwrap();
    let folder = super::folder();
    let file = folder.path().join("seats.json");
    std::fs::write(&file, r#"{"A-1": "A-2", "Z-1": "A-1"}"#).unwrap();
    let said = events(client, admin, &["hall", event, "--venue", smaller, "--seats", file.to_str().unwrap()]);
    assert!(said.0 && said.1.contains("the old hall has no seat 'Z-1'."), "{said:?}");
    assert!(said.1.contains("Not every sold seat stays valid."), "{said:?}");
    let said = events(client, admin, &["hall", event, "--venue", "venue_none"]);
    assert!(!said.0 && said.1.contains("There is no venue venue_none."), "{said:?}");
    std::fs::write(&file, "no seats").unwrap();
    let said = events(client, admin, &["hall", event, "--venue", smaller, "--seats", file.to_str().unwrap()]);
    assert!(!said.0 && said.1.contains("can't be read"), "{said:?}");
}

/// `weir events` with these words: whether it went well, and what it said.
pub(crate) fn events(client: &Client, admin: &str, words: &[&str]) -> (bool, String) {
    run("events", client, admin, words)
}

/// One of the executable's commands as an operator.
fn run(command: &str, client: &Client, admin: &str, words: &[&str]) -> (bool, String) {
    let mut process = std::process::Command::new(super::binary());
    let process = process.arg(command).args(words).args(["--at", client.base()]).env("WEIR_OPERATOR_KEY", admin);
    let output = process.output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A new visitor who comes in and buys what `wanted` says, by a payment that goes as `outcome` says.
pub(crate) async fn buy(client: &Client, event: &str, wanted: &Value, outcome: &str) -> (Visitor, Value) {
    let visitor = come_in(client, event).await;
    let held = hold(&visitor, wanted).await;
    let transaction = visitor.pay(&held["totalAmount"], &held["currency"], outcome).await.unwrap();
    let sold = visitor.confirm(&held, &transaction).await.unwrap().expect(200);
    (visitor, sold)
}

pub(crate) async fn come_in(client: &Client, event: &str) -> Visitor {
    let mut visitor = Visitor::arrive(client, event).await.unwrap();
    visitor.join().await.unwrap().expect(201);
    visitor.come_in().await;
    visitor
}

async fn hold(visitor: &Visitor, wanted: &Value) -> Value {
    let held = visitor.reserve("first", wanted).await.unwrap();
    if held.status == 202 { visitor.settled(&held.body).await } else { held.expect(201) }
}

async fn cancel(visitor: &Visitor, booking: &str, what: &Value) -> super::Answer {
    visitor.send(Method::POST, &format!("/v1/bookings/{booking}/cancel"), &[], Some(what)).await.unwrap()
}

/// The booking, once its refund is as told.
async fn refund_status(visitor: &Visitor, booking: &str, status: &str) -> Value {
    let started = std::time::Instant::now();
    loop {
        let view = visitor.booking(booking).await.expect(200);
        if view["refundStatus"] == status {
            return view;
        }
        assert!(started.elapsed() < PATIENCE, "{status} never came: {view}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
