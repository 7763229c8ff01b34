use proptest::prelude::*;

use super::*;
use crate::seats::testing::{Hall, any_row, marked};

/// A choice in a row, and the seats it may not leave.
struct Line {
    row: &'static str,
    chosen: &'static str,
    left: &'static str,
}

#[test]
fn a_choice_is_refused_for_the_seats_it_leaves_alone_and_only_where_another_would_not() {
    let line = |row, chosen, left| Line { row, chosen, left };
    for Line { row, chosen, left } in [
        // Room to move over: the gap of one is refused.
        line("x.....x", "x.##..x", "x#....x"),
        line("x.....x", "x##...x", "x.....x"),
        line("x.....x", "x..##.x", "x....#x"),
        // Both sides at once.
        line("x....x......", "x.##.x......", "x#..#x......"),
        // Nothing else to be had: the gap is allowed.
        line("x...x", "x##.x", "x...x"),
        line("x..x", "x#.x", "x..x"),
        // The same, but the row has room elsewhere.
        line("x...x..x", "x##.x..x", "x..#x..x"),
        line("x..x....", "x#.x....", "x.#x...."),
        // A seat at the row's end or beside an aisle is nobody's trouble.
        line(".....", ".####", "....."),
        line("....", "##..", "...."),
        line("..... ....", "#.### ....", ".#... ...."),
        line("..... ....", ".#### ....", "..... ...."),
        line("x. .x", "x. #x", "x. .x"),
        // The choice's own gaps count.
        line(".....", "#.#..", ".#..."),
        // Two who sit apart may: there is no choice of two in as many groups as one that is better than none.
        line("x.x.x", "x#x#x", "x.x.x"),
        // Who wants to sit together is not told to sit apart.
        line("x...x.x", "x##.x.x", "x...x.x"),
        // But who sits apart anyway may be asked to sit apart better.
        line("x...x.x.", "x#..x#x.", "x...x.x."),
        line("x...x.x.", "x.#.x#x.", "x#.#x.x."),
        // Nor is anybody told to pay another price.
        line("x..x,,,,", "x#.x,,,,", "x..x,,,,"),
        // An empty seat of another category is an empty seat.
        line("x.,x....", "x#,x....", "x.#x...."),
        // A seat that was alone before is not of this choice's making.
        line("x.x....", "x.x#...", "x.x...."),
        line("x.x....", "x.x.#..", "x.x#..."),
    ] {
        let hall = Hall::new(&[row]);
        let found = orphans(&hall.map, &hall.taken, &marked(&[chosen]));
        assert_eq!(hall.show(&found), [left], "{row} {chosen}");
    }
}

#[test]
fn each_row_of_a_choice_is_judged_by_itself() {
    let hall = Hall::new(&["x.....x", "x...x"]);
    let found = orphans(&hall.map, &hall.taken, &marked(&["x.##..x", "x##.x"]));
    assert_eq!(hall.show(&found), ["x#....x", "x...x"]);
}

#[test]
fn general_admission_knows_no_orphans() {
    let hall = Hall::new(&["=", "x.....x"]);
    assert_eq!(orphans(&hall.map, &hall.taken, &marked(&["=", "x.##..x"])), []);
}

#[test]
fn seats_that_are_taken_or_unknown_are_passed_over() {
    let hall = Hall::new(&["x....."]);
    let beyond = SeatIndex(6);
    assert_eq!(orphans(&hall.map, &hall.taken, &[]), []);
    assert_eq!(orphans(&hall.map, &hall.taken, &[SeatIndex(0), beyond, SeatIndex(u32::MAX)]), []);
    assert_eq!(orphans(&hall.map, &hall.taken, &[SeatIndex(0), SeatIndex(2), SeatIndex(2)]), [SeatIndex(1)]);
}

/// The rule in its plainest form, by trying everything.
mod plainly {
    use super::*;

    fn joined(hall: &Hall, seat: u32) -> bool {
        hall.map.is_joined(SeatIndex(seat))
    }

    fn left_alone(hall: &Hall, chosen: &SeatSet) -> Vec<SeatIndex> {
        let len = u32::try_from(hall.map.len()).unwrap();
        let used = |seat| hall.taken.contains(SeatIndex(seat)) || chosen.contains(SeatIndex(seat));
        (1..len.saturating_sub(1))
            .filter(|seat| !used(*seat) && joined(hall, *seat) && joined(hall, seat + 1))
            .filter(|seat| used(seat - 1) && used(seat + 1))
            .map(SeatIndex)
            .filter(|seat| chosen.contains(SeatIndex(seat.0 - 1)) || chosen.contains(SeatIndex(seat.0 + 1)))
            .collect()
    }

    fn groups(hall: &Hall, chosen: &SeatSet) -> usize {
        chosen
            .iter()
            .filter(|seat| seat.0 == 0 || !joined(hall, seat.0) || !chosen.contains(SeatIndex(seat.0 - 1)))
            .count()
    }

    pub(super) fn orphans(hall: &Hall, chosen: &SeatSet) -> Vec<SeatIndex> {
        let category = |seat: SeatIndex| hall.map.seat(seat).unwrap().category.clone();
        let categories: Vec<_> = chosen.iter().map(category).collect();
        let open: Vec<SeatIndex> = (0..u32::try_from(hall.map.len()).unwrap())
            .map(SeatIndex)
            .filter(|seat| !hall.taken.contains(*seat) && categories.contains(&category(*seat)))
            .collect();
        let mut others = (0_u32..1 << open.len()).map(|bits| {
            open.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, seat)| *seat).collect::<SeatSet>()
        });
        let another = others.any(|other| {
            other.count() == chosen.count()
                && groups(hall, &other) <= groups(hall, chosen)
                && left_alone(hall, &other).is_empty()
        });
        if another { left_alone(hall, chosen) } else { Vec::new() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_walk_along_the_row_finds_what_trying_everything_finds(row in any_row(), pick in any::<u32>()) {
        let hall = Hall::new(&[&row]);
        let chosen: SeatSet = (0..u32::try_from(hall.map.len()).unwrap())
            .map(SeatIndex)
            .filter(|seat| pick >> seat.0 & 1 == 1 && !hall.taken.contains(*seat))
            .collect();
        let found = orphans(&hall.map, &hall.taken, &chosen.iter().collect::<Vec<_>>());
        prop_assert_eq!(found, plainly::orphans(&hall, &chosen));
    }
}
