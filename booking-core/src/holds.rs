//! Holds as the hold table sees them: seats, whose, until when.
//!
//! The table's deadline is a little later than the ledger's ([`TABLE_GRACE_MS`]), so that it never frees a seat first.

use serde::{Deserialize, Serialize};

use crate::{id::BookingId, seats::SeatIndex, time::Timestamp};

mod table;

pub use table::HoldTable;

/// How much later than the ledger the table lets a hold go, in milliseconds.
pub const TABLE_GRACE_MS: i64 = 500;

/// Seats somebody wants, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The booking they would be of.
    pub booking: BookingId,
    /// Which; at least one, none twice.
    pub seats: Vec<SeatIndex>,
    /// The hold's deadline in the ledger.
    pub until: Timestamp,
}

/// The table's answer to a want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// All of them.
    Granted,
    /// None, because these are taken. All of them, where the booking already has other seats than these.
    Taken(Vec<SeatIndex>),
    /// The table can't be trusted now; ask the ledger.
    NotReady,
}

/// How a hold ends, or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settle {
    /// Its seats are booked for good.
    Booked(BookingId),
    /// Its seats are free.
    Freed(BookingId),
    /// It goes on: this is its deadline in the ledger now. None comes earlier by it, and what is booked stays so.
    Extended(BookingId, Timestamp),
    /// Of its seats only these are still its own; the others are free.
    Kept(BookingId, Vec<SeatIndex>),
}

/// One claim as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatClaim {
    /// The booking.
    pub booking: BookingId,
    /// Its seats.
    pub seats: Vec<SeatIndex>,
    /// The hold's deadline; `None`: booked.
    pub until: Option<Timestamp>,
}
