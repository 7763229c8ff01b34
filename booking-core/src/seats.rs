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

/// The most seats that one event's halls have together: one after the other, where its hall is changed.
pub const MAX_SEATS_OF_AN_EVENT: usize = 5 * MAX_SEATS;

/// A seat's number among the seats of its event: 0, 1, 2 … in the order of its venue. Where the event goes to another
/// hall, the seats of that one are numbered on, so that an index names one seat of one hall for ever.
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
