//! Bookings: each call becomes a command to the workers, and its answer comes back through the log.

pub(crate) mod calendar;
pub(crate) mod cancel;
mod code;
pub(crate) mod confirm;
pub(crate) mod extend;
pub(crate) mod list;
pub(crate) mod notice;
pub(crate) mod pending;
pub(crate) mod qr;
pub(crate) mod read;
pub(crate) mod refusal;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod ticket;
pub(crate) mod view;
