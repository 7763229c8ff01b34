//! A seat map as its description, and the checks that turn one into a map.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{
    Category, MAX_CATEGORIES, MAX_COORDINATE, MAX_NAME_CHARS, MAX_NUMBER_CHARS, MAX_SEAT_ID_CHARS, MAX_SEATS, Seat,
    SeatId, SeatMap, Section, is_label, joined_in_row,
};
use crate::seats::{SeatIndex, SeatSet};

/// A whole map.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::seats) struct Description {
    pub(in crate::seats) categories: Vec<Category>,
    pub(in crate::seats) sections: Vec<SectionDescription>,
}

/// A section.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::seats) struct SectionDescription {
    pub(in crate::seats) name: Arc<str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::seats) general_admission: bool,
    pub(in crate::seats) rows: Vec<RowDescription>,
}

/// A row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::seats) struct RowDescription {
    pub(in crate::seats) name: Arc<str>,
    pub(in crate::seats) seats: Vec<SeatDescription>,
}

/// A seat.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::seats) struct SeatDescription {
    pub(in crate::seats) seat_id: Arc<str>,
    #[serde(deserialize_with = "text_or_number")]
    pub(in crate::seats) number: Arc<str>,
    pub(in crate::seats) category: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::seats) x: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::seats) y: Option<f64>,
}

/// A seat's number is text ("12a"), but most tools write 12.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    struct Number;

    impl de::Visitor<'_> for Number {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a seat number, as text or as a whole number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Arc<str>, E> {
            Ok(text.into())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Arc<str>, E> {
            Ok(number.to_string().into())
        }
    }

    deserializer.deserialize_any(Number)
}

/// Why a description is not a seat map, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSeatMap {
    /// The place, such as `section 'Stalls', row 'A'`; empty where it is the whole map.
    pub at: String,
    /// What is wrong there.
    pub problem: MapProblem,
}

impl fmt::Display for InvalidSeatMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { self.problem.fmt(f) } else { write!(f, "{}: {}", self.at, self.problem) }
    }
}

impl std::error::Error for InvalidSeatMap {}

/// What can be wrong with a description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapProblem {
    /// Nothing to sit on.
    #[error("there are no seats")]
    NoSeats,
    /// More seats than [`MAX_SEATS`].
    #[error("there are more than {MAX_SEATS} seats")]
    TooManySeats,
    /// More categories than [`MAX_CATEGORIES`].
    #[error("there are more than {MAX_CATEGORIES} categories")]
    TooManyCategories,
    /// A section without rows.
    #[error("there are no rows")]
    NoRows,
    /// A text that can't stand on a page or a ticket.
    #[error("{what} '{text}' must be 1 to {max} characters, none of control, with no space at the ends")]
    BadText {
        /// What it names, such as `name`.
        what: &'static str,
        /// Its beginning.
        text: String,
        /// The most characters it may have.
        max: usize,
    },
    /// A colour that is not `#rrggbb`.
    #[error("color '{0}' must be '#' and six hex digits, such as '#3f7d58'")]
    BadColor(String),
    /// A name or id that is there before.
    #[error("{what} '{text}' appears twice")]
    Twice {
        /// What it names, such as `seat id`.
        what: &'static str,
        /// It.
        text: String,
    },
    /// A seat of a category that the map does not have.
    #[error("seat '{seat}' has category '{category}', which is not among the categories")]
    UnknownCategory {
        /// The seat.
        seat: String,
        /// Its category.
        category: String,
    },
    /// A seat without a point, in a section where points matter.
    #[error("seat '{0}' has no x and y")]
    NoPoint(String),
    /// A seat too far away, or nowhere.
    #[error("seat '{0}' has an x or y beyond ±{MAX_COORDINATE}")]
    BadPoint(String),
}

impl MapProblem {
    fn at(self, at: String) -> InvalidSeatMap {
        InvalidSeatMap { at, problem: self }
    }

    fn of_map(self) -> InvalidSeatMap {
        self.at(String::new())
    }
}

/// Holds a text to what can stand on a page.
fn label(what: &'static str, text: &str, max: usize) -> Result<(), MapProblem> {
    if is_label(text, max) {
        Ok(())
    } else {
        Err(MapProblem::BadText { what, text: text.escape_debug().take(max).collect(), max })
    }
}

fn twice(what: &'static str, text: &str) -> MapProblem {
    MapProblem::Twice { what, text: text.to_owned() }
}

fn check_categories(categories: &[Category]) -> Result<HashMap<Arc<str>, u8>, InvalidSeatMap> {
    if categories.len() > MAX_CATEGORIES {
        return Err(MapProblem::TooManyCategories.of_map());
    }
    let mut positions = HashMap::with_capacity(categories.len());
    for (category, position) in categories.iter().zip(0_u8..) {
        label("category", &category.name, MAX_NAME_CHARS).map_err(MapProblem::of_map)?;
        let digits = category.color.strip_prefix('#').unwrap_or("");
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let color = category.color.escape_debug().take(32).collect();
            return Err(MapProblem::BadColor(color).at(format!("category '{}'", category.name)));
        }
        if positions.insert(category.name.clone(), position).is_some() {
            return Err(twice("category", &category.name).of_map());
        }
    }
    Ok(positions)
}

/// A map in the making.
struct Build {
    positions: HashMap<Arc<str>, u8>,
    map: SeatMap,
}

impl Build {
    fn add_section(&mut self, section: &SectionDescription) -> Result<(), InvalidSeatMap> {
        label("section name", &section.name, MAX_NAME_CHARS).map_err(MapProblem::of_map)?;
        if section.rows.is_empty() {
            return Err(MapProblem::NoRows.at(format!("section '{}'", section.name)));
        }
        let first = self.map.rows.len();
        let mut numbers = HashSet::new();
        for row in &section.rows {
            let at = || format!("section '{}', row '{}'", section.name, row.name);
            label("row name", &row.name, MAX_NAME_CHARS).map_err(|p| p.at(format!("section '{}'", section.name)))?;
            if row.seats.is_empty() {
                return Err(MapProblem::NoSeats.at(at()));
            }
            for seat in &row.seats {
                self.add_seat(section, &row.name, seat).map_err(|problem| problem.at(at()))?;
                // Two seats that read the same would be two people with one seat on their tickets.
                if !section.general_admission && !numbers.insert((&row.name, &seat.number)) {
                    return Err(twice("seat number", &seat.number).at(at()));
                }
            }
            self.close_row(row, section.general_admission);
        }
        self.map.sections.push(Section {
            name: section.name.clone(),
            general_admission: section.general_admission,
            rows: first..self.map.rows.len(),
        });
        Ok(())
    }

    fn add_seat(
        &mut self,
        section: &SectionDescription,
        row: &Arc<str>,
        seat: &SeatDescription,
    ) -> Result<(), MapProblem> {
        label("seat id", &seat.seat_id, MAX_SEAT_ID_CHARS)?;
        label("seat number", &seat.number, MAX_NUMBER_CHARS)?;
        let Some((category, position)) = self.positions.get_key_value(&seat.category) else {
            let (seat, category) =
                (seat.seat_id.to_string(), seat.category.escape_debug().take(MAX_NAME_CHARS).collect());
            return Err(MapProblem::UnknownCategory { seat, category });
        };
        let (x, y) = match (seat.x, seat.y) {
            (Some(x), Some(y)) => (x, y),
            (None, None) if section.general_admission => (0.0, 0.0),
            _ => return Err(MapProblem::NoPoint(seat.seat_id.to_string())),
        };
        if !(x.abs() <= MAX_COORDINATE && y.abs() <= MAX_COORDINATE) {
            return Err(MapProblem::BadPoint(seat.seat_id.to_string()));
        }
        let index = u32::try_from(self.map.seats.len()).expect("a map has no more than MAX_SEATS seats");
        let seat_id = SeatId(seat.seat_id.clone());
        if self.map.by_id.insert(seat_id.clone(), SeatIndex(index)).is_some() {
            return Err(twice("seat id", &seat.seat_id));
        }
        self.map.category_of.push(*position);
        let row_index =
            u32::try_from(self.map.rows.len()).expect("a row has a seat, so there are no more rows than seats");
        self.map.row_of.push(row_index);
        self.map.seats.push(Seat {
            seat_id,
            section: section.name.clone(),
            row: row.clone(),
            number: seat.number.clone(),
            category: category.clone(),
            x,
            y,
        });
        Ok(())
    }

    /// Makes a row of the seats that were added since the row before.
    fn close_row(&mut self, row: &RowDescription, general_admission: bool) {
        let last = self.map.seats.len();
        let first = last - row.seats.len();
        let points: Vec<_> = self.map.seats[first..last].iter().map(|seat| (seat.x, seat.y)).collect();
        let seats: Vec<SeatIndex> = (0_u32..).map(SeatIndex).skip(first).take(row.seats.len()).collect();
        let joined = joined_in_row(&points);
        self.map.joined.extend(
            seats.iter().skip(1).zip(joined).filter(|(_, joined)| *joined || general_admission).map(|(seat, _)| *seat),
        );
        self.map.rows.push(seats);
        self.map.row_names.push(row.name.clone());
    }
}

impl TryFrom<Description> for SeatMap {
    type Error = InvalidSeatMap;

    fn try_from(described: Description) -> Result<Self, InvalidSeatMap> {
        let Description { categories, sections } = described;
        let positions = check_categories(&categories)?;
        let count = sections.iter().flat_map(|section| &section.rows).map(|row| row.seats.len()).sum();
        if count == 0 {
            return Err(MapProblem::NoSeats.of_map());
        }
        if count > MAX_SEATS {
            return Err(MapProblem::TooManySeats.of_map());
        }
        let map = Self {
            categories,
            sections: Vec::with_capacity(sections.len()),
            rows: Vec::new(),
            row_names: Vec::new(),
            seats: Vec::with_capacity(count),
            category_of: Vec::with_capacity(count),
            row_of: Vec::with_capacity(count),
            joined: SeatSet::with_len(count),
            by_id: HashMap::with_capacity(count),
            first: 0,
            before: None,
        };
        let mut build = Build { positions, map };
        let mut names = HashSet::new();
        for section in &sections {
            build.add_section(section)?;
            if !names.insert(&section.name) {
                return Err(twice("section", &section.name).of_map());
            }
        }
        Ok(build.map)
    }
}

impl From<SeatMap> for Description {
    fn from(map: SeatMap) -> Self {
        let seat = |seat: &SeatIndex| {
            let seat = &map.seats[map.place(*seat).expect("a row has seats of its map")];
            SeatDescription {
                seat_id: seat.seat_id.0.clone(),
                number: seat.number.clone(),
                category: seat.category.clone(),
                x: Some(seat.x),
                y: Some(seat.y),
            }
        };
        let row = |row: usize| RowDescription {
            name: map.row_names[row].clone(),
            seats: map.rows[row].iter().map(seat).collect(),
        };
        let section = |section: &Section| SectionDescription {
            name: section.name.clone(),
            general_admission: section.general_admission,
            rows: section.rows.clone().map(row).collect(),
        };
        let sections = map.sections.iter().map(section).collect();
        Self { categories: map.categories, sections }
    }
}

#[cfg(test)]
mod tests;
