//! Sending letters.

use async_trait::async_trait;

use crate::mail::{Message, Sending};

/// Whoever carries letters.
///
/// Contract: where a message was [`Sending::Sent`], a server answers for it. One that was not, or of which nothing is
/// known, may have been taken over nevertheless; sent again, it carries the same id.
#[async_trait]
pub trait Post: Send + Sync {
    /// Hands a message over. Ends in bounded time.
    async fn send(&self, message: &Message) -> Sending;
}
