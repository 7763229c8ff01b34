//! The catalog on Cassandra 4 or ScyllaDB, for a browse traffic that no one machine serves.
//!
//! One table for each question: an event by its id, what begins when, a venue by its id with its seat map in parts. Of an
//! event and of a venue there is one row, which a lightweight transaction writes; what it names is written before, so that
//! a crash in between leaves only rows that nobody is led to. Changes of events are captured by the database itself
//! (`cdc`), and Debezium's connector publishes them.

pub use catalog::ScyllaCatalog;
pub use settings::{Dialect, InvalidScylla, ScyllaSettings};

mod catalog;
mod cluster;
mod error;
mod schema;
mod settings;
