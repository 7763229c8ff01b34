//! The ports on a real Postgres: their contracts, and what several writers, lost connections and retries make of them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "postgres/contracts.rs"]
mod contracts;
#[path = "postgres/faults.rs"]
mod faults;
#[path = "postgres/proxy.rs"]
mod proxy;
#[path = "postgres/schema.rs"]
mod schema;
#[path = "postgres/support.rs"]
mod support;
#[path = "postgres/writers.rs"]
mod writers;
