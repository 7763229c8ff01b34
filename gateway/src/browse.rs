//! Browsing: searching for events, an event's details, its live seat map, and the map as a stream.

pub(crate) mod details;
pub(crate) mod found;
pub(crate) mod live;
pub(crate) mod search;
pub(crate) mod seats;
pub(crate) mod suggest;
