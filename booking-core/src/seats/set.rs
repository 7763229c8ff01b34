//! A set of seats, one bit each.

use super::{MAX_SEATS_OF_AN_EVENT, SeatIndex};

const BITS: usize = u64::BITS as usize;

/// A set of seats of one seat map. A seat that no map can have (index [`MAX_SEATS_OF_AN_EVENT`] or above) is never in one, so the
/// set takes 25 KB at most.
#[derive(Debug, Clone, Default)]
pub struct SeatSet {
    words: Vec<u64>,
}

impl SeatSet {
    /// The empty set, with room for the seats below `len`. It grows where a later seat is put in.
    pub fn with_len(len: usize) -> Self {
        Self { words: vec![0; len.min(MAX_SEATS_OF_AN_EVENT).div_ceil(BITS)] }
    }

    /// Puts `seat` in. Whether it was not in before; false for a seat that no map can have.
    pub fn insert(&mut self, seat: SeatIndex) -> bool {
        let Some((word, bit)) = split(seat) else {
            return false;
        };
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let was_in = self.words[word] & bit != 0;
        self.words[word] |= bit;
        !was_in
    }

    /// Takes `seat` out. Whether it was in.
    pub fn remove(&mut self, seat: SeatIndex) -> bool {
        let Some((word, bit)) = split(seat) else {
            return false;
        };
        let Some(word) = self.words.get_mut(word) else {
            return false;
        };
        let was_in = *word & bit != 0;
        *word &= !bit;
        was_in
    }

    /// Whether `seat` is in.
    pub fn contains(&self, seat: SeatIndex) -> bool {
        split(seat).is_some_and(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    /// How many are in.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is in.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Those that are in, in seat order.
    pub fn iter(&self) -> impl Iterator<Item = SeatIndex> + '_ {
        self.words.iter().zip(0_u32..).flat_map(|(word, position)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(SeatIndex(position * u64::BITS + bit))
            })
        })
    }

    /// Puts in all of `other`.
    pub fn union_with(&mut self, other: &Self) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Those in this set, in `other` or in both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.union_with(other);
        both
    }
}

/// Sets are equal when the same seats are in, however much room each has.
impl PartialEq for SeatSet {
    fn eq(&self, other: &Self) -> bool {
        let (short, long) = if self.words.len() < other.words.len() { (self, other) } else { (other, self) };
        let (same, rest) = long.words.split_at(short.words.len());
        same == short.words && rest.iter().all(|word| *word == 0)
    }
}

impl Eq for SeatSet {}

impl FromIterator<SeatIndex> for SeatSet {
    fn from_iter<I: IntoIterator<Item = SeatIndex>>(seats: I) -> Self {
        let mut set = Self::default();
        set.extend(seats);
        set
    }
}

impl Extend<SeatIndex> for SeatSet {
    fn extend<I: IntoIterator<Item = SeatIndex>>(&mut self, seats: I) {
        for seat in seats {
            self.insert(seat);
        }
    }
}

/// The word that holds `seat`'s bit, and the bit.
fn split(seat: SeatIndex) -> Option<(usize, u64)> {
    let index = seat.0 as usize;
    (index < MAX_SEATS_OF_AN_EVENT).then_some((index / BITS, 1 << (index % BITS)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_seat_that_no_map_can_have_is_never_in() {
        let mut set = SeatSet::with_len(10);
        for beyond in [SeatIndex(1_000_000), SeatIndex(u32::MAX)] {
            assert!(!set.insert(beyond));
            assert!(!set.contains(beyond));
            assert!(!set.remove(beyond));
        }
        assert!(set.is_empty());
    }

    #[test]
    fn sets_with_different_room_are_equal_when_the_same_seats_are_in() {
        let mut roomy = SeatSet::with_len(1_000);
        roomy.insert(SeatIndex(3));
        assert_eq!(roomy, SeatSet::from_iter([SeatIndex(3)]));
        assert_eq!(SeatSet::from_iter([SeatIndex(3)]), roomy);
        roomy.insert(SeatIndex(999));
        assert_ne!(roomy, SeatSet::from_iter([SeatIndex(3)]));
    }

    proptest! {
        #[test]
        fn a_seat_set_behaves_as_a_set(acts in prop::collection::vec((any::<bool>(), 0_u32..300), 0..200)) {
            let mut set = SeatSet::with_len(100);
            let mut model = BTreeSet::new();
            for (put, seat) in acts {
                if put {
                    prop_assert_eq!(set.insert(SeatIndex(seat)), model.insert(seat));
                } else {
                    prop_assert_eq!(set.remove(SeatIndex(seat)), model.remove(&seat));
                }
            }
            prop_assert_eq!(set.iter().map(|seat| seat.0).collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.count(), model.len());
        }

        #[test]
        fn a_union_holds_what_either_holds(a in prop::collection::btree_set(0_u32..300, 0..50),
                                           b in prop::collection::btree_set(0_u32..300, 0..50)) {
            let of = |seats: &BTreeSet<u32>| seats.iter().copied().map(SeatIndex).collect::<SeatSet>();
            prop_assert_eq!(of(&a).union(&of(&b)), of(&a.union(&b).copied().collect()));
        }
    }
}
