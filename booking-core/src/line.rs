//! The line: who joined, in which order they are called, and how anybody can check it.

use serde::{Deserialize, Serialize};

pub mod draw;
pub mod entry;
pub mod keeper;
pub mod merkle;
pub mod meter;
pub mod place;
pub mod place_token;
pub mod record;
pub mod shuffle;
pub mod state;
pub mod verify;

#[cfg(test)]
mod testing;

/// A place in an event's line: where the join stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The lane (partition).
    pub lane: u16,
    /// The offset in the lane.
    pub offset: u64,
}
