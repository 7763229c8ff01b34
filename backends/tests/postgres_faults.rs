//! Postgres servers that crash, hang, are promoted and come back, in the middle of a sale.
//!
//! One test at a time, and each leaves a primary and its standby as it found them. The servers are those of
//! `scripts/servers`.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "postgres_faults/crashes.rs"]
mod crashes;
#[path = "postgres_faults/failover.rs"]
mod failover;
#[path = "postgres_faults/sale.rs"]
mod sale;
#[path = "postgres_faults/servers.rs"]
mod servers;
#[allow(dead_code, reason = "the tests of one server use the rest of it")]
#[path = "postgres/support.rs"]
mod support;
