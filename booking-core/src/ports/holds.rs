//! The hold table: turns away, at once and by the tens of thousands, holds that the ledger would refuse anyway.
//!
//! It is a copy that may be lost: the ledger decides (see [`super::ledger`]). Contract (suite: [`contract`]); the rule
//! is [`crate::holds::HoldTable`]:
//! - All the seats or none (invariant 2); repeating a hold by the same booking id grants again what it still has.
//! - A hold ends by comparing its deadline with `now`; nothing sweeps it.
//! - After a loss [`Holds::is_ready`] is false until [`Holds::rebuild`]; a table that is not ready grants nothing.

use async_trait::async_trait;

use super::PortResult;
pub use crate::holds::{Grant, SeatClaim, Settle, Want};
use crate::{id::EventId, seats::SeatSet, time::Timestamp};

#[cfg(feature = "contracts")]
pub mod contract;

/// The hold table.
#[async_trait]
pub trait Holds: Send + Sync {
    /// Whether the event's table may be trusted.
    async fn is_ready(&self, event: &EventId) -> PortResult<bool>;

    /// Replaces the event's table by `claims`, as the ledger has them, and makes it ready.
    async fn rebuild(&self, event: &EventId, claims: &[SeatClaim]) -> PortResult<()>;

    /// Grants each of `wants` all its seats or none; one answer each, in order.
    async fn hold(&self, event: &EventId, wants: &[Want], now: Timestamp) -> PortResult<Vec<Grant>>;

    /// Ends holds, with their seats booked for good or free again, or extends them. Of a booking that is not there: nothing.
    async fn settle(&self, event: &EventId, settles: &[Settle]) -> PortResult<()>;

    /// Every seat that is held or booked at `now`.
    async fn taken(&self, event: &EventId, now: Timestamp) -> PortResult<SeatSet>;
}
