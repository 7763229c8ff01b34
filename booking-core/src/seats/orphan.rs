//! No orphan: a hold may not leave a single empty seat that another choice would not leave.
//!
//! An orphan of a choice is an empty seat with a neighbour on both sides, where one neighbour is of the choice and the
//! other is taken or of the choice too. A seat at the end of its row or beside an aisle is none: it is reached without
//! anybody getting up, and is sold to whoever comes alone.
//!
//! A choice may leave orphans where nothing else was to be had: no other choice of as many seats in that row, of the
//! same categories and in no more separate groups, leaves none. So nobody is asked to sit apart, or to pay another
//! price, for the rule's sake. Each row is judged by itself; general admission knows no orphans.

use std::collections::BTreeMap;

use super::{
    SeatIndex, SeatMap, SeatSet,
    row::{self, Use},
};

/// The seats that `chosen` would leave as orphans though another choice in their row would leave none, in seat order.
/// Empty: the choice is fine. Seats of `chosen` that are taken, or that the map does not have, are passed over.
///
/// Costs, for each row concerned, its seats times the seats chosen in it; where nothing is left alone, its seats.
pub fn orphans(map: &SeatMap, taken: &SeatSet, chosen: &[SeatIndex]) -> Vec<SeatIndex> {
    let mut by_row: BTreeMap<usize, SeatSet> = BTreeMap::new();
    for seat in chosen.iter().filter(|seat| !taken.contains(**seat)) {
        if let Some(row) = map.row_of(*seat) {
            by_row.entry(row).or_default().insert(*seat);
        }
    }
    let mut found = Vec::new();
    for (row, chosen) in by_row {
        if map.section_of(row).is_none_or(|section| section.general_admission) {
            continue;
        }
        let seats = &map.rows()[row];
        let categories: Vec<usize> = chosen.iter().map(|seat| map.category_of(seat)).collect();
        let spots = row::spots(map, taken, seats, |category| categories.contains(&category));
        let uses: Vec<Use> = seats.iter().map(|seat| Use::of(chosen.contains(*seat))).collect();
        let (left, groups) = row::outcome(&spots, &uses);
        if !left.is_empty() && row::has_clean_choice(&spots, chosen.count(), groups) {
            found.extend(left.into_iter().map(|position| seats[position]));
        }
    }
    found
}

#[cfg(test)]
mod tests;
