//! Stripe behind the payment provider's port: `PaymentIntent`s that are captured by hand.
//!
//! Somebody with the secret key makes the intent (`capture_method=manual`), the buyer pays it in the browser, and Weir
//! gets its id as the transaction. Stripe alone says how much it is and whether the money is set aside. To pay for one
//! booking only, an intent carries the booking's id in its metadata: written once, under an idempotency key that is made
//! of the transaction alone, so that of two bookings that ask at once the second one is refused by Stripe itself.
//!
//! Idempotency keys are forgotten after a day, and keep a failure as long as a success. So a verb never relies on them
//! alone: it looks first, acts, and looks again where it was refused.

use std::fmt;

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{Authorisation, PaymentStanding, PaymentStatus, Payments, Refund, Refunded},
    },
};

mod client;
mod errand;
mod notices;
mod settings;
mod signature;
mod wire;

use client::{Client, Failure};
use errand::{Bound, Errand};
use wire::{Intent, IntentStatus, Made, RefundStatus};

pub use notices::StripeNotices;
pub use settings::StripeSettings;

const PORT: &str = "payments";

/// The provider; its clones share its connections.
#[derive(Clone)]
pub struct StripePayments {
    client: Client,
}

impl StripePayments {
    /// A provider by `settings`. Nothing is asked of Stripe yet.
    ///
    /// # Errors
    /// If a setting can't work.
    pub fn new(settings: StripeSettings) -> PortResult<Self> {
        if let Some(complaint) = settings.complaint() {
            return Err(unavailable(complaint));
        }
        Ok(Self { client: Client::new(settings).map_err(unavailable)? })
    }

    /// Asks Stripe something that changes nothing: whether it can be reached and takes the key.
    ///
    /// # Errors
    /// If it can't, or does not.
    pub async fn examine(&self) -> PortResult<()> {
        self.errand().greet().await.map_err(port_error)
    }

    fn errand(&self) -> Errand<'_> {
        Errand::new(&self.client)
    }
}

impl fmt::Debug for StripePayments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StripePayments")
    }
}

#[async_trait]
impl Payments for StripePayments {
    async fn authorise(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        due: Money,
    ) -> PortResult<Authorisation> {
        let errand = self.errand();
        let Some(mut intent) = errand.intent(transaction).await.map_err(port_error)? else {
            return Ok(declined("The payment is not known."));
        };
        let of_another = || Ok(declined("The payment is for another booking."));
        if intent.is_of_another(booking) {
            return of_another();
        }
        let money = money(&intent)?;
        if money != due {
            return Ok(Authorisation::AmountMismatch(money));
        }
        if !intent.is_captured_by_hand() {
            return Ok(declined("The payment takes the money at once; it has to set it aside first."));
        }
        let is_final = matches!(intent.status, IntentStatus::Succeeded | IntentStatus::Canceled);
        if !is_final && !intent.is_of(booking) {
            match errand.bind(booking, transaction).await.map_err(port_error)? {
                Bound::Ours(bound) => intent = *bound,
                Bound::Anothers => return of_another(),
            }
        }
        match intent.status {
            IntentStatus::RequiresCapture if self::money(&intent)? == due => Ok(Authorisation::Approved),
            IntentStatus::Succeeded if intent.is_of(booking) => Ok(Authorisation::Approved),
            IntentStatus::RequiresCapture => Ok(Authorisation::AmountMismatch(self::money(&intent)?)),
            IntentStatus::Succeeded => Ok(declined("The payment was taken for something else.")),
            IntentStatus::Canceled => Ok(match intent.why_declined() {
                Some(why) if intent.is_abandoned() => Authorisation::Declined(why),
                _ => declined("The payment was given back."),
            }),
            IntentStatus::RequiresPaymentMethod => {
                let why = intent.why_declined().unwrap_or_else(|| "The payment was not made.".to_owned());
                // What was declined stays declined: no other card may be tried on it that nobody would give back.
                errand.cancel(booking, transaction, wire::ABANDONED).await.map_err(port_error)?;
                Ok(Authorisation::Declined(why))
            }
            // The buyer, or the buyer's bank, is still at it.
            status => Err(unavailable(format!("{transaction} is not paid yet ({status})"))),
        }
    }

    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        let errand = self.errand();
        let nothing = || damaged(format!("{transaction} has nothing set aside for {booking}"));
        let intent = errand
            .intent(transaction)
            .await
            .map_err(port_error)?
            .filter(|intent| intent.is_of(booking))
            .ok_or_else(nothing)?;
        match intent.status {
            IntentStatus::Succeeded => return Ok(()),
            IntentStatus::RequiresCapture => {}
            _ => return Err(nothing()),
        }
        let refused = match errand.capture(booking, transaction).await {
            Ok(intent) if intent.status == IntentStatus::Succeeded => return Ok(()),
            Ok(intent) => return Err(damaged(format!("{transaction} was captured and is {}", intent.status))),
            Err(Failure::Refused(refusal)) => refusal,
            Err(failure) => return Err(port_error(failure)),
        };
        // Another try of ours may have been first.
        match errand.intent(transaction).await.map_err(port_error)? {
            Some(intent) if intent.status == IntentStatus::Succeeded => Ok(()),
            _ => Err(port_error(Failure::Refused(refused))),
        }
    }

    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        let errand = self.errand();
        let Some(mut intent) =
            errand.intent(transaction).await.map_err(port_error)?.filter(|intent| !intent.is_of_another(booking))
        else {
            return Ok(());
        };
        match intent.status {
            IntentStatus::Canceled => return Ok(()),
            IntentStatus::Succeeded if !intent.is_of(booking) => return Ok(()),
            _ => {}
        }
        if !intent.is_of(booking) {
            // Nothing was asked yet: whoever asks later, from before the void, must not be given anything; and what
            // is another's a moment later must not be cancelled.
            match errand.bind(booking, transaction).await.map_err(port_error)? {
                Bound::Ours(bound) => intent = *bound,
                Bound::Anothers => return Ok(()),
            }
        }
        if intent.status == IntentStatus::Succeeded {
            return Err(taken(transaction));
        }
        errand.cancel(booking, transaction, wire::GIVEN_BACK).await.map_err(port_error)
    }

    async fn refund(&self, refund: &Refund) -> PortResult<Refunded> {
        let errand = self.errand();
        let nothing = || {
            let Refund { booking, transaction, .. } = refund;
            Ok(Refunded::Refused(format!("Nothing was taken from {transaction} for {booking}.")))
        };
        let Some(intent) = errand.intent(&refund.transaction).await.map_err(port_error)? else { return nothing() };
        if !intent.is_of(&refund.booking) || intent.status != IntentStatus::Succeeded {
            return nothing();
        }
        if money(&intent)?.currency != refund.amount.currency || refund.amount.amount <= 0 {
            let (Money { amount, currency }, of) = (refund.amount, money(&intent)?.currency);
            return Ok(Refunded::Refused(format!("A payment in {of} can't give back {amount} {currency}.")));
        }
        if let Some(made) = errand.refund_made(refund).await.map_err(port_error)? {
            return of_made(refund, &made);
        }
        match errand.refund(refund).await {
            Ok(made) => of_made(refund, &made),
            Err(Failure::Refused(refusal)) if refusal.is_of_idempotency() => {
                // The key was another amount's.
                let made = errand.refund_made(refund).await.map_err(port_error)?;
                made.map_or_else(|| Err(port_error(Failure::Refused(refusal))), |made| of_made(refund, &made))
            }
            Err(Failure::Refused(refusal)) if refusal.is_for_good() => Ok(Refunded::Refused(refusal.reason())),
            Err(failure) => Err(port_error(failure)),
        }
    }

    async fn standing(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        let Some(intent) = self.errand().intent(transaction).await.map_err(port_error)? else { return Ok(None) };
        let status = match intent.status {
            IntentStatus::RequiresCapture if intent.is_bound() => PaymentStatus::Authorised,
            IntentStatus::Succeeded => PaymentStatus::Captured,
            IntentStatus::Canceled if intent.is_abandoned() => PaymentStatus::Declined,
            IntentStatus::Canceled => PaymentStatus::Voided,
            _ => PaymentStatus::Created,
        };
        Ok(Some(PaymentStanding { status, amount: money(&intent)?, refunded: intent.refunded() }))
    }
}

/// What a refund that stands at Stripe is to whoever asked for `refund`.
fn of_made(refund: &Refund, made: &Made) -> PortResult<Refunded> {
    if made.amount != refund.amount.amount {
        let Refund { number, booking, .. } = refund;
        return Err(damaged(format!("refund {number} of {booking} was made with another amount")));
    }
    Ok(match made.status {
        RefundStatus::Failed | RefundStatus::Canceled => Refunded::Refused(made.why_failed()),
        RefundStatus::UnderWay => Refunded::Done,
    })
}

/// What the intent is of, in our words.
fn money(intent: &Intent) -> PortResult<Money> {
    intent.money().ok_or_else(|| damaged(format!("Stripe names no currency of ours: '{}'", intent.shown_currency())))
}

fn declined(reason: &str) -> Authorisation {
    Authorisation::Declined(reason.to_owned())
}

fn taken(transaction: &TransactionId) -> PortError {
    damaged(format!("{transaction} was taken; it can't be voided any more"))
}

fn unavailable(reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port: PORT, reason: reason.into() }
}

fn damaged(reason: String) -> PortError {
    PortError::Damaged { port: PORT, reason }
}

fn port_error(failure: Failure) -> PortError {
    match failure {
        Failure::NoAnswer(reason) => unavailable(reason),
        Failure::Odd(reason) => damaged(format!("Stripe answers something else than expected: {reason}")),
        Failure::Refused(refusal) => damaged(format!("Stripe refuses: {refusal}")),
    }
}
