use proptest::prelude::*;

use super::*;
use crate::seats::{
    orphan::orphans,
    testing::{Hall, any_hall},
};

fn chosen(hall: &[&str], count: u32, category: Option<&str>) -> Option<Vec<String>> {
    let hall = Hall::new(hall);
    best_available(&hall.map, &hall.taken, count, category).map(|seats| hall.show(&seats))
}

/// Given this hall, when so many are wanted, then these are given.
#[track_caller]
fn assert_given(hall: &[&str], count: u32, given: &[&str]) {
    assert_eq!(
        chosen(hall, count, None).as_deref(),
        Some(&given.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
    );
}

#[test]
fn in_an_empty_hall_the_middle_of_the_first_row_is_given() {
    assert_given(&["-", ".......", "......."], 3, &["-", "..###..", "......."]);
    assert_given(&["-", "......", "......"], 3, &["-", ".###..", "......"]);
}

#[test]
fn a_row_further_back_is_given_rather_than_seats_apart() {
    assert_given(&["..x..", "xx.x.", "x..."], 3, &["..x..", "xx.x.", "x###"]);
}

#[test]
fn nobody_is_seated_across_an_aisle() {
    assert_given(&["....x... ...xx...", "........ ........"], 4, &["####x... ...xx...", "........ ........"]);
    assert_given(&["x...x... ...xx...", "........ ........"], 4, &["x...x... ...xx...", "....#### ........"]);
}

#[test]
fn of_the_blocks_of_a_row_the_one_that_leaves_no_single_seat_is_given() {
    assert_given(&["x.....x"], 2, &["x##...x"]);
    assert_given(&["..x...x..."], 2, &["..x...x##."]);
    assert_given(&["x...x......"], 2, &["x...x##...."]);
}

#[test]
fn a_single_seat_is_left_where_every_block_leaves_one() {
    assert_given(&["x...x", "....."], 2, &["x##.x", "....."]);
}

#[test]
fn where_nobody_can_sit_together_one_row_is_better_than_two() {
    assert_given(&["..x.xx", "x..x..x", "..xx.x"], 4, &["..x.xx", "x##x##x", "..xx.x"]);
}

#[test]
fn within_a_row_the_fewest_groups_are_given() {
    assert_given(&[".x..x...x."], 5, &[".x##x###x."]);
    // Three and one: the one at the row's end, so that nobody is left alone.
    assert_given(&[".x...x..x."], 4, &[".x###x..x#"]);
}

#[test]
fn rows_one_behind_the_other_are_better_than_fuller_rows_apart() {
    assert_given(
        &["-", "...xx", "xxxxx", "...xx", "..xxx", "-", "...xx"],
        5,
        &["-", "...xx", "xxxxx", "###xx", "##xxx", "-", "...xx"],
    );
}

#[test]
fn rows_of_different_sections_are_not_one_behind_the_other() {
    assert_given(&["-", "...", "-", "...", "..."], 5, &["-", "...", "-", "##.", "###"]);
}

#[test]
fn a_party_is_spread_evenly_over_its_rows() {
    assert_given(&[".....", "....."], 6, &[".###.", ".###."]);
    assert_given(&["x...x", ".x..x", "....."], 10, &["x###x", "#x##x", "####."]);
}

#[test]
fn the_fullest_rows_are_given_where_no_rows_follow_one_another() {
    assert_given(
        &["-", "..", "xx", "...", "-", "....", "xx", "."],
        7,
        &["-", "..", "xx", "###", "-", "####", "xx", "."],
    );
}

#[test]
fn only_seats_of_the_category_are_given() {
    let hall = ["....", ",,..", ",,,,"];
    assert_eq!(chosen(&hall, 2, Some("B")).unwrap(), ["....", "##..", ",,,,"]);
    assert_eq!(chosen(&hall, 3, Some("B")).unwrap(), ["....", ",,..", "###,"]);
    assert_eq!(chosen(&hall, 7, Some("B")), None);
    assert_eq!(chosen(&hall, 1, Some("C")), None);
}

#[test]
fn in_general_admission_any_seats_of_a_row_are_together() {
    assert_given(&["=", "x.x.x.x..."], 3, &["=", "x#x#x#x..."]);
}

#[test]
fn there_is_no_choice_of_none_or_of_more_than_are_free() {
    assert_eq!(chosen(&["..x"], 0, None), None);
    assert_eq!(chosen(&["..x"], 3, None), None);
    assert_eq!(chosen(&["..x"], u32::MAX, None), None);
    assert_given(&["..x", "."], 3, &["##x", "#"]);
}

#[test]
fn in_a_row_too_long_to_weigh_everything_the_longest_groups_are_given() {
    let row = ["x..".repeat(3_000), "x...".repeat(40)].concat();
    let hall = Hall::new(&[&row]);
    let seats = best_available(&hall.map, &hall.taken, 100, None).unwrap();
    assert_eq!(seats.len(), 100);
    let groups = seats.iter().filter(|seat| !seats.contains(&SeatIndex(seat.0 - 1))).count();
    assert_eq!(groups, 34);
}

/// Whether some row has `count` free seats of the category side by side.
fn can_sit_together(hall: &Hall, count: usize, category: Option<&str>) -> bool {
    let free = |seat: SeatIndex| {
        !hall.taken.contains(seat) && category.is_none_or(|only| *hall.map.seat(seat).unwrap().category == *only)
    };
    hall.map.sections().iter().any(|section| {
        section.rows.clone().any(|row| {
            let row = &hall.map.rows()[row];
            if section.general_admission {
                return row.iter().filter(|seat| free(**seat)).count() >= count;
            }
            row.windows(count).any(|seats| {
                seats.iter().all(|seat| free(*seat)) && seats[1..].iter().all(|seat| hall.map.is_joined(*seat))
            })
        })
    })
}

fn rows_of(hall: &Hall, seats: &[SeatIndex]) -> Vec<usize> {
    let mut rows: Vec<usize> = seats.iter().map(|seat| hall.map.row_of(*seat).unwrap()).collect();
    rows.dedup();
    rows
}

fn are_together(hall: &Hall, seats: &[SeatIndex]) -> bool {
    let rows = rows_of(hall, seats);
    let side_by_side = seats.windows(2).all(|w| w[1].0 == w[0].0 + 1 && hall.map.is_joined(w[1]));
    rows.len() == 1 && (side_by_side || hall.map.section_of(rows[0]).unwrap().general_admission)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_best_are_as_many_as_asked_free_of_the_category_and_none_twice(
        hall in any_hall(), count in 1_u32..8, category in prop::option::of(prop::sample::select(vec!["A", "B"])),
    ) {
        let fits = |seat: &SeatIndex| {
            !hall.taken.contains(*seat) && category.is_none_or(|only| *hall.map.seat(*seat).unwrap().category == *only)
        };
        let free = hall.map.rows().iter().flatten().filter(|seat| fits(seat)).count();
        let Some(seats) = best_available(&hall.map, &hall.taken, count, category) else {
            prop_assert!(free < count as usize);
            return Ok(());
        };
        prop_assert_eq!(seats.len(), count as usize);
        prop_assert!(seats.iter().all(fits));
        prop_assert!(seats.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn the_best_are_together_exactly_where_so_many_can_be(hall in any_hall(), count in 1_u32..8) {
        if let Some(seats) = best_available(&hall.map, &hall.taken, count, None) {
            prop_assert_eq!(are_together(&hall, &seats), can_sit_together(&hall, count as usize, None));
        }
    }

    #[test]
    fn the_best_are_in_the_fewest_rows_that_have_so_many(hall in any_hall(), count in 1_u32..20) {
        if let Some(seats) = best_available(&hall.map, &hall.taken, count, None) {
            let mut free: Vec<usize> = hall.map.rows().iter()
                .map(|row| row.iter().filter(|seat| !hall.taken.contains(**seat)).count())
                .collect();
            free.sort_unstable();
            let (mut rows, mut sum) = (0, 0);
            while sum < count as usize {
                sum += free.pop().unwrap();
                rows += 1;
            }
            prop_assert_eq!(rows_of(&hall, &seats).len(), rows);
        }
    }

    #[test]
    fn the_best_pass_the_orphan_rule(
        hall in any_hall(), count in 1_u32..12, category in prop::option::of(prop::sample::select(vec!["A", "B"])),
    ) {
        if let Some(seats) = best_available(&hall.map, &hall.taken, count, category) {
            prop_assert_eq!(orphans(&hall.map, &hall.taken, &seats), vec![]);
        }
    }
}
