//! The machine's clock and its entropy, as the rules' ports want them.

use std::{env, sync::LazyLock, time::UNIX_EPOCH};

use booking_core::{
    ports::clock::{Clock, Entropy},
    time::Timestamp,
};
use rand::{RngExt as _, TryRng as _, rngs::SysRng};

/// How far off tests want this machine's clock to be, in milliseconds.
static OFF_BY_MS: LazyLock<i64> =
    LazyLock::new(|| env::var("WEIR_TEST_CLOCK_OFF_BY_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0));

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port that everybody else asks")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).plus_millis(*OFF_BY_MS)
    }
}

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        SysRng.try_fill_bytes(bytes).expect("a system without entropy can't run a fair draw");
    }

    /// Each join takes an id and must not wait for the kernel: these come from a cryptographic generator of this
    /// thread's, which the operating system seeds anew every 64 KiB.
    fn id_bytes(&self) -> [u8; 16] {
        rand::rng().random()
    }
}
