//! What visitors type, and which events they mean: the same for every engine.
//!
//! The corpus and the queries are data, in `relevance.txt`. Each line of the first part is an event; each of the second is
//! a search and the events that it must find first, in that order.

use super::SearchIndex;
use crate::{
    catalog::Point,
    id::EventId,
    ports::contract::at,
    search::{Change, Document, Query, What},
    time::Timestamp,
};

const DATA: &str = include_str!("relevance.txt");

/// Makes the test of what visitors mean.
#[macro_export]
macro_rules! relevance_suite {
    (#[$test:meta] $open:expr) => {
        #[$test]
        async fn visitors_find_what_they_mean() {
            $crate::ports::search::relevance::visitors_find_what_they_mean($open).await;
        }
    };
}

/// A venue: its name, its nicknames, its city, where it is.
struct Hall<'d> {
    key: &'d str,
    name: &'d str,
    nicknames: Vec<String>,
    city: &'d str,
    point: Point,
}

fn lines(part: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let of_part = DATA.split("\n== ").find(|text| text.starts_with(part)).expect("the part is there");
    let lines = of_part.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

fn list(text: &str) -> Vec<String> {
    text.split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn halls() -> Vec<Hall<'static>> {
    let hall = |fields: Vec<&'static str>| {
        let [key, name, nicknames, city, lat, long] = fields[..] else { panic!("{fields:?}") };
        let point = Point { lat: lat.parse().expect("degrees"), long: long.parse().expect("degrees") };
        Hall { key, name, nicknames: list(nicknames), city, point }
    };
    lines("venues").map(hall).collect()
}

/// The events of the corpus, each a day after the one before.
pub fn corpus() -> Vec<Document> {
    let halls = halls();
    let event = |(number, fields): (i64, Vec<&'static str>)| {
        let [id, title, performers, category, language, hall, description] = fields[..] else { panic!("{fields:?}") };
        let hall = halls.iter().find(|known| known.key == hall).unwrap_or_else(|| panic!("no venue {hall}"));
        Document {
            event_id: id_of(id),
            title: title.to_owned(),
            description: description.to_owned(),
            performers: list(performers),
            category: Some(category.to_owned()).filter(|category| !category.is_empty()),
            language: Some(language.to_owned()).filter(|language| !language.is_empty()),
            thumbnail: None,
            venue_id: format!("venue_{}", hall.key).parse().expect("an id"),
            venue: hall.name.to_owned(),
            nicknames: hall.nicknames.clone(),
            city: hall.city.to_owned(),
            point: Some(hall.point),
            starts_at: at(number * 86_400_000),
            currency: "EUR".parse().expect("three capital letters"),
            prices: (1_000, 9_000),
            seats: 1_000,
        }
    };
    (0..).zip(lines("events")).map(event).collect()
}

fn id_of(id: &str) -> EventId {
    format!("evt_{id}").parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Every search of the suite finds first what it should.
pub async fn visitors_find_what_they_mean<I: SearchIndex>(open: impl AsyncFn() -> I) {
    let index = open().await;
    let corpus = corpus();
    assert!(corpus.len() >= 150, "{} events", corpus.len());
    let changes: Vec<Change> = corpus
        .into_iter()
        .map(|document| Change { event_id: document.event_id.clone(), version: 1, what: What::Is(Box::new(document)) })
        .collect();
    for some in changes.chunks(64) {
        index.apply(some).await.expect("applied");
    }
    let (mut asked, mut missed) = (0, Vec::new());
    for fields in lines("searches") {
        let [address, expected] = fields[..] else { panic!("{fields:?}") };
        let pairs: Vec<(&str, &str)> =
            address.split('&').map(|pair| pair.split_once('=').unwrap_or(("term", pair))).collect();
        let query = Query { from: Timestamp::from_millis(0), ..Query::read(pairs, at(0)).expect(address) };
        let found = index.search(&query).await.expect("a search");
        let expected: Vec<EventId> = expected.split_whitespace().map(id_of).collect();
        let first = found.hits.iter().take(expected.len().max(1)).map(|hit| hit.document.event_id.clone());
        let first: Vec<EventId> = first.collect();
        asked += 1;
        if first != expected {
            let seen: Vec<String> =
                found.hits.iter().take(4).map(|hit| format!("{} ({})", hit.document.title, hit.score)).collect();
            missed.push(format!("{address}: {expected:?} expected, found {first:?} of {} {seen:?}", found.total));
        }
    }
    assert!(asked >= 60, "{asked} searches");
    assert!(missed.is_empty(), "{} of {asked}:\n{}", missed.len(), missed.join("\n"));
}
