//! What stands behind the ports of `booking-core`, by the scheme of its address.

mod address;
pub mod elasticsearch;
mod indexed;
pub mod kafka;
mod kept;
pub mod memory;
pub mod postgres;
pub mod redis;
mod sandbox;
pub mod scylla;
mod secret;
pub mod smtp;
mod sql;
pub mod sqlite;
pub mod stripe;
pub mod tantivy;
pub mod webhook;

pub use secret::Secret;
