//! From the catalog into the index that events are searched in.
//!
//! | part | takes | does |
//! | --- | --- | --- |
//! | [`relay`] | what a catalog knows of its own changes | publishes it to `weir.catalog` |
//! | [`indexer`] | `weir.catalog` | applies it to the index, and notes how far it got |
//! | [`seats`] | `weir.seats` | notes how many seats are left, once a second for each event at most |
//! | [`rebuild`] | all of these, and the catalog | fills an index beside the one that is searched, and puts it in its place |
//!
//! Each part works in steps: `step(now)` does what there is to do and awaits nothing but ports, so that a simulator can
//! drive it without a runtime and stop it at any call. Architecture invariant: a part that is dropped in the middle of
//! a step and made anew loses nothing: what it reads it reads again, and an older version changes nothing in an index. So
//! two that do the same do no harm either. [`run()`] drives the steps on Tokio.

use std::sync::Arc;

use booking_core::ports::{
    catalog::CatalogReader, changes::CatalogChanges, clock::Clock, ledger::LedgerReader, log::Log, search::SearchIndex,
};

mod error;
mod gauges;
pub mod indexer;
pub mod rebuild;
pub mod relay;
mod run;
pub mod seats;
mod settings;

pub use error::Error;
pub use gauges::{Gauge, Gauges};
pub use run::run;
pub use settings::{InvalidSettings, Settings};

/// What the indexer stands on.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The catalog, to read venues.
    pub catalog: Arc<dyn CatalogReader>,
    /// The catalog's own changes; none where something else publishes them.
    pub changes: Option<Arc<dyn CatalogChanges>>,
    /// The ledger, to read how many seats are left.
    pub ledger: Arc<dyn LedgerReader>,
    /// The index.
    pub index: Arc<dyn SearchIndex>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing to do.
    Idle,
    /// So many things were done; there may be more.
    Did(usize),
}

impl Progress {
    fn of(done: usize) -> Self {
        if done == 0 { Self::Idle } else { Self::Did(done) }
    }
}
