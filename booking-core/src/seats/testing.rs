//! Halls as pictures, for the tests of the rules.
//!
//! One line a row: `.` a free seat of category A, `,` one of category B, `x` a taken seat of category A, a space an
//! aisle. A line that begins with `-` begins a section, one with `=` a section of general admission.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SeatIndex, SeatMap, SeatSet};

pub(super) struct Hall {
    pub(super) map: SeatMap,
    pub(super) taken: SeatSet,
    lines: Vec<String>,
}

impl Hall {
    pub(super) fn new(picture: &[&str]) -> Self {
        let mut sections: Vec<Value> = Vec::new();
        let mut taken = SeatSet::default();
        let mut index = 0;
        for (y, line) in picture.iter().enumerate() {
            if sections.is_empty() || line.starts_with(['-', '=']) {
                let name = format!("section {}", sections.len());
                sections.push(json!({ "name": name, "generalAdmission": line.starts_with('='), "rows": [] }));
            }
            if line.starts_with(['-', '=']) {
                continue;
            }
            let mut seats = Vec::new();
            for (x, seat) in line.chars().enumerate().filter(|(_, seat)| *seat != ' ') {
                if seat == 'x' {
                    taken.insert(SeatIndex(index));
                }
                let category = if seat == ',' { "B" } else { "A" };
                let number = seats.len() + 1;
                seats.push(json!({ "seatId": format!("{y}-{number}"), "number": number, "category": category,
                    // An aisle is one place of three, so that it is one beside many seats.
                    "x": x + 2 * line[..x].matches(' ').count(), "y": y }));
                index += 1;
            }
            let rows = sections.last_mut().unwrap()["rows"].as_array_mut().unwrap();
            rows.push(json!({ "name": format!("row {y}"), "seats": seats }));
        }
        let categories = json!([{ "name": "A", "color": "#112233" }, { "name": "B", "color": "#445566" }]);
        let map = serde_json::from_value(json!({ "categories": categories, "sections": sections })).unwrap();
        Self { map, taken, lines: picture.iter().map(ToString::to_string).collect() }
    }

    /// The picture, with `chosen` marked by `#`.
    pub(super) fn show(&self, chosen: &[SeatIndex]) -> Vec<String> {
        let mut index = 0;
        let mut line = |line: &String| {
            if line.starts_with(['-', '=']) {
                return line.clone();
            }
            let mut mark = |seat: char| {
                if seat == ' ' {
                    return seat;
                }
                index += 1;
                if chosen.contains(&SeatIndex(index - 1)) { '#' } else { seat }
            };
            line.chars().map(&mut mark).collect()
        };
        self.lines.iter().map(&mut line).collect()
    }
}

/// The seats that `picture` marks with `#`.
pub(super) fn marked(picture: &[&str]) -> Vec<SeatIndex> {
    let seats = picture.iter().filter(|line| !line.starts_with(['-', '='])).flat_map(|line| line.chars());
    seats.filter(|seat| *seat != ' ').zip(0..).filter(|(seat, _)| *seat == '#').map(|(_, n)| SeatIndex(n)).collect()
}

/// Rows of up to 12 seats, taken and free, of two categories, with aisles.
pub(super) fn any_row() -> impl Strategy<Value = String> {
    let seat = prop_oneof![5 => Just("."), 1 => Just(","), 3 => Just("x"), 1 => Just(". .")];
    prop::collection::vec(seat, 1..=6).prop_map(|seats| seats.concat())
}

/// Halls of up to 3 sections, some of general admission, of up to 4 rows each.
pub(super) fn any_hall() -> impl Strategy<Value = Hall> {
    let section = (prop::bool::weighted(0.2), prop::collection::vec(any_row(), 1..=4));
    prop::collection::vec(section, 1..=3).prop_map(|sections| {
        let lines: Vec<String> = sections
            .into_iter()
            .flat_map(|(general, rows)| std::iter::once(String::from(if general { "=" } else { "-" })).chain(rows))
            .collect();
        Hall::new(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

impl std::fmt::Debug for Hall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?}", self.lines)
    }
}
