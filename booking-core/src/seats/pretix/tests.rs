use serde_json::json;

use super::*;
use crate::seats::{SeatIndex, map::MapProblem};

/// A small theatre: two rows of stalls with an aisle, a circle without a name, a stage.
fn theatre() -> Value {
    json!({
        "name": "Theatre by the weir",
        "size": { "width": 600, "height": 400 },
        "categories": [
            { "name": "Stalls", "color": "#7f4a91" },
            { "name": "Circle", "color": "#3a7" },
            { "name": "Wheelchair", "color": "cornflowerblue" },
        ],
        "zones": [
            {
                "name": "Parterre",
                "zone_id": "P",
                "uuid": "0d5bb7a6-5a3c-4f0e-9b51-2f5d7f6f3a01",
                "position": { "x": 100, "y": 50 },
                "rows": [
                    {
                        "row_number": "1",
                        "row_label": "Row %s",
                        "seat_label": null,
                        "row_number_position": "both",
                        "position": { "x": 10, "y": 20.5 },
                        "seats": [
                            { "seat_guid": "e4c1a0f6-0a64-4d5c-9f3b-6f0c1b1f4a11", "seat_number": "1", "category": "Wheelchair",
                              "position": { "x": 0, "y": 0 }, "radius": 10, "start_direction": ">" },
                            { "seat_guid": "P-1-2", "seat_number": 2, "category": "Stalls", "position": { "x": 25, "y": 0 } },
                            { "seat_guid": "P-1-3", "seat_number": "3", "category": "Stalls", "position": { "x": 85, "y": 0.25 } },
                        ],
                    },
                    {
                        "row_number": "2",
                        "seats": [{ "seat_guid": "P-2-1", "seat_number": "1", "category": "Stalls", "position": { "x": 0, "y": 40 } }],
                    },
                    { "row_number": "3", "position": { "x": 0, "y": 0 }, "seats": [] },
                ],
                "areas": [{ "shape": "text", "position": { "x": 0, "y": 0 }, "text": { "text": "Exit", "position": { "x": 0, "y": 0 } } }],
            },
            { "name": "Stage", "position": { "x": 0, "y": 0 }, "rows": [], "areas": [] },
            {
                "position": { "x": 0, "y": 300 },
                "rows": [{
                    "row_number": "",
                    "position": { "x": 0, "y": 0 },
                    "seats": [{ "seat_guid": "C-1", "seat_number": "", "category": "Circle", "position": { "x": 1, "y": 1 } }],
                }],
            },
        ],
    })
}

/// The theatre with what `pointer` points at replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut plan = theatre();
    *plan.pointer_mut(pointer).unwrap() = value;
    plan
}

#[test]
fn zones_become_sections_and_positions_add_up() {
    let map = parse(&theatre()).unwrap();
    let seats: Vec<_> = map
        .seats()
        .iter()
        .map(|s| (s.seat_id.as_str(), &*s.section, &*s.row, &*s.number, &*s.category, s.x, s.y))
        .collect();
    assert_eq!(
        seats,
        [
            ("e4c1a0f6-0a64-4d5c-9f3b-6f0c1b1f4a11", "Parterre", "1", "1", "Wheelchair", 110.0, 70.5),
            ("P-1-2", "Parterre", "1", "2", "Stalls", 135.0, 70.5),
            ("P-1-3", "Parterre", "1", "3", "Stalls", 195.0, 70.75),
            ("P-2-1", "Parterre", "2", "1", "Stalls", 100.0, 90.0),
            ("C-1", "Zone 3", "1", "1", "Circle", 1.0, 301.0),
        ],
    );
    assert!(map.is_joined(SeatIndex(1)));
    assert!(!map.is_joined(SeatIndex(2)), "there is an aisle");
}

#[test]
fn colours_that_a_map_can_not_use_are_replaced() {
    let map = parse(&theatre()).unwrap();
    let colors: Vec<&str> = map.categories().iter().map(|category| &*category.color).collect();
    assert_eq!(colors, ["#7f4a91", "#33aa77", COLORS[2]]);
}

#[test]
fn a_plan_as_the_api_answers_it_is_taken() {
    let answer = json!({ "id": 2, "name": "Theatre by the weir", "layout": theatre() });
    assert_eq!(parse(&answer), parse(&theatre()));
}

#[test]
fn zones_of_one_name_are_told_apart() {
    let mut plan = theatre();
    plan["zones"][2]["name"] = json!("Parterre");
    let map = parse(&plan).unwrap();
    assert_eq!(map.sections().iter().map(|section| &*section.name).collect::<Vec<_>>(), ["Parterre", "Parterre (2)"]);
}

#[test]
fn a_wrong_plan_is_refused_with_the_place_and_the_reason() {
    for (pointer, value, reason) in [
        ("", json!([]), "the plan must be an object"),
        ("/zones", json!({}), "the plan: 'zones' must be a list"),
        ("/categories", json!(null), "the plan: 'categories' must be a list"),
        ("/categories/1", json!("Circle"), "category 2 must be an object"),
        ("/categories/1/name", json!(null), "category 2: 'name' must be text"),
        ("/zones/0/rows", json!(null), "zone 1: 'rows' must be a list"),
        ("/zones/0/position", json!({ "x": 1 }), "zone 1: 'position' must be an object with the numbers x and y"),
        ("/zones/0/rows/1/seats", json!(null), "zone 1, row 2: 'seats' must be a list"),
        ("/zones/0/rows/0/seats/2", json!(3), "zone 1, row 1, seat 3 must be an object"),
        ("/zones/0/rows/0/seats/2/seat_guid", json!(""), "zone 1, row 1, seat 3: 'seat_guid' must be text"),
        ("/zones/0/rows/0/seats/2/category", json!([]), "zone 1, row 1, seat 3: 'category' must be text"),
        ("/zones/0/rows/0/seats/2/position", json!(null), "zone 1, row 1, seat 3: 'position' must be"),
        ("/zones/0/rows/0/seats/2/position", json!({ "x": "1", "y": 2 }), "zone 1, row 1, seat 3: 'position' must be"),
        (
            "/zones/0/rows/0/seats/2/seat_guid",
            json!("P-1-2"),
            "section 'Parterre', row '1': seat id 'P-1-2' appears twice",
        ),
        ("/zones/0/rows/0/seats/2/seat_guid", json!("x".repeat(65)), "section 'Parterre', row '1': seat id 'xxx"),
        (
            "/zones/0/rows/0/seats/2/category",
            json!("Box"),
            "section 'Parterre', row '1': seat 'P-1-3' has category 'Box'",
        ),
        ("/zones", json!([]), "there are no seats"),
    ] {
        let error = parse(&with(pointer, value)).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{pointer}: {error}");
    }
}

#[test]
fn a_problem_of_the_map_can_be_told_from_one_of_the_plan() {
    let error = parse(&with("/zones", json!([]))).unwrap_err();
    assert_eq!(error, InvalidPretixPlan::SeatMap(InvalidSeatMap { at: String::new(), problem: MapProblem::NoSeats }));
}
