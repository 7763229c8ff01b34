//! An index that is made anew beside the one that is searched, step by step: what goes on meanwhile, what the log has
//! lost, and rebuilds that end early.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use backends::{
    memory::{MemoryCatalog, MemoryLedger, MemoryLog},
    tantivy::TantivySearch,
};
use booking_core::{
    ports::{
        PortResult,
        catalog::Catalog as _,
        changes::CatalogChanges as _,
        ledger::Ledger as _,
        log::{Log as _, Topic},
        search::{Draft, Search, SearchIndex},
    },
    search::{Change, Found, Query, SeatsLeft, Suggestion, Term},
    time::Timestamp,
};
use kit::{Still, Switched, at, claim, record, settings, show, venue};
use search_indexer::{
    Gauges, Parts, Progress,
    indexer::Indexer,
    rebuild::{Rebuild, Stage},
    relay::Relay,
};
use tempfile::TempDir;

struct World {
    log: MemoryLog,
    catalog: MemoryCatalog,
    ledger: MemoryLedger,
    live: Switched,
    gauges: Arc<Gauges>,
    folder: TempDir,
    drafts: AtomicU32,
}

impl World {
    async fn new() -> Self {
        let world = Self {
            log: MemoryLog::default(),
            catalog: MemoryCatalog::default(),
            ledger: MemoryLedger::default(),
            live: Switched::default(),
            gauges: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            drafts: AtomicU32::new(0),
        };
        world.live.to(&world.index().await);
        world.catalog.put_venue(&venue()).await.unwrap();
        world
    }

    /// An index of its own.
    async fn index(&self) -> TantivySearch {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        TantivySearch::open(&self.folder.path().join(number.to_string())).await.unwrap()
    }

    fn parts(&self) -> Parts {
        Parts {
            log: Arc::new(self.log.clone()),
            catalog: Arc::new(self.catalog.clone()),
            changes: Some(Arc::new(self.catalog.clone())),
            ledger: Arc::new(self.ledger.clone()),
            index: Arc::new(self.live.clone()),
            clock: Arc::new(Still),
        }
    }

    fn indexer(&self) -> Indexer {
        Indexer::new(self.parts(), &settings(), Arc::clone(&self.gauges), 0)
    }

    async fn rebuild(&self) -> Rebuild {
        let draft = Shelf { index: self.index().await, live: self.live.clone() };
        Rebuild::new(self.parts(), Arc::new(draft), &settings()).await.unwrap()
    }

    /// Adds an event, and publishes that.
    async fn add(&self, number: u32) {
        self.catalog.put_event(&show(number, &format!("Show {number}"))).await.unwrap();
        let mut relay = Relay::new(self.parts(), &settings(), Arc::clone(&self.gauges)).unwrap();
        while relay.step(at(0)).await.unwrap() != Progress::Idle {}
    }

    async fn find(&self, term: &str) -> Found {
        self.live.search(&Query::read([("term", term)], at(0)).unwrap()).await.unwrap()
    }
}

/// A draft that becomes `live`.
struct Shelf {
    index: TantivySearch,
    live: Switched,
}

#[async_trait]
impl Draft for Shelf {
    async fn keep(&self, _now: Timestamp) -> PortResult<()> {
        Ok(())
    }

    async fn publish(&self) -> PortResult<()> {
        self.live.to(&self.index);
        Ok(())
    }

    async fn end(&self) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Search for Shelf {
    async fn search(&self, query: &Query) -> PortResult<Found> {
        self.index.search(query).await
    }

    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
        self.index.suggest(term, from).await
    }

    async fn state(&self) -> PortResult<u64> {
        self.index.state().await
    }
}

#[async_trait]
impl SearchIndex for Shelf {
    async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
        self.index.apply(changes).await
    }

    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
        self.index.note_seats(left).await
    }

    async fn id(&self) -> PortResult<String> {
        self.index.id().await
    }
}

#[tokio::test]
async fn events_that_are_added_all_the_while_are_found_at_every_moment_and_once() {
    let world = World::new().await;
    let mut live = world.indexer();
    for number in 0..10 {
        world.add(number).await;
    }
    while live.step(at(0)).await.unwrap() != Progress::Idle {}
    let before = world.live.id().await.unwrap();
    let mut rebuild = world.rebuild().await;
    let (mut added, mut now) = (10, 0);
    while rebuild.stage() != Stage::Done {
        now += 100;
        rebuild.step(at(now)).await.unwrap();
        assert!(world.find("show").await.total >= u64::from(added) - 1, "at {:?}", rebuild.stage());
        world.add(added).await;
        added += 1;
        while live.step(at(now)).await.unwrap() != Progress::Idle {}
        assert!(now < 60_000, "it never ends");
    }
    assert_ne!(world.live.id().await.unwrap(), before);
    live.step(at(now + 1_000)).await.unwrap();
    while live.step(at(now + 1_000)).await.unwrap() != Progress::Idle {}
    assert_eq!(world.find("show").await.total, u64::from(added));
    assert_eq!(rebuild.counts().changes_in_all, 10);
}

#[tokio::test]
async fn what_the_log_has_lost_is_the_catalog_s_and_late_records_change_nothing() {
    let world = World::new().await;
    world.catalog.put_event(&show(1, "Only in the catalog")).await.unwrap();
    world.catalog.put_event(&show(2, "Newest")).await.unwrap();
    let numbers: Vec<u64> = world.catalog.changes(10).await.unwrap().iter().map(|(number, _)| *number).collect();
    world.catalog.changes_published(&numbers).await.unwrap();
    for (version, title) in [(8, "Older"), (9, "Newest"), (8, "Older")] {
        world.log.append(&Topic::Catalog, 0, record(version, &show(2, title))).await.unwrap();
    }
    let mut rebuild = world.rebuild().await;
    let mut now = 0;
    while rebuild.stage() != Stage::Done {
        now += 1_000;
        rebuild.step(at(now)).await.unwrap();
    }
    let titles: Vec<String> = world.find("").await.hits.into_iter().map(|hit| hit.document.title).collect();
    assert_eq!(titles, ["Only in the catalog", "Newest"]);
    let counts = rebuild.counts();
    assert_eq!((counts.changes, counts.changes_in_all, counts.events, counts.untold), (3, 3, 2, 1));
    // A record of it gives it its version.
    world.log.append(&Topic::Catalog, 0, record(1, &show(1, "Told of"))).await.unwrap();
    let mut live = world.indexer();
    while live.step(at(now)).await.unwrap() != Progress::Idle {}
    assert_eq!(world.find("told").await.total, 1);
}

#[tokio::test]
async fn seats_left_are_in_it_before_it_is_searched() {
    let world = World::new().await;
    world.add(1).await;
    world.ledger.claim_seats(&[claim(0)], at(0)).await.unwrap();
    let mut rebuild = world.rebuild().await;
    let mut now = 0;
    while !matches!(rebuild.stage(), Stage::Switched(_)) {
        now += 1_000;
        rebuild.step(at(now)).await.unwrap();
    }
    assert_eq!(world.find("show").await.hits[0].seats_left, Some(2));
    assert_eq!(rebuild.counts().seats, 1);
}

#[tokio::test]
async fn one_that_ends_at_any_step_before_the_switch_leaves_everything_as_it_was() {
    let world = World::new().await;
    for number in 0..10 {
        world.add(number).await;
    }
    let mut live = world.indexer();
    while live.step(at(0)).await.unwrap() != Progress::Idle {}
    let before = world.live.id().await.unwrap();
    for steps in 0.. {
        let mut rebuild = world.rebuild().await;
        for step in 0..steps {
            rebuild.step(at(100 * step)).await.unwrap();
        }
        if matches!(rebuild.stage(), Stage::Switched(_)) {
            assert!(steps > 10, "it was through after {steps} steps");
            break;
        }
        assert_eq!((world.live.id().await.unwrap(), world.find("show").await.total), (before.clone(), 10));
    }
    assert_eq!(world.find("show").await.total, 10, "the last one switched");
}
