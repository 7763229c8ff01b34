//! The sandbox provider's rule, for whichever store keeps its payments.

use std::collections::{BTreeMap, HashMap};

use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{Authorisation, PaymentStanding, PaymentStatus, Refund, Refunded, SandboxOutcome},
    },
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
}

impl SandboxPayment {
    /// A payment of `amount` that will go as `outcome` says.
    pub(crate) fn new(amount: Money, outcome: SandboxOutcome) -> Self {
        Self { amount, outcome, status: PaymentStatus::Created, booking: None, refunds: BTreeMap::new() }
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> PaymentStanding {
        PaymentStanding { status: self.status, amount: self.amount, refunded: self.refunds.values().sum() }
    }

    /// Whether making `amount` with `outcome` again under the same id is making this one.
    ///
    /// # Errors
    /// [`PortError::Damaged`] if it is not.
    pub(crate) fn is_again(&self, id: &TransactionId, amount: Money, outcome: SandboxOutcome) -> PortResult<()> {
        if self.amount == amount && self.outcome == outcome {
            Ok(())
        } else {
            Err(damaged(format!("{id} was made with another amount or outcome")))
        }
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
    Create { transaction: TransactionId, amount: Money, outcome: SandboxOutcome },
    Authorise { booking: BookingId, transaction: TransactionId, due: Money },
    Capture { booking: BookingId, transaction: TransactionId },
    Void { booking: BookingId, transaction: TransactionId },
    Refund(Refund),
}

/// What it answers. A refusal is an answer like any other, and what it changed is kept.
#[derive(Debug)]
pub(crate) enum Told {
    Done(PortResult<()>),
    Authorised(PortResult<Authorisation>),
    Refunded(PortResult<Refunded>),
}

impl Ask {
    /// The payment that it is about.
    pub(crate) fn transaction(&self) -> &TransactionId {
        match self {
            Self::Create { transaction, .. }
            | Self::Authorise { transaction, .. }
            | Self::Capture { transaction, .. }
            | Self::Void { transaction, .. }
            | Self::Refund(Refund { transaction, .. }) => transaction,
        }
    }

    /// Decides it. What `payments` are afterwards is to be kept.
    pub(crate) fn decide(&self, payments: &mut PaymentsAtHand) -> Told {
        match self {
            Self::Create { transaction, amount, outcome } => {
                let made =
                    payments.entry(transaction.clone()).or_insert_with(|| SandboxPayment::new(*amount, *outcome));
                Told::Done(made.is_again(transaction, *amount, *outcome))
            }
            Self::Authorise { booking, transaction, due } => {
                let payment = payments.get_mut(transaction);
                Told::Authorised(
                    payment.map_or_else(|| Ok(SandboxPayment::unknown()), |payment| payment.authorise(booking, *due)),
                )
            }
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

    /// The answer to an authorisation.
    pub(crate) fn authorised(self) -> PortResult<Authorisation> {
        if let Self::Authorised(answer) = self { answer } else { Err(of_another_question()) }
    }

    /// The answer to a refund.
    pub(crate) fn refunded(self) -> PortResult<Refunded> {
        if let Self::Refunded(answer) = self { answer } else { Err(of_another_question()) }
    }
}

/// The ports of a store whose `ask` carries an [`Ask`] out and whose `$standing` looks one payment up.
macro_rules! sandbox_verbs {
    ($store:ty, $standing:ident) => {
        #[async_trait::async_trait]
        impl booking_core::ports::payments::Payments for $store {
            async fn authorise(
                &self,
                booking: &BookingId,
                transaction: &TransactionId,
                due: Money,
            ) -> PortResult<booking_core::ports::payments::Authorisation> {
                let (booking, transaction) = (booking.clone(), transaction.clone());
                self.ask(Ask::Authorise { booking, transaction, due }).await?.authorised()
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
                let transaction = transaction.clone();
                self.ask(Ask::Create { transaction, amount, outcome }).await?.done()
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
