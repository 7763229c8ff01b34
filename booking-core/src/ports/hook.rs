//! Handing webhooks over.

use async_trait::async_trait;

use crate::{id::HookId, time::Timestamp};

/// What came of a try to hand a webhook over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handed {
    /// The endpoint took it, with this status.
    Taken(u16),
    /// Not now: why, as [`one_line`](crate::reason::one_line) makes it.
    Later(String),
    /// The endpoint wants no more (410).
    Gone,
}

/// An endpoint that webhooks are handed to, signed by Standard Webhooks.
///
/// Contract: one that was not [`Handed::Taken`] may have been taken nevertheless; handed over again, it has the same id.
#[async_trait]
pub trait Hook: Send + Sync {
    /// Hands over `payload`, a JSON text, at `now`. Ends in bounded time.
    async fn hand(&self, id: &HookId, payload: &str, now: Timestamp) -> Handed;
}
