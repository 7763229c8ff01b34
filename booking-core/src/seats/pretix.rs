//! pretix seating plans: zones → rows → seats, as its editor saves them.
//!
//! Read after pretix's own schema (`seating-plan.schema.json`): `{name, categories: [{name, color}], zones: [{name,
//! zone_id, position: {x, y}, rows: [{row_number, position, seats: [{seat_guid, seat_number, category, position}]}]}]}`.
//! A position is relative to what it stands in. Members that say nothing about seats (areas, labels, sizes) are passed
//! over. A plan as pretix's API answers it, with the layout under `layout`, is taken too.
//!
//! | in the plan | in Weir |
//! | --- | --- |
//! | zone | section of that name; without one its `zone_id`, else `Zone 1`; a name that is there before gets ` (2)` |
//! | zone without seats (a stage, a bar) | nothing |
//! | `row_number` | the row's name; where empty, its place in the zone |
//! | `seat_guid` | seat id, as it is |
//! | `seat_number` | seat number; where empty, its place in the row |
//! | colour | `#rrggbb` and `#rgb` as they are; others (names, none) one of Weir's own |

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::map::{Category, Description, InvalidSeatMap, RowDescription, SeatDescription, SeatMap, SectionDescription};

/// What categories without a usable colour are drawn with, in turn.
const COLORS: [&str; 6] = ["#2f6f9f", "#b0413e", "#3f7d58", "#8a6d3b", "#6b5b95", "#3b7a8a"];

/// Why a JSON document is not a seating plan that Weir can take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPretixPlan {
    /// A member is missing or of the wrong kind.
    #[error("{at}: '{member}' must be {wanted}")]
    Member {
        /// The place, such as `zone 1, row 'A', seat 3`.
        at: String,
        /// The member's name.
        member: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Something in a list is no object.
    #[error("{at} must be an object")]
    NotAnObject {
        /// Which.
        at: String,
    },
    /// The plan can be read, but what it describes is no seat map. Places are named as Weir's sections and rows.
    #[error(transparent)]
    SeatMap(#[from] InvalidSeatMap),
}

/// Reads a pretix seating plan.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(plan: &Value) -> Result<SeatMap, InvalidPretixPlan> {
    let plan = Object::of(plan, || "the plan".into())?;
    let plan = match plan.members.get("layout") {
        Some(layout) if !plan.members.contains_key("zones") => Object::of(layout, || "the plan's layout".into())?,
        _ => plan,
    };
    let categories = plan.list("categories", |n| format!("category {n}"))?;
    let categories = categories.iter().enumerate().map(|(n, category)| read_category(n, category));
    let categories = categories.collect::<Result<_, _>>()?;
    let mut names = HashSet::new();
    let mut sections = Vec::new();
    for (position, zone) in plan.list("zones", |n| format!("zone {n}"))?.iter().enumerate() {
        if let Some(section) = read_zone(position, zone, &mut names)? {
            sections.push(section);
        }
    }
    Ok(SeatMap::try_from(Description { categories, sections })?)
}

/// An object of the plan, and where it stands.
struct Object<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    fn of(value: &'a Value, at: impl Fn() -> String) -> Result<Self, InvalidPretixPlan> {
        match value {
            Value::Object(members) => Ok(Self { at: at(), members }),
            _ => Err(InvalidPretixPlan::NotAnObject { at: at() }),
        }
    }

    fn wrong(&self, member: &'static str, wanted: &'static str) -> InvalidPretixPlan {
        InvalidPretixPlan::Member { at: self.at.clone(), member, wanted }
    }

    /// A list of objects; `name` makes an object's place from its number, counted from 1.
    fn list(&self, member: &'static str, name: impl Fn(usize) -> String) -> Result<Vec<Self>, InvalidPretixPlan> {
        let Some(Value::Array(values)) = self.members.get(member) else {
            return Err(self.wrong(member, "a list"));
        };
        let at = |n| {
            if self.at.starts_with("the plan") { name(n) } else { format!("{}, {}", self.at, name(n)) }
        };
        values.iter().zip(1..).map(|(value, n)| Object::of(value, || at(n))).collect()
    }

    /// A text, or a whole number as text: hand-made plans have both. Absent, null and blank: `None`.
    fn text(&self, member: &'static str) -> Result<Option<String>, InvalidPretixPlan> {
        match self.members.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(member, "text")),
        }
    }

    fn needed_text(&self, member: &'static str) -> Result<String, InvalidPretixPlan> {
        self.text(member)?.ok_or_else(|| self.wrong(member, "text"))
    }

    /// `position`, or the origin where there is none.
    fn position(&self) -> Result<Option<(f64, f64)>, InvalidPretixPlan> {
        let position = match self.members.get("position") {
            None | Some(Value::Null) => return Ok(None),
            Some(position) => position,
        };
        let along = |axis: &str| position.get(axis).and_then(Value::as_f64);
        let (Some(x), Some(y)) = (along("x"), along("y")) else {
            return Err(self.wrong("position", "an object with the numbers x and y"));
        };
        Ok(Some((x, y)))
    }
}

fn read_category(position: usize, category: &Object<'_>) -> Result<Category, InvalidPretixPlan> {
    let name = category.needed_text("name")?.into();
    let color = category.text("color")?.and_then(|color| hex_color(&color));
    Ok(Category { name, color: color.unwrap_or_else(|| COLORS[position % COLORS.len()].to_owned()).into() })
}

/// `#rrggbb` of `#rrggbb` or `#rgb`.
fn hex_color(color: &str) -> Option<String> {
    let digits = color.strip_prefix('#').filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    match digits.len() {
        6 => Some(color.to_owned()),
        3 => Some(std::iter::once('#').chain(digits.chars().flat_map(|digit| [digit, digit])).collect()),
        _ => None,
    }
}

fn read_zone(
    position: usize,
    zone: &Object<'_>,
    names: &mut HashSet<String>,
) -> Result<Option<SectionDescription>, InvalidPretixPlan> {
    let wanted = match zone.text("name")? {
        Some(name) => Some(name),
        None => zone.text("zone_id")?,
    };
    let wanted = wanted.unwrap_or_else(|| format!("Zone {}", position + 1));
    let origin = zone.position()?.unwrap_or_default();
    let mut rows = Vec::new();
    for (position, row) in zone.list("rows", |n| format!("row {n}"))?.iter().enumerate() {
        rows.extend(read_row(position, row, origin)?);
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let mut name = wanted.clone();
    let mut times = 1;
    while !names.insert(name.clone()) {
        times += 1;
        name = format!("{wanted} ({times})");
    }
    Ok(Some(SectionDescription { name: name.into(), general_admission: false, rows }))
}

fn read_row(position: usize, row: &Object<'_>, zone: (f64, f64)) -> Result<Option<RowDescription>, InvalidPretixPlan> {
    let name = row.text("row_number")?.unwrap_or_else(|| (position + 1).to_string());
    let origin = row.position()?.unwrap_or_default();
    let origin = (zone.0 + origin.0, zone.1 + origin.1);
    let seats = row.list("seats", |n| format!("seat {n}"))?;
    let seats = seats.iter().enumerate().map(|(position, seat)| read_seat(position, seat, origin));
    let seats = seats.collect::<Result<Vec<_>, _>>()?;
    Ok((!seats.is_empty()).then(|| RowDescription { name: name.into(), seats }))
}

fn read_seat(position: usize, seat: &Object<'_>, row: (f64, f64)) -> Result<SeatDescription, InvalidPretixPlan> {
    let number = seat.text("seat_number")?.unwrap_or_else(|| (position + 1).to_string());
    let at = seat.position()?.ok_or_else(|| seat.wrong("position", "an object with the numbers x and y"))?;
    Ok(SeatDescription {
        seat_id: seat.needed_text("seat_guid")?.into(),
        number: number.into(),
        category: seat.needed_text("category")?.into(),
        x: Some(row.0 + at.0),
        y: Some(row.1 + at.1),
    })
}

#[cfg(test)]
mod tests;
