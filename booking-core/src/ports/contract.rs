//! How a backend runs a port's suite, and the names and sums that the suites use.
//!
//! Each port has a macro (`log_contract!`, `desk_contract!` …) that makes one test of each sentence of its contract:
//!
//! ```ignore
//! mod log {
//!     booking_core::log_contract!(#[tokio::test] super::fresh_log());
//! }
//! ```
//!
//! The expression is evaluated once a test. It gives an `impl AsyncFn() -> Port` that opens one store, new and empty;
//! called again, after what it gave before was dropped, it opens the same store as after a restart.

use bytes::Bytes;

use crate::{
    digest::Digest,
    id::{BookingId, EventId, SessionId, TransactionId, UserId},
    money::{Currency, Money},
    seats::SeatIndex,
    time::Timestamp,
};

/// Makes the tests of a suite; called by the ports' macros.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_checks {
    ($attributes:tt $open:tt $port:ident: $($check:ident)+) => {
        $($crate::contract_check! { $attributes $open $port $check })+
    };
}

/// Makes one test of a suite; called by [`contract_checks`].
#[doc(hidden)]
#[macro_export]
macro_rules! contract_check {
    ([$($attribute:tt)*] ($open:expr) $port:ident $check:ident) => {
        $($attribute)*
        async fn $check() {
            $crate::ports::$port::contract::$check($open).await;
        }
    };
}

/// How many acts a check does at once where it is about concurrency.
pub(super) const CROWD: u32 = 200;

/// A moment `ms` milliseconds into the suites' time.
pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_777_629_600_000 + ms)
}

pub(super) fn event(number: u32) -> EventId {
    format!("evt_{number}").parse().expect("a prefix and a number")
}

pub(super) fn user(number: u32) -> UserId {
    format!("user_{number}").parse().expect("a prefix and a number")
}

pub(super) fn session(number: u32) -> SessionId {
    format!("session_{number}").parse().expect("a prefix and a number")
}

pub(super) fn booking(number: u32) -> BookingId {
    format!("booking_{number}").parse().expect("a prefix and a number")
}

pub(super) fn transaction(number: u32) -> TransactionId {
    format!("txn_{number}").parse().expect("a prefix and a number")
}

pub(super) fn euros(amount: i64) -> Money {
    let currency: Currency = "EUR".parse().expect("three capital letters");
    Money { amount, currency }
}

pub(super) fn seats(indices: &[u32]) -> Vec<SeatIndex> {
    indices.iter().copied().map(SeatIndex).collect()
}

pub(super) fn fingerprint(request: &str) -> Digest {
    Digest::of(&[request.as_bytes()])
}

pub(super) fn payload(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
