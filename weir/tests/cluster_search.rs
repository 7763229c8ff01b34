//! From an operator's change at one gateway to what visitors find at another: Postgres, Kafka, the indexer, Elasticsearch.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::time::{Duration, Instant};

use kit::{Client, Cluster, PATIENCE, from_now, operator_key, variable, venue};
use reqwest::Method;
use serde_json::{Value, json};

async fn search(client: &Client, asked: &str) -> Value {
    client.get(&format!("/v1/events/search?{asked}")).await.expect(200)
}

/// How long it takes until `asked` finds `event` first.
async fn until_found(client: &Client, asked: &str, event: &str) -> Duration {
    let begun = Instant::now();
    while search(client, asked).await["events"][0]["eventId"] != event {
        assert!(begun.elapsed() < PATIENCE, "{asked} never finds {event}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_at_one_gateway_is_found_at_another_also_after_the_indexer_was_killed() {
    let cluster = Cluster::new();
    let key = operator_key(cluster.data(), "admin");
    let index = [format!("stores.search=elasticsearch://{}/weir-{}", variable("ELASTICSEARCH"), cluster.name())];
    let gateways = [cluster.launch("gateway", &index, &[]), cluster.launch("gateway", &index, &[])];
    let _worker = cluster.worker();
    let clients = gateways.each_ref().map(|gateway| Client::new(&gateway.public));
    let hall = clients[0].operate(&key, Method::POST, "/v1/operator/venues", &venue(2, 5)).await.expect(201);
    let add = async |title: &str| {
        let event = json!({
            "title": title, "description": "One night only.", "venueId": hall["venueId"], "performers": ["Björk"],
            "startsAt": from_now(30 * 86_400_000), "currency": "EUR", "prices": { "Floor": 4_500 },
        });
        let made = clients[0].operate(&key, Method::POST, "/v1/operator/events", &event).await.expect(201);
        made["eventId"].as_str().unwrap().to_owned()
    };

    // Nobody has made the index yet.
    let first = add("Spider-Man, the Opera").await;
    let plain = search(&clients[1], "term=whatever").await;
    assert!(plain["degraded"].is_string() && plain["events"][0]["eventId"] == first.as_str(), "{plain}");

    let indexer = cluster.launch("search-indexer", &index, &[]);
    until_found(&clients[1], "term=spidrman", &first).await;
    let mut took = Vec::new();
    for (title, asked) in [("Low Water", "term=low+water"), ("Lanterns", "term=lantern"), ("High Water", "term=high")] {
        let event = add(title).await;
        took.push(until_found(&clients[1], asked, &event).await);
    }
    println!(
        "found after {took:?}; bounded by indexer.changes_every_ms, an append to Kafka and a refresh of the index"
    );

    indexer.kill();
    let meanwhile = add("Power Cut").await;
    let _indexer = cluster.launch("search-indexer", &index, &[]);
    until_found(&clients[1], "term=power", &meanwhile).await;
    for client in &clients {
        assert_eq!(search(client, "term=bjork").await["pagination"]["totalResults"], 5, "each once");
    }
}
