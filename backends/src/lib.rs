//! What stands behind the ports of `booking-core`, by the scheme of its address.

pub mod memory;
mod sandbox;
pub mod sqlite;
