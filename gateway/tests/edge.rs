//! The edge itself: limits on connections, headers, bodies and rates; the admin listener; the drain.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::time::{Duration, Instant};

use gateway::Settings;
use serde_json::json;
use support::{World, read, roomy, slug};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn a_body_that_is_no_json_has_an_unknown_field_or_is_too_large_is_refused_by_name() {
    let world = World::new().await;
    let refresh = async |body: String| {
        let request = world.post("/v1/users/refresh").header("Content-Type", "application/json").body(body);
        read(request.send().await.unwrap()).await
    };
    for wrong in ["", "{", "[]", "{}", r#"{"refreshToken": 7}"#, r#"{"refreshToken": "x", "more": 1}"#] {
        let (status, body) = refresh(wrong.to_owned()).await;
        assert_eq!((status, slug(&body)), (400, "invalid-request"), "{wrong}");
    }
    let (status, body) = refresh(format!(r#"{{"refreshToken": "{}"}}"#, "x".repeat(70_000))).await;
    assert_eq!((status, slug(&body)), (413, "body-too-large"));
    let form = world.post("/v1/users/refresh").header("Content-Type", "text/plain").body("{}");
    let (status, body) = read(form.send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (400, "invalid-request"));
}

#[tokio::test]
async fn an_address_that_is_not_there_and_a_method_that_is_not_known_are_told_apart() {
    let world = World::new().await;
    let answer = world.get("/v1/nothing").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let (status, body) = read(answer).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
    let (status, body) = read(world.post("/openapi.json").send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (405, "method-not-allowed"));
    for path in ["/v1/events/evt_none", "/v1/events/evt_none/line", "/v1/events/%20/seats"] {
        let (status, body) = read(world.get(path).send().await.unwrap()).await;
        assert_eq!((status, slug(&body)), (404, "not-found"), "{path}");
    }
}

/// Reads until the peer closes, five seconds at most.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await.expect("closed").ok();
    all
}

#[tokio::test]
async fn a_peer_that_sends_its_headers_too_slowly_is_cut_off_though_each_byte_comes_in_time() {
    let world = World::with(Settings { header_timeout_ms: 300, ..roomy() }).await;
    let begun = Instant::now();
    let mut slow = TcpStream::connect(world.public).await.unwrap();
    for byte in b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\nX-Slow: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" {
        if slow.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    closed(&mut slow).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());

    // A second request on the same connection is held to the same.
    let mut slow = TcpStream::connect(world.public).await.unwrap();
    slow.write_all(b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    slow.write_all(b"GET /v1/noth").await.unwrap();
    let all = closed(&mut slow).await;
    assert!(String::from_utf8_lossy(&all).starts_with("HTTP/1.1 404"), "an idle connection may be idle longer");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_when_it_has_been_idle_too_long() {
    let world = World::with(Settings { idle_timeout_seconds: 1, ..roomy() }).await;
    let mut idle = TcpStream::connect(world.public).await.unwrap();
    idle.write_all(b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    closed(&mut idle).await;
    let waited = begun.elapsed();
    assert!((Duration::from_millis(800)..Duration::from_secs(3)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_refused() {
    let world = World::with(Settings { body_timeout_ms: 200, ..roomy() }).await;
    let mut slow = TcpStream::connect(world.public).await.unwrap();
    let head = "POST /v1/users/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let count = tokio::time::timeout(Duration::from_secs(5), slow.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 408"));
}

#[tokio::test]
async fn headers_beyond_their_limits_are_refused() {
    let world = World::new().await;
    let many = (0..200).fold(world.get("/v1/nothing"), |request, n| request.header(format!("x-{n}"), "1"));
    assert_eq!(many.send().await.unwrap().status(), 431);
    let mut long = TcpStream::connect(world.public).await.unwrap();
    let head = format!("GET /v1/nothing HTTP/1.1\r\nHost: x\r\nX-Long: {}", "y".repeat(16_400));
    long.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let count = tokio::time::timeout(Duration::from_secs(5), long.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 431"));
}

#[tokio::test]
async fn one_connection_more_than_allowed_is_closed_at_once() {
    let world = World::with(Settings { max_connections: 16, ..roomy() }).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(TcpStream::connect(world.public).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut more = TcpStream::connect(world.public).await.unwrap();
    let begun = Instant::now();
    closed(&mut more).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    drop(open.pop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.get("/v1/nothing").send().await.unwrap().status(), 404, "there is room again");
}

#[tokio::test]
async fn a_user_who_polls_too_often_is_told_when_to_come_again_and_others_are_not() {
    let world = World::with(Settings { requests_per_minute: 5, ..roomy() }).await;
    let _keeper = world.line("evt_1", world.policy(60_000)).await;
    let (eager, calm) = (world.guest().await, world.guest().await);
    let (_, place) = world.join("evt_1", &eager).await;
    let token = place["placeToken"].as_str().unwrap();
    let poll = || world.get("/v1/events/evt_1/line/place").header("Weir-Place", token).send();
    let first = poll().await.unwrap();
    assert_eq!(first.headers()["ratelimit-policy"], "\"default\";q=5;w=60");
    assert_eq!(first.headers()["ratelimit"], "\"default\";r=3;t=24");
    let mut refused = None;
    for _ in 0..5 {
        let answer = poll().await.unwrap();
        if answer.status() == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("six requests are one too many");
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.headers()["ratelimit"].to_str().unwrap().starts_with("\"default\";r=0"));
    let (_, body) = read(refused).await;
    assert_eq!(slug(&body), "rate-limited");
    assert_eq!(world.join("evt_1", &calm).await.0, 201);
}

#[tokio::test]
async fn an_address_makes_only_so_many_guests_and_guesses_only_so_many_tokens() {
    let world = World::with(Settings { guests_per_minute: 2, address_requests_per_minute: 8, ..roomy() }).await;
    world.guest().await;
    world.guest().await;
    let (status, body) = read(world.post("/v1/users/guest").send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (429, "rate-limited"));
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let guess = world.get("/v1/events/evt_1/line/place").header("Weir-Place", "guess").send().await.unwrap();
        statuses.push(guess.status().as_u16());
    }
    assert_eq!((statuses[0], *statuses.last().unwrap()), (401, 429));
}

#[tokio::test]
async fn five_attempts_to_reserve_a_minute_are_enough() {
    let world = World::with(Settings { reserves_per_minute: 5, ..roomy() }).await;
    let guest = world.guest().await;
    for attempt in 1..=6 {
        let body = json!({ "eventId": "evt_1", "seats": ["A-1"] });
        let request = world.post("/v1/bookings/reserve").bearer_auth(&guest.token).json(&body);
        let (status, body) = read(request.send().await.unwrap()).await;
        let expected = if attempt <= 5 { (400, "idempotency-key-missing") } else { (429, "rate-limited") };
        assert_eq!((status, slug(&body)), expected);
    }
}

#[tokio::test]
async fn the_admin_listener_tells_alive_ready_and_metrics() {
    let world = World::new().await;
    let ask = |path: &'static str| async move {
        let answer = reqwest::get(format!("http://{}{path}", world.admin)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let ask = &ask;
    assert_eq!(ask("/live").await.0, 200);
    support::until("ready", || async move { ask("/ready").await.0 == 200 }).await;
    let (_, metrics) = ask("/metrics").await;
    assert!(metrics.contains("weir_gateway_polls_total"), "{metrics}");
    assert_eq!(ask("/v1/nothing").await.0, 404);
}

#[tokio::test]
async fn http_2_with_prior_knowledge_is_spoken_on_the_same_address() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    let mut frame = [0; 9];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "the first frame of a server is SETTINGS");
}

#[tokio::test]
async fn the_description_is_served_and_names_the_calls() {
    let world = World::new().await;
    let (status, body) = read(world.get("/openapi.json").send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert!(body["paths"]["/v1/events/{eventId}/line/place"]["get"].is_object());
    assert_eq!(body.to_string(), serde_json::from_str::<serde_json::Value>(&gateway::openapi()).unwrap().to_string());
}
