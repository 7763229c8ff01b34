//! The contract and relevance suites on Elasticsearch, and what only many processes can have happen to them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::time::Duration;

use backends::elasticsearch::{ElasticsearchSearch, ElasticsearchSettings};
use booking_core::{
    ports::search::{Search as _, SearchIndex as _, relevance},
    search::{Change, Document, Query, What},
    time::Timestamp,
};
use futures_util::future::join_all;

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
    let url = format!("{}/{}", settings.nodes[0], settings.index);
    reqwest::Client::new().delete(url).send().await.unwrap().error_for_status().unwrap();
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
