//! The payment provider. Authorise, then confirm the seats, then capture; what can't be confirmed is voided, and what
//! was captured is refunded, whole or in parts.
//!
//! Contract (suite: [`contract`]): every verb is idempotent by booking id, a refund by its number beside that. A
//! transaction pays for one booking. The amount and the currency are what the provider says, never what the client
//! says. Refunds never add up to more than was captured. An error means that the outcome is unknown: repeat, or void.

use async_trait::async_trait;

use super::PortResult;
pub use crate::booking::PaymentStatus;
use crate::{
    id::{BookingId, TransactionId},
    money::Money,
    time::Timestamp,
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

/// Money to give back that was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Of which booking.
    pub booking: BookingId,
    /// From its payment.
    pub transaction: TransactionId,
    /// Which of the booking's refunds: with the same number it is the same refund, however often it is asked for.
    pub number: u32,
    /// How much; more than nothing.
    pub amount: Money,
}

/// What the provider says of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    /// The money is on its way back, now or since an earlier try.
    Done,
    /// It can't be given back this way, however often one asks; a person has to see to it. The provider's reason.
    Refused(String),
}

/// A payment as it stands at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentStanding {
    /// How far it got.
    pub status: PaymentStatus,
    /// What was captured, or what would be.
    pub amount: Money,
    /// How much of it was refunded, in minor units.
    pub refunded: i64,
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

    /// Gives back some of what was taken, or all.
    async fn refund(&self, refund: &Refund) -> PortResult<Refunded>;

    /// What stands at the provider for `transaction`.
    async fn standing(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>>;
}

/// What a provider tells unasked: money was set aside for a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// For which booking, as whoever made the payment said.
    pub booking: BookingId,
    /// The payment.
    pub transaction: TransactionId,
    /// How much it is.
    pub amount: Money,
}

/// Why what was sent is not taken for the provider's word. Says nothing that helps a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeRefused {
    /// The signature is not one of the provider's, or none at all.
    #[error("the signature is not the provider's")]
    Forged,
    /// It was signed too long ago, or in the future: perhaps sent again by somebody else.
    #[error("the signature is not of this time")]
    Stale,
    /// It is the provider's and can't be read.
    #[error("it can't be read")]
    Unreadable,
}

/// The provider's notices: whoever paid and was cut off before confirming still gets the seats.
///
/// Contract: only what the provider itself sent, a short while ago, is read; everything else is refused. A notice may
/// come more than once, in any order, before or after the buyer's own confirmation, or never.
pub trait PaymentNotices: Send + Sync {
    /// The header, in lower case, that a notice's signature is in.
    fn signature_header(&self) -> &'static str;

    /// Reads the `body` of a request whose signature header is `signature`. `None`: it is of no interest here.
    ///
    /// # Errors
    /// If it is not the provider's, not of this time, or can't be read.
    fn read(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Option<Notice>, NoticeRefused>;
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
    /// Never answers in time when asked, and is authorised all the same.
    TimeoutAuthorised,
    /// Authorised when asked; what was taken can't be refunded.
    RefuseRefund,
}

/// The longest that the sandbox takes over an authorisation, in milliseconds.
pub const MAX_DELAY_MS: u32 = 60_000;
/// The most notices that the sandbox sends of one payment.
pub const MAX_NOTICES: usize = 4;
/// The latest that it sends one after the payment was made, in milliseconds: ten minutes.
pub const MAX_NOTICE_MS: u32 = 600_000;
/// How long whoever was given a notice to send has for it, in milliseconds, before it is given out again.
pub const NOTICE_LEASE_MS: i64 = 30_000;

/// A payment to make at the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxOrder {
    /// How much it is.
    pub amount: Money,
    /// How it goes.
    pub outcome: SandboxOutcome,
    /// How much later the first authorisation is answered, in milliseconds, at most [`MAX_DELAY_MS`]: whatever it decides
    /// is decided before.
    pub delay_ms: u32,
    /// The booking that its notices are about.
    pub booking: Option<BookingId>,
    /// How long after it was made each notice is sent, in milliseconds: at most [`MAX_NOTICES`] of at most
    /// [`MAX_NOTICE_MS`], and none without a booking.
    pub notices_ms: Vec<u32>,
}

impl SandboxOrder {
    /// A payment that is answered at once and of which nothing is told unasked.
    pub fn plain(amount: Money, outcome: SandboxOutcome) -> Self {
        Self { amount, outcome, delay_ms: 0, booking: None, notices_ms: Vec::new() }
    }
}

/// A notice that the sandbox is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNotice {
    /// Which of its payment's, from 0.
    pub number: u32,
    /// What it says.
    pub notice: Notice,
}

/// The provider for trying things out: payments are made by whoever asks, and end as asked.
#[async_trait]
pub trait SandboxPayments: Payments {
    /// Makes a payment of `amount` that will go as `outcome` says. The same id again with the same content is one.
    async fn create(&self, transaction: &TransactionId, amount: Money, outcome: SandboxOutcome) -> PortResult<()>;
}

/// Our own sandbox: it also takes its time, and tells unasked, as it is asked to.
#[async_trait]
pub trait Sandbox: SandboxPayments {
    /// Makes a payment with everything that may be said of it; its notices count from `now`.
    async fn order(&self, transaction: &TransactionId, order: &SandboxOrder, now: Timestamp) -> PortResult<()>;

    /// Notices of up to `max` payments that are due at `now`. Nobody else is given them for [`NOTICE_LEASE_MS`]; then
    /// whoever asks, unless they were [sent](Self::notice_sent): so each is sent, through any crash, and at times twice.
    async fn due_notices(&self, now: Timestamp, max: usize) -> PortResult<Vec<DueNotice>>;

    /// Notes that the notice was taken by whoever it was sent to.
    async fn notice_sent(&self, due: &DueNotice) -> PortResult<()>;
}
