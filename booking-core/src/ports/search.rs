//! The index that events are searched in: a copy of the catalog, made of its changes.
//!
//! Contract (suites: [`contract`], [`relevance`]):
//! - What was applied, and answered, is found by every later search, and survives a restart.
//! - An older version of an event never takes the place of a newer one, whatever comes when; the same version twice is
//!   one. An event that is gone stays gone until a newer version of it comes.
//! - How many seats are left is kept apart from the rest, by a version of its own.
//! - What weighs most comes first, then what begins first, then by id. Pages follow each other without a gap.
//! - A search is bounded, whatever is asked: [`Query`] is.

use async_trait::async_trait;

use super::PortResult;
use crate::search::{Change, Found, Query, SeatsLeft, Suggestion, Term};
use crate::time::Timestamp;

#[cfg(feature = "contracts")]
pub mod contract;
mod draft;
#[cfg(feature = "contracts")]
pub mod relevance;

pub use draft::{DRAFT_LOST_MS, Draft, Drafted, Redraft};

/// Searching.
#[async_trait]
pub trait Search: Send + Sync {
    /// The events that are as `query` wants them.
    async fn search(&self, query: &Query) -> PortResult<Found>;

    /// Names of events that begin at or after `from`, of who is on and of where, to go on with behind `term`.
    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>>;

    /// A number that is another one once the same search may find other events: rises with every change but that of how
    /// many seats are left, unless these became none, or some again.
    async fn state(&self) -> PortResult<u64>;
}

/// Searching, and keeping the index.
#[async_trait]
pub trait SearchIndex: Search {
    /// Applies changes, in order. How many of them were news.
    async fn apply(&self, changes: &[Change]) -> PortResult<usize>;

    /// Notes how many seats are left. What the index does not hold is left out.
    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()>;

    /// Which index this is: 1 to 64 letters, digits and `-`. One that was made anew is another, and everything has to be
    /// applied to it from the beginning, or from where whoever filled it has noted.
    async fn id(&self) -> PortResult<String>;
}
