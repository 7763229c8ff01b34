//! Guests' refresh tokens: each works once, and one used twice ends its whole family.
//!
//! Contract (suite: [`contract`]): [`RefreshFamilies::rotate`] is atomic for a family and survives a restart. A family
//! never seen stands at serial 0. A family nobody may use any more (past its `expires_at`) may be forgotten.

use async_trait::async_trait;

use super::PortResult;
use crate::time::Timestamp;

#[cfg(feature = "contracts")]
pub mod contract;

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It was the family's latest: the next one carries this serial.
    Next(u64),
    /// It had been used before, or the family had ended: every token of the family is void from now on.
    Revoked,
}

/// A family's name: 16 random bytes, in every token of it.
pub type FamilyId = [u8; 16];

/// The refresh families.
#[async_trait]
pub trait RefreshFamilies: Send + Sync {
    /// Spends the token number `serial` of `family`.
    async fn rotate(
        &self,
        family: FamilyId,
        serial: u64,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> PortResult<Rotation>;
}
