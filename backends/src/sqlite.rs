//! The ports on SQLite: a whole sale on one machine, durable, with no servers.
//!
//! Each port has a file of its own, with a write-ahead log and `synchronous=FULL`: what was answered survives the loss
//! of the process and of the machine's power. Writes of many callers share a commit (`group.rs`); one connection
//! writes and a few read. A file belongs to one process at a time.

pub use accounts::SqliteRefreshFamilies;
pub use catalog::SqliteCatalog;
pub use desk::SqliteDesk;
pub use ledger::SqliteLedger;
pub use log::{LogSettings, SqliteLog};
pub use mailroom::SqliteMailroom;
pub use sandbox::SqliteSandbox;

mod accounts;
mod catalog;
mod database;
mod desk;
mod error;
mod group;
mod ledger;
mod log;
mod mailroom;
mod queue;
mod sandbox;
#[cfg(test)]
mod tests;
