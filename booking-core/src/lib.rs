//! Every rule of Weir, pure: who is next, who may come in, which seats are whose, and what a booking may become.
//!
//! Nothing here reads a clock, a random source, the environment, a socket or a file. Time and entropy come in as
//! arguments; what goes out is a decision that the caller carries out. The [`ports`] say what the rules need from the
//! world; beside each stands the suite that every backend of it runs (feature `contracts`).

pub mod admission;
pub mod booking;
pub mod capture;
pub mod catalog;
pub mod desk;
pub mod digest;
pub mod holds;
pub mod id;
pub mod line;
pub mod mail;
pub mod message;
pub mod money;
pub mod ports;
pub mod reason;
pub mod reconcile;
pub mod refund;
pub mod rehousing;
pub mod sale;
pub mod search;
pub mod seats;
pub mod ticket;
pub mod time;
pub mod webhook;
