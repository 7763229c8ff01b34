//! The contract and relevance suites on Elasticsearch, and what only many processes can have happen to them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::{sync::Arc, time::Duration};

use backends::elasticsearch::{ElasticsearchSearch, ElasticsearchSettings};
use booking_core::{
    ports::{
        PortError,
        search::{DRAFT_LOST_MS, Draft, Drafted, Redraft as _, Search, SearchIndex as _, relevance},
    },
    search::{Change, Document, Query, What},
    time::Timestamp,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// The server, and an index that nobody else uses.
fn settings() -> ElasticsearchSettings {
    // Refused where another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = std::env::var("WEIR_TEST_ELASTICSEARCH")
        .expect("start the servers: `scripts/servers up`, then `eval \"$(scripts/servers env)\"`");
    let index = format!("weir-test-{}", hex::encode(rand::random::<[u8; 8]>()));
    let settings = ElasticsearchSettings::parse(&format!("//{server}/{index}"), false).unwrap();
    // One machine plays the servers, too.
    ElasticsearchSettings { timeout: Duration::from_secs(30), ..settings }
}

fn fresh() -> impl AsyncFn() -> ElasticsearchSearch {
    let settings = settings();
    async move || {
        let index = ElasticsearchSearch::new(&settings);
        index.id().await.expect("an index");
        index
    }
}

/// What the server says to a request that nobody of Weir's makes.
async fn ask(settings: &ElasticsearchSettings, method: Method, path: &str, body: &Value) -> Value {
    let url = format!("{}/{path}", settings.nodes[0]);
    let answer = reqwest::Client::new().request(method, url).json(body).send().await.unwrap();
    answer.error_for_status().unwrap().json().await.unwrap()
}

/// The names of all indices behind `settings`.
async fn indices(settings: &ElasticsearchSettings) -> Vec<String> {
    let pattern = format!("{0},{0}.*/_alias?ignore_unavailable=true&allow_no_indices=true", settings.index);
    let found = ask(settings, Method::GET, &pattern, &json!({})).await;
    found.as_object().unwrap().keys().cloned().collect()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_777_629_600_000 + ms)
}

fn is(version: u64, number: usize, title: &str) -> Change {
    let document = relevance::corpus().remove(number);
    let event_id = document.event_id.clone();
    Change { event_id, version, what: What::Is(Box::new(Document { title: title.to_owned(), ..document })) }
}

async fn titles(index: &dyn Search) -> Vec<String> {
    let query = Query { from: Timestamp::from_millis(0), ..Query::all(Timestamp::default()) };
    let mut titles: Vec<String> =
        index.search(&query).await.unwrap().hits.into_iter().map(|hit| hit.document.title).collect();
    titles.sort();
    titles
}

async fn draft(index: &ElasticsearchSearch, now: Timestamp) -> Arc<dyn Draft> {
    match index.draft(now).await.unwrap() {
        Drafted::Begun(draft) => draft,
        Drafted::Taken(heard_at) => panic!("taken, heard of at {heard_at}"),
    }
}

mod contract {
    booking_core::search_contract!(
        #[tokio::test]
        super::fresh()
    );
}

mod relevance_suite {
    booking_core::relevance_suite!(
        #[tokio::test]
        super::fresh()
    );
}

#[tokio::test]
async fn of_many_that_write_the_same_event_the_newest_stands() {
    let index = fresh()().await;
    let document = relevance::corpus().remove(0);
    let change = |version: u64| Change {
        event_id: document.event_id.clone(),
        version,
        what: What::Is(Box::new(Document { title: format!("Version {version}"), ..document.clone() })),
    };
    let writes = (1..=8).map(|version| {
        let (index, change) = (index.clone(), change(version));
        async move {
            // Whoever is pushed aside too often tries again, as the indexer does.
            while index.apply(std::slice::from_ref(&change)).await.is_err() {}
        }
    });
    join_all(writes).await;
    let found =
        index.search(&Query { from: Timestamp::from_millis(0), ..Query::all(Timestamp::default()) }).await.unwrap();
    assert_eq!(found.hits[0].document.title, "Version 8");
}

#[tokio::test]
async fn an_index_that_was_removed_is_another_once_it_is_made_anew() {
    let settings = settings();
    let index = ElasticsearchSearch::new(&settings);
    let error = index.search(&Query::all(Timestamp::default())).await.unwrap_err().to_string();
    assert!(error.contains("there is no index"), "{error}");
    let first = index.id().await.unwrap();
    assert_eq!(index.id().await.unwrap(), first);
    ask(&settings, Method::DELETE, &indices(&settings).await[0], &json!({})).await;
    assert_ne!(index.id().await.unwrap(), first);
}

#[tokio::test]
async fn a_server_that_is_away_is_passed_over_and_none_is_unavailable() {
    let mut settings = settings();
    settings.nodes.insert(0, "http://127.0.0.1:1".to_owned());
    let index = ElasticsearchSearch::new(&settings);
    assert!(index.id().await.is_ok());
    settings.nodes.truncate(1);
    let error = ElasticsearchSearch::new(&settings).state().await.unwrap_err();
    assert!(error.to_string().starts_with("search is unavailable"), "{error}");
}

#[tokio::test]
async fn of_many_that_make_it_at_once_there_is_one() {
    let settings = settings();
    let ids = (0..8).map(|_| {
        let index = ElasticsearchSearch::new(&settings);
        async move { index.id().await.unwrap() }
    });
    let ids = join_all(ids).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(indices(&settings).await.len(), 1);
}

#[tokio::test]
async fn a_draft_is_not_found_until_it_takes_the_place_of_what_is_searched() {
    let settings = settings();
    let index = ElasticsearchSearch::new(&settings);
    index.apply(&[is(1, 0, "Before")]).await.unwrap();
    let (id, state) = (index.id().await.unwrap(), index.state().await.unwrap());
    let draft = draft(&index, at(0)).await;
    draft.apply(&[is(2, 1, "New")]).await.unwrap();
    index.apply(&[is(3, 0, "Before, changed")]).await.unwrap();
    assert_eq!(titles(&index).await, ["Before, changed"]);
    assert_eq!(index.id().await.unwrap(), id);
    draft.publish().await.unwrap();
    draft.publish().await.expect("the same, as after an answer that was lost");
    assert_eq!(titles(&index).await, ["New"]);
    assert_eq!(index.id().await.unwrap(), draft.id().await.unwrap());
    assert_ne!(index.id().await.unwrap(), id);
    // As many changes as before, of other events.
    assert_ne!(index.state().await.unwrap(), state);
    index.apply(&[is(4, 2, "Live")]).await.unwrap();
    draft.apply(&[is(5, 3, "Live, too")]).await.unwrap();
    assert_eq!(titles(&index).await, ["Live", "Live, too", "New"]);
    assert_eq!(indices(&settings).await.len(), 2, "searches of the one before may still run");
    draft.end().await.unwrap();
    assert_eq!(indices(&settings).await.len(), 1);
    assert_eq!(titles(&index).await, ["Live", "Live, too", "New"]);
}

#[tokio::test]
async fn of_many_that_begin_a_draft_one_does() {
    let settings = settings();
    let begun = (0..6).map(|_| {
        let index = ElasticsearchSearch::new(&settings);
        async move { matches!(index.draft(at(0)).await.unwrap(), Drafted::Begun(_)) }
    });
    assert_eq!(join_all(begun).await.into_iter().filter(|begun| *begun).count(), 1);
    assert_eq!(indices(&settings).await.len(), 1);
}

#[tokio::test]
async fn a_draft_that_is_not_heard_of_is_another_s_turn_and_never_becomes_live() {
    let settings = settings();
    let index = ElasticsearchSearch::new(&settings);
    index.apply(&[is(1, 0, "Live")]).await.unwrap();
    let hung = draft(&index, at(0)).await;
    let is_taken = async |now| matches!(index.draft(now).await.unwrap(), Drafted::Taken(_));
    assert!(is_taken(at(DRAFT_LOST_MS - 1)).await);
    hung.keep(at(5_000)).await.unwrap();
    assert!(is_taken(at(5_000 + DRAFT_LOST_MS - 1)).await);
    let next = draft(&index, at(5_000 + DRAFT_LOST_MS)).await;
    for done in [hung.keep(at(20_000)).await, hung.apply(&[is(9, 1, "Late")]).await.map(drop), hung.publish().await] {
        assert!(done.is_err());
    }
    assert!(matches!(hung.keep(at(20_000)).await, Err(PortError::Damaged { .. })));
    assert_eq!(titles(&index).await, ["Live"]);
    next.apply(&[is(1, 2, "Next")]).await.unwrap();
    next.publish().await.unwrap();
    next.end().await.unwrap();
    assert_eq!(titles(&index).await, ["Next"]);
    assert_eq!(indices(&settings).await.len(), 1, "nothing is left of it");
}

#[tokio::test]
async fn one_that_was_given_up_before_its_index_is_removed_can_t_become_live_either() {
    let settings = settings();
    let index = ElasticsearchSearch::new(&settings);
    index.apply(&[is(1, 0, "Live")]).await.unwrap();
    let hung = draft(&index, at(0)).await;
    // The next one has begun, and has removed nothing yet.
    let alias = format!("{}.draft", settings.index);
    let real = indices(&settings).await.into_iter().filter(|name| name.starts_with(&settings.index));
    let actions: Vec<Value> = real.map(|name| json!({ "remove": { "index": name, "alias": alias } })).collect();
    ask(&settings, Method::POST, "_aliases", &json!({ "actions": actions })).await;
    let next = json!({ "aliases": { &alias: { "is_write_index": true } } });
    ask(&settings, Method::PUT, &format!("{}.next", settings.index), &next).await;
    assert!(matches!(hung.publish().await, Err(PortError::Damaged { .. })));
    hung.end().await.expect("it is left to the next");
    assert_eq!(titles(&index).await, ["Live"]);
}

#[tokio::test]
async fn what_ends_in_the_middle_leaves_what_is_searched_and_is_removed_by_the_next() {
    let settings = settings();
    let index = ElasticsearchSearch::new(&settings);
    index.apply(&[is(1, 0, "Live")]).await.unwrap();
    draft(&index, at(0)).await.apply(&[is(1, 1, "Never seen")]).await.unwrap();
    let published = draft(&index, at(10_000)).await;
    assert_eq!(indices(&settings).await.len(), 2, "what the first left is removed");
    published.apply(&[is(2, 0, "Live"), is(1, 2, "New")]).await.unwrap();
    published.publish().await.unwrap();
    drop(published);
    let next = draft(&index, at(20_000)).await;
    assert_eq!(titles(&index).await, ["Live", "New"], "it is live, whoever comes next");
    next.end().await.unwrap();
    assert_eq!(titles(&index).await, ["Live", "New"]);
    assert_eq!(indices(&settings).await.len(), 1);
    draft(&index, at(20_000)).await.end().await.expect("whoever ended leaves room for the next at once");
}

#[tokio::test]
async fn an_index_of_an_earlier_version_is_kept_on_and_replaced() {
    let settings = settings();
    let index = ElasticsearchSearch::new(&settings);
    index.id().await.unwrap();
    let made = indices(&settings).await.remove(0);
    let mapping = ask(&settings, Method::GET, &format!("{made}/_mapping"), &json!({})).await;
    ask(&settings, Method::DELETE, &made, &json!({})).await;
    let plain = json!({
        "settings": { "index": { "max_result_window": 10_100 } }, "mappings": mapping[&made]["mappings"],
    });
    ask(&settings, Method::PUT, &settings.index, &plain).await;
    let id = index.id().await.unwrap();
    index.apply(&[is(1, 0, "Earlier")]).await.unwrap();
    assert_eq!(
        (titles(&index).await, indices(&settings).await),
        (vec!["Earlier".to_owned()], vec![settings.index.clone()])
    );
    let draft = draft(&index, at(0)).await;
    draft.apply(&[is(1, 0, "Now")]).await.unwrap();
    assert_eq!(titles(&index).await, ["Earlier"]);
    draft.publish().await.unwrap();
    draft.end().await.unwrap();
    assert_eq!(titles(&index).await, ["Now"]);
    assert_ne!(index.id().await.unwrap(), id);
    assert_eq!(indices(&settings).await.len(), 1);
}
