//! From an operator's change to what visitors find, against the built executable.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::time::{Duration, Instant};

use kit::{Client, PATIENCE, Weir, data, folder, from_now, operator_key, venue};
use reqwest::Method;
use serde_json::{Value, json};

async fn search(client: &Client, asked: &str) -> Value {
    client.get(&format!("/v1/events/search?{asked}")).await.expect(200)
}

fn first(answer: &Value) -> Option<&str> {
    answer["events"][0]["eventId"].as_str()
}

/// How long it takes until `asked` finds `event` first.
async fn until_found(client: &Client, asked: &str, event: &str) -> Duration {
    let begun = Instant::now();
    while first(&search(client, asked).await) != Some(event) {
        assert!(begun.elapsed() < PATIENCE, "{asked} never finds {event}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// Adds an event and answers its id.
async fn add(client: &Client, key: &str, venue: &Value, title: &str, performer: &str) -> String {
    let event = json!({
        "title": title, "description": "One night only.", "venueId": venue["venueId"], "performers": [performer],
        "category": "Concert", "language": "en", "startsAt": from_now(30 * 86_400_000), "currency": "EUR",
        "prices": { "Floor": 4_500 },
    });
    let made = client.operate(key, Method::POST, "/v1/operator/events", &event).await.expect(201);
    made["eventId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_adds_is_found_within_a_second_and_through_every_crash() {
    let folder = folder();
    let data = data(&folder);
    let key = operator_key(&data, "admin");
    let weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    let mut hall = venue(2, 5);
    hall["nicknames"] = json!(["The Rusty Sluice"]);
    let hall = client.operate(&key, Method::POST, "/v1/operator/venues", &hall).await.expect(201);

    let mut took = Vec::new();
    for (title, performer, asked) in [
        ("Spider-Man, the Opera", "Björk Tribute", "term=spidrman"),
        ("Night of the River Choir", "The River Choir", "term=river%20choirs"),
        ("Low Water", "Dvořák Quartet", "term=dvorak"),
        ("Lanterns", "Anna Weiß", "term=weiss%20sluice"),
        ("Closing Night", "Everybody", "term=closing&category=concert&available=true"),
    ] {
        let event = add(&client, &key, &hall, title, performer).await;
        took.push(until_found(&client, asked, &event).await);
    }
    took.sort_unstable();
    println!("found after {took:?}; bounded by indexer.changes_every_ms, a commit of the log and one of the index");
    assert!(took[took.len() / 2] < Duration::from_secs(1), "{took:?}");

    let found = search(&client, "term=lanterns").await;
    assert_eq!(found["events"][0]["availableSeats"], 10);
    let event = first(&found).unwrap().to_owned();
    let wanted = json!({ "startsAt": from_now(60 * 86_400_000), "reason": "The tide." });
    client.operate(&key, Method::POST, &format!("/v1/operator/events/{event}/move"), &wanted).await.expect(200);
    let begun = Instant::now();
    while search(&client, "term=lanterns").await["events"][0]["date"] != wanted["startsAt"] {
        assert!(begun.elapsed() < PATIENCE, "a move is never found");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("a move is found after {:?}", begun.elapsed());

    // Added, and killed before the index may have it.
    let last = add(&client, &key, &hall, "Power Cut", "Nobody").await;
    weir.kill();
    let weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    until_found(&client, "term=power%20cut", &last).await;
    assert_eq!(search(&client, "term=sluice").await["pagination"]["totalResults"], 6, "each once");
    assert_eq!(weir.terminate(), Some(0));

    // The index is a copy.
    std::fs::remove_dir_all(data.join("search")).unwrap();
    let weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    until_found(&client, "term=power%20cut", &last).await;
    assert_eq!(search(&client, "term=sluice").await["pagination"]["totalResults"], 6);
    assert_eq!(weir.terminate(), Some(0));
}
