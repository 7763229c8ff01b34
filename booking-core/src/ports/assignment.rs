//! Who of several workers serves which lanes.
//!
//! Contract:
//! - As long as some worker lives, each lane of a topic is, after a while, served by exactly one.
//! - Meanwhile a lane may be served by nobody or by two: one that was thought dead may still believe it is its own.
//!   Whatever serves a lane must stand that (invariant 10).
//! - An answer is what is known here at this moment. Whoever serves lanes asks again and again, and stops serving what
//!   is no longer among them.

use async_trait::async_trait;

use super::{
    PortResult,
    log::{Lane, Topic},
};

/// The assignment of lanes to this process.
#[async_trait]
pub trait Assignment: Send + Sync {
    /// The lanes of `topic` that this process serves now. The first call enters it among the workers.
    async fn lanes(&self, topic: &Topic) -> PortResult<Vec<Lane>>;

    /// Leaves the workers, so that others take over at once rather than after a while.
    async fn leave(&self);
}
