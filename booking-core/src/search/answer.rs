//! What an index answers.

use serde::{Deserialize, Serialize};

use super::{Cursor, Document, attempt::Patience};

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// How many events there are in all.
    pub total: u64,
    /// Those of the page that was asked for, in order.
    pub hits: Vec<Hit>,
    /// How many events there are of each city and category.
    pub facets: Facets,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
    /// How far the search had to go from what was typed.
    pub patience: Patience,
}

/// An event that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// What the index holds of it.
    pub document: Document,
    /// Seats left, where the index was told.
    pub seats_left: Option<u64>,
    /// What its words weigh; 0 where none were asked for.
    pub score: u32,
}

/// How many of the events that were found have something in common; the most frequent first, then by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facets {
    /// Their cities.
    pub cities: Vec<Facet>,
    /// Their categories.
    pub categories: Vec<Facet>,
}

/// What some events have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet {
    /// As it is written.
    pub name: String,
    /// How many.
    pub count: u64,
}

impl Facets {
    /// The most names of one kind.
    pub const MAX: usize = 20;
}
