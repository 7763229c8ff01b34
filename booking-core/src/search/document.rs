//! What an index holds of an event.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::words;
use crate::{
    catalog::{Event, Point, Venue},
    id::{EventId, VenueId},
    money::Currency,
    time::Timestamp,
};

/// The most stems of a description.
const MAX_STEMS: usize = 1_000;

/// Where tokens are looked up. A token is compared as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Words of the title.
    Title,
    /// Words of the performers.
    Performers,
    /// Words of the venue: its name, its nicknames, its city.
    Venue,
    /// Stems of the category.
    Category,
    /// Stems of title and performers.
    Stems,
    /// Stems of the description.
    Text,
    /// What words of the title begin with.
    TitlePrefixes,
    /// What words of the performers begin with.
    PerformerPrefixes,
    /// What words of the venue begin with.
    VenuePrefixes,
    /// The whole title.
    TitleKey,
    /// The whole city.
    CityKey,
    /// The whole category.
    CategoryKey,
}

impl Field {
    /// Each.
    pub const ALL: [Self; 12] = [
        Self::Title,
        Self::Performers,
        Self::Venue,
        Self::Category,
        Self::Stems,
        Self::Text,
        Self::TitlePrefixes,
        Self::PerformerPrefixes,
        Self::VenuePrefixes,
        Self::TitleKey,
        Self::CityKey,
        Self::CategoryKey,
    ];

    /// What an index calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Performers => "performers",
            Self::Venue => "venue",
            Self::Category => "category",
            Self::Stems => "stems",
            Self::Text => "text",
            Self::TitlePrefixes => "title_prefixes",
            Self::PerformerPrefixes => "performer_prefixes",
            Self::VenuePrefixes => "venue_prefixes",
            Self::TitleKey => "title_key",
            Self::CityKey => "city_key",
            Self::CategoryKey => "category_key",
        }
    }
}

/// An event with its venue, as it is found and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Which event.
    pub event_id: EventId,
    /// What is on.
    pub title: String,
    /// In a few sentences.
    pub description: String,
    /// Who is on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performers: Vec<String>,
    /// What kind of event it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The language it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// A picture's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// Where.
    pub venue_id: VenueId,
    /// What people call the venue.
    pub venue: String,
    /// What else people call it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nicknames: Vec<String>,
    /// Its city.
    pub city: String,
    /// Where on the earth, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// What its prices are in.
    pub currency: Currency,
    /// The least and the most that a seat costs, in minor units.
    pub prices: (i64, i64),
    /// How many seats the venue has.
    pub seats: u64,
}

impl Document {
    /// What an index holds of `event` in `venue`.
    pub fn of(event: &Event, venue: &Venue) -> Self {
        let prices = || event.prices.values().copied();
        Self {
            event_id: event.event_id.clone(),
            title: event.title.clone(),
            description: event.description.clone(),
            performers: event.performers.clone(),
            category: event.category.clone(),
            language: event.language.clone(),
            thumbnail: event.thumbnail.clone(),
            venue_id: venue.venue_id.clone(),
            venue: venue.name.clone(),
            nicknames: venue.nicknames.clone(),
            city: venue.location.city.clone(),
            point: venue.location.point,
            starts_at: event.starts_at,
            currency: event.currency,
            prices: (prices().min().unwrap_or(0), prices().max().unwrap_or(0)),
            seats: venue.seat_map.len() as u64,
        }
    }

    /// What it is looked up by in `field`, each once.
    pub fn tokens(&self, field: Field) -> BTreeSet<String> {
        match field {
            Field::Title => words_of([self.title.as_str()]),
            Field::Performers => words_of(self.performers()),
            Field::Venue => words_of(self.whereabouts()),
            Field::Category => stems_of(self.category.as_deref()),
            Field::Stems => stems_of([self.title.as_str()].into_iter().chain(self.performers())),
            Field::Text => stems_of([self.description.as_str()]),
            Field::TitlePrefixes => prefixes_of(&self.tokens(Field::Title)),
            Field::PerformerPrefixes => prefixes_of(&self.tokens(Field::Performers)),
            Field::VenuePrefixes => prefixes_of(&self.tokens(Field::Venue)),
            Field::TitleKey => BTreeSet::from([words::key(&self.title)]),
            Field::CityKey => words::spellings(self.city.split(',').next().unwrap_or("")),
            Field::CategoryKey => self.category.iter().map(|category| words::key(category)).collect(),
        }
    }

    fn performers(&self) -> impl Iterator<Item = &str> {
        self.performers.iter().map(String::as_str)
    }

    fn whereabouts(&self) -> impl Iterator<Item = &str> {
        [self.venue.as_str(), self.city.as_str()].into_iter().chain(self.nicknames.iter().map(String::as_str))
    }
}

fn words_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    texts.into_iter().flat_map(|text| words::forms(&words::with_joined(text)).collect::<Vec<_>>()).collect()
}

fn stems_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let words = texts.into_iter().flat_map(words::words).filter(|word| !word.is_noise());
    words.take(MAX_STEMS).flat_map(|word| words::stems(&word)).collect()
}

fn prefixes_of(words: &BTreeSet<String>) -> BTreeSet<String> {
    words.iter().flat_map(|word| words::prefixes(word)).collect()
}

/// A change of what an index holds of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Of which event.
    pub event_id: EventId,
    /// Rises with every change of the event.
    pub version: u64,
    /// What.
    pub what: What,
}

/// What becomes of an event in an index.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It is so.
    Is(Box<Document>),
    /// It is no more.
    Gone,
}

/// How many seats of an event are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatsLeft {
    /// Of which event.
    pub event_id: EventId,
    /// Rises with every change of its seats.
    pub version: u64,
    /// How many.
    pub left: u64,
}
