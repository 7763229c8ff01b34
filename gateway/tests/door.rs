//! The door: every result, every role, and what a door that was cut off sends later.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "support/buying.rs"]
mod buying;
mod support;
#[path = "support/workers.rs"]
mod workers;

use buying::{admitted, booking, confirm, pay, reserve, sale};
use reqwest::Method;
use serde_json::{Value, json};
use support::{ADMIN_KEY, DOOR_KEY, Guest, OPERATOR_KEY, VIEWER_KEY, World, read, slug, text};

async fn buy(world: &World, event: &str, seats: &[&str]) -> (Guest, Value) {
    let buyer = admitted(world, event).await;
    let (status, held) = reserve(world, &buyer, "k1", json!({ "eventId": event, "seats": seats })).await;
    assert_eq!(status, 201, "{held}");
    let amount = held["totalAmount"].as_i64().unwrap();
    let paid = pay(world, amount, "approve").await;
    let (status, sold) = confirm(world, &buyer.0, &text(&held["bookingId"]), &paid, amount).await;
    assert_eq!(status, 200, "{sold}");
    (buyer.0, sold)
}

async fn operate(world: &World, key: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = world.request(method, path).bearer_auth(key);
    let request = if let Some(body) = body { request.json(&body) } else { request };
    read(request.send().await.unwrap()).await
}

async fn scan(world: &World, event: &str, body: Value) -> Value {
    let path = format!("/v1/events/{event}/door/scans");
    let (status, answer) = operate(world, DOOR_KEY, Method::POST, &path, Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn shown(ticket: &Value, gate: &str, id: &str) -> Value {
    json!({ "token": ticket["token"], "gate": gate, "scanId": id })
}

#[tokio::test]
async fn a_scan_says_who_may_come_in() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (buyer, sold) = buy(&world, &event, &["A-1", "A-2", "A-3"]).await;
    let (first, second, third) = (&sold["tickets"][0], &sold["tickets"][1], &sold["tickets"][2]);

    let answer = scan(&world, &event, shown(first, "North", "s1")).await;
    assert_eq!(answer["result"], "in", "{answer}");
    assert_eq!((&answer["ticketId"], &answer["seat"]), (&first["ticketId"], &json!("A-1")));
    assert_eq!((&answer["row"], &answer["category"]), (&json!("A"), &json!("stalls")));
    assert_eq!(scan(&world, &event, shown(first, "North", "s1")).await, answer, "the same scan, sent again");
    let again = scan(&world, &event, shown(first, "South", "s2")).await;
    assert_eq!((&again["result"], &again["firstGate"]), (&json!("again"), &json!("North")), "{again}");
    assert!(text(&again["firstAt"]).ends_with('Z'));

    let path = format!("/v1/bookings/{}/cancel", text(&sold["bookingId"]));
    let cancel = async |seat: &str| {
        read(world.post(&path).bearer_auth(&buyer.token).json(&json!({ "seats": [seat] })).send().await.unwrap()).await
    };
    let (status, refused) = cancel("A-1").await;
    assert_eq!((status, slug(&refused)), (409, "ticket-used"), "{refused}");
    assert_eq!(cancel("A-2").await.0, 200);
    assert_eq!(scan(&world, &event, shown(second, "North", "s3")).await["result"], "cancelled");

    let revoke = format!("/v1/operator/events/{event}/tickets/{}/revoke", text(&third["ticketId"]));
    let why = json!({ "reason": "reported stolen" });
    let (status, body) = operate(&world, OPERATOR_KEY, Method::POST, &revoke, Some(why.clone())).await;
    assert_eq!(status, 204, "{body}");
    let revoked = scan(&world, &event, shown(third, "North", "s4")).await;
    assert_eq!((&revoked["result"], &revoked["reason"]), (&json!("revoked"), &json!("reported stolen")));
    assert_eq!(operate(&world, OPERATOR_KEY, Method::DELETE, &revoke, None).await.0, 204);
    assert_eq!(scan(&world, &event, shown(third, "North", "s5")).await["result"], "in");
    let (_, trail) =
        operate(&world, VIEWER_KEY, Method::GET, &format!("/v1/operator/events/{event}/audit"), None).await;
    let acts: Vec<_> =
        trail["entries"].as_array().unwrap().iter().take(2).map(|entry| entry["action"].clone()).collect();
    assert_eq!(acts, ["make a ticket good again", "revoke a ticket"]);

    // Forged, of another kind, of another event.
    let token = text(&first["token"]);
    let flipped = if token.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{flipped}", &token[..token.len() - 1]);
    for wrong in [forged.as_str(), "hello", "", &buyer.token, &"x".repeat(3_000)] {
        let answer = scan(&world, &event, json!({ "token": wrong, "gate": "North" })).await;
        assert_eq!(answer, json!({ "result": "unknown" }), "{wrong}");
    }
    world.hall("evt_other").await;
    let elsewhere = scan(&world, "evt_other", shown(first, "North", "s6")).await;
    assert_eq!(elsewhere["result"], "otherEvent");

    let counts = operate(&world, DOOR_KEY, Method::GET, &format!("/v1/events/{event}/door"), None).await.1;
    assert_eq!(counts, json!({ "sold": 2, "in": 2, "revoked": 0, "byGate": [{ "gate": "North", "in": 2 }] }));
}

#[tokio::test]
async fn a_door_key_scans_and_does_nothing_else() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (_, sold) = buy(&world, &event, &["A-1"]).await;
    let ticket = text(&sold["tickets"][0]["ticketId"]);
    let scans = format!("/v1/events/{event}/door/scans");
    let body = shown(&sold["tickets"][0], "North", "s1");
    let (status, refused) = operate(&world, VIEWER_KEY, Method::POST, &scans, Some(body.clone())).await;
    assert_eq!((status, slug(&refused)), (403, "forbidden"));
    let (status, refused) = operate(&world, "weir_op_nobody", Method::POST, &scans, Some(body.clone())).await;
    assert_eq!((status, slug(&refused)), (401, "unauthorized"));
    for key in [DOOR_KEY, OPERATOR_KEY, ADMIN_KEY] {
        let (status, answer) = operate(&world, key, Method::POST, &scans, Some(body.clone())).await;
        assert_eq!((status, &answer["result"]), (200, &json!("in")));
    }
    let reason = Some(json!({ "reason": "no" }));
    for (method, path, body) in [
        (Method::GET, "/v1/operator/events".to_owned(), None),
        (Method::GET, format!("/v1/operator/events/{event}/sale"), None),
        (Method::GET, format!("/v1/operator/events/{event}/audit"), None),
        (Method::GET, "/v1/operator/payments/stuck".to_owned(), None),
        (Method::PATCH, format!("/v1/operator/events/{event}/sale"), Some(json!({ "paused": true }))),
        (Method::POST, format!("/v1/operator/events/{event}/call-off"), reason.clone()),
        (Method::POST, format!("/v1/operator/events/{event}/tickets/{ticket}/revoke"), reason),
        (Method::DELETE, format!("/v1/operator/events/{event}/tickets/{ticket}/revoke"), None),
    ] {
        let (status, refused) = operate(&world, DOOR_KEY, method, &path, body).await;
        assert_eq!((status, slug(&refused)), (403, "forbidden"), "{path}");
    }
    for wrong in [json!({ "token": "x", "gate": "" }), json!({ "token": "x", "gate": "a\nb" }), json!({ "gate": "N" })]
    {
        let (status, refused) = operate(&world, DOOR_KEY, Method::POST, &scans, Some(wrong)).await;
        assert_eq!((status, slug(&refused)), (400, "invalid-request"));
    }
}

#[tokio::test]
async fn a_door_that_was_cut_off_sends_its_scans_later() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (_, sold) = buy(&world, &event, &["A-1", "A-2"]).await;
    let (first, second) = (&sold["tickets"][0], &sold["tickets"][1]);
    scan(&world, &event, shown(first, "South", "s1")).await;
    let at = world.now().plus_millis(-60_000);
    let early = |ticket: &Value, id: &str| json!({ "token": ticket["token"], "gate": "North", "scanId": id, "at": at });
    let batch = json!({ "scans": [early(first, "n1"), early(second, "n2"), { "token": "x", "gate": "North" }, early(second, "n3")] });
    let path = format!("/v1/events/{event}/door/scans/batch");
    let send = async |batch: &Value| operate(&world, DOOR_KEY, Method::POST, &path, Some(batch.clone())).await;
    let (status, answer) = send(&batch).await;
    assert_eq!(status, 200, "{answer}");
    let results: Vec<_> = answer["results"].as_array().unwrap().iter().map(|one| text(&one["result"])).collect();
    assert_eq!(results, ["again", "in", "unknown", "again"]);
    assert_eq!(answer["results"][0]["firstGate"], "South");
    assert_eq!((&answer["results"][3]["firstGate"], &answer["results"][3]["firstAt"]), (&json!("North"), &json!(at)));
    assert_eq!(send(&batch).await.1, answer, "sent again, as doors do");
    let many: Vec<_> = (0..1_000).map(|number| early(second, &format!("m{number}"))).collect();
    let (status, answer) = send(&json!({ "scans": many })).await;
    assert_eq!((status, answer["results"].as_array().map(Vec::len)), (200, Some(1_000)));
    let too_many: Vec<_> = (0..1_001).map(|_| json!({ "token": "x", "gate": "North" })).collect();
    assert_eq!(send(&json!({ "scans": too_many })).await.0, 400);
}

#[tokio::test]
async fn a_door_downloads_the_tickets_and_then_what_changed() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (buyer, sold) = buy(&world, &event, &["A-1", "A-2"]).await;
    let list = async |since: &str| {
        let path = format!("/v1/events/{event}/door/tickets{since}");
        let (status, page) = operate(&world, DOOR_KEY, Method::GET, &path, None).await;
        assert_eq!(status, 200, "{page}");
        page
    };
    let page = list("").await;
    assert_eq!(page["hasMore"], false);
    let status = |page: &Value| -> Vec<(String, String)> {
        page["tickets"].as_array().unwrap().iter().map(|one| (text(&one["seat"]), text(&one["status"]))).collect()
    };
    let seats = |statuses: [&str; 2]| {
        vec![("A-1".to_owned(), statuses[0].to_owned()), ("A-2".to_owned(), statuses[1].to_owned())]
    };
    assert_eq!(status(&page), seats(["out", "out"]));
    assert_eq!(page["tickets"][0]["ticketId"], sold["tickets"][0]["ticketId"]);
    let since = format!("?since={}", page["version"]);
    assert_eq!(list(&since).await["tickets"], json!([]));
    scan(&world, &event, shown(&sold["tickets"][0], "North", "s1")).await;
    let path = format!("/v1/bookings/{}/cancel", text(&sold["bookingId"]));
    let cancelled =
        world.post(&path).bearer_auth(&buyer.token).json(&json!({ "seats": ["A-2"] })).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    let changed = list(&since).await;
    assert_eq!(status(&changed), seats(["in", "cancelled"]));
    assert_eq!(changed["tickets"][0]["gate"], "North");
    assert_eq!(list(&format!("?after={}", changed["version"])).await["version"], changed["version"]);
}

#[tokio::test]
async fn many_gates_share_a_batch() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (_, sold) = buy(&world, &event, &["A-1"]).await;
    let scans = (0..50).map(|gate| scan(&world, &event, shown(&sold["tickets"][0], &format!("gate {gate}"), "s")));
    let answers = futures_util::future::join_all(scans).await;
    assert_eq!(answers.iter().filter(|answer| answer["result"] == "in").count(), 1, "invariant 11");
    assert_eq!(answers.iter().filter(|answer| answer["result"] == "again").count(), 49);
}

#[tokio::test]
async fn a_booking_is_printed_and_put_into_a_calendar_by_its_owner() {
    let world = World::new().await;
    let event = sale(&world).await;
    let (buyer, sold) = buy(&world, &event, &["A-1", "A-2"]).await;
    let id = text(&sold["bookingId"]);
    let load = async |who: &Guest| {
        let path = format!("/v1/bookings/{id}/calendar.ics");
        let answer = world.get(&path).bearer_auth(&who.token).send().await.unwrap();
        (answer.status().as_u16(), answer.headers()["content-type"].clone(), answer.text().await.unwrap())
    };
    let (status, kind, entry) = load(&buyer).await;
    assert_eq!((status, kind.to_str().unwrap()), (200, "text/calendar; charset=utf-8"));
    assert!(entry.starts_with("BEGIN:VCALENDAR\r\n") && entry.contains("SUMMARY:A loud evening\r\n"), "{entry}");
    assert!(entry.contains("STATUS:CONFIRMED\r\n") && entry.contains("SEQUENCE:0\r\n"), "{entry}");
    assert_eq!(load(&world.guest().await).await.0, 404, "somebody else's");
    let cancelled = world.post(&format!("/v1/bookings/{id}/cancel")).bearer_auth(&buyer.token).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    assert_eq!(booking(&world, &buyer, &id).await.1["status"], "cancelled");
    assert!(load(&buyer).await.2.contains("SEQUENCE:1\r\nSTATUS:CANCELLED\r\n"));

    let sheets = world.get(&format!("/e/{event}/tickets/{id}")).send().await.unwrap();
    assert_eq!(sheets.status(), 200);
    assert!(
        !sheets.text().await.unwrap().contains(&text(&sold["tickets"][0]["token"])),
        "only its owner's script has it"
    );
    let door = world.get(&format!("/e/{event}/door")).send().await.unwrap();
    assert_eq!(door.status(), 200);
    assert!(door.headers()["permissions-policy"].to_str().unwrap().starts_with("camera=(self)"));
}
