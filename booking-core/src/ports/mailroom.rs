//! The mailroom: where buyers are to be reached, and the letters that are to be sent.
//!
//! Contract (suite: [`contract`]):
//! - Each verb is one transaction, safe to repeat, and what it answered survives a restart.
//! - A letter is queued once, whatever became of it, until it is forgotten; and only where its booking has a contact.
//! - The latest contact of a booking counts, also for letters that wait.
//! - A letter is due until it is settled as sent or refused, but not before the moment it was put off to.

use async_trait::async_trait;

use super::PortResult;
use crate::{
    id::{BookingId, LetterId},
    mail::{Contact, Letter},
    time::Timestamp,
};

#[cfg(feature = "contracts")]
pub mod contract;

/// A letter to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The letter.
    pub letter: Letter,
    /// To whom.
    pub contact: Contact,
    /// How often it was put off.
    pub tries: u32,
    /// When it was posted.
    pub posted_at: Timestamp,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was sent.
    Sent,
    /// It is put off until a moment.
    Later(Timestamp),
    /// It can't be sent: why, as [`one_line`](crate::reason::one_line) makes it.
    Refused(String),
}

/// A letter that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLetter {
    /// Which.
    pub letter_id: LetterId,
    /// About which booking.
    pub booking_id: BookingId,
    /// Why not.
    pub reason: String,
    /// Since when that is known.
    pub at: Timestamp,
}

/// How many letters there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Letters {
    /// To be sent, those put off included.
    pub waiting: u64,
    /// That could not be sent.
    pub refused: u64,
}

/// The mailroom.
#[async_trait]
pub trait Mailroom: Send + Sync {
    /// Notes where the buyers of these bookings are to be reached.
    async fn remember(&self, contacts: &[(BookingId, Contact)], now: Timestamp) -> PortResult<()>;

    /// Queues letters, and answers how many. The others were queued before, or nobody knows where to.
    async fn post(&self, letters: &[Letter], now: Timestamp) -> PortResult<usize>;

    /// Up to `max` letters that are due at `now`: those that wait the longest for their moment first.
    async fn due(&self, now: Timestamp, max: usize) -> PortResult<Vec<Due>>;

    /// Notes what became of letters, each named once. Of a letter that was sent or refused only its id is kept, and the
    /// reason; nothing changes that any more.
    async fn settle(&self, settled: &[(LetterId, Settled)], now: Timestamp) -> PortResult<()>;

    /// Up to `max` letters that could not be sent, the latest first.
    async fn refused(&self, max: usize) -> PortResult<Vec<RefusedLetter>>;

    /// How many there are.
    async fn letters(&self) -> PortResult<Letters>;

    /// Forgets up to `max` letters that were settled before `before`, and up to `max` contacts that were noted before
    /// it and that no letter waits for. Answers how many.
    async fn forget(&self, before: Timestamp, max: usize) -> PortResult<usize>;
}
