//! The workers behind the gateways: who decides, holds, charges and tells.
//!
//! | part | takes | does |
//! | --- | --- | --- |
//! | [`keeper`] | operators' commands, joins | keeps the lines: closes and draws batches, calls, obeys |
//! | [`pool`] | hold and release commands | chooses seats, holds them, gives them back |
//! | [`finaliser`] | confirm commands | authorises, confirms, captures; voids what could not be confirmed |
//! | [`expiry`] | time | marks holds that ran out, so that screens learn of it |
//! | [`outbox`] | the ledger's outbox | publishes it to `weir.changes`, and has letters queued about it |
//! | [`courier`] | letters that wait | has them written and sent |
//! | [`webhooks`] | `weir.changes` | tells endpoints outside what became of bookings |
//! | [`reconcile`] | everything that is kept twice | compares it, and mends what has one right answer |
//!
//! Each part works in steps: `step(now)` does what there is to do and awaits nothing but ports, so that a simulator can
//! drive it without a runtime and stop it at any call. Architecture invariant: a part that is dropped in the middle of
//! a step, wherever that is, and made anew loses nothing and doubles nothing: what it reads it reads again, and every
//! act is one that may be repeated. [`run()`] drives the steps on Tokio.
//!
//! A keeper, a pool and a finaliser each serve one lane of their topic, and with it every event that falls into it.

use std::sync::Arc;

use booking_core::ports::{
    assignment::Assignment,
    catalog::Catalog,
    clock::{Clock, Entropy},
    desk::Desk,
    holds::Holds,
    ledger::Ledger,
    log::Log,
    payments::Payments,
};

mod alongside;
mod called_off;
pub mod courier;
mod error;
pub mod expiry;
pub mod finaliser;
mod fold;
mod gauges;
mod hall;
pub mod keeper;
mod lane;
mod moved;
pub mod outbox;
mod outward;
mod patience;
mod pause;
pub mod pool;
pub mod reconcile;
mod rehoused;
mod run;
mod settings;
pub mod webhooks;

pub use courier::Mail;
pub use error::Error;
pub use gauges::{Gauge, Gauges};
pub use run::{run, run_with};
pub use settings::{InvalidSettings, Settings};
pub use webhooks::Endpoint;

/// What the workers stand on.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: Arc<dyn Log>,
    /// Which of its lanes are this process's.
    pub assignment: Arc<dyn Assignment>,
    /// The desk.
    pub desk: Arc<dyn Desk>,
    /// The hold table.
    pub holds: Arc<dyn Holds>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// The payment provider.
    pub payments: Arc<dyn Payments>,
    /// Letters to buyers; without, none are sent, and nobody's address is kept.
    pub mail: Option<Mail>,
    /// Endpoints that are told of bookings.
    pub endpoints: Vec<Endpoint>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes: seed chains and keepers' names.
    pub entropy: Arc<dyn Entropy>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing to do.
    Idle,
    /// So many things were done; there may be more.
    Did(usize),
    /// There is no room for what there is to do, or it is worth waiting for more: come again in so many milliseconds.
    Later(u64),
}

impl Progress {
    fn of(done: usize) -> Self {
        if done == 0 { Self::Idle } else { Self::Did(done) }
    }
}
