//! A hall's seats, their order and their neighbours.
//!
//! The description that makes a map is `{categories: [{name, color}], sections: [{name, generalAdmission?, rows: [{name,
//! seats: [{seatId, number, category, x, y}]}]}]}`. The order of the description is the order of the seats, and it
//! carries meaning: sections and rows stand from the front (the best) to the back, seats of a row from one end to the
//! other.
//!
//! Seats that follow one another in a row's list are neighbours, unless an aisle is between them: a distance (between
//! their points) of more than [`AISLE_RATIO`] times the row's median distance. Of an even number of distances the lower
//! of the middle two counts, so that two seats, an aisle and two seats have their aisle. Where more than half of a
//! row's seats stand on one point, positions say nothing and all are neighbours.
//!
//! General admission is a section with `generalAdmission: true`: numbered seats that nobody sees the numbers of. Its
//! visitors ask for a count ([`super::best::best_available`]), any of its seats of a row are as good as any others
//! together, none is ever an orphan, and `x` and `y` may be left out. Everything else (holds, tickets, prices) treats
//! its seats as seats.

use std::{collections::HashMap, fmt, ops::Range, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{SeatIndex, SeatSet};

mod description;

pub(super) use description::{Description, RowDescription, SeatDescription, SectionDescription};
pub use description::{InvalidSeatMap, MapProblem};

/// The most seats of a map.
pub const MAX_SEATS: usize = 200_000;
/// The most categories of a map.
pub const MAX_CATEGORIES: usize = 100;
/// The longest name of a category, section or row, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// The longest seat id, in characters: a UUID, as pretix's editor makes them, fits.
pub const MAX_SEAT_ID_CHARS: usize = 64;
/// The longest seat number, in characters.
pub const MAX_NUMBER_CHARS: usize = 32;
/// How far from the origin a seat may stand, in either direction, in the map's own unit.
pub const MAX_COORDINATE: f64 = 1e6;
/// Two seats further apart than this many of their row's median distances have an aisle between them.
pub const AISLE_RATIO: f64 = 1.9;

/// A seat's id, as the venue names it: 1 to [`MAX_SEAT_ID_CHARS`] characters, no control characters, no space at the
/// ends. Unique in its map.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatId(Arc<str>);

/// Why a text is not a seat id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a seat id: 1 to {MAX_SEAT_ID_CHARS} characters, none of control, no space at the ends")]
pub struct InvalidSeatId(String);

impl SeatId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SeatId {
    type Err = InvalidSeatId;

    fn from_str(text: &str) -> Result<Self, InvalidSeatId> {
        if is_label(text, MAX_SEAT_ID_CHARS) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSeatId(text.escape_debug().take(MAX_SEAT_ID_CHARS).collect()))
        }
    }
}

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SeatId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SeatId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Whether `text` can stand on a page or a ticket: 1 to `max` characters, none of control, no space at the ends.
fn is_label(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.chars().any(char::is_control)
        && text.chars().take(max + 1).count() <= max
}

/// A kind of seat, which prices go by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Category {
    /// Its name, unique in the map.
    pub name: Arc<str>,
    /// What the map draws it with: `#rrggbb`.
    pub color: Arc<str>,
}

/// A part of the hall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name, unique in the map.
    pub name: Arc<str>,
    /// Whether nobody sees the numbers of its seats.
    pub general_admission: bool,
    /// Which of [`SeatMap::rows`] are its rows.
    pub rows: Range<usize>,
}

/// A seat.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the name that JSON has, and every other type of ours")]
pub struct Seat {
    /// Its id.
    pub seat_id: SeatId,
    /// The name of its section.
    pub section: Arc<str>,
    /// The name of its row.
    pub row: Arc<str>,
    /// Its number in the row, as its visitors read it.
    pub number: Arc<str>,
    /// The name of its category.
    pub category: Arc<str>,
    /// Where it stands, to the right, in the map's own unit.
    pub x: f64,
    /// Where it stands, downwards, in the map's own unit.
    pub y: f64,
}

/// A hall's seats. As JSON: the module's description, validated when read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
pub struct SeatMap {
    categories: Vec<Category>,
    sections: Vec<Section>,
    rows: Vec<Vec<SeatIndex>>,
    row_names: Vec<Arc<str>>,
    seats: Vec<Seat>,
    /// The position in `categories` of each seat's.
    category_of: Vec<u8>,
    /// The position in `rows` of each seat's.
    row_of: Vec<u32>,
    /// Those that are neighbours of the seat before them.
    joined: SeatSet,
    by_id: HashMap<SeatId, SeatIndex>,
    /// The index of the first seat.
    first: u32,
    /// The event's hall before this one.
    before: Option<Arc<SeatMap>>,
}

impl SeatMap {
    /// The same hall, for an event that was in `before`: its seats are numbered on from those of that one, which are
    /// still found by [`Self::seat`] and nothing else.
    #[must_use]
    pub fn after(&self, before: Arc<Self>) -> Self {
        let mut map = self.clone();
        let first = before.end();
        let shifted = |seat: SeatIndex| SeatIndex(seat.0 - self.first + first);
        for seat in map.rows.iter_mut().flatten().chain(map.by_id.values_mut()) {
            *seat = shifted(*seat);
        }
        map.joined = self.joined.iter().map(shifted).collect();
        (map.first, map.before) = (first, Some(before));
        map
    }

    /// The index of its first seat.
    pub fn first(&self) -> SeatIndex {
        SeatIndex(self.first)
    }

    /// The index behind its last seat.
    pub fn end(&self) -> u32 {
        self.first + u32::try_from(self.seats.len()).expect("a map has no more than MAX_SEATS seats")
    }

    /// The event's hall before this one, where it was in another.
    pub fn before(&self) -> Option<&Arc<Self>> {
        self.before.as_ref()
    }

    /// The position of `seat` in [`Self::seats`]; `None` where it is none of this hall.
    pub fn place(&self, seat: SeatIndex) -> Option<usize> {
        let place = seat.0.checked_sub(self.first)? as usize;
        (place < self.seats.len()).then_some(place)
    }

    /// The categories, in the order described.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The sections, front first.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The rows of all sections, front first; each row's seats in their order. None is empty.
    pub fn rows(&self) -> &[Vec<SeatIndex>] {
        &self.rows
    }

    /// The seats, in seat order: see [`Self::place`].
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// How many seats; at least 1, at most [`MAX_SEATS`].
    #[expect(clippy::len_without_is_empty, reason = "a map without seats is refused")]
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// A seat of this hall, or of one that the event was in before; `None` where none has such an index.
    pub fn seat(&self, seat: SeatIndex) -> Option<&Seat> {
        match &self.before {
            Some(before) if seat.0 < self.first => before.seat(seat),
            _ => self.seats.get(self.place(seat)?),
        }
    }

    /// The seat of this hall that is called `id`.
    pub fn index_of(&self, id: &SeatId) -> Option<SeatIndex> {
        self.by_id.get(id).copied()
    }

    /// The position in [`Self::categories`] of the category called `name`.
    pub fn category(&self, name: &str) -> Option<usize> {
        self.categories.iter().position(|category| &*category.name == name)
    }

    /// The position in [`Self::rows`] of `seat`'s row.
    pub fn row_of(&self, seat: SeatIndex) -> Option<usize> {
        self.row_of.get(self.place(seat)?).map(|row| *row as usize)
    }

    /// The section of a row, by its position in [`Self::rows`].
    pub fn section_of(&self, row: usize) -> Option<&Section> {
        let section = self.sections.partition_point(|section| section.rows.end <= row);
        self.sections.get(section)
    }

    /// Whether `seat` and the one before it in seat order are neighbours: of one row, with no aisle between them.
    pub fn is_joined(&self, seat: SeatIndex) -> bool {
        self.joined.contains(seat)
    }

    /// The position in [`Self::categories`] of `seat`'s category. For seats of this map.
    pub(super) fn category_of(&self, seat: SeatIndex) -> usize {
        self.category_of[self.place(seat).expect("it is a seat of this map")].into()
    }
}

/// Marks which seats of a row, after the first, are neighbours of the one before.
fn joined_in_row(points: &[(f64, f64)]) -> Vec<bool> {
    let distances: Vec<f64> = points.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).collect();
    let mut sorted = distances.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(median) = sorted.len().checked_sub(1).map(|last| sorted[last / 2]) else {
        return Vec::new();
    };
    distances.iter().map(|distance| median == 0.0 || *distance <= AISLE_RATIO * median).collect()
}
