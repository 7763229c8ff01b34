//! Telling bookings that their event was moved.

use crate::catalog::Moved;

/// The outbox's word for a booking whose event was moved.
pub const MOVED: &str = "booking.moved";

/// How long a ledger waits, in milliseconds, before it looks again for holds of a moved event that were confirmed.
pub const TELL_AGAIN_MS: i64 = 5_000;

/// How far the bookings of an event are told of its latest move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The move.
    pub moved: Moved,
    /// Confirmed bookings that were told.
    pub told: u64,
    /// Confirmed bookings that are still to be told.
    pub left: u64,
}
