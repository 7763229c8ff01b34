use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::seats::{MAX_SEATS, testing::any_hall};

fn read(map: Value) -> Result<SeatMap, String> {
    serde_json::from_value(map).map_err(|error| error.to_string())
}

fn seat(id: &str, number: u32) -> Value {
    json!({ "seatId": id, "number": number.to_string(), "category": "Stalls", "x": f64::from(number) * 10.0, "y": 0.0 })
}

fn hall() -> Value {
    json!({
        "categories": [{ "name": "Stalls", "color": "#2f6f9f" }, { "name": "Standing", "color": "#3F7D58" }],
        "sections": [
            { "name": "Stalls", "rows": [
                { "name": "A", "seats": [seat("A-1", 1), seat("A-2", 2), seat("A-3", 3)] },
                { "name": "B", "seats": [seat("B-1", 1), seat("B-2", 2)] },
            ] },
            { "name": "Floor", "generalAdmission": true, "rows": [
                { "name": "Floor", "seats": [
                    { "seatId": "F-1", "number": "1", "category": "Standing", "x": 0.0, "y": 50.0 },
                    { "seatId": "F-2", "number": "2", "category": "Standing", "x": 0.0, "y": 50.0 },
                ] },
            ] },
        ],
    })
}

/// The hall with what `pointer` points at replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut map = hall();
    *map.pointer_mut(pointer).unwrap() = value;
    map
}

#[test]
fn seats_are_numbered_in_the_order_of_the_description_and_found_by_their_id() {
    let map = read(hall()).unwrap();
    let ids: Vec<&str> = map.seats().iter().map(|seat| seat.seat_id.as_str()).collect();
    assert_eq!(ids, ["A-1", "A-2", "A-3", "B-1", "B-2", "F-1", "F-2"]);
    for (index, seat) in (0..).map(SeatIndex).zip(map.seats()) {
        assert_eq!(map.index_of(&seat.seat_id), Some(index));
        assert_eq!(map.seat(index), Some(seat));
    }
    assert_eq!(map.index_of(&"A-4".parse().unwrap()), None);
    assert_eq!(map.seat(SeatIndex(7)), None);
    assert_eq!(map.row_of(SeatIndex(7)), None);
    assert_eq!(map.rows()[1], [SeatIndex(3), SeatIndex(4)]);
    assert_eq!(map.section_of(1).unwrap().name, "Stalls".into());
    assert_eq!(map.section_of(2).unwrap().name, "Floor".into());
    assert_eq!(map.section_of(3), None);
}

#[test]
fn a_map_is_written_as_it_was_described() {
    assert_eq!(serde_json::to_value(read(hall()).unwrap()).unwrap(), hall());
}

#[test]
fn a_seat_number_may_be_a_number_and_general_admission_needs_no_points() {
    let map = read(with("/sections/0/rows/0/seats/0/number", json!(1))).unwrap();
    assert_eq!(&*map.seats()[0].number, "1");
    let floor = json!([{ "seatId": "F-1", "number": 1, "category": "Standing" }]);
    let map = read(with("/sections/1/rows/0/seats", floor)).unwrap();
    assert_eq!((map.seats()[5].x, map.seats()[5].y), (0.0, 0.0));
}

#[test]
fn a_wrong_map_is_refused_with_the_place_and_the_reason() {
    let row = "section 'Stalls', row 'A': ";
    for (pointer, value, reason) in [
        ("/sections", json!([]), "there are no seats".to_owned()),
        ("/sections/0/rows", json!([]), "section 'Stalls': there are no rows".to_owned()),
        ("/sections/0/rows/1/seats", json!([]), "section 'Stalls', row 'B': there are no seats".to_owned()),
        ("/sections/0/rows/0/seats/1/seatId", json!("A-1"), format!("{row}seat id 'A-1' appears twice")),
        ("/sections/0/rows/0/seats/1/number", json!("1"), format!("{row}seat number '1' appears twice")),
        (
            "/sections/1/rows/0/seats/1/seatId",
            json!("A-1"),
            "section 'Floor', row 'Floor': seat id 'A-1' appears twice".to_owned(),
        ),
        ("/sections/0/rows/0/seats/1/seatId", json!(""), format!("{row}seat id '' must be 1 to 64 characters")),
        ("/sections/0/rows/0/seats/1/seatId", json!("A\u{0}"), format!("{row}seat id 'A\\0' must be")),
        ("/sections/0/rows/0/seats/1/seatId", json!(" A-2"), format!("{row}seat id ' A-2' must be")),
        ("/sections/0/rows/0/seats/1/seatId", json!("é".repeat(65)), format!("{row}seat id 'éé")),
        ("/sections/0/rows/0/seats/1/number", json!(""), format!("{row}seat number '' must be")),
        ("/sections/0/rows/0/seats/1/number", json!(1.5), "a seat number, as text or as a whole number".to_owned()),
        (
            "/sections/0/rows/0/seats/1/category",
            json!("VIP"),
            format!("{row}seat 'A-2' has category 'VIP', which is not among"),
        ),
        ("/sections/0/rows/0/seats/1/x", json!(1_000_000.5), format!("{row}seat 'A-2' has an x or y beyond")),
        ("/sections/0/rows/0/seats/1/y", json!(-1e300), format!("{row}seat 'A-2' has an x or y beyond")),
        ("/sections/0/rows/0/seats/1/y", json!(null), format!("{row}seat 'A-2' has no x and y")),
        ("/sections/0/rows/0/name", json!(""), "section 'Stalls': row name '' must be 1 to 100 characters".to_owned()),
        ("/sections/0/name", json!("x".repeat(101)), "section name 'xxx".to_owned()),
        ("/sections/1/name", json!("Stalls"), "section 'Stalls' appears twice".to_owned()),
        ("/categories/1/name", json!("Stalls"), "category 'Stalls' appears twice".to_owned()),
        ("/categories/1/name", json!(""), "category '' must be".to_owned()),
        ("/categories/1/color", json!("blue"), "category 'Standing': color 'blue' must be".to_owned()),
        ("/categories/1/color", json!("#12345g"), "category 'Standing': color '#12345g' must be".to_owned()),
        (
            "/sections/0/rows/0/seats/1",
            json!({ "seatId": "A-2", "number": "2", "categroy": "Stalls" }),
            "unknown field `categroy`".to_owned(),
        ),
    ] {
        let error = read(with(pointer, value)).unwrap_err();
        assert!(error.contains(&reason), "{pointer}: {error}");
    }
}

#[test]
fn a_problem_can_be_told_from_others_and_names_its_place() {
    let described: Description =
        serde_json::from_value(with("/sections/0/rows/0/seats/1/seatId", json!("A-1"))).unwrap();
    let problem = MapProblem::Twice { what: "seat id", text: "A-1".into() };
    let at = "section 'Stalls', row 'A'".to_owned();
    assert_eq!(SeatMap::try_from(described), Err(InvalidSeatMap { at, problem }));
}

/// A description of `rows` rows of `seats` seats each.
fn of_size(rows: usize, seats: usize) -> Description {
    let row = |row: usize| RowDescription {
        name: row.to_string().into(),
        seats: (0..seats)
            .map(|seat| SeatDescription {
                seat_id: format!("{row}-{seat}").into(),
                number: seat.to_string().into(),
                category: "A".into(),
                x: Some(0.0),
                y: Some(0.0),
            })
            .collect(),
    };
    let categories = vec![Category { name: "A".into(), color: "#000000".into() }];
    let rows = (0..rows).map(row).collect();
    Description { categories, sections: vec![SectionDescription { name: "S".into(), general_admission: false, rows }] }
}

#[test]
fn two_hundred_thousand_seats_are_a_map_and_one_more_is_not() {
    assert_eq!(SeatMap::try_from(of_size(2_000, 100)).unwrap().len(), MAX_SEATS);
    let error = SeatMap::try_from(of_size(1, MAX_SEATS + 1)).unwrap_err();
    assert_eq!(error.problem, MapProblem::TooManySeats);
}

#[test]
fn a_hundred_categories_are_enough() {
    let mut described = of_size(1, 1);
    let category = |n: u32| Category { name: format!("B{n}").into(), color: "#000000".into() };
    described.categories.extend((0..99).map(category));
    assert!(SeatMap::try_from(described.clone()).is_ok());
    described.categories.extend((99..400).map(category));
    assert_eq!(SeatMap::try_from(described).unwrap_err().problem, MapProblem::TooManyCategories);
}

#[test]
fn a_gap_of_more_than_1_9_of_the_rows_median_is_an_aisle() {
    for (points, joined) in [
        (vec![0.0, 10.0, 20.0, 30.0], vec![true, true, true]),
        (vec![0.0, 10.0, 29.0, 39.0], vec![true, true, true]),
        (vec![0.0, 10.0, 29.1, 39.1], vec![true, false, true]),
        (vec![0.0, 10.0, 50.0, 60.0], vec![true, false, true]),
        // Of an even number of distances the lower of the middle two counts.
        (vec![0.0, 10.0, 50.0], vec![true, false]),
        (vec![0.0, 1e6], vec![true]),
        (vec![5.0, 5.0, 5.0, 9.0], vec![true, true, true]),
        (vec![0.0], vec![]),
    ] {
        let across: Vec<_> = points.iter().map(|at| (*at, 3.0)).collect();
        let along: Vec<_> = points.iter().map(|at| (3.0, *at)).collect();
        assert_eq!(joined_in_row(&across), joined, "{points:?}");
        assert_eq!(joined_in_row(&along), joined, "a row in depth, {points:?}");
    }
}

#[test]
fn the_last_seat_of_a_row_is_no_neighbour_of_the_first_of_the_next() {
    let map = read(hall()).unwrap();
    let joined: Vec<u32> = (0..7).filter(|seat| map.is_joined(SeatIndex(*seat))).collect();
    assert_eq!(joined, [1, 2, 4, 6]);
}

proptest! {
    #[test]
    fn every_map_comes_back_from_its_json(hall in any_hall()) {
        let json = serde_json::to_string(&hall.map).unwrap();
        prop_assert_eq!(serde_json::from_str::<SeatMap>(&json).unwrap(), hall.map);
    }
}
