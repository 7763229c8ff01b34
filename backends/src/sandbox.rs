//! The sandbox provider's rule, for whichever store keeps its payments.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{
            Authorisation, DueNotice, NOTICE_LEASE_MS, Notice, PaymentStanding, PaymentStatus, Refund, Refunded,
            SandboxOrder, SandboxOutcome,
        },
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

const PORT: &str = "payments";

/// One payment of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SandboxPayment {
    amount: Money,
    outcome: SandboxOutcome,
    status: PaymentStatus,
    /// What it pays for, once it was asked to.
    booking: Option<BookingId>,
    /// What was refunded, by the refund's number, in minor units.
    #[serde(default)]
    refunds: BTreeMap<u32, i64>,
    /// How much later the first authorisation is answered.
    #[serde(default)]
    delay_ms: u32,
    /// What its notices are about, and how long after it was made they were to be sent.
    #[serde(default)]
    notices_of: Option<BookingId>,
    #[serde(default)]
    notices_ms: Vec<u32>,
    /// Those that were not sent yet, by number, and when they are given out next.
    #[serde(default)]
    unsent: BTreeMap<u32, Timestamp>,
}

impl SandboxPayment {
    /// A payment that will go as `order` says.
    pub(crate) fn new(order: &SandboxOrder, now: Timestamp) -> Self {
        let due = order.notices_ms.iter().map(|ms| now.plus_millis(i64::from(*ms)));
        Self {
            amount: order.amount,
            outcome: order.outcome,
            status: PaymentStatus::Created,
            booking: None,
            refunds: BTreeMap::new(),
            delay_ms: order.delay_ms,
            notices_of: order.booking.clone(),
            notices_ms: order.notices_ms.clone(),
            unsent: (0..).zip(due).collect(),
        }
    }

    /// When the next of its notices is given out.
    pub(crate) fn tell_at(&self) -> Option<Timestamp> {
        self.unsent.values().min().copied().filter(|_| self.notices_of.is_some())
    }

    /// Gives out the notices that are due at `now`.
    pub(crate) fn take_due(&mut self, id: &TransactionId, now: Timestamp) -> Vec<DueNotice> {
        let Some(booking) = &self.notices_of else { return Vec::new() };
        let notice = Notice { booking: booking.clone(), transaction: id.clone(), amount: self.amount };
        let due = self.unsent.iter_mut().filter(|(_, at)| **at <= now);
        due.map(|(number, at)| {
            *at = now.plus_millis(NOTICE_LEASE_MS);
            DueNotice { number: *number, notice: notice.clone() }
        })
        .collect()
    }

    /// Notes that a notice was sent.
    pub(crate) fn sent(&mut self, number: u32) {
        self.unsent.remove(&number);
    }

    /// How much later an authorisation that is asked for now is answered.
    pub(crate) fn delay(&self) -> Duration {
        let is_first = self.status == PaymentStatus::Created;
        Duration::from_millis(if is_first { self.delay_ms.into() } else { 0 })
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> PaymentStanding {
        PaymentStanding { status: self.status, amount: self.amount, refunded: self.refunds.values().sum() }
    }

    /// Whether making `order` again under the same id is making this one.
    ///
    /// # Errors
    /// [`PortError::Damaged`] if it is not.
    pub(crate) fn is_again(&self, id: &TransactionId, order: &SandboxOrder) -> PortResult<()> {
        let SandboxOrder { amount, outcome, delay_ms, booking, notices_ms } = order;
        let is_same = (&self.amount, &self.outcome, &self.delay_ms) == (amount, outcome, delay_ms)
            && (&self.notices_of, &self.notices_ms) == (booking, notices_ms);
        if is_same { Ok(()) } else { Err(damaged(format!("{id} was made as another payment"))) }
    }

    /// What an unknown transaction is answered.
    pub(crate) fn unknown() -> Authorisation {
        Authorisation::Declined("The payment is not known.".to_owned())
    }

    /// Sets `due` aside for `booking`. What the payment is afterwards is to be kept, whatever the answer.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] where it was made never to answer.
    pub(crate) fn authorise(&mut self, booking: &BookingId, due: Money) -> PortResult<Authorisation> {
        if self.booking.as_ref().is_some_and(|paid| paid != booking) {
            return Ok(Authorisation::Declined("The payment is for another booking.".to_owned()));
        }
        if self.amount != due {
            return Ok(Authorisation::AmountMismatch(self.amount));
        }
        match (self.status, self.outcome) {
            (PaymentStatus::Created, outcome) => {
                self.booking = Some(booking.clone());
                match outcome {
                    SandboxOutcome::Approve | SandboxOutcome::RefuseRefund => {
                        self.status = PaymentStatus::Authorised;
                        Ok(Authorisation::Approved)
                    }
                    SandboxOutcome::Decline => {
                        self.status = PaymentStatus::Declined;
                        Ok(declined())
                    }
                    SandboxOutcome::Timeout => Err(no_answer()),
                    SandboxOutcome::TimeoutAuthorised => {
                        self.status = PaymentStatus::Authorised;
                        Err(no_answer())
                    }
                }
            }
            (PaymentStatus::Authorised | PaymentStatus::Captured, _) => Ok(Authorisation::Approved),
            (PaymentStatus::Declined, _) => Ok(declined()),
            (PaymentStatus::Voided, _) => Ok(Authorisation::Declined("The payment was given back.".to_owned())),
        }
    }

    /// Takes what was set aside for `booking`.
    ///
    /// # Errors
    /// [`PortError::Damaged`] where nothing is.
    pub(crate) fn capture(&mut self, id: &TransactionId, booking: &BookingId) -> PortResult<()> {
        match self.status {
            PaymentStatus::Authorised | PaymentStatus::Captured if self.booking.as_ref() == Some(booking) => {
                self.status = PaymentStatus::Captured;
                Ok(())
            }
            _ => Err(Self::nothing_to_take(id, booking)),
        }
    }

    /// The error of taking what is not set aside.
    pub(crate) fn nothing_to_take(id: &TransactionId, booking: &BookingId) -> PortError {
        damaged(format!("{id} has nothing set aside for {booking}"))
    }

    /// Gives back what was set aside for `booking` and not taken.
    ///
    /// # Errors
    /// [`PortError::Damaged`] where it was taken.
    pub(crate) fn void(&mut self, id: &TransactionId, booking: &BookingId) -> PortResult<()> {
        // Nothing was asked yet: whoever asks later, from before the void, must not be given anything.
        if self.booking.get_or_insert_with(|| booking.clone()) != booking {
            return Ok(());
        }
        match self.status {
            PaymentStatus::Created | PaymentStatus::Authorised => self.status = PaymentStatus::Voided,
            PaymentStatus::Voided | PaymentStatus::Declined => {}
            PaymentStatus::Captured => return Err(damaged(format!("{id} was taken; it can't be voided any more"))),
        }
        Ok(())
    }

    /// Refunds some of what was taken.
    ///
    /// # Errors
    /// [`PortError::Damaged`] where the number was another refund's.
    pub(crate) fn refund(&mut self, refund: &Refund) -> PortResult<Refunded> {
        let Refund { booking, number, amount, .. } = refund;
        if self.booking.as_ref() != Some(booking) || self.status != PaymentStatus::Captured {
            return Ok(Self::nothing_to_refund(refund));
        }
        if let Some(before) = self.refunds.get(number) {
            let is_again = *before == amount.amount && self.amount.currency == amount.currency;
            let other = || damaged(format!("refund {number} of {booking} was made with another amount"));
            return if is_again { Ok(Refunded::Done) } else { Err(other()) };
        }
        if self.outcome == SandboxOutcome::RefuseRefund {
            return Ok(Refunded::Refused("The card can't take money back.".to_owned()));
        }
        let left = self.amount.amount - self.refunds.values().sum::<i64>();
        if amount.currency != self.amount.currency || amount.amount <= 0 || amount.amount > left {
            return Ok(Refunded::Refused(format!("Of this payment {left} {} are left.", self.amount.currency)));
        }
        self.refunds.insert(*number, amount.amount);
        Ok(Refunded::Done)
    }

    /// The answer to a refund of what was not taken.
    pub(crate) fn nothing_to_refund(refund: &Refund) -> Refunded {
        Refunded::Refused(format!("Nothing was taken from {} for {}.", refund.transaction, refund.booking))
    }
}

/// Payments at hand, by their id.
pub(crate) type PaymentsAtHand = HashMap<TransactionId, SandboxPayment>;

/// What the sandbox is asked for, where many who ask are answered together.
#[derive(Debug)]
pub(crate) enum Ask {
    Create { transaction: TransactionId, order: SandboxOrder, now: Timestamp },
    TakeDue { transaction: TransactionId, now: Timestamp },
    Sent { transaction: TransactionId, number: u32 },
    Authorise { booking: BookingId, transaction: TransactionId, due: Money },
    Capture { booking: BookingId, transaction: TransactionId },
    Void { booking: BookingId, transaction: TransactionId },
    Refund(Refund),
}

/// What it answers. A refusal is an answer like any other, and what it changed is kept.
#[derive(Debug)]
pub(crate) enum Told {
    Done(PortResult<()>),
    /// With how much later it is answered.
    Authorised(PortResult<Authorisation>, Duration),
    Due(Vec<DueNotice>),
    Refunded(PortResult<Refunded>),
}

impl Ask {
    /// The payment that it is about.
    pub(crate) fn transaction(&self) -> &TransactionId {
        match self {
            Self::Create { transaction, .. }
            | Self::TakeDue { transaction, .. }
            | Self::Sent { transaction, .. }
            | Self::Authorise { transaction, .. }
            | Self::Capture { transaction, .. }
            | Self::Void { transaction, .. }
            | Self::Refund(Refund { transaction, .. }) => transaction,
        }
    }

    /// Decides it. What `payments` are afterwards is to be kept.
    pub(crate) fn decide(&self, payments: &mut PaymentsAtHand) -> Told {
        match self {
            Self::Create { transaction, order, now } => {
                let made = payments.entry(transaction.clone()).or_insert_with(|| SandboxPayment::new(order, *now));
                Told::Done(made.is_again(transaction, order))
            }
            Self::TakeDue { transaction, now } => {
                let payment = payments.get_mut(transaction);
                Told::Due(payment.map_or_else(Vec::new, |payment| payment.take_due(transaction, *now)))
            }
            Self::Sent { transaction, number } => {
                if let Some(payment) = payments.get_mut(transaction) {
                    payment.sent(*number);
                }
                Told::Done(Ok(()))
            }
            Self::Authorise { booking, transaction, due } => match payments.get_mut(transaction) {
                Some(payment) => {
                    let delay = payment.delay();
                    Told::Authorised(payment.authorise(booking, *due), delay)
                }
                None => Told::Authorised(Ok(SandboxPayment::unknown()), Duration::ZERO),
            },
            Self::Capture { booking, transaction } => Told::Done(match payments.get_mut(transaction) {
                Some(payment) => payment.capture(transaction, booking),
                None => Err(SandboxPayment::nothing_to_take(transaction, booking)),
            }),
            Self::Void { booking, transaction } => {
                Told::Done(payments.get_mut(transaction).map_or(Ok(()), |payment| payment.void(transaction, booking)))
            }
            Self::Refund(refund) => Told::Refunded(match payments.get_mut(&refund.transaction) {
                Some(payment) => payment.refund(refund),
                None => Ok(SandboxPayment::nothing_to_refund(refund)),
            }),
        }
    }
}

impl Told {
    /// The answer to whatever was neither an authorisation nor a refund.
    pub(crate) fn done(self) -> PortResult<()> {
        if let Self::Done(answer) = self { answer } else { Err(of_another_question()) }
    }

    /// The answer to an authorisation, once its time has come.
    pub(crate) async fn authorised(self) -> PortResult<Authorisation> {
        let Self::Authorised(answer, delay) = self else { return Err(of_another_question()) };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        answer
    }

    /// The notices that are due.
    pub(crate) fn due(self) -> PortResult<Vec<DueNotice>> {
        if let Self::Due(due) = self { Ok(due) } else { Err(of_another_question()) }
    }

    /// The answer to a refund.
    pub(crate) fn refunded(self) -> PortResult<Refunded> {
        if let Self::Refunded(answer) = self { answer } else { Err(of_another_question()) }
    }
}

/// The ports of a store whose `ask` carries an [`Ask`] out, whose `$standing` looks one payment up, and whose `$due` finds
/// payments with notices that are due.
macro_rules! sandbox_verbs {
    ($store:ty, $standing:ident, $due:ident) => {
        #[async_trait::async_trait]
        impl booking_core::ports::payments::Payments for $store {
            async fn authorise(
                &self,
                booking: &BookingId,
                transaction: &TransactionId,
                due: Money,
            ) -> PortResult<booking_core::ports::payments::Authorisation> {
                let (booking, transaction) = (booking.clone(), transaction.clone());
                self.ask(Ask::Authorise { booking, transaction, due }).await?.authorised().await
            }

            async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
                let (booking, transaction) = (booking.clone(), transaction.clone());
                self.ask(Ask::Capture { booking, transaction }).await?.done()
            }

            async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
                let (booking, transaction) = (booking.clone(), transaction.clone());
                self.ask(Ask::Void { booking, transaction }).await?.done()
            }

            async fn refund(
                &self,
                refund: &booking_core::ports::payments::Refund,
            ) -> PortResult<booking_core::ports::payments::Refunded> {
                self.ask(Ask::Refund(refund.clone())).await?.refunded()
            }

            async fn standing(
                &self,
                transaction: &TransactionId,
            ) -> PortResult<Option<booking_core::ports::payments::PaymentStanding>> {
                self.$standing(transaction).await
            }
        }

        #[async_trait::async_trait]
        impl booking_core::ports::payments::SandboxPayments for $store {
            async fn create(
                &self,
                transaction: &TransactionId,
                amount: Money,
                outcome: booking_core::ports::payments::SandboxOutcome,
            ) -> PortResult<()> {
                use booking_core::ports::payments::{Sandbox as _, SandboxOrder};
                let order = SandboxOrder::plain(amount, outcome);
                self.order(transaction, &order, booking_core::time::Timestamp::default()).await
            }
        }

        #[async_trait::async_trait]
        impl booking_core::ports::payments::Sandbox for $store {
            async fn order(
                &self,
                transaction: &TransactionId,
                order: &booking_core::ports::payments::SandboxOrder,
                now: booking_core::time::Timestamp,
            ) -> PortResult<()> {
                let (transaction, order) = (transaction.clone(), order.clone());
                self.ask(Ask::Create { transaction, order, now }).await?.done()
            }

            async fn due_notices(
                &self,
                now: booking_core::time::Timestamp,
                max: usize,
            ) -> PortResult<Vec<booking_core::ports::payments::DueNotice>> {
                let mut notices = Vec::new();
                for transaction in self.$due(now, max).await? {
                    notices.extend(self.ask(Ask::TakeDue { transaction, now }).await?.due()?);
                }
                Ok(notices)
            }

            async fn notice_sent(&self, due: &booking_core::ports::payments::DueNotice) -> PortResult<()> {
                let (transaction, number) = (due.notice.transaction.clone(), due.number);
                self.ask(Ask::Sent { transaction, number }).await?.done()
            }
        }
    };
}
pub(crate) use sandbox_verbs;

fn declined() -> Authorisation {
    Authorisation::Declined("The card was declined.".to_owned())
}

fn no_answer() -> PortError {
    PortError::Unavailable { port: PORT, reason: "the provider did not answer".to_owned() }
}

fn of_another_question() -> PortError {
    damaged("another question was answered".to_owned())
}

fn damaged(reason: String) -> PortError {
    PortError::Damaged { port: PORT, reason }
}
