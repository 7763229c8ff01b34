//! What Stripe answers, as far as Weir reads it. Nothing of a card is among it, nor the client's secret.

use std::{collections::HashMap, fmt};

use booking_core::{id::BookingId, money::Money};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// The metadata that says which booking an intent, or a refund, is of.
pub(super) const BOOKING: &str = "weir_booking";
/// The metadata that says which of the booking's refunds one is.
pub(super) const NUMBER: &str = "weir_refund";
/// Why an intent is cancelled whose payment was declined.
pub(super) const ABANDONED: &str = "abandoned";
/// Why an intent is cancelled whose money is given back.
pub(super) const GIVEN_BACK: &str = "requested_by_customer";
/// The longest text of Stripe's that is passed on, in characters.
const MAX_TEXT: usize = 200;

/// `PaymentIntent`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Intent {
    pub(super) status: IntentStatus,
    amount: i64,
    #[serde(default)]
    amount_capturable: i64,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    #[serde(default)]
    capture_method: String,
    #[serde(default, deserialize_with = "null_is_none")]
    metadata: HashMap<String, String>,
    #[serde(default)]
    last_payment_error: Option<PaymentError>,
    #[serde(default)]
    cancellation_reason: Option<String>,
    #[serde(default)]
    latest_charge: Option<Charge>,
}

/// Where an intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Canceled,
    Succeeded,
    /// One that this version does not know: nobody's money yet.
    #[serde(other)]
    Unknown,
}

/// Why the last try to pay failed.
#[derive(Debug, Clone, Deserialize)]
struct PaymentError {
    #[serde(default)]
    message: Option<String>,
}

/// The charge of an intent, whole where that was asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Charge {
    Whole { amount_refunded: i64 },
    Other(serde::de::IgnoredAny),
}

impl Intent {
    /// How much is set aside, was taken, or would be. Zero-decimal currencies are in their own units here as in Weir.
    pub(super) fn money(&self) -> Option<Money> {
        let amount = match self.status {
            IntentStatus::RequiresCapture => self.amount_capturable,
            IntentStatus::Succeeded => self.amount_received,
            _ => self.amount,
        };
        Some(Money { amount, currency: self.currency.to_ascii_uppercase().parse().ok()? })
    }

    pub(super) fn shown_currency(&self) -> String {
        readable(&self.currency)
    }

    pub(super) fn is_bound(&self) -> bool {
        self.booking().is_some()
    }

    pub(super) fn is_of(&self, booking: &BookingId) -> bool {
        self.booking() == Some(booking.as_str())
    }

    pub(super) fn is_of_another(&self, booking: &BookingId) -> bool {
        self.is_bound() && !self.is_of(booking)
    }

    pub(super) fn booking(&self) -> Option<&str> {
        self.metadata.get(BOOKING).map(String::as_str).filter(|booking| !booking.is_empty())
    }

    pub(super) fn is_captured_by_hand(&self) -> bool {
        self.capture_method == "manual"
    }

    /// Whether it was cancelled because it was declined.
    pub(super) fn is_abandoned(&self) -> bool {
        self.cancellation_reason.as_deref() == Some(ABANDONED)
    }

    /// Why the last try to pay failed, for the buyer.
    pub(super) fn why_declined(&self) -> Option<String> {
        let error = self.last_payment_error.as_ref()?;
        let message = error.message.as_deref().map(readable).filter(|message| !message.is_empty());
        Some(message.unwrap_or_else(|| "The card was declined.".to_owned()))
    }

    /// How much was refunded, in minor units.
    pub(super) fn refunded(&self) -> i64 {
        match self.latest_charge {
            Some(Charge::Whole { amount_refunded }) => amount_refunded,
            Some(Charge::Other(_)) | None => 0,
        }
    }
}

impl fmt::Display for IntentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequiresPaymentMethod => "without a card",
            Self::RequiresConfirmation => "not confirmed by the buyer",
            Self::RequiresAction => "waiting for the buyer's bank",
            Self::Processing => "being processed",
            Self::RequiresCapture => "set aside",
            Self::Canceled => "cancelled",
            Self::Succeeded => "taken",
            Self::Unknown => "in a state that is not known here",
        })
    }
}

/// `Refund`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Made {
    pub(super) id: String,
    pub(super) amount: i64,
    #[serde(default)]
    pub(super) status: RefundStatus,
    #[serde(default)]
    failure_reason: Option<String>,
    #[serde(default, deserialize_with = "null_is_none")]
    metadata: HashMap<String, String>,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    Failed,
    Canceled,
    /// Done, or on its way.
    #[default]
    #[serde(other)]
    UnderWay,
}

impl Made {
    pub(super) fn is(&self, booking: &BookingId, number: u32) -> bool {
        let text = |key| self.metadata.get(key).map(String::as_str);
        text(BOOKING) == Some(booking.as_str()) && text(NUMBER) == Some(&number.to_string())
    }

    pub(super) fn why_failed(&self) -> String {
        match self.failure_reason.as_deref().map(readable) {
            Some(why) => format!("The refund failed: {}.", why.replace('_', " ")),
            None => "The refund was cancelled.".to_owned(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// Why Stripe refuses what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    kind: String,
    code: String,
    message: String,
}

impl Refusal {
    /// Reads an answer that is no success, as far as it can be read.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Wrapped {
            error: Whole,
        }
        #[derive(Deserialize)]
        struct Whole {
            #[serde(default, rename = "type")]
            kind: Option<String>,
            #[serde(default)]
            code: Option<String>,
            #[serde(default)]
            message: Option<String>,
        }
        let text = |text: Option<String>| text.as_deref().map(readable).unwrap_or_default();
        match serde_json::from_slice(body) {
            Ok(Wrapped { error: Whole { kind, code, message } }) => {
                Self { status, kind: text(kind), code: text(code), message: text(message) }
            }
            Err(_) => Self { status, ..Self::default() },
        }
    }

    /// An idempotency key that was used with something else.
    pub(super) fn is_of_idempotency(&self) -> bool {
        self.kind == "idempotency_error"
    }

    /// Whether asking again can't help: not where something was wrong with us, or the account is short of money.
    pub(super) fn is_for_good(&self) -> bool {
        let passes = ["balance", "insufficient_funds", "rate_limit", "lock_timeout", "api_key", "parameter_unknown"];
        matches!(self.status, 400 | 402 | 404) && !passes.iter().any(|word| self.code.contains(word))
    }

    /// Why, for a person.
    pub(super) fn reason(&self) -> String {
        if self.message.is_empty() { format!("Stripe answered {}.", self.status) } else { self.message.clone() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, kind, code, message } = self;
        write!(f, "{status}")?;
        let words = [kind, code, message];
        words.iter().filter(|word| !word.is_empty()).try_for_each(|word| write!(f, ", {word}"))
    }
}

/// Reads what Stripe answered.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        // Not serde's own words: they may quote the answer.
        format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column())
    })
}

/// A text of Stripe's in one line that is not too long.
fn readable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

fn null_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(json: &str) -> Result<Intent, String> {
        read(json.as_bytes())
    }

    #[test]
    fn odd_answers_are_errors_that_quote_nothing() {
        let whole =
            r#"{"status":"succeeded","amount":1,"amount_received":1,"currency":"eur","client_secret":"hidden"}"#;
        assert!(intent(whole).is_ok());
        assert!(!format!("{:?}", intent(whole)).contains("hidden"));
        for cut in 0..whole.len() {
            assert!(intent(&whole[..cut]).is_err());
        }
        for odd in
            ["[]", "null", "7", r#"{"status":1}"#, r#"{"status":"succeeded","amount":"hidden","currency":"eur"}"#]
        {
            assert!(!intent(odd).unwrap_err().contains("hidden"), "{odd}");
        }
    }

    #[test]
    fn a_field_that_is_missing_or_null_is_nothing() {
        let json = r#"{"status":"later","amount":500,"currency":"jpy","metadata":null,"latest_charge":"ch_1",
                       "last_payment_error":null,"cancellation_reason":null}"#;
        let intent = intent(json).unwrap();
        assert_eq!(intent.status, IntentStatus::Unknown);
        assert_eq!(intent.money(), Some(Money { amount: 500, currency: "JPY".parse().unwrap() }));
        assert!(!intent.is_bound() && !intent.is_captured_by_hand() && intent.why_declined().is_none());
        assert_eq!(intent.refunded(), 0);
    }

    #[test]
    fn what_is_set_aside_counts_and_not_what_was_wanted() {
        let json = r#"{"status":"requires_capture","amount":500,"amount_capturable":400,"currency":"eur"}"#;
        assert_eq!(intent(json).unwrap().money().map(|money| money.amount), Some(400));
    }

    #[test]
    fn a_refusal_that_is_no_json_still_has_its_status() {
        assert_eq!(Refusal::of(502, b"<html>").to_string(), "502");
        let told = Refusal::of(400, br#"{"error":{"type":"invalid_request_error","message":"a\nb"}}"#);
        assert_eq!(told.to_string(), "400, invalid_request_error, a b");
        assert!(told.is_for_good() && !told.is_of_idempotency());
        assert!(!Refusal::of(400, br#"{"error":{"code":"balance_insufficient"}}"#).is_for_good());
    }
}
