//! From a catalog to what is found, step by step: order, repeats, crashes, and what can't be read.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{sync::Arc, time::Duration};

use backends::{
    memory::{MemoryCatalog, MemoryLedger, MemoryLog},
    tantivy::TantivySearch,
};
use booking_core::{
    capture::DeadLetter,
    catalog::{Event, Moved},
    message,
    ports::{
        catalog::Catalog as _,
        ledger::Ledger as _,
        log::{Log as _, Topic},
        search::{Search as _, SearchIndex as _},
    },
    search::{Found, Query},
};
use kit::{Still, Switched, at, claim, record, settings, show, venue};
use search_indexer::{Gauges, Parts, Progress, indexer::Indexer, relay::Relay, seats::Seats};
use serde_json::json;
use tempfile::TempDir;

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

#[tokio::test]
async fn it_goes_on_in_another_index_from_where_that_one_is() {
    let mut world = World::new().await;
    for number in 0..5 {
        world.append(record(1, &show(number, "Show"))).await;
    }
    let live = Switched::default();
    let parts = Parts { index: Arc::new(live.clone()), ..world.parts() };
    live.to(&world.index);
    let mut indexer = Indexer::new(parts, &settings(), Arc::clone(&world.gauges), 0);
    while indexer.step(at(0)).await.unwrap() != Progress::Idle {}
    // Whoever filled the other one was through with two records when it took the place.
    world.index = TantivySearch::open(&world.folder.path().join("another")).await.unwrap();
    world.log.commit(&format!("index.{}", world.index.id().await.unwrap()), &Topic::Catalog, 0, 2).await.unwrap();
    live.to(&world.index);
    indexer.step(at(999)).await.unwrap();
    assert_eq!(world.find("show").await.total, 0, "it has not asked yet");
    while indexer.step(at(1_000)).await.unwrap() != Progress::Idle {}
    assert_eq!(world.find("show").await.total, 3);
    // The same one again: nothing is read twice.
    let read = world.gauges.read_total.get();
    indexer.step(at(2_000)).await.unwrap();
    assert_eq!(world.gauges.read_total.get(), read);
}
