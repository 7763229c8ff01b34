//! What a catalog's store knows of its own changes, until they are in the log.
//!
//! Contract (suite: [`contract`]): a change is written together with what it is of, or neither is. It is handed out until
//! it is noted as published, also after a restart. Of one event, versions rise, and changes are handed out in their
//! order.

use async_trait::async_trait;

use super::PortResult;
use crate::capture::CatalogChange;

#[cfg(feature = "contracts")]
pub mod contract;

/// The changes of a catalog.
#[async_trait]
pub trait CatalogChanges: Send + Sync {
    /// Up to `max` changes that are not published yet, with a number to note each by.
    async fn changes(&self, max: usize) -> PortResult<Vec<(u64, CatalogChange)>>;

    /// Notes that the changes of these numbers are published.
    async fn changes_published(&self, numbers: &[u64]) -> PortResult<()>;
}
