//! Best available: the seats to give to somebody who names only how many.
//!
//! 1. Together if at all possible: the first row (front first, as described) that has so many free seats side by side;
//!    there the block that leaves no orphan, then the one nearest the middle of the row's list, then the earlier one.
//! 2. Else in the fewest rows: the first such rows that follow one another within a section; where no section has them,
//!    the fullest rows anywhere, front first. The seats are spread over these rows as evenly as they have room, and in
//!    each row they are in the fewest groups, then leave the fewest orphans, then are nearest the middle.
//!
//! With a category, only its seats count. What is chosen always passes the orphan rule ([`super::orphan`]). In general
//! admission any free seats of a row are side by side, and the first are taken.
//!
//! The cost is linear in the map's seats: every row is looked at twice at most, and only the rows that are taken from
//! more closely. In a hall of 200,000 seats in rows of 50 that is a microsecond while the front rows are free and about a
//! millisecond at worst; callers that hold a lock, or have thousands of such wants a second, should know.

use super::{
    SeatIndex, SeatMap, SeatSet,
    row::{self, Kind, Spot},
};

/// The best `count` seats of `category` (of any, where `None`) that are not `taken`, in seat order. `None` if there are
/// fewer, if the map has no such category, or if `count` is 0.
pub fn best_available(map: &SeatMap, taken: &SeatSet, count: u32, category: Option<&str>) -> Option<Vec<SeatIndex>> {
    let search = Search { map, taken, category: category.map(|name| map.category(name).ok_or(())).transpose().ok()? };
    let count = usize::try_from(count).ok().filter(|count| *count > 0)?;
    search.together(count).or_else(|| search.in_fewest_rows(count))
}

struct Search<'a> {
    map: &'a SeatMap,
    taken: &'a SeatSet,
    category: Option<usize>,
}

impl Search<'_> {
    fn fill(&self, spots: &mut Vec<Spot>, row: usize) {
        let wanted = |category| self.category.is_none_or(|only| only == category);
        row::fill(spots, self.map, self.taken, &self.map.rows()[row], wanted);
    }

    fn together(&self, count: usize) -> Option<Vec<SeatIndex>> {
        let mut spots = Vec::new();
        for section in self.map.sections() {
            for row in section.rows.clone() {
                let seats = &self.map.rows()[row];
                if seats.len() < count {
                    continue;
                }
                self.fill(&mut spots, row);
                if section.general_admission {
                    if open(&spots) >= count {
                        return Some(self.of_row(row, count));
                    }
                } else if let Some(start) = row::side_by_side(&spots, count) {
                    return Some(seats[start..start + count].to_vec());
                }
            }
        }
        None
    }

    fn in_fewest_rows(&self, count: usize) -> Option<Vec<SeatIndex>> {
        let mut spots = Vec::new();
        let free: Vec<usize> = (0..self.map.rows().len())
            .map(|row| {
                self.fill(&mut spots, row);
                open(&spots)
            })
            .collect();
        let fullest = fullest_rows(&free, count)?;
        let rows = self.rows_in_a_row(&free, fullest.len(), count).unwrap_or(fullest);
        let mut seats = Vec::with_capacity(count);
        for (row, share) in shares(&rows, &free, count) {
            seats.extend(self.of_row(row, share));
        }
        seats.sort_unstable();
        Some(seats)
    }

    /// The first `how_many` rows, one behind the other in one section, that have `count` free seats.
    fn rows_in_a_row(&self, free: &[usize], how_many: usize, count: usize) -> Option<Vec<usize>> {
        for section in self.map.sections() {
            let mut sum = 0;
            for row in section.rows.clone() {
                sum += free[row];
                let first = (row + 1).checked_sub(how_many).filter(|first| *first >= section.rows.start);
                let Some(first) = first else { continue };
                if sum >= count {
                    return Some((first..=row).collect());
                }
                sum -= free[first];
            }
        }
        None
    }

    /// `count` seats of a row that has as many.
    fn of_row(&self, row: usize, count: usize) -> Vec<SeatIndex> {
        let seats = &self.map.rows()[row];
        let mut spots = Vec::new();
        self.fill(&mut spots, row);
        let general = self.map.section_of(row).is_some_and(|section| section.general_admission);
        let positions = if general {
            spots.iter().zip(0..).filter(|(spot, _)| spot.kind == Kind::Open).map(|(_, at)| at).take(count).collect()
        } else if let Some(start) = row::side_by_side(&spots, count) {
            (start..start + count).collect()
        } else {
            row::fewest_groups(&spots, count).unwrap_or_default()
        };
        positions.into_iter().map(|position: usize| seats[position]).collect()
    }
}

fn open(spots: &[Spot]) -> usize {
    spots.iter().filter(|spot| spot.kind == Kind::Open).count()
}

/// The fewest rows that have `count` free seats: those with the most, front first. `None` if all together have fewer.
fn fullest_rows(free: &[usize], count: usize) -> Option<Vec<usize>> {
    if free.iter().sum::<usize>() < count {
        return None;
    }
    // By counting, so that the cost stays linear. A row with more than enough is as good as one with enough.
    let mut with: Vec<Vec<usize>> = vec![Vec::new(); count + 1];
    for (row, free) in free.iter().enumerate() {
        with[(*free).min(count)].push(row);
    }
    let mut rows = Vec::new();
    let mut sum = 0;
    for row in with.into_iter().rev().flatten() {
        if sum >= count {
            break;
        }
        sum += free[row];
        rows.push(row);
    }
    rows.sort_unstable();
    Some(rows)
}

/// How many of `count` seats each of `rows` gives: as evenly as their free seats allow, the later rows the rest.
fn shares(rows: &[usize], free: &[usize], count: usize) -> Vec<(usize, usize)> {
    let mut smallest_first = rows.to_vec();
    smallest_first.sort_by_key(|row| free[*row]);
    let (mut wanted, mut rows_left) = (count, rows.len());
    smallest_first
        .into_iter()
        .map(|row| {
            let share = free[row].min(wanted / rows_left);
            wanted -= share;
            rows_left -= 1;
            (row, share)
        })
        .collect()
}

#[cfg(test)]
mod tests;
