//! Making an index anew beside the one that is searched.
//!
//! Contract:
//! - One draft at a time. Whoever makes it says every now and then that they are at it; one that was not heard of for
//!   [`DRAFT_LOST_MS`] may be removed by the next, and can't become live from then on.
//! - Until [`Draft::publish`] nothing of a draft is found, and nothing of what is searched changes.
//! - From `publish` on, by one act, every search finds what the draft holds, and changes go to it. A search that runs
//!   meanwhile ends well.
//! - What a draft holds that nobody goes on with, and an index that another took the place of, is removed by the next.

use std::sync::Arc;

use async_trait::async_trait;

use super::{PortResult, SearchIndex};
use crate::time::Timestamp;

/// After how long without a word, in milliseconds, a draft is anybody's to remove.
pub const DRAFT_LOST_MS: i64 = 6_000;

/// An index that can be made anew while it is searched.
#[async_trait]
pub trait Redraft: Send + Sync {
    /// A new, empty index beside the live one, if nobody is at one; removes what is left of earlier ones.
    async fn draft(&self, now: Timestamp) -> PortResult<Drafted>;
}

/// What became of beginning a draft.
pub enum Drafted {
    /// It is there.
    Begun(Arc<dyn Draft>),
    /// Somebody is at one, and said so at this moment.
    Taken(Timestamp),
}

/// An index beside the live one, to take its place. What is applied to it is found once it is live.
#[async_trait]
pub trait Draft: SearchIndex {
    /// Says that somebody is at it. `Damaged`: it is another's turn by now.
    async fn keep(&self, now: Timestamp) -> PortResult<()>;

    /// Puts it in the place of the live index. `Damaged`: it is another's turn by now.
    async fn publish(&self) -> PortResult<()>;

    /// Ends: removes the index that it took the place of; a draft that was not published is removed itself. One of which
    /// it is not known whether it is live is left to the next.
    async fn end(&self) -> PortResult<()>;
}
