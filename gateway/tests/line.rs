//! The line over real HTTP: joining, polling, streaming, claiming, leaving, and the public record.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::time::{Duration, Instant};

use booking_core::{
    digest::Digest,
    line::{
        record::StateKind,
        verify::{BatchesCheck, EntriesCheck, EntriesPage, PublicDraw, RecordsCheck, RecordsPage, rank_of},
    },
};
use serde_json::Value;
use support::{Events, World, read, slug, text, until};

const EVENT: &str = "evt_1";

#[tokio::test]
async fn a_join_gives_a_place_and_the_same_user_again_gets_the_same_one() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let guest = world.guest().await;
    let (status, first) = world.join(EVENT, &guest).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(first["state"], "lobby");
    assert_eq!(first["position"], Value::Null);
    let (status, again) = world.join(EVENT, &guest).await;
    assert_eq!(status, 200);
    assert_eq!(again["entry"], first["entry"]);
    let (status, polled) = world.place(EVENT, &text(&first["placeToken"])).await;
    assert_eq!(status, 200);
    assert_eq!(polled["entry"], first["entry"]);
    assert_eq!(polled["placeToken"], first["placeToken"]);
}

#[tokio::test]
async fn joins_of_one_user_at_the_same_time_make_one_place() {
    let world = World::new().await;
    let keeper = world.line(EVENT, world.policy(60_000)).await;
    let guest = world.guest().await;
    let joins = futures_util::future::join_all((0..20).map(|_| world.join(EVENT, &guest))).await;
    assert_eq!(joins.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert!(joins.iter().all(|(_, place)| place["entry"] == joins[0].1["entry"]));
    let ends = booking_core::ports::log::Log::ends(&*world.log, &line_topic(&keeper.line)).await.unwrap();
    assert_eq!(ends.iter().sum::<u64>(), 1, "one append");
}

fn line_topic(line: &booking_core::line::state::LineState) -> booking_core::ports::log::Topic {
    booking_core::ports::log::Topic::Line(line.event().clone())
}

#[tokio::test]
async fn nobody_joins_before_the_lobby_or_after_the_end() {
    let world = World::new().await;
    let mut policy = world.policy(60_000);
    policy.lobby_opens_at = world.now().plus_seconds(30);
    let _keeper = world.line(EVENT, policy).await;
    let guest = world.guest().await;
    let path = format!("/v1/events/{EVENT}/line");
    let answer = world.post(&path).bearer_auth(&guest.token).send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    let (status, body) = read(answer).await;
    assert_eq!((status, slug(&body)), (409, "line-not-open"));
    world.clock.forward(4_000_000);
    let guest = world.guest().await;
    let (status, body) = world.join(EVENT, &guest).await;
    assert_eq!((status, slug(&body)), (409, "line-closed"));
    let (status, body) = world.join("evt_unknown", &guest).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
}

#[tokio::test]
async fn a_drawn_place_is_called_claimed_and_the_claim_repeated_is_the_same_admission() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(50)).await;
    let guest = world.guest().await;
    let (_, place) = world.join(EVENT, &guest).await;
    let token = text(&place["placeToken"]);
    let (status, body) = world.claim(EVENT, &guest, &token).await;
    assert_eq!((status, slug(&body)), (409, "not-called"));

    tokio::time::sleep(Duration::from_millis(60)).await;
    keeper.draw().await;
    keeper.call(1).await;
    let (_, place) = world.place(EVENT, &token).await;
    assert_eq!(place["state"], "called");
    assert_eq!((&place["rank"], &place["position"], &place["ahead"]), (&0.into(), &1.into(), &0.into()));
    assert_ne!(place["placeToken"], token.as_str(), "the rank goes into the token");

    let (status, admission) = world.claim(EVENT, &guest, &text(&place["placeToken"])).await;
    assert_eq!(status, 200, "{admission}");
    assert_eq!(admission["maxSeats"], 4);
    let (status, again) = world.claim(EVENT, &guest, &token).await;
    assert_eq!(status, 200);
    assert_eq!(again, admission);
    let (_, place) = world.place(EVENT, &token).await;
    assert_eq!(place["state"], "admitted");
}

#[tokio::test]
async fn who_comes_while_the_desk_is_full_is_told_when_to_come_again() {
    let world = World::new().await;
    let mut policy = world.policy(50);
    policy.max_active = 1;
    let mut keeper = world.line(EVENT, policy).await;
    let (one, two) = (world.guest().await, world.guest().await);
    let (_, first) = world.join(EVENT, &one).await;
    let (_, second) = world.join(EVENT, &two).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    keeper.draw().await;
    keeper.call(2).await;
    assert_eq!(world.claim(EVENT, &one, &text(&first["placeToken"])).await.0, 200);
    let path = format!("/v1/events/{EVENT}/line/claim");
    let token = text(&second["placeToken"]);
    let answer = world.post(&path).bearer_auth(&two.token).header("Weir-Place", &token).send().await.unwrap();
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 1);
    let (status, body) = read(answer).await;
    assert_eq!((status, slug(&body)), (409, "desk-full"));
}

#[tokio::test]
async fn a_missed_turn_is_told_with_the_next_one_and_after_both_a_new_place_can_be_taken() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(50)).await;
    let guest = world.guest().await;
    let (_, first) = world.join(EVENT, &guest).await;
    let token = text(&first["placeToken"]);
    tokio::time::sleep(Duration::from_millis(60)).await;
    keeper.draw().await;
    keeper.call(1).await;
    world.clock.forward(70_000);
    let (status, body) = world.claim(EVENT, &guest, &token).await;
    assert_eq!((status, slug(&body)), (409, "turn-lapsed"));
    assert!(body["opensAt"].is_string());
    world.clock.forward(120_000);
    let (_, place) = world.place(EVENT, &token).await;
    assert_eq!((&place["state"], &place["turn"]), (&"lapsed".into(), &Value::Null));
    let (status, anew) = world.join(EVENT, &guest).await;
    assert_eq!(status, 201, "{anew}");
    assert_ne!(anew["entry"], first["entry"]);
    let (status, _) = world.claim(EVENT, &guest, &token).await;
    assert_eq!(status, 409, "the old place is over");
}

#[tokio::test]
async fn a_place_that_was_given_up_is_over_and_its_owner_may_join_anew() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let guest = world.guest().await;
    let (_, first) = world.join(EVENT, &guest).await;
    let token = text(&first["placeToken"]);
    let path = format!("/v1/events/{EVENT}/line/place");
    let left = world.request(reqwest::Method::DELETE, &path).header("Weir-Place", &token).send().await.unwrap();
    assert_eq!(left.status(), 204);
    let (_, place) = world.place(EVENT, &token).await;
    assert_eq!(place["state"], "left");
    let (status, anew) = world.join(EVENT, &guest).await;
    assert_eq!(status, 201);
    assert_ne!(anew["entry"], first["entry"]);
}

#[tokio::test]
async fn somebody_elses_place_a_foreign_one_and_a_tampered_one_open_nothing() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(50)).await;
    let _other = world.line("evt_2", world.policy(60_000)).await;
    let (owner, thief) = (world.guest().await, world.guest().await);
    let (_, place) = world.join(EVENT, &owner).await;
    let token = text(&place["placeToken"]);
    tokio::time::sleep(Duration::from_millis(60)).await;
    keeper.draw().await;
    keeper.call(1).await;

    let (status, body) = world.claim(EVENT, &thief, &token).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
    let (status, body) = world.place("evt_2", &token).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
    let (status, body) = world.claim("evt_2", &owner, &token).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));
    let mut changed = token.clone().into_bytes();
    changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for wrong in [changed.as_str(), "", "x", &"A".repeat(5_000)] {
        let (status, body) = world.place(EVENT, wrong).await;
        assert_eq!((status, slug(&body)), (401, "place-invalid"), "{wrong}");
        let (status, body) = world.claim(EVENT, &owner, wrong).await;
        assert_eq!((status, slug(&body)), (401, "place-invalid"), "{wrong}");
    }
}

#[tokio::test]
async fn a_change_of_the_rate_reaches_an_open_stream_within_a_quarter_of_a_second() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(60_000)).await;
    let guest = world.guest().await;
    let (_, place) = world.join(EVENT, &guest).await;
    let path = format!("/v1/events/{EVENT}/line/stream");
    let mut events = Events::open(world.get(&path).header("Weir-Place", text(&place["placeToken"]))).await;
    let (name, view) = events.event().await;
    assert_eq!((name.as_str(), &view["ratePerMinute"]), ("place", &600.into()));
    let changed = Instant::now();
    keeper.say(StateKind::RateSet { rate_per_minute: 1_200 }).await;
    loop {
        let (_, view) = events.event().await;
        if view["ratePerMinute"] == 1_200 {
            break;
        }
    }
    assert!(changed.elapsed() < Duration::from_millis(250), "{:?}", changed.elapsed());
}

#[tokio::test]
async fn a_stream_tells_of_the_draw_and_of_the_call_and_ends_with_a_hint_when_the_gateway_stops() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(50)).await;
    let guest = world.guest().await;
    let (_, place) = world.join(EVENT, &guest).await;
    let path = format!("/v1/events/{EVENT}/line/stream");
    let mut events = Events::open(world.get(&path).header("Weir-Place", text(&place["placeToken"]))).await;
    events.event().await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    keeper.draw().await;
    loop {
        let (_, view) = events.event().await;
        if view["state"] == "waiting" {
            assert_eq!(view["rank"], 0);
            break;
        }
    }
    let called = Instant::now();
    keeper.call(1).await;
    while events.event().await.1["state"] != "called" {}
    assert!(called.elapsed() < Duration::from_millis(400), "{:?}", called.elapsed());

    world.stop.cancel();
    let mut last = String::new();
    while let Some(piece) = events.piece().await {
        last = piece;
    }
    assert!(last.contains("retry: "), "{last}");
    world.drain().await;
}

#[tokio::test]
async fn the_public_record_verifies_and_names_the_rank_that_the_gateway_shows() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(50)).await;
    let mut places = Vec::new();
    for _ in 0..25 {
        let guest = world.guest().await;
        places.push(world.join(EVENT, &guest).await.1);
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    keeper.draw().await;
    keeper.call(7).await;

    let path = |rest: &str| format!("/v1/events/{EVENT}/line/{rest}");
    let body = async |path: String| world.get(&path).send().await.unwrap().bytes().await.unwrap();
    let draw: PublicDraw = serde_json::from_slice(&body(path("draw")).await).unwrap();
    let mut batches = BatchesCheck::new(&draw, keeper.line.commitment()).unwrap();
    batches.page(&draw).unwrap();
    assert_eq!((batches.batches(), batches.places()), (1, 25));

    let first: EntriesPage = serde_json::from_slice(&body(path("draw/0/entries")).await).unwrap();
    let rest: EntriesPage = serde_json::from_slice(&body(path("draw/0/entries?from=11")).await).unwrap();
    assert_eq!(first.entries[11..], rest.entries[..]);
    for place in &places {
        let entry: Digest = text(&place["entry"]).parse().unwrap();
        let mut check = EntriesCheck::new(&draw.batches[0], Some(entry));
        check.add(&first.entries).unwrap();
        let index = check.finish().unwrap().expect("the entry is in the batch");
        let (_, shown) = world.place(EVENT, &text(&place["placeToken"])).await;
        assert_eq!(shown["index"], index);
        assert_eq!(shown["rank"], rank_of(&draw.batches[0], index).unwrap(), "invariant 8");
    }

    let records: RecordsPage = serde_json::from_slice(&body(path("records")).await).unwrap();
    let mut check = RecordsCheck::new(EVENT.parse().unwrap());
    for record in &records.records {
        check.add(record.get().as_bytes()).unwrap();
    }
    check.agrees(&draw.batches[0]).unwrap();
    let late: RecordsPage = serde_json::from_slice(&body(path("records?from=2")).await).unwrap();
    assert_eq!(late.records.len() + 2, records.records.len());
    assert_eq!(world.get(&path("draw/1/entries")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_public_line_counts_joins_and_is_cacheable() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    for _ in 0..3 {
        let guest = world.guest().await;
        world.join(EVENT, &guest).await;
    }
    let path = format!("/v1/events/{EVENT}/line");
    until("three have joined", || async { read(world.get(&path).send().await.unwrap()).await.1["joined"] == 3 }).await;
    let answer = world.get(&path).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=1");
    let etag = answer.headers()["etag"].clone();
    let (_, body) = read(answer).await;
    assert_eq!((&body["phase"], &body["waiting"], &body["seatsLeft"]), (&"lobby".into(), &3.into(), &20.into()));
    let known = world.get(&path).header("If-None-Match", etag).send().await.unwrap();
    assert_eq!(known.status(), 304);
}
