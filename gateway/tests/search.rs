//! Searching over real HTTP: what is found, what is refused, what caches may keep, and what is left without the index.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use backends::tantivy::TantivySearch;
use booking_core::{
    ports::{
        PortError, PortResult,
        search::{Search, SearchIndex as _, relevance},
    },
    search::{Change, Document, Found, Query, SeatsLeft, Suggestion, Term, What},
    time::Timestamp,
};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use support::{World, read, slug};
use tempfile::TempDir;

/// An index with the corpus of the relevance suite, moved into the test's days.
async fn index(folder: &TempDir) -> Arc<TantivySearch> {
    let index = Arc::new(TantivySearch::open(&folder.path().join("search")).await.unwrap());
    let changes: Vec<Change> = relevance::corpus()
        .into_iter()
        .map(|document| Document { starts_at: document.starts_at.plus_seconds(86_400), ..document })
        .map(|document| Change { event_id: document.event_id.clone(), version: 1, what: What::Is(Box::new(document)) })
        .collect();
    index.apply(&changes).await.unwrap();
    index
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    read(world.get(path).send().await.unwrap()).await
}

fn titles(body: &Value) -> Vec<&str> {
    body["events"].as_array().unwrap().iter().map(|event| event["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_search_answers_as_the_contract_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let index = index(&folder).await;
    let left = SeatsLeft { event_id: "evt_coldm".parse().unwrap(), version: 3, left: 17 };
    index.note_seats(&[left]).await.unwrap();
    let world = World::searching(index).await;
    let (status, body) =
        get(&world, "/v1/events/search?term=coldpaly%20mumbai&location=mumbai&page=1&pageSize=5").await;
    assert_eq!(status, 200, "{body}");
    let event = &body["events"][0];
    assert_eq!(event["eventId"], "evt_coldm");
    assert_eq!(event["title"], "Coldplay: Music of the Spheres");
    assert_eq!(event["description"], "The world tour comes to the sea.");
    assert_eq!((&event["venue"], &event["city"]), (&Value::from("DY Patil Stadium"), &Value::from("Mumbai")));
    assert_eq!(event["availableSeats"], 17);
    assert!(event["thumbnail"].is_null());
    assert!(event["date"].as_str().unwrap().ends_with('Z'));
    assert_eq!(event["performers"][0], "Coldplay");
    assert_eq!(body["matched"], "forgiving");
    let pagination = &body["pagination"];
    assert_eq!((&pagination["page"], &pagination["pageSize"]), (&Value::from(1), &Value::from(5)));
    assert_eq!((&pagination["totalPages"], &pagination["totalResults"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(body["facets"]["cities"][0]["name"], "Mumbai");
    let part = &event["highlights"][0]["parts"][0];
    assert_eq!((&part["text"], &part["found"]), (&Value::from("Coldplay"), &Value::from(true)));
    assert!(body.get("degraded").is_none() && body.get("nextCursor").is_none());
}

#[tokio::test]
async fn pages_go_on_by_number_and_by_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::searching(index(&folder).await).await;
    let (_, first) = get(&world, "/v1/events/search?category=musical&pageSize=10").await;
    let (_, second) = get(&world, "/v1/events/search?category=musical&pageSize=10&page=2").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let (_, behind) = get(&world, &format!("/v1/events/search?category=musical&pageSize=10&cursor={cursor}")).await;
    assert_eq!(titles(&behind), titles(&second));
    assert_eq!(titles(&first).len(), 10);
    assert!(titles(&first).iter().all(|title| !titles(&second).contains(title)));
}

#[tokio::test]
async fn what_no_search_can_be_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::searching(index(&folder).await).await;
    let long = "x".repeat(10 << 10);
    for (asked, why) in [
        (format!("term={long}"), "term must be at most 200"),
        ("date=2026-13-40".to_owned(), "date must be a day"),
        ("date=9999-01-01".to_owned(), "from 2000 to 2100"),
        ("date=2026-05-02&until=2026-05-01".to_owned(), "until must not be before"),
        ("location=91,0".to_owned(), "-90 to 90"),
        ("location=NaN,0".to_owned(), "-90 to 90"),
        ("location=0,0&withinKm=100000".to_owned(), "withinKm must be 1 to 1000"),
        ("page=0".to_owned(), "page must be a number from 1"),
        ("pageSize=101".to_owned(), "pageSize must be 1 to 100"),
        ("page=101&pageSize=100".to_owned(), "first 10000 events"),
        ("page=18446744073709551615".to_owned(), "first 10000 events"),
        ("cursor=AAAA".to_owned(), "cursor can't be used"),
        ("minPrice=-1".to_owned(), "minPrice must be 0"),
        ("minPrice=5&maxPrice=4".to_owned(), "maxPrice must not be less"),
        ("currency=euros".to_owned(), "currency must be three"),
        ("available=maybe".to_owned(), "available must be true or false"),
        ("colour=red".to_owned(), "no 'colour' to search by"),
        ("term=a&term=b".to_owned(), "term is given twice"),
    ] {
        let (status, body) = get(&world, &format!("/v1/events/search?{asked}")).await;
        assert_eq!((status, slug(&body)), (400, "invalid-search"), "{asked:.60}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(why) && detail.len() < 200, "{asked:.60}: {detail}");
    }
    for bomb in ["%2A%2A%2A%2A", "%28a%7Cb%29%2B%2B", "%00", "%FF%FE", "%5B%2A%20TO%20%2A%5D"] {
        let (status, _) = get(&world, &format!("/v1/events/search?term={bomb}")).await;
        assert_eq!(status, 200, "{bomb}");
    }
}

#[tokio::test]
async fn caches_may_keep_an_answer_and_ask_whether_it_is_still_so() {
    let folder = tempfile::tempdir().unwrap();
    let index = index(&folder).await;
    let world = World::searching(index.clone()).await;
    let path = "/v1/events/search?term=hamlet";
    let answer = world.get(path).send().await.unwrap();
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=1, stale-while-revalidate=300");
    let etag = answer.headers()[header::ETAG].clone();
    let again = world.get(path).header(header::IF_NONE_MATCH, etag.clone()).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    index.apply(&[Change { event_id: "evt_hamletc".parse().unwrap(), version: 2, what: What::Gone }]).await.unwrap();
    world.clock.forward(1_000);
    let changed = world.get(path).header(header::IF_NONE_MATCH, etag).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK, "the index has changed");
    assert_eq!(titles(&read(changed).await.1), ["Hamlet"]);
}

/// An index that counts, and may be slow or away.
struct Fickle {
    asked: AtomicUsize,
    slow: Duration,
    is_away: bool,
}

#[async_trait]
impl Search for Fickle {
    async fn search(&self, _: &Query) -> PortResult<Found> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.slow).await;
        if self.is_away {
            return Err(PortError::Unavailable { port: "search", reason: "it is away".to_owned() });
        }
        Ok(Found { total: 7, ..Found::default() })
    }

    async fn suggest(&self, _: &Term, _: Timestamp) -> PortResult<Vec<Suggestion>> {
        Err(PortError::Unavailable { port: "search", reason: "it is away".to_owned() })
    }

    async fn state(&self) -> PortResult<u64> {
        Ok(1)
    }
}

fn fickle(slow_ms: u64, is_away: bool) -> Arc<Fickle> {
    Arc::new(Fickle { asked: AtomicUsize::new(0), slow: Duration::from_millis(slow_ms), is_away })
}

#[tokio::test]
async fn however_many_search_for_the_same_the_index_is_asked_once() {
    let index = fickle(50, false);
    let world = World::searching(index.clone()).await;
    let path = "/v1/events/search?term=popular";
    let asked = join_all((0..40).map(|_| get(&world, path))).await;
    assert!(asked.iter().all(|(status, body)| *status == 200 && body["pagination"]["totalResults"] == 7));
    assert_eq!(index.asked.load(Ordering::Relaxed), 1);
    get(&world, path).await;
    assert_eq!(index.asked.load(Ordering::Relaxed), 1, "it is kept");
    get(&world, "/v1/events/search?term=other").await;
    assert_eq!(index.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn without_the_index_there_is_a_plain_list_and_a_word_about_it() {
    for index in [fickle(0, true), fickle(60_000, false)] {
        let world = World::searching(index.clone()).await;
        world.hall("evt_1").await;
        for attempt in 0..8 {
            let begun = Instant::now();
            let answer = world.get("/v1/events/search?term=whatever").send().await.unwrap();
            let took = begun.elapsed();
            // 300 ms, and what a test's machine takes besides.
            assert!(took < Duration::from_millis(450), "{took:?}");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
            let (status, body) = read(answer).await;
            assert_eq!((status, titles(&body).len()), (200, 1), "{attempt}: {body}");
            assert!(body["degraded"].as_str().unwrap().starts_with("Searching is not possible"));
            assert_eq!(body["events"][0]["availableSeats"], 20);
        }
        assert!(index.asked.load(Ordering::Relaxed) <= 4, "an index that fails is left alone");
        let answer = world.get("/v1/events/suggestions?term=a").send().await.unwrap();
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(read(answer).await.1["suggestions"], Value::Array(Vec::new()));
    }
}

#[tokio::test]
async fn suggestions_come_as_one_types() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::searching(index(&folder).await).await;
    let (status, body) = get(&world, "/v1/events/suggestions?term=spid").await;
    assert_eq!((status, &body["suggestions"][0]["text"]), (200, &Value::from("Spider-Man: Turn Off the Dark")));
    let (_, body) = get(&world, "/v1/events/suggestions?term=elb").await;
    assert_eq!(body["suggestions"][0]["kind"], "venue");
    assert_eq!(get(&world, &format!("/v1/events/suggestions?term={}", "x".repeat(300))).await.0, 400);
}

#[tokio::test]
async fn the_page_is_a_form_whose_address_can_be_shared() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::searching(index(&folder).await).await;
    let page = async |path: &str| {
        let answer = world.request(Method::GET, path).header(header::ACCEPT, "text/html").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, found) = page("/?term=spider&available=true&utm_source=letter").await;
    assert_eq!(status, 200);
    assert!(found.contains(r#"value="spider""#) && found.contains("<mark>Spider</mark>-Man"), "{found}");
    assert!(found.contains("1 event found") && found.contains(r#"role="search""#));
    let (_, found) = page("/?category=Musical&pageSize=5").await;
    assert!(found.contains("?category=Musical&amp;pageSize=5&amp;page=2\""), "the next page's address: {found}");
    assert!(found.contains("?pageSize=5\""), "the category's own link leaves it out");
    let (status, found) = page("/?date=never").await;
    assert_eq!(status, 400);
    assert!(found.contains("date must be a day") && found.contains(r#"id="search""#));
    let (_, found) = page("/?term=%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(!found.contains("<script>alert") && found.contains("Nothing was found"));
}
