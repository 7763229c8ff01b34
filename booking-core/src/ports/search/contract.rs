//! The index's suite: see [`crate::ports::contract`].

use super::SearchIndex;
use crate::{
    catalog::Point,
    id::EventId,
    ports::contract::{at, event},
    search::{Change, Document, Facet, Found, Place, Query, SeatsLeft, Suggested, Term, What},
    time::Timestamp,
};

/// Makes one test of each sentence of the index's contract.
#[macro_export]
macro_rules! search_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) search:
            what_was_applied_is_found_at_once_and_after_a_restart
            an_older_version_never_takes_the_place_of_a_newer_one
            an_event_that_is_gone_stays_gone_until_a_newer_version
            of_many_changes_at_once_the_newest_stands
            seats_left_are_kept_apart_from_the_rest
            the_state_rises_with_what_can_be_found
            what_weighs_most_comes_first_then_what_begins_first
            pages_and_cursors_go_through_everything_once
            filters_leave_out_what_they_should
            a_distance_is_measured_on_the_earth
            facets_count_everything_that_was_found
            suggestions_are_names_that_begin_so
            a_term_of_nothing_but_marks_finds_everything
        }
    };
}

fn document(number: u32, title: &str, starts: i64) -> Document {
    Document {
        event_id: event(number),
        title: title.to_owned(),
        description: String::new(),
        performers: Vec::new(),
        category: None,
        language: None,
        thumbnail: None,
        venue_id: "venue_1".parse().expect("an id"),
        venue: "Grüne Halle".to_owned(),
        nicknames: Vec::new(),
        city: "Köln".to_owned(),
        point: None,
        starts_at: at(starts),
        currency: "EUR".parse().expect("three capital letters"),
        prices: (1_000, 5_000),
        seats: 100,
    }
}

fn is(version: u64, document: Document) -> Change {
    Change { event_id: document.event_id.clone(), version, what: What::Is(Box::new(document)) }
}

fn gone(version: u64, number: u32) -> Change {
    Change { event_id: event(number), version, what: What::Gone }
}

fn query() -> Query {
    Query { from: Timestamp::from_millis(0), ..Query::all(at(0)) }
}

fn asked(pairs: &[(&str, &str)]) -> Query {
    let read = Query::read(pairs.iter().copied(), at(0)).expect("a search");
    if pairs.iter().any(|(name, _)| *name == "date") { read } else { Query { from: Timestamp::from_millis(0), ..read } }
}

fn ids(found: &Found) -> Vec<EventId> {
    found.hits.iter().map(|hit| hit.document.event_id.clone()).collect()
}

async fn find(index: &impl SearchIndex, query: &Query) -> Vec<EventId> {
    ids(&index.search(query).await.expect("a search"))
}

async fn put(index: &impl SearchIndex, changes: &[Change]) -> usize {
    index.apply(changes).await.expect("applied")
}

/// "What was applied, and answered, is found by every later search, and survives a restart."
pub async fn what_was_applied_is_found_at_once_and_after_a_restart<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let id = index.id().await.expect("an id");
    assert_eq!(find(&index, &query()).await, []);
    let whole = Document {
        description: "An evening with 'quotes', \"more\" and ünïcödé".to_owned(),
        performers: vec!["Sigur Rós".to_owned()],
        category: Some("Music".to_owned()),
        language: Some("is".to_owned()),
        thumbnail: Some("https://example.org/a.jpg".to_owned()),
        nicknames: vec!["The Green".to_owned()],
        point: Some(Point { lat: 50.94, long: 6.96 }),
        ..document(1, "A play", 5)
    };
    assert_eq!(put(&index, &[is(1, whole.clone())]).await, 1);
    let there = async |index: &I| {
        let found = index.search(&query()).await.expect("a search");
        assert_eq!((found.total, found.hits.len()), (1, 1));
        assert_eq!(found.hits[0].document, whole);
        assert_eq!(index.id().await.expect("an id"), id, "it is the same index");
    };
    there(&index).await;
    drop(index);
    there(&open().await).await;
}

/// "An older version of an event never takes the place of a newer one; the same version twice is one."
pub async fn an_older_version_never_takes_the_place_of_a_newer_one<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    assert_eq!(put(&index, &[is(5, document(1, "Newer", 5))]).await, 1);
    assert_eq!(put(&index, &[is(4, document(1, "Older", 5))]).await, 0);
    assert_eq!(put(&index, &[is(5, document(1, "Newer", 5))]).await, 0);
    assert_eq!(put(&index, &[gone(3, 1)]).await, 0);
    assert_eq!(find(&index, &asked(&[("term", "older")])).await, []);
    assert_eq!(find(&index, &asked(&[("term", "newer")])).await, [event(1)]);
    assert_eq!(put(&index, &[is(6, document(1, "Newest", 5))]).await, 1);
    assert_eq!(find(&index, &query()).await, [event(1)]);
    assert_eq!(find(&index, &asked(&[("term", "newest")])).await, [event(1)]);
}

/// "An event that is gone stays gone until a newer version of it comes."
pub async fn an_event_that_is_gone_stays_gone_until_a_newer_version<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    put(&index, &[is(1, document(1, "A play", 5)), is(1, document(2, "Another", 6))]).await;
    assert_eq!(put(&index, &[gone(4, 1)]).await, 1);
    drop(index);
    let index = open().await;
    assert_eq!(put(&index, &[is(3, document(1, "A play", 5))]).await, 0);
    assert_eq!(find(&index, &query()).await, [event(2)]);
    // What never was can be gone, too: its beginning may come late.
    assert_eq!(put(&index, &[gone(2, 3), is(1, document(3, "Late", 7))]).await, 1);
    assert_eq!(find(&index, &query()).await, [event(2)]);
    assert_eq!(put(&index, &[is(5, document(1, "A play", 5))]).await, 1);
    assert_eq!(find(&index, &query()).await, [event(1), event(2)]);
}

/// "Whatever comes when", also in one batch.
pub async fn of_many_changes_at_once_the_newest_stands<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let mut changes = Vec::new();
    for number in 1..=50 {
        let title = |version: u64| format!("Show number {version}");
        changes.push(is(3, document(number, &title(3), i64::from(number))));
        changes.push(is(1, document(number, &title(1), i64::from(number))));
        changes.push(is(2, document(number, &title(2), i64::from(number))));
    }
    put(&index, &changes).await;
    let found = index.search(&Query { page_size: 100, ..query() }).await.expect("a search");
    assert_eq!((found.total, found.hits.len()), (50, 50));
    assert!(found.hits.iter().all(|hit| hit.document.title == "Show number 3"));
}

async fn seats_left(index: &impl SearchIndex) -> Option<u64> {
    index.search(&query()).await.expect("a search").hits[0].seats_left
}

/// "How many seats are left is kept apart from the rest, by a version of its own."
pub async fn seats_left_are_kept_apart_from_the_rest<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let left = |version, left| SeatsLeft { event_id: event(1), version, left };
    index.note_seats(&[left(1, 5)]).await.expect("noted, of an event that is not there");
    put(&index, &[is(1, document(1, "A play", 5))]).await;
    assert!(matches!(seats_left(&index).await, None | Some(100)), "all, or it is not known");
    index.note_seats(&[left(7, 40)]).await.expect("noted");
    assert_eq!(seats_left(&index).await, Some(40));
    index.note_seats(&[left(6, 60)]).await.expect("noted");
    assert_eq!(seats_left(&index).await, Some(40), "an older count changes nothing");
    put(&index, &[is(2, document(1, "A better play", 5))]).await;
    assert_eq!(seats_left(&index).await, Some(40), "nor does a change of the event");
    drop(index);
    let index = open().await;
    assert_eq!(seats_left(&index).await, Some(40));
    assert_eq!(find(&index, &asked(&[("available", "true")])).await, [event(1)]);
    index.note_seats(&[left(8, 0)]).await.expect("noted");
    assert_eq!(find(&index, &asked(&[("available", "true")])).await, []);
    assert_eq!(find(&index, &asked(&[("term", "better")])).await, [event(1)]);
}

/// "Another number once the same search may find other events."
pub async fn the_state_rises_with_what_can_be_found<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let state = async || index.state().await.expect("a state");
    let empty = state().await;
    put(&index, &[is(1, document(1, "A play", 5))]).await;
    let one = state().await;
    assert_ne!(one, empty);
    index.note_seats(&[SeatsLeft { event_id: event(1), version: 1, left: 0 }]).await.expect("noted");
    assert_ne!(state().await, one, "none are left");
}

/// "What weighs most comes first, then what begins first, then by id."
pub async fn what_weighs_most_comes_first_then_what_begins_first<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let told = Document { description: "Opera at its best".to_owned(), ..document(1, "A concert", 1) };
    let changes = [
        is(1, told),
        is(1, document(2, "Night at the opera", 30)),
        is(1, document(3, "A day at the opera", 20)),
        is(1, document(5, "Opera for all", 20)),
        is(1, document(4, "Operation", 2)),
        is(1, document(6, "Opera", 40)),
    ];
    put(&index, &changes).await;
    let found = find(&index, &asked(&[("term", "opera")])).await;
    assert_eq!(found, [6, 3, 5, 2, 4, 1].map(event), "the title itself, titles with it, beginnings, descriptions");
    assert_eq!(find(&index, &query()).await, [1, 4, 3, 5, 2, 6].map(event), "without a term, by date");
}

/// "Pages follow each other without a gap."
pub async fn pages_and_cursors_go_through_everything_once<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let mut changes = Vec::new();
    for number in 0..25 {
        let title = if number % 2 == 0 { "A play" } else { "Play" };
        changes.push(is(1, document(number, title, i64::from(number / 5))));
    }
    for half in changes.chunks(10) {
        put(&index, half).await;
    }
    for term in [None, Some("play")] {
        let term = term.map(|term| Term::read(term).expect("short").expect("a word"));
        let all = find(&index, &Query { term: term.clone(), page_size: 100, ..query() }).await;
        assert_eq!(all.len(), 25);
        let (mut by_page, mut by_cursor, mut cursor) = (Vec::new(), Vec::new(), None);
        for page in 1..=4 {
            let asked = Query { term: term.clone(), page, page_size: 8, ..query() };
            let found = index.search(&asked).await.expect("a page");
            assert_eq!(found.total, 25);
            by_page.extend(ids(&found));
            let asked = Query { page: 1, cursor: cursor.clone(), ..asked };
            let found = index.search(&asked).await.expect("a page");
            assert_eq!(found.total, 25);
            assert_eq!(found.next.is_some(), page < 4, "page {page}");
            by_cursor.extend(ids(&found));
            cursor = found.next;
        }
        assert_eq!(by_page, all);
        assert_eq!(by_cursor, all);
    }
    let last = index.search(&Query { page: 100, page_size: 100, ..query() }).await.expect("a page behind the last");
    assert_eq!((last.total, last.hits.len(), last.next), (25, 0, None));
}

/// Cities, dates, categories, prices, currencies.
pub async fn filters_leave_out_what_they_should<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let (day, euros) = (86_400_000, document(1, "Euros", 1_000));
    let mumbai = Document {
        city: "Mumbai".to_owned(),
        currency: "INR".parse().expect("three capital letters"),
        prices: (80_000, 900_000),
        ..document(2, "Rupees", day)
    };
    let play = Document { category: Some("Théâtre".to_owned()), prices: (0, 0), ..document(3, "Free", 2 * day) };
    put(&index, &[is(1, euros), is(1, mumbai), is(1, play)]).await;
    // The suites' time begins at 2026-05-01T10:00.
    for (pairs, expected) in [
        (vec![("location", "KÖLN")], vec![1, 3]),
        (vec![("location", "koeln")], vec![1, 3]),
        (vec![("location", "Mumbai, India")], vec![2]),
        (vec![("location", "Nowhere")], vec![]),
        (vec![("date", "2026-05-01")], vec![1]),
        (vec![("date", "2026-05-02"), ("until", "2026-05-03")], vec![2, 3]),
        (vec![("until", "2026-05-02")], vec![1, 2]),
        (vec![("date", "2026-05-09")], vec![]),
        (vec![("category", "theatre")], vec![3]),
        (vec![("minPrice", "5000")], vec![1, 2]),
        (vec![("maxPrice", "999")], vec![3]),
        (vec![("minPrice", "1"), ("maxPrice", "1000")], vec![1]),
        (vec![("currency", "INR")], vec![2]),
        (vec![("currency", "EUR"), ("location", "köln"), ("term", "free")], vec![3]),
    ] {
        let found = find(&index, &asked(&pairs)).await;
        assert_eq!(found, expected.into_iter().map(event).collect::<Vec<_>>(), "{pairs:?}");
    }
}

/// "Distance from a point."
pub async fn a_distance_is_measured_on_the_earth<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let somewhere = |number, lat, long| {
        is(1, Document { point: Some(Point { lat, long }), ..document(number, "Somewhere", i64::from(number)) })
    };
    let changes = [
        somewhere(1, 19.076, 72.878),
        somewhere(2, 18.520, 73.857),
        somewhere(3, -17.0, 179.95),
        somewhere(4, -17.0, -179.95),
        somewhere(5, 89.9, 0.0),
        is(1, document(6, "Nobody knows where", 6)),
    ];
    put(&index, &changes).await;
    for (lat, long, within_km, expected) in [
        (19.0, 72.8, 50, vec![1]),
        (19.0, 72.8, 200, vec![1, 2]),
        (-17.0, 180.0, 20, vec![3, 4]),
        (89.9, 180.0, 50, vec![5]),
        (0.0, 0.0, 1_000, vec![]),
    ] {
        let place = Place::Near { point: Point { lat, long }, within_km };
        let found = find(&index, &Query { place: Some(place), ..query() }).await;
        assert_eq!(found, expected.into_iter().map(event).collect::<Vec<_>>(), "{within_km} km around {lat}, {long}");
    }
}

/// "How many of the events that were found have something in common; the most frequent first, then by name."
pub async fn facets_count_everything_that_was_found<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let of = |number, city: &str, category: Option<&str>| {
        is(1, Document { city: city.to_owned(), category: category.map(str::to_owned), ..document(number, "Show", 1) })
    };
    let (music, play) = (Some("Music"), Some("Play"));
    put(&index, &[of(1, "Mumbai", music), of(2, "Köln", play), of(3, "Mumbai", None)]).await;
    put(&index, &[of(4, "Ghent", play), of(5, "Köln", play), of(6, "Mumbai", music)]).await;
    let facet = |name: &str, count| Facet { name: name.to_owned(), count };
    let found = index.search(&Query { page_size: 1, ..query() }).await.expect("a search");
    assert_eq!(found.facets.cities, [facet("Mumbai", 3), facet("Köln", 2), facet("Ghent", 1)]);
    assert_eq!(found.facets.categories, [facet("Play", 3), facet("Music", 2)]);
    let found = index.search(&asked(&[("term", "show"), ("category", "music")])).await.expect("a search");
    assert_eq!(found.facets.cities, [facet("Mumbai", 2)]);
}

/// "Names to go on with behind `term`."
pub async fn suggestions_are_names_that_begin_so<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let band = Document { performers: vec!["Spinal Tap".to_owned()], ..document(2, "Loud", 2) };
    put(&index, &[is(1, document(1, "Spider-Man", 1)), is(1, band), is(1, document(3, "Old", -9))]).await;
    let suggest = async |term: &str| {
        let term = Term::read(term).expect("short").expect("a word");
        let suggested = index.suggest(&term, at(0)).await.expect("suggestions");
        suggested.into_iter().map(|suggestion| (suggestion.text, suggestion.kind)).collect::<Vec<_>>()
    };
    let spider = ("Spider-Man".to_owned(), Suggested::Title);
    assert_eq!(suggest("sp").await, [spider.clone(), ("Spinal Tap".to_owned(), Suggested::Performer)]);
    assert_eq!(suggest("spider m").await, [spider]);
    assert_eq!(suggest("gruene").await, [("Grüne Halle".to_owned(), Suggested::Venue)]);
    assert_eq!(suggest("kol").await, [("Köln".to_owned(), Suggested::City)]);
    assert_eq!(suggest("ol").await, [], "what is over is not offered");
    assert_eq!(suggest("xyz").await, []);
}

/// Nothing that is typed is an error.
pub async fn a_term_of_nothing_but_marks_finds_everything<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    put(&index, &[is(1, document(1, "A play", 5))]).await;
    for term in ["***", "?.*[a-z]{1000}", "~~~~ AND (", "\"", "\\", "title:*", "a OR b", "[* TO *]", "\u{0}"] {
        index.search(&asked(&[("term", term)])).await.unwrap_or_else(|error| panic!("{term}: {error}"));
    }
    assert_eq!(find(&index, &asked(&[("term", "***")])).await, [event(1)]);
    assert_eq!(find(&index, &asked(&[("term", "a*")])).await, [event(1)], "a word, and a mark");
    let long = "x".repeat(200);
    assert_eq!(find(&index, &asked(&[("term", &long)])).await, []);
}
