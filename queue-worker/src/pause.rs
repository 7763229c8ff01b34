//! Pauses before something is tried again.

use booking_core::digest::Digest;

/// Three quarters of `pause_ms`, and up to a quarter of it by whose pause it is and how often it was tried: what failed
/// together does not come back together.
pub(crate) fn scattered(pause_ms: i64, whose: &str, tries: u32) -> i64 {
    let scatter = i64::from(Digest::of(&[whose.as_bytes(), &tries.to_le_bytes()]).0[0]);
    pause_ms * 3 / 4 + pause_ms / 4 * scatter / 255
}
