//! Seats: the map of a hall, what is free on it, and which seats to choose.

use std::fmt;

use serde::{Deserialize, Serialize};

pub mod best;
pub mod map;
pub mod orphan;
pub mod pretix;
mod row;
pub mod set;
#[cfg(test)]
mod testing;

pub use map::{MAX_SEATS, Seat, SeatId, SeatMap};
pub use set::SeatSet;

/// A seat's number in its venue's seat order: 0, 1, 2 …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeatIndex(pub u32);

/// What a live map shows of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeatStatus {
    /// Free.
    Available,
    /// Held by somebody.
    Reserved,
    /// Booked.
    Booked,
}

impl SeatStatus {
    /// One letter, for the small form of the live map.
    pub fn letter(self) -> char {
        match self {
            Self::Available => 'a',
            Self::Reserved => 'r',
            Self::Booked => 'b',
        }
    }
}

impl fmt::Display for SeatIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
