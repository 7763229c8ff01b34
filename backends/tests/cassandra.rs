//! The catalog's contract on a real Cassandra, and what several writers and lost answers make of it. ScyllaDB speaks the
//! same protocol.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::time::Duration;

use backends::scylla::{Dialect, ScyllaCatalog, ScyllaSettings};
use booking_core::{
    catalog::{Event, Venue},
    ports::{
        PortError,
        catalog::{Catalog as _, CatalogReader as _, Put},
    },
    time::Timestamp,
};
use futures_util::future::join_all;
use serde_json::json;

/// The node, and a keyspace that nobody else uses.
fn settings() -> ScyllaSettings {
    let node = std::env::var("WEIR_TEST_CASSANDRA")
        .expect("start the servers: `scripts/servers up`, then `eval \"$(scripts/servers env)\"`");
    let keyspace = format!("weir_test_{}", hex::encode(rand::random::<[u8; 8]>()));
    let settings = ScyllaSettings::parse(&format!("//{node}/{keyspace}"), Dialect::Cassandra).unwrap();
    // One machine plays the node, too, and every test makes tables.
    ScyllaSettings { replication: 1, timeout: Duration::from_secs(30), ..settings }
}

fn fresh() -> impl AsyncFn() -> ScyllaCatalog {
    let settings = settings();
    async move || {
        let catalog = ScyllaCatalog::new(settings.clone());
        catalog.prepare().await.expect("a keyspace");
        catalog
    }
}

mod contract {
    booking_core::catalog_contract!(
        #[tokio::test]
        super::fresh()
    );
}

fn event(number: usize, starts_at: i64) -> Event {
    serde_json::from_value(json!({
        "eventId": format!("evt_{number:04}"), "title": "A play", "description": "", "venueId": "venue_1",
        "startsAt": Timestamp::from_millis(starts_at), "currency": "EUR", "prices": { "Stalls": 9_500 },
    }))
    .unwrap()
}

fn venue(rows: usize, seats: usize) -> Venue {
    let row = |row: usize| {
        let seat = |seat: usize| {
            let id = format!("{row}-{seat}");
            json!({ "seatId": id, "number": seat.to_string(), "category": "Stalls", "x": seat, "y": row })
        };
        json!({ "name": row.to_string(), "seats": (0..seats).map(seat).collect::<Vec<_>>() })
    };
    serde_json::from_value(json!({
        "venueId": "venue_1", "name": "The Arena", "address": "Am Wehr 1", "location": { "city": "Köln" },
        "seatMap": {
            "categories": [{ "name": "Stalls", "color": "#336699" }],
            "sections": [{ "name": "Floor", "rows": (0..rows).map(row).collect::<Vec<_>>() }],
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_large_hall_is_kept_in_parts_and_comes_back_whole() {
    let open = fresh();
    let hall = venue(200, 100);
    assert!(serde_json::to_vec(&hall).unwrap().len() > 4 * (256 << 10), "several parts");
    let catalog = open().await;
    assert_eq!(catalog.put_venue(&hall).await.unwrap(), Put::Done);
    assert_eq!(catalog.put_venue(&hall).await.unwrap(), Put::Done);
    assert_eq!(catalog.put_venue(&venue(200, 99)).await.unwrap(), Put::Conflict);
    assert_eq!(*open().await.venue(&hall.venue_id).await.unwrap().unwrap(), hall);
}

#[tokio::test]
async fn of_many_that_add_the_same_event_one_is_first_and_the_others_are_told() {
    let open = fresh();
    let catalog = open().await;
    let adds = (0..8).map(|number| {
        let (catalog, event) = (catalog.clone(), Event { title: format!("Title {}", number % 4), ..event(1, 5) });
        async move { (event.title.clone(), catalog.put_event(&event).await.unwrap()) }
    });
    let answers = join_all(adds).await;
    let stands = open().await.event(&event(1, 5).event_id).await.unwrap().unwrap();
    for (title, put) in answers {
        assert_eq!(put, if title == stands.title { Put::Done } else { Put::Conflict }, "{title}");
    }
}

#[tokio::test]
async fn events_of_several_years_are_listed_by_pages_in_order() {
    let open = fresh();
    let catalog = open().await;
    let starts = |number: usize| i64::try_from(number * 7_919 % 60).unwrap() * 17 * 86_400_000;
    let adds = (0..60).map(|number| {
        let (catalog, event) = (catalog.clone(), event(number, starts(number)));
        async move { catalog.put_event(&event).await.unwrap() }
    });
    assert!(join_all(adds).await.iter().all(|put| *put == Put::Done));
    let mut listed: Vec<(Timestamp, String)> = Vec::new();
    loop {
        let after = listed.last().map(|(start, id)| (*start, id.parse().unwrap()));
        let page = catalog.events(Timestamp::from_millis(1), after, 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.iter().map(|event| (event.starts_at, event.event_id.to_string())));
    }
    assert_eq!(listed.len(), 59, "all but the one that begins before");
    assert!(listed.is_sorted(), "{listed:?}");
}

#[tokio::test]
async fn nodes_that_are_away_and_tables_that_are_missing_are_told_in_one_line() {
    let nobody = ScyllaSettings::parse("//127.0.0.1:1/weir", Dialect::Cassandra).unwrap();
    let error = ScyllaCatalog::new(nobody).event(&event(1, 5).event_id).await.unwrap_err();
    assert!(
        matches!(&error, PortError::Unavailable { reason, .. } if reason.starts_with("no node answers")),
        "{error}"
    );
    let without = ScyllaSettings { migrate: false, ..settings() };
    let error = ScyllaCatalog::new(without).prepare().await.unwrap_err();
    assert!(error.to_string().contains("scylla.migrate") && error.to_string().lines().count() == 1, "{error}");
}
