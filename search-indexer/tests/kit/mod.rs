//! What the tests share: a hall, events in it, records of them, and a clock that stands still.

#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backends::tantivy::TantivySearch;
use booking_core::{
    booking::ClaimSeats,
    capture::{self, CatalogChange},
    catalog::{Event, Venue},
    ports::{
        PortResult,
        clock::Clock,
        search::{Search, SearchIndex},
    },
    search::{Change, Found, Query, SeatsLeft, Suggestion, Term},
    time::Timestamp,
};
use search_indexer::Settings;
use serde_json::json;

const NOW_MS: i64 = 1_777_629_600_000;

pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(NOW_MS + ms)
}

pub(crate) fn settings() -> Settings {
    Settings { patience_ms: 0, batch: 3, ..Settings::default() }
}

pub(crate) fn venue() -> Venue {
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

pub(crate) fn show(number: u32, title: &str) -> Event {
    serde_json::from_value(json!({
        "eventId": format!("evt_{number}"), "title": title, "description": "", "venueId": "venue_1",
        "startsAt": at(86_400_000), "currency": "EUR", "prices": { "stalls": 2_500 },
    }))
    .unwrap()
}

pub(crate) fn record(version: u64, event: &Event) -> bytes::Bytes {
    let change = CatalogChange { version, at: at(0), event_id: event.event_id.clone(), event: Some(event.clone()) };
    capture::write(&change, at(0))
}

pub(crate) fn claim(number: u32) -> ClaimSeats {
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

/// The index that is searched, which may be another from one moment to the next.
#[derive(Clone, Default)]
pub(crate) struct Switched(Arc<Mutex<Option<TantivySearch>>>);

impl Switched {
    /// From now on it is `index`.
    pub(crate) fn to(&self, index: &TantivySearch) {
        *self.0.lock().unwrap() = Some(index.clone());
    }

    pub(crate) fn live(&self) -> TantivySearch {
        self.0.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl Search for Switched {
    async fn search(&self, query: &Query) -> PortResult<Found> {
        self.live().search(query).await
    }

    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
        self.live().suggest(term, from).await
    }

    async fn state(&self) -> PortResult<u64> {
        self.live().state().await
    }
}

#[async_trait]
impl SearchIndex for Switched {
    async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
        self.live().apply(changes).await
    }

    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
        self.live().note_seats(left).await
    }

    async fn id(&self) -> PortResult<String> {
        self.live().id().await
    }
}
