//! The catalog's suite: see [`crate::ports::contract`].

use std::collections::BTreeMap;

use super::{Catalog, Put};
use crate::{
    catalog::{Event, Moved, Rehoused, Venue},
    id::VenueId,
    ports::contract::{at, event},
    seats::{SeatIndex, SeatMap},
    time::Timestamp,
};

/// Makes one test of each sentence of the catalog's contract.
#[macro_export]
macro_rules! catalog_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) catalog:
            what_was_put_is_there_and_survives_a_restart
            the_same_thing_twice_is_one
            an_id_keeps_its_first_content
            events_are_listed_soonest_first_and_paged
            an_event_begins_when_it_was_moved_to
            an_event_is_in_the_hall_that_it_went_to
        }
    };
}

pub(crate) fn venue(number: u32, row: &str) -> Venue {
    let seat_map: SeatMap = serde_json::from_value(serde_json::json!({
        "categories": [{ "name": "stalls", "color": "#336699" }],
        "sections": [{ "name": "Parkett", "rows": [{ "name": row, "seats": [
            { "seatId": "P-1-1", "number": "1", "category": "stalls", "x": 0.5, "y": 1.0 },
            { "seatId": "P-1-2", "number": "2", "category": "stalls", "x": 1.5, "y": 1.0 },
        ] }] }],
    }))
    .expect("a small hall");
    Venue {
        venue_id: venue_id(number),
        name: "Grüne Halle".to_owned(),
        nicknames: Vec::new(),
        address: "Am Wehr 1".to_owned(),
        location: serde_json::from_str(r#"{"city": "Köln", "point": {"lat": 50.94, "long": 6.96}}"#).expect("a city"),
        seat_map,
    }
}

fn venue_id(number: u32) -> VenueId {
    format!("venue_{number}").parse().expect("a prefix and a number")
}

pub(crate) fn show(number: u32, starts_at: Timestamp) -> Event {
    Event {
        event_id: event(number),
        title: format!("Show {number}"),
        description: "An evening with 'quotes', \"more\" and ünïcödé".to_owned(),
        performers: Vec::new(),
        category: None,
        language: None,
        thumbnail: number.is_multiple_of(2).then(|| "https://example.org/a.jpg".to_owned()),
        venue_id: venue_id(1),
        starts_at,
        currency: "EUR".parse().expect("three capital letters"),
        prices: BTreeMap::from([("stalls".to_owned(), 4_500)]),
        refund_policy: crate::refund::RefundPolicy::default(),
        moves: Vec::new(),
        halls: Vec::new(),
    }
}

/// "A write that was answered survives a restart and is seen by every later read."
pub async fn what_was_put_is_there_and_survives_a_restart<C: Catalog>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    assert!(catalog.venue(&venue_id(1)).await.expect("a look").is_none());
    assert!(catalog.event(&event(1)).await.expect("a look").is_none());
    assert_eq!(catalog.put_venue(&venue(1, "A")).await.expect("put"), Put::Done);
    assert_eq!(catalog.put_event(&show(1, at(5))).await.expect("put"), Put::Done);
    assert_there(&catalog).await;
    drop(catalog);
    assert_there(&open().await).await;
}

async fn assert_there(catalog: &impl Catalog) {
    let found = catalog.venue(&venue_id(1)).await.expect("a look").expect("the venue is there");
    assert_eq!(*found, venue(1, "A"));
    let found = catalog.event(&event(1)).await.expect("a look").expect("the event is there");
    assert_eq!(*found, show(1, at(5)));
}

/// "Writes of the same thing twice are one."
pub async fn the_same_thing_twice_is_one<C: Catalog>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    for _ in 0..2 {
        assert_eq!(catalog.put_venue(&venue(1, "A")).await.expect("put"), Put::Done);
        assert_eq!(catalog.put_event(&show(1, at(5))).await.expect("put"), Put::Done);
    }
    assert_eq!(catalog.events(at(0), None, 10).await.expect("a list").len(), 1);
}

/// "A venue's seat map never changes under an id"; nor does anything else.
pub async fn an_id_keeps_its_first_content<C: Catalog>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    catalog.put_venue(&venue(1, "A")).await.expect("put");
    catalog.put_event(&show(1, at(5))).await.expect("put");
    assert_eq!(catalog.put_venue(&venue(1, "B")).await.expect("put"), Put::Conflict);
    assert_eq!(catalog.put_event(&show(1, at(6))).await.expect("put"), Put::Conflict);
    let kept = catalog.venue(&venue_id(1)).await.expect("a look").expect("the venue is there");
    assert_eq!(*kept, venue(1, "A"));
    let kept = catalog.event(&event(1)).await.expect("a look").expect("the event is there");
    assert_eq!(kept.starts_at, at(5));
}

/// "Up to `max` events that start at or after `from`, soonest first; `after` continues behind that (start, id)."
pub async fn events_are_listed_soonest_first_and_paged<C: Catalog>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    catalog.put_venue(&venue(1, "A")).await.expect("put");
    for (number, starts) in [(4, 20), (1, 30), (3, 20), (2, 10), (5, 20)] {
        catalog.put_event(&show(number, at(starts))).await.expect("put");
    }
    let listed = catalog.events(at(11), None, 10).await.expect("a list");
    let ids: Vec<_> = listed.iter().map(|event| event.event_id.clone()).collect();
    assert_eq!(ids, [3, 4, 5, 1].map(event));
    assert_eq!(catalog.events(at(10), None, 10).await.expect("a list").len(), 5, "at or after");
    let mut paged = Vec::new();
    loop {
        let after = paged.last().map(|last: &std::sync::Arc<Event>| (last.starts_at, last.event_id.clone()));
        let page = catalog.events(at(11), after, 1).await.expect("a page");
        let Some(next) = page.first() else { break };
        assert_eq!(page.len(), 1);
        paged.push(next.clone());
    }
    assert_eq!(paged, listed);
}

pub(crate) fn moved(number: u32, from: Timestamp, to: Timestamp) -> Moved {
    Moved {
        command: format!("move {number}"),
        number,
        at: at(1),
        from,
        to,
        reason: "The stage isn't \"ready\".".to_owned(),
        give_back_until: at(4),
    }
}

/// "Of an event only when it begins: by its moves, each done once."
pub async fn an_event_begins_when_it_was_moved_to<C: Catalog>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    catalog.put_venue(&venue(1, "A")).await.expect("put");
    for (number, starts) in [(1, 5), (2, 6), (3, 30)] {
        catalog.put_event(&show(number, at(starts))).await.expect("put");
    }
    assert_eq!(catalog.event(&event(1)).await.expect("a look").expect("there").starts_at, at(5));
    let first = moved(1, at(5), at(20));
    for _ in 0..2 {
        assert_eq!(catalog.move_event(&event(1), &first).await.expect("moved"), Put::Done);
    }
    let second = moved(2, at(20), at(10));
    let stale = moved(1, at(5), at(40));
    let stale = Moved { command: "of somebody who did not know".to_owned(), ..stale };
    assert_eq!(catalog.move_event(&event(1), &stale).await.expect("an answer"), Put::Conflict);
    assert_eq!(
        catalog.move_event(&event(9), &first).await.expect("an answer"),
        Put::Conflict,
        "there is no such event"
    );
    assert_eq!(catalog.move_event(&event(1), &second).await.expect("moved"), Put::Done);
    assert_eq!(catalog.move_event(&event(1), &first).await.expect("done long ago"), Put::Done);
    let expected = Event { moves: vec![first, second], ..show(1, at(10)) };
    assert_listed(&catalog, &expected).await;
    drop(catalog);
    assert_listed(&open().await, &expected).await;
}

/// "And its hall: by its changes of hall, each done once"; each seat is known by one index for ever.
pub async fn an_event_is_in_the_hall_that_it_went_to<C: Catalog>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    for (number, row) in [(1, "A"), (2, "B")] {
        catalog.put_venue(&venue(number, row)).await.expect("put");
    }
    catalog.put_event(&show(1, at(5))).await.expect("put");
    let change = |number: u32, from: u32, to: u32| Rehoused {
        command: format!("change {number}"),
        number,
        at: at(1),
        from: venue_id(from),
        to: venue_id(to),
        first_seat: 2 * number,
        reason: "The roof isn't \"tight\".".to_owned(),
        fingerprint: crate::digest::Digest::ZERO,
    };
    let (first, second) = (change(1, 1, 2), change(2, 2, 1));
    assert_eq!(catalog.rehouse_event(&event(9), &first).await.expect("an answer"), Put::Conflict);
    assert_eq!(catalog.rehouse_event(&event(1), &second).await.expect("an answer"), Put::Conflict);
    for _ in 0..2 {
        assert_eq!(catalog.rehouse_event(&event(1), &first).await.expect("done"), Put::Done);
    }
    let moved = moved(1, at(5), at(20));
    assert_eq!(catalog.move_event(&event(1), &moved).await.expect("moved"), Put::Done);
    let known = catalog.event(&event(1)).await.expect("a look").expect("there");
    let hall = catalog.hall(&known).await.expect("a look").expect("there");
    assert_eq!((hall.venue_id.clone(), hall.seat_map.first().0, hall.seat_map.end()), (venue_id(2), 2, 4));
    assert_eq!(catalog.rehouse_event(&event(1), &second).await.expect("done"), Put::Done);
    drop(catalog);
    let catalog = open().await;
    let expected = Event { moves: vec![moved], halls: vec![first, second], ..show(1, at(20)) };
    let known = catalog.event(&event(1)).await.expect("a look").expect("there");
    assert_eq!(*known, expected);
    let hall = catalog.hall(&known).await.expect("a look").expect("there");
    let rows: Vec<_> =
        (0..7).map(|index| hall.seat_map.seat(SeatIndex(index)).map(|seat| seat.row.to_string())).collect();
    assert_eq!(
        rows,
        [Some("A"), Some("A"), Some("B"), Some("B"), Some("A"), Some("A"), None].map(|row| row.map(str::to_owned))
    );
}

/// `expected` is the event 1, which begins between the events 2 and 3.
async fn assert_listed(catalog: &impl Catalog, expected: &Event) {
    assert_eq!(*catalog.event(&event(1)).await.expect("a look").expect("there"), *expected);
    let listed = catalog.events(at(0), None, 10).await.expect("a list");
    let ids: Vec<_> = listed.iter().map(|event| event.event_id.clone()).collect();
    assert_eq!(ids, [2, 1, 3].map(event), "listed by when it begins now");
    assert_eq!(*listed[1], *expected);
}
