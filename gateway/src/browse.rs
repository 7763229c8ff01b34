//! Browsing: an event's details, its live seat map, and the map as a stream. No search: that is another part's.

pub(crate) mod details;
pub(crate) mod live;
pub(crate) mod seats;
