//! One row as the rules of choosing see it: walked from one end to the other, with what is remembered on the way.

use super::{SeatIndex, SeatMap, SeatSet};

/// What a seat of the row is to somebody who chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody's.
    Taken,
    /// Empty, but not to be chosen: of another category.
    Shut,
    /// Empty, to be chosen.
    Open,
}

/// A seat of the row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) kind: Kind,
    /// Whether it is a neighbour of the one before.
    pub(super) joined: bool,
}

/// What a choice does with a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Takes it.
    Chosen,
    /// Leaves it as it is.
    Left,
}

impl Use {
    pub(super) fn of(chosen: bool) -> Self {
        if chosen { Self::Chosen } else { Self::Left }
    }
}

/// What must be known of the seats walked past to judge the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// The row's end or an aisle.
    End,
    /// A taken seat.
    Taken,
    /// A chosen seat.
    Chosen,
    /// An empty seat with a taken one before it.
    EmptyAfterTaken,
    /// An empty seat with a chosen one before it.
    EmptyAfterChosen,
    /// An empty seat that can't become an orphan any more.
    Empty,
}

/// How many kinds of [`Behind`] there are.
const BEHINDS: usize = 6;

const ALL: [Behind; BEHINDS] =
    [Behind::End, Behind::Taken, Behind::Chosen, Behind::EmptyAfterTaken, Behind::EmptyAfterChosen, Behind::Empty];

/// One seat further.
struct Step {
    behind: Behind,
    /// Whether a new group of chosen seats begins.
    begins_group: bool,
    /// Whether the seat before has become an orphan.
    orphans: bool,
}

/// Walks past `spot`; `None` where it can't be used so.
fn step(behind: Behind, spot: Spot, used: Use) -> Option<Step> {
    let behind = if spot.joined { behind } else { Behind::End };
    let quiet = |behind| Some(Step { behind, begins_group: false, orphans: false });
    match (spot.kind, used) {
        (Kind::Open, Use::Chosen) => Some(Step {
            behind: Behind::Chosen,
            begins_group: behind != Behind::Chosen,
            orphans: matches!(behind, Behind::EmptyAfterTaken | Behind::EmptyAfterChosen),
        }),
        (_, Use::Chosen) => None,
        (Kind::Taken, Use::Left) => {
            Some(Step { behind: Behind::Taken, begins_group: false, orphans: behind == Behind::EmptyAfterChosen })
        }
        (Kind::Open | Kind::Shut, Use::Left) => quiet(match behind {
            Behind::Taken => Behind::EmptyAfterTaken,
            Behind::Chosen => Behind::EmptyAfterChosen,
            Behind::End | Behind::EmptyAfterTaken | Behind::EmptyAfterChosen | Behind::Empty => Behind::Empty,
        }),
    }
}

/// The row of `seats`, of which those of a category that is `wanted` (by its position in the map) may be chosen.
pub(super) fn spots(map: &SeatMap, taken: &SeatSet, seats: &[SeatIndex], wanted: impl Fn(usize) -> bool) -> Vec<Spot> {
    let mut spots = Vec::new();
    fill(&mut spots, map, taken, seats, wanted);
    spots
}

/// As [`spots`], into a buffer that is used again.
pub(super) fn fill(
    spots: &mut Vec<Spot>,
    map: &SeatMap,
    taken: &SeatSet,
    seats: &[SeatIndex],
    wanted: impl Fn(usize) -> bool,
) {
    spots.clear();
    spots.extend(seats.iter().map(|seat| {
        let kind = if taken.contains(*seat) {
            Kind::Taken
        } else if wanted(map.category_of(*seat)) {
            Kind::Open
        } else {
            Kind::Shut
        };
        Spot { kind, joined: map.is_joined(*seat) }
    }));
}

/// The positions of the orphans that a choice leaves, and how many separate groups it makes. Seats it can't choose are
/// left.
pub(super) fn outcome(spots: &[Spot], uses: &[Use]) -> (Vec<usize>, usize) {
    let (mut orphans, mut groups, mut behind) = (Vec::new(), 0, Behind::End);
    for (position, (spot, used)) in spots.iter().zip(uses).enumerate() {
        let Some(next) = step(behind, *spot, *used).or_else(|| step(behind, *spot, Use::Left)) else {
            continue;
        };
        if next.orphans {
            orphans.push(position - 1);
        }
        groups += usize::from(next.begins_group);
        behind = next.behind;
    }
    (orphans, groups)
}

/// Whether `count` seats in at most `groups` groups can be chosen so that no orphan is left.
///
/// Walks the row once and keeps, for each number of seats chosen so far and each [`Behind`], the fewest groups.
pub(super) fn has_clean_choice(spots: &[Spot], count: usize, groups: usize) -> bool {
    const NO_WAY: usize = usize::MAX;
    let mut fewest = vec![[NO_WAY; BEHINDS]; count + 1];
    let mut next = fewest.clone();
    fewest[0][Behind::End as usize] = 0;
    for spot in spots {
        next.fill([NO_WAY; BEHINDS]);
        for (chosen, ways) in fewest.iter().enumerate() {
            for (behind, so_far) in ALL.into_iter().zip(*ways).filter(|(_, so_far)| *so_far <= groups) {
                for used in [Use::Left, Use::Chosen] {
                    let chosen = chosen + usize::from(used == Use::Chosen);
                    let Some(step) = step(behind, *spot, used).filter(|step| chosen <= count && !step.orphans) else {
                        continue;
                    };
                    let way = &mut next[chosen][step.behind as usize];
                    *way = (*way).min(so_far + usize::from(step.begins_group));
                }
            }
        }
        std::mem::swap(&mut fewest, &mut next);
        // All are chosen, and leaving the rest of the row alone orphans nothing more.
        let settled = [Behind::End, Behind::Taken, Behind::Empty].map(|behind| fewest[count][behind as usize]);
        if settled.into_iter().any(|way| way <= groups) {
            return true;
        }
    }
    fewest[count].into_iter().any(|way| way <= groups)
}

/// How good a choice is; less is better. Members in the order of their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    groups: u32,
    orphans: u32,
    off_centre: u64,
}

/// The most steps that [`fewest_groups`] remembers, one byte each.
const MAX_STEPS: usize = 4_000_000;

/// The positions of `count` open seats of a row: in the fewest groups, then leaving the fewest orphans, then nearest the
/// row's middle. `None` if there are fewer.
///
/// In a row so long that seats × count passes [`MAX_STEPS`], simply the longest groups.
pub(super) fn fewest_groups(spots: &[Spot], count: usize) -> Option<Vec<usize>> {
    if spots.iter().filter(|spot| spot.kind == Kind::Open).count() < count {
        return None;
    }
    let width = (count + 1) * BEHINDS;
    if spots.len().saturating_mul(width) > MAX_STEPS {
        return Some(longest_groups(spots, count));
    }
    let mut best: Vec<Option<Cost>> = vec![None; width];
    let mut next = best.clone();
    // For each seat, number chosen and Behind: which Behind the best way came from, and the highest bit if it chose.
    let mut came_from = vec![0_u8; spots.len() * width];
    best[Behind::End as usize] = Some(Cost { groups: 0, orphans: 0, off_centre: 0 });
    for (position, spot) in spots.iter().enumerate() {
        next.fill(None);
        for (state, so_far) in best.iter().enumerate() {
            let Some(so_far) = so_far else { continue };
            let (chosen, behind) = (state / BEHINDS, state % BEHINDS);
            for used in [Use::Left, Use::Chosen] {
                let takes = used == Use::Chosen;
                let chosen = chosen + usize::from(takes);
                let Some(step) = step(ALL[behind], *spot, used).filter(|_| chosen <= count) else {
                    continue;
                };
                let cost = Cost {
                    groups: so_far.groups + u32::from(step.begins_group),
                    orphans: so_far.orphans + u32::from(step.orphans),
                    off_centre: so_far.off_centre + if takes { off_centre(position, 1, spots.len()) } else { 0 },
                };
                let to = chosen * BEHINDS + step.behind as usize;
                if next[to].is_none_or(|other| cost < other) {
                    next[to] = Some(cost);
                    #[expect(clippy::cast_possible_truncation, reason = "a Behind is less than BEHINDS")]
                    let from = behind as u8;
                    came_from[position * width + to] = from | if takes { CHOSE } else { 0 };
                }
            }
        }
        std::mem::swap(&mut best, &mut next);
    }
    let last = (count * BEHINDS..width).min_by_key(|state| best[*state].map_or((1, None), |cost| (0, Some(cost))))?;
    let (mut chosen, mut behind) = (last / BEHINDS, last % BEHINDS);
    let mut positions = Vec::with_capacity(count);
    for position in (0..spots.len()).rev() {
        let from = came_from[position * width + chosen * BEHINDS + behind];
        if from & CHOSE != 0 {
            positions.push(position);
            chosen -= 1;
        }
        behind = usize::from(from & !CHOSE);
    }
    positions.reverse();
    Some(positions)
}

/// Marks in [`fewest_groups`] a step that chose its seat.
const CHOSE: u8 = 1 << 7;

/// `count` open seats from the longest groups of neighbours there are.
fn longest_groups(spots: &[Spot], count: usize) -> Vec<usize> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut in_group = false;
    for (position, spot) in spots.iter().enumerate() {
        let open = spot.kind == Kind::Open;
        match groups.last_mut().filter(|_| in_group && spot.joined) {
            Some(group) if open => group.push(position),
            None if open => groups.push(vec![position]),
            _ => {}
        }
        in_group = open;
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut positions: Vec<usize> = groups.into_iter().flatten().take(count).collect();
    positions.sort_unstable();
    positions
}

/// The first position of `count` neighbouring open seats: leaving the fewest orphans, then nearest the row's middle,
/// then nearest its beginning. `None` if there are not so many side by side. Costs the row's seats.
pub(super) fn side_by_side(spots: &[Spot], count: usize) -> Option<usize> {
    let (mut run, mut best) = (0, None);
    for (position, spot) in spots.iter().enumerate() {
        run = match spot.kind {
            Kind::Open if spot.joined => run + 1,
            Kind::Open => 1,
            Kind::Taken | Kind::Shut => 0,
        };
        if run >= count {
            let start = position + 1 - count;
            let orphans = orphan_before(spots, start) + orphan_after(spots, position);
            let cost = (orphans, off_centre(start, count, spots.len()), start);
            if best.is_none_or(|best| cost < best) {
                best = Some(cost);
            }
        }
    }
    best.map(|(_, _, start)| start)
}

/// 1 if choosing from `start` on makes an orphan of the seat before.
fn orphan_before(spots: &[Spot], start: usize) -> u8 {
    let is_orphan = start >= 2
        && spots[start].joined
        && spots[start - 1].kind != Kind::Taken
        && spots[start - 1].joined
        && spots[start - 2].kind == Kind::Taken;
    u8::from(is_orphan)
}

/// 1 if choosing up to `end` makes an orphan of the seat after.
fn orphan_after(spots: &[Spot], end: usize) -> u8 {
    let is_orphan = end + 2 < spots.len()
        && spots[end + 1].joined
        && spots[end + 1].kind != Kind::Taken
        && spots[end + 2].joined
        && spots[end + 2].kind == Kind::Taken;
    u8::from(is_orphan)
}

/// Twice the distance between the middle of `count` seats from `start` on and the middle of a row of `len`.
fn off_centre(start: usize, count: usize, len: usize) -> u64 {
    (2 * start + count).abs_diff(len) as u64
}
