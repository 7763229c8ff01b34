//! The payment provider Stripe, on a stand-in that speaks its wire format: the port's contract, and what lost answers,
//! refusals and repetitions make of it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "stripe/contract.rs"]
mod contract;
#[path = "stripe/faults.rs"]
mod faults;
#[path = "stripe/money.rs"]
mod money;
#[path = "stripe/stand_in.rs"]
mod stand_in;
#[path = "stripe/support.rs"]
mod support;
