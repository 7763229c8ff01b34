//! Everything that a simulation leaves to chance, from one seed.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use booking_core::ports::clock::Entropy;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The dice of one simulation; its clones share them, so that every throw depends on the seed and on nothing else.
#[derive(Clone)]
pub(super) struct Dice(Arc<Mutex<ChaCha8Rng>>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    fn rng(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number between two, both included.
    pub(super) fn range(&self, within: RangeInclusive<i64>) -> i64 {
        self.rng().random_range(within)
    }

    /// The same for counts.
    pub(super) fn count(&self, within: RangeInclusive<u32>) -> u32 {
        self.rng().random_range(within)
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&self, per_mille: u32) -> bool {
        per_mille > 0 && self.rng().random_range(0..1_000) < per_mille
    }

    /// One of `options`, which must not be empty.
    pub(super) fn pick<T: Clone>(&self, options: &[T]) -> T {
        options[self.rng().random_range(0..options.len())].clone()
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.rng().fill(bytes);
    }
}
