//! The ledger, the catalog, the refresh families and the sandbox provider on Postgres 15 or newer: the authority over
//! seats and bookings where several machines sell.
//!
//! One [`PostgresDatabase`] is a pool of connections to the server that accepts writes, and everything of Weir's lives
//! in one schema of it. A verb that changes something is one transaction, tried again where that is safe:
//!
//! - what a serialization failure, a deadlock or a broken connection undid is done again, a few times;
//! - where the connection broke at the commit, nobody knows whether it happened: the next try takes the same locks,
//!   which waits for the one before, and looks for its mark before it does anything;
//! - everything else is answered as unavailable, with what to do about it.

pub use accounts::PostgresRefreshFamilies;
pub use catalog::PostgresCatalog;
pub use database::PostgresDatabase;
pub use ledger::PostgresLedger;
pub use mailroom::PostgresMailroom;
pub use sandbox::PostgresSandbox;
pub use settings::PostgresSettings;

mod accounts;
mod catalog;
mod database;
mod error;
mod gather;
mod ledger;
mod mailroom;
mod migrate;
mod primary;
mod sandbox;
mod settings;
mod tries;
