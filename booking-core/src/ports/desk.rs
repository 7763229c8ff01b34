//! The desk: who is in. It holds each identity to one place and one admission, and admissions to the rate and the cap.
//!
//! Contract (suite: [`contract`]); the rule itself is [`crate::desk::DeskState`], and every backend decides as it does:
//! - Each verb is atomic for its event and safe to repeat.
//! - An admission that was answered survives a restart (invariants 3, 6, 7).
//! - A place that [`Desk::claim_place`] answered survives a restart as long as the line's log holds its entry.
//! - `now` may jump back; the desk never decides by an earlier moment than it decided by before.

use async_trait::async_trait;

use super::PortResult;
pub use crate::desk::{Admit, AdmitRequest, Change, Counts, Ended, Standing};
use crate::{
    id::{EventId, SessionId, UserId},
    line::Place,
    time::Timestamp,
};

#[cfg(feature = "contracts")]
pub mod contract;

/// The desk.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Gives `user` the place `place`, unless they already stand at one. `instead_of` names a place that is over and
    /// may be replaced; one with a live admission, booked or revoked never is. Answers the place that stands: where it
    /// is not `place`, another join of theirs came first.
    async fn claim_place(
        &self,
        event: &EventId,
        user: &UserId,
        place: Place,
        instead_of: Option<Place>,
    ) -> PortResult<Place>;

    /// Where `user` stands, if they joined.
    async fn place_of(&self, event: &EventId, user: &UserId) -> PortResult<Option<Standing>>;

    /// Ends `user`'s place, and their admission with it if there is one. Without a place: nothing.
    async fn give_up(&self, event: &EventId, user: &UserId, now: Timestamp) -> PortResult<()>;

    /// Admits who has been called, or says why not.
    async fn admit(&self, event: &EventId, request: &AdmitRequest, now: Timestamp) -> PortResult<Admit>;

    /// Ends an admission: its room at the desk is free. Unknown or ended already: nothing. One that ran out is noted as
    /// ended so, because a hold may be paid after it.
    async fn finish(&self, event: &EventId, session: &SessionId, why: Ended, now: Timestamp) -> PortResult<()>;

    /// How full it is. `from_rank`: how many of the places with this rank or a higher one have come.
    async fn counts(&self, event: &EventId, from_rank: u64, now: Timestamp) -> PortResult<Counts>;

    /// Up to `max` changes after number `after` (0: from the first), in order; how a gateway keeps its memory.
    async fn changes(&self, event: &EventId, after: u64, max: usize) -> PortResult<Vec<Change>>;
}
