//! The sandbox provider in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{
            Authorisation, DueNotice, PaymentStanding, Payments, Refund, Refunded, Sandbox, SandboxOrder,
            SandboxOutcome, SandboxPayments,
        },
    },
    time::Timestamp,
};

use super::locked;
use crate::sandbox::SandboxPayment;

/// The most payments it keeps: beyond them no more are made.
const MAX_PAYMENTS: usize = 1 << 22;

/// A sandbox in memory; its clones share it. The same acts in the same order always go the same way.
#[derive(Debug, Clone, Default)]
pub struct MemoryPayments(Arc<Mutex<HashMap<TransactionId, SandboxPayment>>>);

#[async_trait]
impl Payments for MemoryPayments {
    async fn authorise(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        due: Money,
    ) -> PortResult<Authorisation> {
        let (answer, delay) = match locked(&self.0).get_mut(transaction) {
            Some(payment) => {
                let delay = payment.delay();
                (payment.authorise(booking, due), delay)
            }
            None => return Ok(SandboxPayment::unknown()),
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        answer
    }

    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        match locked(&self.0).get_mut(transaction) {
            Some(payment) => payment.capture(transaction, booking),
            None => Err(SandboxPayment::nothing_to_take(transaction, booking)),
        }
    }

    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        match locked(&self.0).get_mut(transaction) {
            Some(payment) => payment.void(transaction, booking),
            None => Ok(()),
        }
    }

    async fn refund(&self, refund: &Refund) -> PortResult<Refunded> {
        match locked(&self.0).get_mut(&refund.transaction) {
            Some(payment) => payment.refund(refund),
            None => Ok(SandboxPayment::nothing_to_refund(refund)),
        }
    }

    async fn standing(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        Ok(locked(&self.0).get(transaction).map(SandboxPayment::standing))
    }
}

#[async_trait]
impl SandboxPayments for MemoryPayments {
    async fn create(&self, transaction: &TransactionId, amount: Money, outcome: SandboxOutcome) -> PortResult<()> {
        self.order(transaction, &SandboxOrder::plain(amount, outcome), Timestamp::default()).await
    }
}

#[async_trait]
impl Sandbox for MemoryPayments {
    async fn order(&self, transaction: &TransactionId, order: &SandboxOrder, now: Timestamp) -> PortResult<()> {
        let mut payments = locked(&self.0);
        if let Some(made) = payments.get(transaction) {
            return made.is_again(transaction, order);
        }
        if payments.len() >= MAX_PAYMENTS {
            let reason = format!("the sandbox is full with {MAX_PAYMENTS} payments");
            return Err(PortError::Unavailable { port: "payments", reason });
        }
        payments.insert(transaction.clone(), SandboxPayment::new(order, now));
        Ok(())
    }

    async fn due_notices(&self, now: Timestamp, max: usize) -> PortResult<Vec<DueNotice>> {
        let mut payments = locked(&self.0);
        let due = payments.iter_mut().filter(|(_, payment)| payment.tell_at().is_some_and(|at| at <= now));
        Ok(due.take(max).flat_map(|(id, payment)| payment.take_due(id, now)).collect())
    }

    async fn notice_sent(&self, due: &DueNotice) -> PortResult<()> {
        if let Some(payment) = locked(&self.0).get_mut(&due.notice.transaction) {
            payment.sent(due.number);
        }
        Ok(())
    }
}
