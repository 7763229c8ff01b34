//! Stripe's webhook events, as notices.

use booking_core::{
    id::TransactionId,
    ports::payments::{Notice, NoticeRefused, PaymentNotices},
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    signature,
    wire::{self, Intent, IntentStatus},
};
use crate::Secret;

/// The event that tells of money that was set aside.
const SET_ASIDE: &str = "payment_intent.amount_capturable_updated";

/// The events of one endpoint.
#[derive(Debug, Clone)]
pub struct StripeNotices {
    secrets: Vec<Secret>,
}

impl StripeNotices {
    /// The events that are signed with one of `secrets`: several while one takes another's place.
    pub fn new(secrets: Vec<Secret>) -> Self {
        Self { secrets }
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct OfIntent {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Named,
}

#[derive(Deserialize)]
struct Named {
    id: TransactionId,
    #[serde(flatten)]
    intent: Intent,
}

impl PaymentNotices for StripeNotices {
    fn signature_header(&self) -> &'static str {
        "stripe-signature"
    }

    fn read(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Option<Notice>, NoticeRefused> {
        signature::verify(&self.secrets, signature, body, now)?;
        let Event { kind } = wire::read(body).map_err(|_| NoticeRefused::Unreadable)?;
        if kind != SET_ASIDE {
            return Ok(None);
        }
        let OfIntent { data } = wire::read(body).map_err(|_| NoticeRefused::Unreadable)?;
        let Named { id, intent } = data.object;
        if intent.status != IntentStatus::RequiresCapture {
            return Ok(None);
        }
        // Somebody else's payments may come through the same account.
        let booking = intent.booking().and_then(|booking| booking.parse().ok());
        Ok(booking.zip(intent.money()).map(|(booking, amount)| Notice { booking, transaction: id, amount }))
    }
}

#[cfg(test)]
mod tests {
    use booking_core::money::Money;
    use ring::hmac;
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &[u8]) -> Result<Option<Notice>, NoticeRefused> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"whsec_a");
        let mac = hex::encode(hmac::sign(&key, &[b"1000.", body].concat()));
        let notices = StripeNotices::new(vec![Secret::new("whsec_a")]);
        notices.read(&format!("t=1000,v1={mac}"), body, Timestamp::from_millis(1_000_000))
    }

    fn event() -> Value {
        json!({
            "id": "evt_1", "object": "event", "type": SET_ASIDE,
            "data": { "object": {
                "id": "pi_1", "object": "payment_intent", "status": "requires_capture", "amount": 5_000,
                "amount_capturable": 5_000, "currency": "eur", "capture_method": "manual",
                "metadata": { "weir_booking": "booking_1" }, "latest_charge": "ch_1", "client_secret": "hidden",
            } },
        })
    }

    #[test]
    fn money_that_was_set_aside_for_a_booking_is_a_notice() {
        let notice = read(event().to_string().as_bytes()).unwrap().unwrap();
        let amount = Money { amount: 5_000, currency: "EUR".parse().unwrap() };
        let (booking, transaction) = ("booking_1".parse().unwrap(), "pi_1".parse().unwrap());
        assert_eq!(notice, Notice { booking, transaction, amount });
    }

    #[test]
    fn what_is_signed_and_not_for_us_is_of_no_interest() {
        let with = |pointer: &str, value: Value| {
            let mut event = event();
            *event.pointer_mut(pointer).unwrap() = value;
            read(event.to_string().as_bytes())
        };
        for (pointer, value) in [
            ("/type", json!("charge.succeeded")),
            ("/data/object/status", json!("canceled")),
            ("/data/object/metadata", json!({})),
            ("/data/object/metadata", json!({ "weir_booking": "order 7" })),
            ("/data/object/metadata", Value::Null),
            ("/data/object/currency", json!("")),
        ] {
            assert_eq!(with(pointer, value), Ok(None), "{pointer}");
        }
    }

    #[test]
    fn what_is_signed_and_no_event_is_refused() {
        let no_object = json!({ "type": SET_ASIDE, "data": {} }).to_string();
        for odd in ["", "{}", "null", "[]", "{\"type\":7}", &no_object] {
            assert_eq!(read(odd.as_bytes()), Err(NoticeRefused::Unreadable), "{odd}");
        }
    }
}
