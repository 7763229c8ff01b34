//! A whole sale against the built executable, over HTTP, as `api.md` tells it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::collections::HashSet;

use kit::{
    Client, SaleOf, Visitor, Weir, data, endpoint::Endpoint, folder, open_sale, operator_key, post_office::PostOffice,
};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn visitors_join_are_drawn_come_in_and_each_buys_different_seats() {
    let folder = folder();
    let data = data(&folder);
    let key = operator_key(&data, "admin");
    let weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    let event = open_sale(&client, &key, &SaleOf { opens_in_ms: 10_000, ..SaleOf::default() }).await;

    // Everyone joins the lobby; joining again is the same place.
    let mut visitors = Vec::new();
    for _ in 0..20 {
        let mut visitor = Visitor::arrive(&client, &event).await.unwrap();
        let place = visitor.join().await.unwrap().expect(201);
        assert_eq!(place["state"], "lobby");
        assert_eq!(place["rank"], Value::Null);
        let again = visitor.join().await.unwrap().expect(200);
        assert_eq!(again["entry"], place["entry"], "the same place");
        visitors.push(visitor);
    }

    // Each is called in the order of the draw, comes in, and takes two seats side by side.
    let mut ranks = HashSet::new();
    let mut tickets = HashSet::new();
    for visitor in &mut visitors {
        let admitted = visitor.come_in().await;
        assert_eq!(admitted["maxSeats"], 4);
        let view = visitor.poll().await.unwrap().expect(200);
        assert_eq!(view["state"], "admitted");
        assert!(ranks.insert(view["rank"].as_u64().unwrap()), "a rank twice");
        let held = visitor.reserve("first", &json!({"bestAvailable": {"count": 2}})).await.unwrap().expect(201);
        assert_eq!((&held["status"], &held["totalAmount"]), (&json!("reserved"), &json!(9_000)));
        let transaction = visitor.pay(&held["totalAmount"], &held["currency"], "approve").await.unwrap();
        let sold = visitor.confirm(&held, &transaction).await.unwrap().expect(200);
        assert_eq!(sold["status"], "confirmed");
        for ticket in sold["tickets"].as_array().unwrap() {
            assert!(tickets.insert(ticket["seatId"].as_str().unwrap().to_owned()), "invariant 1: {ticket} sold twice");
        }
        let again = visitor.confirm(&held, &transaction).await.unwrap().expect(200);
        assert_eq!(again["tickets"], sold["tickets"], "confirming again is the same answer");
    }
    assert_eq!(ranks, (0..20).collect());
    assert_eq!(tickets.len(), 40);

    // The operator sees it, and so does the public.
    let sale =
        client.operate(&key, Method::GET, &format!("/v1/operator/events/{event}/sale"), &json!(null)).await.expect(200);
    assert_eq!(
        (&sale["admitted"], &sale["booked"], &sale["seatsLeft"]),
        (&json!(20), &json!(40), &json!(160)),
        "{sale}"
    );
    let seats = client.get(&format!("/v1/events/{event}")).await.expect(200);
    let booked = seats["seats"].as_array().unwrap().iter().filter(|seat| seat["status"] == "booked").count();
    assert_eq!(booked, 40);

    // So does whoever watches the process.
    let metrics = reqwest::get(format!("{}/metrics", weir.admin)).await.unwrap().text().await.unwrap();
    for number in ["weir_gateway_joins_total 20", "weir_worker_confirmed_total 20", "weir_double_sold_total 0"] {
        assert!(metrics.lines().any(|line| line == number), "{number} in {metrics}");
    }

    // Anyone can check the draw, and a drain ends cleanly.
    let checked = std::process::Command::new(kit::binary())
        .args(["verify-draw", &format!("{}/v1/events/{event}", weir.public)])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn collisions_declined_payments_and_given_back_seats_end_as_they_should() {
    let folder = folder();
    let data = data(&folder);
    let key = operator_key(&data, "admin");
    let weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    let event = open_sale(&client, &key, &SaleOf::default()).await;
    let mut ann = Visitor::arrive(&client, &event).await.unwrap();
    let mut bob = Visitor::arrive(&client, &event).await.unwrap();
    for visitor in [&mut ann, &mut bob] {
        visitor.join().await.unwrap().expect(201);
    }
    for visitor in [&mut ann, &mut bob] {
        visitor.come_in().await;
    }

    let wanted = json!({"seats": ["A-1", "A-2"]});
    let held = ann.reserve("k", &wanted).await.unwrap().expect(201);
    let same = ann.reserve("k", &wanted).await.unwrap().expect(201);
    assert_eq!(same["bookingId"], held["bookingId"]);
    ann.reserve("k", &json!({"seats": ["B-1"]})).await.unwrap().refuses(422, "idempotency-key-reused");
    ann.send(Method::POST, "/v1/bookings/reserve", &[], Some(&json!({"eventId": event, "seats": ["B-1"]})))
        .await
        .unwrap()
        .refuses(400, "idempotency-key-missing");
    let refused = bob.reserve("k", &json!({"seats": ["A-2", "A-3"]})).await.unwrap();
    refused.refuses(409, "seats-unavailable");
    assert_eq!(refused.body["unavailable"], json!(["A-2"]));
    bob.reserve("orphan", &json!({"seats": ["A-4"]})).await.unwrap().refuses(409, "orphan-seat");
    bob.reserve("unknown", &json!({"seats": ["Z-99"]})).await.unwrap().refuses(422, "unknown-seat");
    bob.reserve("many", &json!({"seats": ["C-1", "C-2", "C-3", "C-4", "C-5"]}))
        .await
        .unwrap()
        .refuses(422, "too-many-seats");

    let id = held["bookingId"].as_str().unwrap();
    bob.booking(id).await.refuses(404, "not-found");
    let declined = ann.pay(&held["totalAmount"], &held["currency"], "decline").await.unwrap();
    ann.confirm(&held, &declined).await.unwrap().refuses(402, "payment-declined");
    let short = ann.pay(&json!(1), &held["currency"], "approve").await.unwrap();
    ann.confirm(&held, &short).await.unwrap().refuses(422, "amount-mismatch");
    let back = ann.send(Method::DELETE, &format!("/v1/bookings/{id}"), &[], None).await.unwrap();
    assert_eq!(back.status, 204);
    bob.reserve("again", &json!({"seats": ["A-1", "A-2"]})).await.unwrap().expect(201);
    let paid = ann.pay(&held["totalAmount"], &held["currency"], "approve").await.unwrap();
    ann.confirm(&held, &paid).await.unwrap().refuses(409, "hold-expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_ends_as_it_should_at_every_edge() {
    let folder = folder();
    let data = data(&folder);
    let admin = operator_key(&data, "admin");
    let weir = Weir::start(&data);
    let held = kit::edges::edges_of_a_booking(&Client::new(&weir.public), &admin).await;
    weir.kill();
    let weir = Weir::start(&data);
    kit::edges::the_same_after_a_crash(&Client::new(&weir.public), held).await;
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_cancelled_and_its_money_goes_back() {
    let folder = folder();
    let data = data(&folder);
    let (admin, viewer) = (operator_key(&data, "admin"), operator_key(&data, "viewer"));
    let weir = Weir::start(&data);
    kit::life::cancel_and_refund(&Client::new(&weir.public), &admin, &viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_get_a_letter_about_each_thing_once() {
    let folder = folder();
    let data = data(&folder);
    let admin = operator_key(&data, "admin");
    let office = PostOffice::open();
    let weir = Weir::start_with(&data, &office.settings().each_ref().map(String::as_str));
    kit::life::write_to_buyers(&Client::new(&weir.public), &admin, &office).await;
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_told_of_bookings_in_order_and_again_when_wanted() {
    let folder = folder();
    let data = data(&folder);
    let (admin, viewer) = (operator_key(&data, "admin"), operator_key(&data, "viewer"));
    let endpoint = Endpoint::open(1);
    let weir = Weir::start_with(&data, &endpoint.settings().each_ref().map(String::as_str));
    kit::life::tell_the_endpoint(&Client::new(&weir.public), &admin, &viewer, &endpoint).await;
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_moved_and_whoever_had_booked_gives_back_in_full() {
    let folder = folder();
    let data = data(&folder);
    let (admin, viewer) = (operator_key(&data, "admin"), operator_key(&data, "viewer"));
    let weir = Weir::start(&data);
    kit::life::move_and_give_back(&Client::new(&weir.public), &admin, &viewer).await;
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_has_begun_is_sold_and_given_back_no_more() {
    let folder = folder();
    let data = data(&folder);
    let admin = operator_key(&data, "admin");
    let weir = Weir::start(&data);
    kit::begun::event_that_has_begun(&Client::new(&weir.public), &admin).await;
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_to_another_hall_and_every_ticket_stays_good() {
    let folder = folder();
    let data = data(&folder);
    let [admin, viewer, door] = ["admin", "viewer", "door"].map(|role| operator_key(&data, role));
    let weir = Weir::start(&data);
    kit::hall::rehouse(&Client::new(&weir.public), &admin, &viewer, &door).await;
    assert_eq!(weir.terminate(), Some(0));
}

#[tokio::test]
async fn a_ticket_lets_in_once_and_a_cancelled_or_revoked_one_never() {
    let folder = folder();
    let data = data(&folder);
    let (admin, door) = (operator_key(&data, "admin"), operator_key(&data, "door"));
    let weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    let event = open_sale(&client, &admin, &SaleOf::default()).await;
    let mut ann = Visitor::arrive(&client, &event).await.unwrap();
    ann.join().await.unwrap().expect(201);
    ann.come_in().await;
    let held = ann.reserve("k", &json!({"seats": ["A-1", "A-2", "A-3"]})).await.unwrap().expect(201);
    let transaction = ann.pay(&held["totalAmount"], &held["currency"], "approve").await.unwrap();
    let sold = ann.confirm(&held, &transaction).await.unwrap().expect(200);
    let token = |at: usize| sold["tickets"][at]["token"].clone();
    let path = format!("/v1/events/{event}/door/scans");
    let scan = async |at: usize, gate: &str| {
        client.operate(&door, Method::POST, &path, &json!({"token": token(at), "gate": gate})).await.expect(200)
    };

    assert_eq!(scan(0, "North").await["result"], "in");
    let again = scan(0, "South").await;
    assert_eq!((&again["result"], &again["firstGate"]), (&json!("again"), &json!("North")));
    assert!(again["firstAt"].is_string(), "{again}");

    let cancel = format!("/v1/bookings/{}/cancel", sold["bookingId"].as_str().unwrap());
    let give_up =
        async |seat: &str| ann.send(Method::POST, &cancel, &[], Some(&json!({"seats": [seat]}))).await.unwrap();
    give_up("A-1").await.refuses(409, "ticket-used");
    give_up("A-2").await.expect(200);
    assert_eq!(scan(1, "North").await["result"], "cancelled");

    let ticket = sold["tickets"][2]["ticketId"].as_str().unwrap();
    let revoke = format!("/v1/operator/events/{event}/tickets/{ticket}/revoke");
    let reason = json!({"reason": "reported stolen"});
    assert_eq!(client.operate(&admin, Method::POST, &revoke, &reason).await.status, 204);
    client.operate(&door, Method::POST, &revoke, &reason).await.refuses(403, "forbidden");
    let revoked = scan(2, "North").await;
    assert_eq!((&revoked["result"], &revoked["reason"]), (&json!("revoked"), &json!("reported stolen")));

    let counts =
        client.operate(&door, Method::GET, &format!("/v1/events/{event}/door"), &json!(null)).await.expect(200);
    assert_eq!((&counts["sold"], &counts["in"], &counts["revoked"]), (&json!(2), &json!(1), &json!(1)), "{counts}");
}
