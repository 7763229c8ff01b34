use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::time::Timestamp;

fn booking(number: u32) -> BookingId {
    format!("booking_{number}").parse().unwrap()
}

/// A hall of one row for each of `rows`: `.` a stall, `,` a box; the seats of row `n` are `n-1`, `n-2` and so on.
fn hall(id: &str, rows: &[&str]) -> Venue {
    let row = |(y, row): (usize, &&str)| {
        let seats = row.chars().enumerate().map(|(x, kind)| {
            let category = if kind == ',' { "Box" } else { "Stalls" };
            json!({ "seatId": format!("{y}-{}", x + 1), "number": (x + 1).to_string(), "category": category, "x": x, "y": y })
        });
        json!({ "name": y.to_string(), "seats": seats.collect::<Vec<_>>() })
    };
    let rows: Vec<_> = rows.iter().enumerate().map(row).collect();
    serde_json::from_value(json!({
        "venueId": id, "name": id, "address": "", "location": "Mumbai",
        "seatMap": {
            "categories": [{ "name": "Stalls", "color": "#2f6f9f" }, { "name": "Box", "color": "#b0413e" }],
            "sections": [{ "name": "S", "rows": rows }],
        },
    }))
    .unwrap()
}

fn show() -> Event {
    serde_json::from_value(json!({
        "eventId": "evt_1", "title": "A play", "description": "", "venueId": "venue_old",
        "startsAt": "2026-05-01T19:00:00.000Z", "currency": "EUR", "prices": { "Stalls": 4_000, "Box": 9_000 },
    }))
    .unwrap()
}

fn sold(number: u32, seats: &[u32]) -> SeatClaim {
    SeatClaim { booking: booking(number), seats: seats.iter().map(|seat| SeatIndex(*seat)).collect(), until: None }
}

fn names(pairs: &[(&str, &str)]) -> SeatNames {
    pairs.iter().map(|(old, new)| (old.parse().unwrap(), new.parse().unwrap())).collect()
}

fn seat(id: &str) -> SeatId {
    id.parse().unwrap()
}

#[test]
fn a_seat_goes_where_it_is_named_and_otherwise_keeps_its_id() {
    let (old, new) = (hall("venue_old", &["....", "...."]), hall("venue_new", &["..", "....", "...."]));
    let claims = vec![sold(1, &[0, 1]), sold(2, &[4, 5])];
    let to = names(&[("0-1", "2-1"), ("0-2", "2-2")]);
    let plan = Rehousing::plan(&show(), &old, &new, &to, claims);
    assert!(plan.is_possible() && plan.cautions.is_empty(), "{plan:?}");
    let ways: Vec<_> = plan.ways.iter().map(|way| (way.booking.clone(), way.from.0, way.to.0)).collect();
    assert_eq!(ways, [(booking(1), 0, 6), (booking(1), 1, 7), (booking(2), 4, 2), (booking(2), 5, 3)]);
    assert_eq!(plan.same_id, 2);
}

#[test]
fn what_has_nowhere_to_go_is_listed_by_seat_and_booking() {
    let (old, new) = (hall("venue_old", &["...."]), hall("venue_new", &[".."]));
    let to = names(&[("0-2", "0-1"), ("9-9", "0-1")]);
    let plan = Rehousing::plan(&show(), &old, &new, &to, vec![sold(2, &[1, 2]), sold(1, &[0])]);
    assert_eq!(
        plan.obstacles,
        [
            Obstacle::UnknownSeat { seat: seat("9-9") },
            Obstacle::TwoOnOne {
                other: seat("0-1"),
                other_booking: booking(1),
                seat: seat("0-2"),
                booking: booking(2),
                to: seat("0-1"),
            },
            Obstacle::NoSuchSeat { seat: seat("0-3"), booking: booking(2), to: seat("0-3") },
        ]
    );
    assert_eq!(plan.ways.len(), 1);
    let same = Rehousing::plan(&show(), &old, &old, &SeatNames::new(), vec![]);
    assert_eq!(same.obstacles, [Obstacle::SameHall]);
    let mut event = show();
    event.prices.remove("Box");
    let unpriced = Rehousing::plan(&event, &old, &new, &SeatNames::new(), vec![]);
    assert_eq!(unpriced.obstacles, [Obstacle::NoPrice { category: "Box".to_owned() }]);
}

#[test]
fn another_price_and_neighbours_that_part_are_named_and_stand_in_nobodys_way() {
    let (old, new) = (hall("venue_old", &["..,", "..."]), hall("venue_new", &[".,.", "..."]));
    let to = names(&[("1-2", "0-3")]);
    let plan = Rehousing::plan(&show(), &old, &new, &to, vec![sold(1, &[0, 1]), sold(2, &[3, 4])]);
    assert!(plan.is_possible());
    let (id, price, new_price) = (seat("0-2"), 4_000, 9_000);
    assert_eq!(
        plan.cautions,
        [
            Caution::OtherPrice { seat: id.clone(), booking: booking(1), to: id, price, new_price },
            Caution::Apart { seat: seat("1-1"), other: seat("1-2"), booking: booking(2) },
        ]
    );
}

#[test]
fn the_fingerprint_changes_with_what_matters_and_with_nothing_else() {
    let (old, new) = (hall("venue_old", &["...."]), hall("venue_new", &["...."]));
    let of = |to: &SeatNames, claims: Vec<SeatClaim>| Rehousing::plan(&show(), &old, &new, to, claims).fingerprint;
    let none = SeatNames::new();
    let first = of(&none, vec![sold(1, &[0]), sold(2, &[1])]);
    let held = SeatClaim { until: Some(Timestamp::from_millis(5)), ..sold(3, &[3]) };
    assert_eq!(of(&none, vec![held.clone(), sold(2, &[1]), sold(1, &[0])]), first, "neither the order nor a hold");
    let plan = Rehousing::plan(&show(), &old, &new, &none, vec![held.clone()]);
    assert_eq!((plan.holds, plan.ways.len()), (vec![held], 0));
    for (to, claims) in [
        (none.clone(), vec![sold(1, &[0])]),
        (none.clone(), vec![sold(2, &[0]), sold(1, &[1])]),
        (none, vec![sold(1, &[0]), sold(2, &[1]), sold(3, &[2])]),
        (names(&[("0-1", "0-4")]), vec![sold(1, &[0]), sold(2, &[1])]),
    ] {
        assert_ne!(of(&to, claims), first);
    }
}

proptest! {
    /// Whatever is sold and however seats are named: each sold seat goes one way or is listed, and none is two's.
    #[test]
    fn every_sold_seat_has_a_seat_of_its_own_or_is_listed(
        sizes in (1_usize..5, 1_usize..5),
        sold_seats in prop::collection::btree_set(0_u32..8, 0..8),
        named in prop::collection::btree_map(1_usize..5, 1_usize..7, 0..4),
    ) {
        let rows = |seats: usize| [".".repeat(seats), ".".repeat(seats)];
        let (old_rows, new_rows) = (rows(sizes.0), rows(sizes.1));
        let old = hall("venue_old", &old_rows.each_ref().map(String::as_str));
        let new = hall("venue_new", &new_rows.each_ref().map(String::as_str));
        let to: SeatNames = named.iter().map(|(a, b)| (seat(&format!("0-{a}")), seat(&format!("1-{b}")))).collect();
        let seats: Vec<u32> = sold_seats.into_iter().filter(|seat| (*seat as usize) < old.seat_map.len()).collect();
        let claims: Vec<_> = seats.iter().map(|seat| sold(*seat, &[*seat])).collect();
        let plan = Rehousing::plan(&show(), &old, &new, &to, claims);
        let targets: BTreeSet<_> = plan.ways.iter().map(|way| way.to).collect();
        prop_assert_eq!(targets.len(), plan.ways.len());
        let lost = plan.obstacles.iter().filter(|obstacle| !matches!(obstacle, Obstacle::UnknownSeat { .. })).count();
        prop_assert_eq!(plan.ways.len() + lost, seats.len());
        prop_assert!(plan.ways.iter().all(|way| new.seat_map.seat(way.to).is_some()));
    }
}
