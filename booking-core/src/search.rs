//! Searching for events: what is asked, how text is read, what an index holds, and what it answers.
//!
//! Every engine gets the same words: [`words`] takes texts apart, [`document::Document::tokens`] says what is looked up
//! of an event, and [`attempt`] what of it counts how much. So an engine has no analysis of its own; it looks tokens up,
//! adds weights, filters, counts and sorts.

mod answer;
pub mod attempt;
mod city;
mod cursor;
mod document;
mod highlight;
mod query;
mod suggest;
mod words;

pub use answer::{Facet, Facets, Found, Hit};
pub use city::city_key;
pub use cursor::{Cursor, InvalidCursor};
pub use document::{Change, Document, Field, SeatsLeft, What};
pub use highlight::{Part, highlight};
pub use query::{
    DEFAULT_PAGE_SIZE, DEFAULT_WITHIN_KM, MAX_DEPTH, MAX_LOCATION_CHARS, MAX_PAGE_SIZE, MAX_TERM_CHARS, MAX_TERM_WORDS,
    MAX_WITHIN_KM, Place, Query, Refused, Term,
};
pub use suggest::{MAX_SUGGESTIONS, SUGGESTED_FROM, Suggested, Suggestion, suggestions};

/// The earth's mean radius, in kilometres (IUGG).
const EARTH_KM: f64 = 6_371.008_8;

/// How far apart two points are, in kilometres on a sphere (haversine formula).
pub fn distance_km(a: crate::catalog::Point, b: crate::catalog::Point) -> f64 {
    let (lat_a, lat_b) = (a.lat.to_radians(), b.lat.to_radians());
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let chord = half(b.lat - a.lat) + lat_a.cos() * lat_b.cos() * half(b.long - a.long);
    2.0 * EARTH_KM * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests;
