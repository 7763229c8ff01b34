//! The demo's hall: about 1,000 seats on curved rows around a stage, three levels, four categories.

use serde_json::{Value, json};

/// The distance between neighbouring seats, in the map's units.
const PITCH: f64 = 24.0;
/// The distance between rows, in pitches.
const ROW: f64 = 1.25;

/// The width of an aisle on each of its sides, in pitches.
const AISLE: f64 = 0.9;

/// A block of rows that share a centre in front of the stage, between two aisles. The aisles' angles are degrees
/// right of the hall's axis.
struct Block {
    name: &'static str,
    /// Seat ids begin with it.
    code: &'static str,
    rows: u32,
    /// The first row's distance from the centre, in pitches.
    radius: f64,
    from: f64,
    to: f64,
    /// The category of the first `front` rows, and of the others.
    category: (&'static str, &'static str),
    front: u32,
}

const BLOCKS: &[Block] = &[
    block("Stalls left", "SL", 14, 16.0, (-44.0, -18.0), ("Stalls", "Stalls"), 0),
    block("Stalls centre", "SC", 14, 16.0, (-18.0, 18.0), ("Premium", "Stalls"), 6),
    block("Stalls right", "SR", 14, 16.0, (18.0, 44.0), ("Stalls", "Stalls"), 0),
    block("Circle left", "CL", 7, 37.0, (-44.0, -17.0), ("Circle", "Circle"), 0),
    block("Circle centre", "CC", 7, 37.0, (-17.0, 17.0), ("Circle", "Circle"), 0),
    block("Circle right", "CR", 7, 37.0, (17.0, 44.0), ("Circle", "Circle"), 0),
    block("Balcony", "B", 3, 49.0, (-26.0, 26.0), ("Balcony", "Balcony"), 0),
];

const fn block(
    name: &'static str,
    code: &'static str,
    rows: u32,
    radius: f64,
    (from, to): (f64, f64),
    category: (&'static str, &'static str),
    front: u32,
) -> Block {
    Block { name, code, rows, radius, from, to, category, front }
}

/// The body of `POST /v1/operator/venues`.
pub(super) fn body() -> Value {
    json!({
        "name": "Weir Hall",
        "address": "1 Riverside",
        "location": { "city": "Amsterdam", "point": { "lat": 52.3702, "long": 4.8952 } },
        "categories": [
            { "name": "Premium", "color": "#b0413e" },
            { "name": "Stalls", "color": "#2f6f9f" },
            { "name": "Circle", "color": "#3f7d58" },
            { "name": "Balcony", "color": "#8a6d3b" },
        ],
        "sections": BLOCKS.iter().map(section).collect::<Vec<_>>(),
    })
}

/// What a seat of each category costs, in cents.
pub(super) fn prices() -> Value {
    json!({ "Premium": 14_500, "Stalls": 9_500, "Circle": 7_000, "Balcony": 4_500 })
}

fn section(block: &Block) -> Value {
    let rows: Vec<_> = (0..block.rows).map(|row| seats_of(block, row)).collect();
    json!({ "name": block.name, "rows": rows })
}

fn seats_of(block: &Block, row: u32) -> Value {
    let radius = block.radius + f64::from(row) * ROW;
    let aisle = AISLE / radius;
    let (from, to) = (block.from.to_radians() + aisle, block.to.to_radians() - aisle);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row has some tens of seats")]
    let count = (radius * (to - from)).floor() as u32 + 1;
    let name = char::from_u32(u32::from('A') + row).expect("a block has fewer rows than the alphabet letters");
    let category = if row < block.front { block.category.0 } else { block.category.1 };
    let seats: Vec<_> = (0..count)
        .map(|seat| {
            let part = f64::from(seat) / f64::from(count - 1);
            let at = from + (to - from) * part;
            let (x, y) = (radius * at.sin() * PITCH, (radius * at.cos() - BLOCKS[0].radius) * PITCH);
            let number = (seat + 1).to_string();
            json!({
                "seatId": format!("{}-{name}-{number}", block.code),
                "number": number,
                "category": category,
                "x": rounded(x),
                "y": rounded(y),
            })
        })
        .collect();
    json!({ "name": name.to_string(), "seats": seats })
}

/// To a tenth of a unit: finer than anybody sees.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hall_has_about_a_thousand_seats_and_no_two_touch() {
        let hall = body();
        let mut points = Vec::new();
        for section in hall["sections"].as_array().unwrap() {
            for row in section["rows"].as_array().unwrap() {
                for seat in row["seats"].as_array().unwrap() {
                    points.push((seat["x"].as_f64().unwrap(), seat["y"].as_f64().unwrap()));
                }
            }
        }
        assert!((950..=1_050).contains(&points.len()), "{}", points.len());
        for (n, a) in points.iter().enumerate() {
            for b in &points[n + 1..] {
                assert!((a.0 - b.0).hypot(a.1 - b.1) > PITCH * 0.9, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn weir_takes_the_hall_as_a_seat_map_and_every_category_has_a_price() {
        let hall = body();
        let map: booking_core::seats::SeatMap =
            serde_json::from_value(json!({ "categories": hall["categories"], "sections": hall["sections"] })).unwrap();
        assert!(map.seats().iter().all(|seat| prices()[&*seat.category].is_i64()));
    }
}
