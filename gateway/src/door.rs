//! The door: tickets are scanned, once each, online or sent later by a door that was cut off.

pub(crate) mod list;
pub(crate) mod scan;
