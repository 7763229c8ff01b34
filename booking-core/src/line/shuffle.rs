//! The draw's permutation: `compute_shuffled_index` of Ethereum's consensus specification (phase 0, beacon chain,
//! `SHUFFLE_ROUND_COUNT` = 90), the swap-or-not shuffle of Hoang, Morris and Rogaway.
//!
//! It answers for one index alone, in about 90 hashes, without shuffling the others.

use crate::digest::Digest;

const ROUNDS: u8 = 90;

/// Where `index` of `count` goes under `seed`. For callers with one question; see [`Shuffle`] for many.
///
/// # Panics
/// If `index` is not below `count`.
pub fn shuffled_index(index: u64, count: u64, seed: &Digest) -> u64 {
    Shuffle::new(seed, count).rank_of(index)
}

/// One permutation, with its 90 pivots at hand: half the hashes of every answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shuffle {
    seed: Digest,
    count: u64,
    pivots: [u64; ROUNDS as usize],
}

impl Shuffle {
    /// The permutation of `0..count` under `seed`.
    pub fn new(seed: &Digest, count: u64) -> Self {
        let mut pivots = [0; ROUNDS as usize];
        if count > 1 {
            let mut input = [0; 33];
            input[..32].copy_from_slice(&seed.0);
            for (round, pivot) in (0..ROUNDS).zip(&mut pivots) {
                input[32] = round;
                let hash = sha256(&input);
                let first = hash.first_chunk::<8>().expect("a digest has 32 bytes");
                *pivot = u64::from_le_bytes(*first) % count;
            }
        }
        Self { seed: *seed, count, pivots }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Where `index` goes: its rank among the `count`.
    ///
    /// # Panics
    /// If `index` is not below the count.
    pub fn rank_of(&self, index: u64) -> u64 {
        assert!(index < self.count, "index {index} is not among {}", self.count);
        if self.count == 1 {
            return 0;
        }
        let mut input = [0; 37];
        input[..32].copy_from_slice(&self.seed.0);
        let mut index = index;
        for (round, &pivot) in (0..ROUNDS).zip(&self.pivots) {
            let flip = (pivot + self.count - index) % self.count;
            let position = index.max(flip);
            // The specification takes four bytes here: counts up to 2^40 are told apart, more than people there are.
            let [a, b, c, d, ..] = (position / 256).to_le_bytes();
            input[32..].copy_from_slice(&[round, a, b, c, d]);
            let source = sha256(&input);
            let [low, ..] = position.to_le_bytes();
            let bit = source[usize::from(low / 8)] >> (low % 8) & 1;
            if bit == 1 {
                index = flip;
            }
        }
        index
    }
}

fn sha256(input: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, input).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        seed: Digest,
        count: u64,
        shuffled: Vec<u64>,
    }

    #[test]
    fn the_shuffle_is_that_of_ethereums_specification() {
        let vectors: Vectors = serde_json::from_str(include_str!("../../tests/draw-vectors.json")).unwrap();
        assert!(!vectors.vectors.is_empty());
        for Vector { seed, count, shuffled } in vectors.vectors {
            let computed: Vec<u64> = (0..count).map(|index| shuffled_index(index, count, &seed)).collect();
            assert_eq!(computed, shuffled, "count {count}");
        }
    }

    #[test]
    #[should_panic(expected = "index 3 is not among 3")]
    fn an_index_outside_is_a_bug_of_the_caller() {
        shuffled_index(3, 3, &Digest::ZERO);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_shuffle_is_a_permutation(seed in any::<[u8; 32]>(), count in 1_u64..600) {
            let shuffle = Shuffle::new(&Digest(seed), count);
            let mut ranks: Vec<u64> = (0..count).map(|index| shuffle.rank_of(index)).collect();
            ranks.sort_unstable();
            prop_assert_eq!(ranks, (0..count).collect::<Vec<_>>());
        }

        #[test]
        fn big_counts_stay_inside(seed in any::<[u8; 32]>(), count in 1_u64..1 << 40, at in any::<u64>()) {
            prop_assert!(shuffled_index(at % count, count, &Digest(seed)) < count);
        }
    }
}
