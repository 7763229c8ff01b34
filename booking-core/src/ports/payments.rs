//! The payment provider. Authorise, then confirm the seats, then capture; what can't be confirmed is voided.
//!
//! Contract (suite: [`contract`]): every verb is idempotent by booking id. A transaction pays for one booking. The
//! amount and the currency are what the provider says, never what the client says. An error means that the outcome is
//! unknown: repeat, or void.

use async_trait::async_trait;

use super::PortResult;
pub use crate::booking::PaymentStatus;
use crate::{
    id::{BookingId, TransactionId},
    money::Money,
};

#[cfg(feature = "contracts")]
pub mod contract;

/// What the provider says of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorisation {
    /// The money is set aside for this booking.
    Approved,
    /// It is not, for a reason that the buyer may read.
    Declined(String),
    /// The provider has another amount or currency than the booking costs.
    AmountMismatch(Money),
}

/// A provider.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Sets `due` aside for `booking` from `transaction`.
    async fn authorise(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        due: Money,
    ) -> PortResult<Authorisation>;

    /// Takes what was set aside.
    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()>;

    /// Gives back what was set aside and not taken.
    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()>;

    /// What stands at the provider for `transaction`.
    async fn status(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStatus>>;
}

/// How a payment of the sandbox goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SandboxOutcome {
    /// Authorised when asked.
    #[default]
    Approve,
    /// Declined when asked.
    Decline,
    /// Never answers in time.
    Timeout,
}

/// The provider for trying things out: payments are made by whoever asks, and end as asked.
#[async_trait]
pub trait SandboxPayments: Payments {
    /// Makes a payment of `amount` that will go as `outcome` says. The same id again with the same content is one.
    async fn create(&self, transaction: &TransactionId, amount: Money, outcome: SandboxOutcome) -> PortResult<()>;
}
