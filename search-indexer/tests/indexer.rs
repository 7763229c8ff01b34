//! From a catalog to what is found, step by step: order, repeats, crashes, and what can't be read.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::{sync::Arc, time::Duration};

use backends::{
    memory::{MemoryCatalog, MemoryLedger, MemoryLog},
    tantivy::TantivySearch,
};
use booking_core::{
    booking::ClaimSeats,
    capture::{self, CatalogChange, DeadLetter},
    catalog::{Event, Moved, Venue},
    message,
    ports::{
        catalog::Catalog as _,
        clock::Clock,
        ledger::Ledger as _,
        log::{Log as _, Topic},
        search::{Search as _, SearchIndex as _},
    },
    search::{Found, Query},
    time::Timestamp,
};
use search_indexer::{Gauges, Parts, Progress, Settings, indexer::Indexer, relay::Relay, seats::Seats};
use serde_json::json;
use tempfile::TempDir;

const NOW_MS: i64 = 1_777_629_600_000;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(NOW_MS + ms)
}

struct World {
    log: MemoryLog,
    catalog: MemoryCatalog,
    ledger: MemoryLedger,
    index: TantivySearch,
    gauges: Arc<Gauges>,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let index = TantivySearch::open(&folder.path().join("search")).await.unwrap();
        let world = Self {
            log: MemoryLog::default(),
            catalog: MemoryCatalog::default(),
            ledger: MemoryLedger::default(),
            index,
            gauges: Arc::default(),
            folder,
        };
        world.catalog.put_venue(&venue()).await.unwrap();
        world
    }

    fn parts(&self) -> Parts {
        Parts {
            log: Arc::new(self.log.clone()),
            catalog: Arc::new(self.catalog.clone()),
            changes: Some(Arc::new(self.catalog.clone())),
            ledger: Arc::new(self.ledger.clone()),
            index: Arc::new(self.index.clone()),
            clock: Arc::new(Still),
        }
    }

    /// An indexer made anew, as after a crash.
    fn indexer(&self) -> Indexer {
        Indexer::new(self.parts(), &settings(), Arc::clone(&self.gauges), 0)
    }

    async fn relay(&self) {
        let mut relay = Relay::new(self.parts(), &settings(), Arc::clone(&self.gauges)).unwrap();
        while relay.step(at(0)).await.unwrap() != Progress::Idle {}
    }

    async fn index_all(&self) {
        let mut indexer = self.indexer();
        while indexer.step(at(0)).await.unwrap() != Progress::Idle {}
    }

    async fn find(&self, term: &str) -> Found {
        self.index.search(&Query::read([("term", term)], at(0)).unwrap()).await.unwrap()
    }

    async fn titles(&self, term: &str) -> Vec<String> {
        self.find(term).await.hits.into_iter().map(|hit| hit.document.title).collect()
    }

    async fn append(&self, record: impl Into<bytes::Bytes>) {
        self.log.append(&Topic::Catalog, 0, record.into()).await.unwrap();
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        let entries = self.log.read(&Topic::DeadLetters, 0, 0, 100, Duration::ZERO).await.unwrap();
        entries.iter().map(|entry| message::decode(&entry.payload).unwrap()).collect()
    }
}

fn settings() -> Settings {
    Settings { patience_ms: 0, batch: 3, ..Settings::default() }
}

fn venue() -> Venue {
    let seat = |number: u32| json!({ "seatId": format!("A-{number}"), "number": number.to_string(), "category": "stalls", "x": f64::from(number), "y": 1.0 });
    serde_json::from_value(json!({
        "venueId": "venue_1", "name": "Old Mill", "nicknames": ["The Wheel"], "address": "", "location": "Bristol",
        "seatMap": {
            "categories": [{ "name": "stalls", "color": "#336699" }],
            "sections": [{ "name": "S", "rows": [{ "name": "A", "seats": [seat(1), seat(2), seat(3)] }] }],
        },
    }))
    .unwrap()
}

fn show(number: u32, title: &str) -> Event {
    serde_json::from_value(json!({
        "eventId": format!("evt_{number}"), "title": title, "description": "", "venueId": "venue_1",
        "startsAt": at(86_400_000), "currency": "EUR", "prices": { "stalls": 2_500 },
    }))
    .unwrap()
}

fn record(version: u64, event: &Event) -> bytes::Bytes {
    let change = CatalogChange { version, at: at(0), event_id: event.event_id.clone(), event: Some(event.clone()) };
    capture::write(&change, at(0))
}

#[tokio::test]
async fn what_operators_add_and_move_is_found() {
    let world = World::new().await;
    for number in 0..10 {
        world.catalog.put_event(&show(number, &format!("Show {number}"))).await.unwrap();
    }
    world.relay().await;
    world.index_all().await;
    assert_eq!(world.find("show").await.total, 10);
    assert_eq!(world.titles("wheel show 7").await, ["Show 7"], "by the venue's nickname");
    let moved = Moved {
        command: "move".to_owned(),
        number: 1,
        at: at(0),
        from: at(86_400_000),
        to: at(2 * 86_400_000),
        reason: "Rain".to_owned(),
        give_back_until: at(1),
    };
    world.catalog.move_event(&"evt_7".parse().unwrap(), &moved).await.unwrap();
    world.relay().await;
    world.index_all().await;
    let found = world.find("show").await;
    assert_eq!((found.total, found.hits.last().unwrap().document.starts_at), (10, moved.to));
    assert_eq!(world.gauges.published_total.get(), 11);
    assert_eq!(world.gauges.news_total.get(), 11);
}

#[tokio::test]
async fn repeats_and_steps_backwards_change_nothing() {
    let world = World::new().await;
    for (version, title) in [(1, "First"), (3, "Third"), (2, "Second"), (3, "Third"), (1, "First")] {
        world.append(record(version, &show(1, title))).await;
    }
    world.index_all().await;
    assert_eq!(world.titles("").await, ["Third"]);
    // Everything once more, as after notes that were lost.
    world.log.commit(&format!("index.{}", world.index.id().await.unwrap()), &Topic::Catalog, 0, 0).await.unwrap();
    world.index_all().await;
    assert_eq!(world.titles("").await, ["Third"]);
    assert_eq!((world.gauges.read_total.get(), world.gauges.news_total.get()), (10, 2));
}

#[tokio::test]
async fn it_goes_on_where_the_index_is_and_an_index_made_anew_gets_everything() {
    let mut world = World::new().await;
    for number in 0..5 {
        world.append(record(1, &show(number, "Show"))).await;
    }
    world.indexer().step(at(0)).await.unwrap();
    assert_eq!(world.find("show").await.total, 3, "a batch");
    world.index_all().await;
    assert_eq!(world.gauges.read_total.get(), 5, "none was read twice");
    world.index.close().await;
    std::fs::remove_dir_all(world.folder.path().join("search")).unwrap();
    world.index = TantivySearch::open(&world.folder.path().join("search")).await.unwrap();
    world.index_all().await;
    assert_eq!(world.find("show").await.total, 5);
}

#[tokio::test]
async fn what_can_t_be_read_is_kept_with_the_reason_and_the_rest_goes_on() {
    let world = World::new().await;
    world.append("no JSON").await;
    world.append(record(1, &show(1, "Before"))).await;
    world.append(record(1, &Event { venue_id: "venue_9".parse().unwrap(), ..show(2, "Nowhere") })).await;
    let other = json!({ "ts_ms": 1, "op": "u", "source": { "table": "venues", "ts_ms": 1 }, "after": {} });
    world.append(other.to_string()).await;
    world.append(record(1, &show(3, "Behind"))).await;
    world.index_all().await;
    assert_eq!(world.titles("").await, ["Before", "Behind"]);
    let letters = world.dead_letters().await;
    let reasons: Vec<(u64, &str)> = letters.iter().map(|letter| (letter.offset, letter.reason.as_str())).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].0 == 0 && reasons[0].1.starts_with("it is no change record"));
    assert_eq!(reasons[1], (2, "there is no venue venue_9"));
    assert_eq!((letters[0].topic.as_str(), letters[0].record.as_str()), ("weir.catalog", "no JSON"));
    assert_eq!(world.gauges.dead_total.get(), 2);
}

#[tokio::test]
async fn seats_left_are_the_ledger_s_and_noted_once_a_second() {
    let world = World::new().await;
    world.catalog.put_event(&show(1, "Show")).await.unwrap();
    world.relay().await;
    world.index_all().await;
    let mut seats = Seats::new(world.parts(), &settings(), Arc::clone(&world.gauges));
    seats.step(at(0)).await.unwrap();
    let left = async || world.find("show").await.hits[0].seats_left;
    assert_eq!(left().await, None, "nothing was sold");
    for number in 0..2 {
        let applied = world.ledger.claim_seats(&[claim(number)], at(0)).await.unwrap();
        for changes in applied.seats {
            world.log.append(&Topic::Seats, 0, message::encode(&changes)).await.unwrap();
        }
        seats.step(at(100 * i64::from(number))).await.unwrap();
    }
    assert_eq!(left().await, None, "a second has not passed");
    seats.step(at(1_000)).await.unwrap();
    assert_eq!(left().await, Some(1));
    assert_eq!(world.gauges.seats_noted_total.get(), 1);
    // Whoever begins later looks at every event once.
    let mut later = Seats::new(world.parts(), &settings(), Arc::clone(&world.gauges));
    later.step(at(0)).await.unwrap();
    assert_eq!(world.gauges.seats_noted_total.get(), 2);
}

fn claim(number: u32) -> ClaimSeats {
    ClaimSeats {
        booking: format!("booking_{number}").parse().unwrap(),
        event: "evt_1".parse().unwrap(),
        user: format!("user_{number}").parse().unwrap(),
        session: format!("session_{number}").parse().unwrap(),
        seats: vec![booking_core::seats::SeatIndex(number)],
        total: booking_core::money::Money { amount: 2_500, currency: "EUR".parse().unwrap() },
        until: at(60_000),
        max_seats: 4,
        fingerprint: booking_core::digest::Digest::of(&[b"claim"]),
    }
}
