//! A payment provider that is not waited for without end.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{Authorisation, PaymentStanding, Payments, Refund, Refunded},
    },
};

/// A provider whose every answer comes within a time, or counts as none.
pub(crate) struct WithTimeout {
    pub(crate) provider: Arc<dyn Payments>,
    pub(crate) timeout: Duration,
}

impl WithTimeout {
    async fn within<T>(&self, answer: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        tokio::time::timeout(self.timeout, answer).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} ms", self.timeout.as_millis());
            Err(PortError::Unavailable { port: "payments", reason })
        })
    }
}

#[async_trait]
impl Payments for WithTimeout {
    async fn authorise(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        due: Money,
    ) -> PortResult<Authorisation> {
        self.within(self.provider.authorise(booking, transaction, due)).await
    }

    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        self.within(self.provider.capture(booking, transaction)).await
    }

    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        self.within(self.provider.void(booking, transaction)).await
    }

    async fn refund(&self, refund: &Refund) -> PortResult<Refunded> {
        self.within(self.provider.refund(refund)).await
    }

    async fn standing(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        self.within(self.provider.standing(transaction)).await
    }
}
