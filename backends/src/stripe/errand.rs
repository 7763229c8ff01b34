//! The requests of one verb, and the time that they have together.

use booking_core::{
    id::{BookingId, TransactionId},
    ports::payments::Refund,
};
use tokio::time::Instant;

use super::{
    client::{Call, Client, Failure},
    wire::{BOOKING, Intent, IntentStatus, Made, NUMBER, Page},
};

/// Refunds read at once: the most that Stripe gives.
const REFUNDS_AT_ONCE: &str = "100";
/// Pages of refunds read for one payment; nobody makes more by hand.
const MAX_PAGES: usize = 20;

/// One verb's way through Stripe.
pub(super) struct Errand<'a> {
    client: &'a Client,
    until: Instant,
}

/// Whose an intent is, after it was to be made a booking's.
pub(super) enum Bound {
    Ours(Box<Intent>),
    Anothers,
}

impl<'a> Errand<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Self { client, until: Instant::now() + client.settings().give_up_after }
    }

    /// Looks at nothing in particular.
    pub(super) async fn greet(&self) -> Result<(), Failure> {
        let call = Call::get("/v1/payment_intents".to_owned()).with("limit", "1");
        self.client.ask::<Page<Intent>>(&call, self.until).await.map(drop)
    }

    /// The intent, with its charge; `None` if there is none.
    pub(super) async fn intent(&self, transaction: &TransactionId) -> Result<Option<Intent>, Failure> {
        let call = Call::get(path(transaction, "")).with("expand[]", "latest_charge");
        match self.client.ask(&call, self.until).await {
            Ok(intent) => Ok(Some(intent)),
            Err(Failure::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Makes an intent that is no booking's yet `booking`'s.
    pub(super) async fn bind(&self, booking: &BookingId, transaction: &TransactionId) -> Result<Bound, Failure> {
        // The key does not name the booking: with another one, Stripe finds that the same key asks for something else.
        let call = Call::post(path(transaction, ""), format!("weir-bind-{transaction}"))
            .with(&format!("metadata[{BOOKING}]"), booking.as_str());
        let refusal = match self.client.ask_marked::<Intent>(&call, self.until).await {
            Ok((bound, false)) if bound.is_of(booking) => return Ok(Bound::Ours(Box::new(bound))),
            Ok((_, false)) => return Err(Failure::Odd("metadata that was written is not there".to_owned())),
            // It may have been cancelled since.
            Ok((_, true)) => None,
            Err(Failure::Refused(refusal)) => Some(refusal),
            Err(failure) => return Err(failure),
        };
        match (self.intent(transaction).await?, refusal) {
            (Some(bound), _) if bound.is_of(booking) => Ok(Bound::Ours(Box::new(bound))),
            (Some(bound), _) if bound.is_bound() => Ok(Bound::Anothers),
            (Some(_), Some(refusal)) if refusal.is_of_idempotency() => Ok(Bound::Anothers),
            (_, Some(refusal)) => Err(Failure::Refused(refusal)),
            (_, None) => Err(Failure::Odd("metadata that was written is not there".to_owned())),
        }
    }

    /// Takes all that is set aside.
    pub(super) async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> Result<Intent, Failure> {
        let call = Call::post(path(transaction, "/capture"), once("capture", booking));
        self.client.ask(&call, self.until).await
    }

    /// Cancels it, for `reason`; one that is cancelled stays as it is.
    pub(super) async fn cancel(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        reason: &str,
    ) -> Result<(), Failure> {
        let call =
            Call::post(path(transaction, "/cancel"), once("cancel", booking)).with("cancellation_reason", reason);
        let failure = match self.client.ask::<Intent>(&call, self.until).await {
            Ok(intent) if intent.status == IntentStatus::Canceled => return Ok(()),
            Ok(intent) => Failure::Odd(format!("{transaction} was cancelled and is {}", intent.status)),
            Err(Failure::Refused(refusal)) => Failure::Refused(refusal),
            Err(failure) => return Err(failure),
        };
        // Another try of ours may have been first.
        match self.intent(transaction).await? {
            Some(intent) if intent.status == IntentStatus::Canceled => Ok(()),
            _ => Err(failure),
        }
    }

    /// The refund of this number, if it was made.
    pub(super) async fn refund_made(&self, refund: &Refund) -> Result<Option<Made>, Failure> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut call = Call::get("/v1/refunds".to_owned())
                .with("payment_intent", refund.transaction.as_str())
                .with("limit", REFUNDS_AT_ONCE);
            if let Some(after) = &after {
                call = call.with("starting_after", after);
            }
            let page: Page<Made> = self.client.ask(&call, self.until).await?;
            after = page.data.last().map(|last| last.id.clone());
            if let Some(made) = page.data.into_iter().find(|made| made.is(&refund.booking, refund.number)) {
                return Ok(Some(made));
            }
            if !page.has_more || after.is_none() {
                return Ok(None);
            }
        }
        Err(Failure::Odd(format!("{} has more refunds than anybody makes", refund.transaction)))
    }

    /// Makes the refund.
    pub(super) async fn refund(&self, refund: &Refund) -> Result<Made, Failure> {
        let Refund { booking, transaction, number, amount } = refund;
        let call = Call::post("/v1/refunds".to_owned(), format!("weir-refund-{booking}-{number}"))
            .with("payment_intent", transaction.as_str())
            .with("amount", &amount.amount.to_string())
            .with(&format!("metadata[{BOOKING}]"), booking.as_str())
            .with(&format!("metadata[{NUMBER}]"), &number.to_string());
        self.client.ask(&call, self.until).await
    }
}

/// A transaction's id has nothing in it that an address would have to escape.
fn path(transaction: &TransactionId, verb: &str) -> String {
    format!("/v1/payment_intents/{transaction}{verb}")
}

/// A key for the tries of one request: an intent is captured or cancelled once however often that is asked for, and a
/// key for longer would keep a failure of Stripe's for as long.
fn once(verb: &str, booking: &BookingId) -> String {
    format!("weir-{verb}-{booking}-{:016x}", rand::random::<u64>())
}
