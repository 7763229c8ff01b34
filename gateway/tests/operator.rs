//! The operator's calls, with the real workers behind the gateway.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;
#[path = "support/workers.rs"]
mod workers;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use support::{ADMIN_KEY, OPERATOR_KEY, VIEWER_KEY, World, read, slug, text, until};

async fn ask(world: &World, method: Method, path: &str, key: &str, body: Value) -> (u16, Value) {
    let request = world.request(method, path).bearer_auth(key);
    let request = if body.is_null() { request } else { request.json(&body) };
    read(request.send().await.unwrap()).await
}

fn venue() -> Value {
    let mut venue = support::hall_map();
    venue["name"] = "Town Hall".into();
    venue["address"] = "1 Market Square".into();
    venue["location"] = json!({ "city": "Ghent" });
    venue
}

/// A sale on an event of the catalog.
async fn sale(world: &World) -> String {
    workers::start(world);
    world.hall("evt_1").await;
    let policy = serde_json::to_value(world.policy(60_000)).unwrap();
    let (status, body) = ask(world, Method::PUT, "/v1/operator/events/evt_1/sale", ADMIN_KEY, policy).await;
    assert_eq!(status, 200, "{body}");
    "/v1/operator/events/evt_1/sale".to_owned()
}

#[tokio::test]
async fn a_venue_is_added_once_however_often_the_request_is_repeated() {
    let world = World::new().await;
    workers::start(&world);
    let add = async |key: &str, body: Value| {
        let request = world.post("/v1/operator/venues").bearer_auth(ADMIN_KEY).header("Idempotency-Key", key);
        read(request.json(&body).send().await.unwrap()).await
    };
    let (status, first) = add("v1", venue()).await;
    assert_eq!((status, &first["seats"]), (201, &20.into()), "{first}");
    let (status, again) = add("v1", venue()).await;
    assert_eq!((status, &again["venueId"]), (201, &first["venueId"]));
    assert_eq!((&first["isNew"], &again["isNew"]), (&json!(true), &json!(false)));
    let path = format!("/v1/operator/venues/{}", text(&first["venueId"]));
    let (status, found) = ask(&world, Method::GET, &path, VIEWER_KEY, Value::Null).await;
    assert_eq!((status, &found["name"], &found["seats"]), (200, &json!("Town Hall"), &json!(20)), "{found}");
    assert_eq!(found["categories"], venue()["categories"]);
    assert_eq!(ask(&world, Method::GET, "/v1/operator/venues/venue_none", VIEWER_KEY, Value::Null).await.0, 404);
    let mut other = venue();
    other["name"] = "Another".into();
    let (status, body) = add("v1", other).await;
    assert_eq!((status, slug(&body)), (422, "idempotency-key-reused"));
    let mut doubled = venue();
    doubled["sections"][0]["rows"][1]["seats"][0]["seatId"] = "A-1".into();
    let (status, body) = add("v2", doubled).await;
    assert_eq!((status, slug(&body)), (422, "invalid-venue"));
    assert!(text(&body["detail"]).contains("A-1"), "{body}");
}

#[tokio::test]
async fn a_key_does_only_what_its_role_allows() {
    let world = World::new().await;
    let path = sale(&world).await;
    let steer = json!({ "maxActive": 7 });
    for (key, status, name) in [("nonsense", 401, "unauthorized"), (VIEWER_KEY, 403, "forbidden")] {
        let (found, body) = ask(&world, Method::PATCH, &path, key, steer.clone()).await;
        assert_eq!((found, slug(&body)), (status, name));
    }
    let (status, body) = ask(&world, Method::POST, "/v1/operator/venues", OPERATOR_KEY, venue()).await;
    assert_eq!((status, slug(&body)), (403, "forbidden"));
    assert_eq!(ask(&world, Method::PATCH, &path, OPERATOR_KEY, steer).await.0, 200);
    assert_eq!(ask(&world, Method::GET, &path, VIEWER_KEY, Value::Null).await.0, 200);
}

#[tokio::test]
async fn a_rate_of_zero_a_negative_or_an_absurd_one_is_refused_with_its_limits() {
    let world = World::new().await;
    let path = sale(&world).await;
    for wrong in [json!(0), json!(-1), json!(600_001), json!(9_999_999_999_i64)] {
        let (status, body) = ask(&world, Method::PATCH, &path, ADMIN_KEY, json!({ "ratePerMinute": wrong })).await;
        assert_eq!((status, slug(&body)), (422, "invalid-setting"), "{wrong}");
        assert!(text(&body["detail"]).contains("600000"), "{body}");
        let mut policy = serde_json::to_value(world.policy(60_000)).unwrap();
        policy["ratePerMinute"] = wrong;
        let (status, body) = ask(&world, Method::PUT, &path, ADMIN_KEY, policy).await;
        assert_eq!((status, slug(&body)), (422, "invalid-setting"));
    }
    for wrong in [json!({}), json!({ "ratePerMinute": "fast" }), json!({ "rate": 5 })] {
        let (status, body) = ask(&world, Method::PATCH, &path, ADMIN_KEY, wrong).await;
        assert_eq!((status, slug(&body)), (400, "invalid-request"));
    }
}

#[tokio::test]
async fn a_steered_rate_is_answered_seen_on_open_streams_and_in_the_audit_trail() {
    let world = World::new().await;
    let path = sale(&world).await;
    let guest = world.guest().await;
    let (_, place) = world.join("evt_1", &guest).await;
    let stream = world.get("/v1/events/evt_1/line/stream").header("Weir-Place", text(&place["placeToken"]));
    let mut events = support::Events::open(stream).await;
    events.event().await;
    let (status, body) = ask(&world, Method::PATCH, &path, OPERATOR_KEY, json!({ "ratePerMinute": 1_200 })).await;
    let answered = Instant::now();
    assert_eq!((status, &body["ratePerMinute"]), (200, &1_200.into()), "{body}");
    while events.event().await.1["ratePerMinute"] != 1_200 {}
    assert!(answered.elapsed() < Duration::from_millis(250));
    let (status, trail) = ask(&world, Method::GET, "/v1/operator/events/evt_1/audit", VIEWER_KEY, Value::Null).await;
    assert_eq!(status, 200);
    let newest = &trail["entries"][0];
    assert_eq!(newest["actor"], "oskar", "{trail}");
    let page = format!("/v1/operator/events/evt_1/audit?limit=1&before={}", newest["number"]);
    let (_, older) = ask(&world, Method::GET, &page, VIEWER_KEY, Value::Null).await;
    assert_eq!(older["entries"][0]["actor"], "ada", "the sale was laid down by the admin");
}

#[tokio::test]
async fn a_change_on_an_old_version_is_refused() {
    let world = World::new().await;
    let path = sale(&world).await;
    let answer = world.get(&path).bearer_auth(VIEWER_KEY).send().await.unwrap();
    let etag = answer.headers()["etag"].clone();
    let steer = async |etag: &reqwest::header::HeaderValue, rate: u32| {
        let request = world.request(Method::PATCH, &path).bearer_auth(ADMIN_KEY).header("If-Match", etag);
        request.json(&json!({ "ratePerMinute": rate })).send().await.unwrap()
    };
    let first = steer(&etag, 700).await;
    assert_eq!(first.status(), 200);
    let fresh = first.headers()["etag"].clone();
    let (status, body) = read(steer(&etag, 800).await).await;
    assert_eq!((status, slug(&body)), (412, "version-mismatch"), "{body}");
    assert_eq!(steer(&fresh, 900).await.status(), 200);
}

#[tokio::test]
async fn the_numbers_are_streamed_and_events_listed() {
    let world = World::new().await;
    let path = sale(&world).await;
    let guest = world.guest().await;
    world.join("evt_1", &guest).await;
    let mut events = support::Events::open(world.get(&format!("{path}/stream")).bearer_auth(VIEWER_KEY)).await;
    loop {
        let (name, numbers) = events.event().await;
        assert_eq!(name, "sale");
        if numbers["joined"] == 1 {
            assert_eq!((&numbers["phase"], &numbers["seatsLeft"]), (&"lobby".into(), &20.into()));
            break;
        }
    }
    let (_, list) = ask(&world, Method::GET, "/v1/operator/events", VIEWER_KEY, Value::Null).await;
    assert_eq!((&list["events"][0]["eventId"], &list["events"][0]["phase"]), (&"evt_1".into(), &"lobby".into()));
    until("the sale is steered to a pause and shown so", || async {
        ask(&world, Method::PATCH, &path, OPERATOR_KEY, json!({ "paused": true })).await.1["paused"] == true
    })
    .await;
}
