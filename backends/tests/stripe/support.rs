//! A provider on a stand-in, and the names that the tests use.

use std::time::Duration;

use async_trait::async_trait;
use backends::{
    Secret,
    stripe::{StripePayments, StripeSettings},
};
use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{Authorisation, PaymentStanding, Payments, Refund, Refunded, SandboxOutcome, SandboxPayments},
    },
};

use crate::stand_in::{KEY, StandIn};

/// The provider as the contract wants it: payments are made at the stand-in.
pub(crate) struct OnStandIn {
    pub(crate) stripe: StripePayments,
    pub(crate) stand_in: StandIn,
}

pub(crate) fn settings(stand_in: &StandIn) -> StripeSettings {
    StripeSettings {
        api_base: stand_in.base(),
        first_pause: Duration::from_millis(4),
        tries: 8,
        ..StripeSettings::new(Secret::new(KEY))
    }
}

impl OnStandIn {
    pub(crate) fn new(stand_in: &StandIn) -> Self {
        Self::with(stand_in, settings(stand_in))
    }

    pub(crate) fn with(stand_in: &StandIn, settings: StripeSettings) -> Self {
        Self { stripe: StripePayments::new(settings).expect("settings that work"), stand_in: stand_in.clone() }
    }

    /// A payment of 500 cents that was set aside for the booking of the same number and taken.
    pub(crate) async fn taken(&self, number: u32) {
        self.create(&transaction(number), euros(500), SandboxOutcome::Approve).await.expect("made");
        let authorised = self.authorise(&booking(number), &transaction(number), euros(500)).await;
        assert_eq!(authorised.expect("an answer"), Authorisation::Approved);
        self.capture(&booking(number), &transaction(number)).await.expect("taken");
    }
}

#[async_trait]
impl Payments for OnStandIn {
    async fn authorise(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        due: Money,
    ) -> PortResult<Authorisation> {
        self.stripe.authorise(booking, transaction, due).await
    }

    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        self.stripe.capture(booking, transaction).await
    }

    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        self.stripe.void(booking, transaction).await
    }

    async fn refund(&self, refund: &Refund) -> PortResult<Refunded> {
        self.stripe.refund(refund).await
    }

    async fn standing(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        self.stripe.standing(transaction).await
    }
}

#[async_trait]
impl SandboxPayments for OnStandIn {
    async fn create(&self, transaction: &TransactionId, amount: Money, outcome: SandboxOutcome) -> PortResult<()> {
        if self.stand_in.make(transaction.as_str(), amount, outcome) {
            return Ok(());
        }
        Err(PortError::Damaged { port: "payments", reason: "made with another amount or outcome".to_owned() })
    }
}

pub(crate) fn booking(number: u32) -> BookingId {
    format!("booking_{number}").parse().unwrap()
}

pub(crate) fn transaction(number: u32) -> TransactionId {
    format!("pi_{number}").parse().unwrap()
}

pub(crate) fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

pub(crate) fn refund_of(of: u32, number: u32, amount: i64) -> Refund {
    Refund { booking: booking(of), transaction: transaction(of), number, amount: euros(amount) }
}
