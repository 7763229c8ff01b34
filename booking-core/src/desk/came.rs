//! Which ranks have come to the desk: one bit each.

/// Ranks from here on are not noted, so that the set never exceeds 32 MiB: far above any sale's line.
pub(super) const MAX_NOTED_RANK: u64 = 1 << 28;

/// A set of ranks.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Came {
    words: Vec<u64>,
    count: u64,
}

impl Came {
    /// Adds `rank`; false where it is there already, or can't be noted.
    pub(super) fn insert(&mut self, rank: u64) -> bool {
        if rank >= MAX_NOTED_RANK {
            return false;
        }
        let (word, bit) = position(rank);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u64::from(fresh);
        fresh
    }

    /// How many ranks are in it.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are `rank` or higher.
    pub(super) fn count_from(&self, rank: u64) -> u64 {
        let (word, bit) = position(rank.min(MAX_NOTED_RANK));
        let Some((first, rest)) = self.words.get(word..).and_then(<[u64]>::split_first) else { return 0 };
        let in_first = first & !(bit - 1);
        u64::from(in_first.count_ones()) + rest.iter().map(|word| u64::from(word.count_ones())).sum::<u64>()
    }
}

fn position(rank: u64) -> (usize, u64) {
    (usize::try_from(rank / 64).expect("noted ranks are below 2^28"), 1 << (rank % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_from_a_rank_is_the_count_of_those_at_or_above_it() {
        let ranks = [0, 1, 63, 64, 65, 127, 128, 1_000];
        let mut came = Came::default();
        for rank in ranks {
            assert!(came.insert(rank));
            assert!(!came.insert(rank), "a rank comes once");
        }
        for from in 0..1_100 {
            let expected = ranks.iter().filter(|rank| **rank >= from).count() as u64;
            assert_eq!(came.count_from(from), expected, "from {from}");
        }
        assert_eq!(came.count(), 8);
        assert_eq!(came.count_from(u64::MAX), 0);
        assert!(!came.insert(u64::MAX), "an absurd rank takes no memory");
    }
}
