//! An event that begins at another time, with the real workers behind the gateway.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "support/buying.rs"]
mod buying;
mod support;
#[path = "support/workers.rs"]
mod workers;

use buying::{admitted, booking, confirm, pay, reserve, sale};
use reqwest::Method;
use serde_json::{Value, json};
use support::{ADMIN_KEY, OPERATOR_KEY, VIEWER_KEY, World, read, slug, text, until};

async fn ask(world: &World, method: Method, path: &str, key: &str, body: Value) -> (u16, Value) {
    let request = world.request(method, path).bearer_auth(key);
    let request = if body.is_null() { request } else { request.json(&body) };
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_buyer_sees_the_move_and_is_given_everything_back() {
    let world = World::new().await;
    let event = sale(&world).await;
    let buyer = admitted(&world, &event).await;
    let (_, held) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    let id = text(&held["bookingId"]);
    let paid = pay(&world, 5_000, "approve").await;
    let (status, sold) = confirm(&world, &buyer.0, &id, &paid, 5_000).await;
    assert_eq!((status, &sold["moved"]), (200, &Value::Null), "{sold}");
    let details = read(world.get(&format!("/v1/events/{event}")).send().await.unwrap()).await.1;
    let was = details["eventDetails"]["startsAt"].clone();

    let path = format!("/v1/operator/events/{event}/move");
    let (status, body) = ask(&world, Method::GET, &path, VIEWER_KEY, Value::Null).await;
    assert_eq!((status, slug(&body)), (404, "not-found"), "it was not moved yet");
    let starts_at = serde_json::to_value(world.now().plus_seconds(50_000)).unwrap();
    let wanted = json!({ "startsAt": starts_at, "reason": "The singer <is> ill." });
    let (status, body) = ask(&world, Method::POST, &path, OPERATOR_KEY, wanted.clone()).await;
    assert_eq!((status, slug(&body)), (403, "forbidden"));
    for wrong in [json!({ "startsAt": starts_at }), json!({ "startsAt": "soon", "reason": "Why" })] {
        let (status, body) = ask(&world, Method::POST, &path, ADMIN_KEY, wrong).await;
        assert_eq!((status, slug(&body)), (400, "invalid-request"));
    }
    let past = json!({ "startsAt": world.now(), "reason": "Why" });
    let (status, body) = ask(&world, Method::POST, &path, ADMIN_KEY, past).await;
    assert_eq!((status, slug(&body)), (422, "invalid-setting"));
    assert!(text(&body["detail"]).contains("startsAt must be in the future"), "{body}");
    for _ in 0..2 {
        let (status, moved) = ask(&world, Method::POST, &path, ADMIN_KEY, wanted.clone()).await;
        assert_eq!((status, &moved["number"], &moved["from"]), (200, &1.into(), &was), "{moved}");
        assert_eq!((&moved["startsAt"], &moved["giveBackUntil"]), (&starts_at, &starts_at));
    }
    until("told", || async {
        let (status, moved) = ask(&world, Method::GET, &path, VIEWER_KEY, Value::Null).await;
        status == 200 && moved["told"] == 1 && moved["left"] == 0
    })
    .await;

    // Under a day before the start half would be given back, by the policy.
    let (_, shown) = booking(&world, &buyer.0, &id).await;
    assert_eq!(shown["cancellation"], json!({ "percent": 100, "refundAmount": 5_000 }), "{shown}");
    let moved = json!({ "from": was, "to": starts_at, "reason": "The singer <is> ill.", "giveBackUntil": starts_at });
    assert_eq!((&shown["moved"], &shown["tickets"]), (&moved, &sold["tickets"]), "and its tickets are the same");
    let details = read(world.get(&format!("/v1/events/{event}")).send().await.unwrap()).await.1;
    assert_eq!(details["eventDetails"]["startsAt"], starts_at);
    assert_eq!(details["eventDetails"]["moved"], json!({ "from": was, "reason": "The singer <is> ill." }));
    let page = world.get(&format!("/e/{event}")).header("accept", "text/html").send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("This event was moved.") && page.contains(text(&was).as_str()), "{page}");
    assert!(page.contains("The singer &lt;is&gt; ill."), "escaped");

    let cancel = world.post(&format!("/v1/bookings/{id}/cancel")).bearer_auth(&buyer.0.token);
    let (status, cancelled) = read(cancel.json(&json!({ "refundAmount": 5_000 })).send().await.unwrap()).await;
    assert_eq!((status, &cancelled["refundAmount"]), (200, &5_000.into()), "{cancelled}");
    assert_eq!(cancelled["moved"], Value::Null);
    let trail = format!("/v1/operator/events/{event}/audit");
    let (_, trail) = ask(&world, Method::GET, &trail, VIEWER_KEY, Value::Null).await;
    let newest = &trail["entries"][0];
    assert_eq!((&newest["action"], &newest["actor"]), (&"move".into(), &"ada".into()), "{trail}");
}
