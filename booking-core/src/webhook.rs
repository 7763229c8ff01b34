//! Webhooks: what endpoints outside are told of bookings, and what became of that.
//!
//! What is told is the outbox as `weir.changes` has it, so a webhook needs no store of its own: an endpoint is a group of
//! readers of that log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    booking::{BookingState, MOVED, OutboxRow, REHOUSED},
    catalog::{Event, Venue},
    id::{BookingId, EventId, HookId, UserId},
    money::Currency,
    seats::{SeatId, SeatIndex},
    time::Timestamp,
};

/// The longest name of an endpoint, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// What an endpoint is called: 1 to 32 letters, digits, `-` or `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointName(String);

/// Why a text is no endpoint's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint's name is 1 to {MAX_NAME_BYTES} letters, digits, '-' or '_'")]
pub struct InvalidName;

impl EndpointName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndpointName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if is_plain && (1..=MAX_NAME_BYTES).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName)
        }
    }
}

impl TryFrom<String> for EndpointName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<EndpointName> for String {
    fn from(name: EndpointName) -> Self {
        name.0
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The webhook about `row`, by its id: the same whenever the same row is looked at.
pub fn hook_id(row: &OutboxRow) -> HookId {
    HookId::from_bytes(row.name_for(b"weir/webhook/v1"))
}

/// Whether endpoints are told of `row`; holds come and go too often to be worth telling.
pub fn is_told(row: &OutboxRow) -> bool {
    matches!(row.kind.as_str(), "booking.confirmed" | "booking.reduced" | "booking.cancelled" | MOVED | REHOUSED)
}

/// What an endpoint is told, as Standard Webhooks lays it out.
#[derive(Debug, Serialize)]
pub struct Notice<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: Timestamp,
    data: Told<'a>,
}

/// The booking as it was after what happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    booking_id: &'a BookingId,
    event_id: &'a EventId,
    user_id: &'a UserId,
    status: BookingState,
    seats: Vec<SeatId>,
    cancelled_seats: Vec<SeatId>,
    /// Its seats as they were bought, in the order of `seats`, where they have other places by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    bought_seats: Option<Vec<SeatId>>,
    total_amount: i64,
    currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_amount: Option<i64>,
    /// When the event begins, as far as is known when it is told.
    starts_at: Timestamp,
}

impl<'a> Notice<'a> {
    /// What is told of `row`.
    pub fn of(row: &'a OutboxRow, event: &Event, venue: &Venue) -> Self {
        let booking = &row.booking;
        let ids = |seats: &[SeatIndex]| {
            seats.iter().filter_map(|seat| Some(venue.seat_map.seat(*seat)?.seat_id.clone())).collect()
        };
        let data = Told {
            booking_id: &booking.booking_id,
            event_id: &booking.event_id,
            user_id: &booking.user_id,
            status: booking.state,
            seats: ids(&booking.seats),
            cancelled_seats: ids(&booking.cancelled_seats),
            bought_seats: (!booking.bought_as.is_empty()).then(|| ids(&booking.bought_seats())),
            total_amount: booking.total.amount,
            currency: booking.total.currency,
            refund_amount: booking.refund,
            starts_at: event.starts_at,
        };
        Self { kind: &row.kind, timestamp: row.at, data }
    }
}

/// A record of `weir.deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRecord {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// When.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: Delivery,
}

/// What happened with webhooks of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Delivery {
    /// It is told from now on.
    Began {
        /// The first offset of each lane of `weir.changes` that it is told of.
        from: Vec<u64>,
    },
    /// It took a webhook.
    #[serde(rename_all = "camelCase")]
    Taken {
        /// Which.
        #[serde(flatten)]
        of: Subject,
        /// The status it answered.
        status: u16,
        /// How often it was tried before.
        tries: u32,
    },
    /// It did not take a webhook, which is tried again.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// Which.
        #[serde(flatten)]
        of: Subject,
        /// Why not.
        reason: String,
        /// When it is tried again.
        next_at: Timestamp,
    },
    /// A webhook was given up.
    #[serde(rename_all = "camelCase")]
    GivenUp {
        /// Which.
        #[serde(flatten)]
        of: Subject,
        /// Why.
        reason: String,
    },
    /// It answered that it wants no more; what comes waits until it is replayed, or the worker begins anew.
    Gone,
    /// An operator wants everything since a moment sent again.
    #[serde(rename_all = "camelCase")]
    Replay {
        /// Since when.
        since: Timestamp,
        /// The operator key's name.
        actor: String,
    },
}

/// Which webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Its id.
    pub hook_id: HookId,
    /// Of which type.
    #[serde(rename = "type")]
    pub kind: String,
    /// About which booking.
    pub booking_id: BookingId,
}

impl Subject {
    /// The webhook about `row`.
    pub fn of(row: &OutboxRow) -> Self {
        Self { hook_id: hook_id(row), kind: row.kind.clone(), booking_id: row.booking.booking_id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["shop", "crm-2", "A_b", &"x".repeat(32)] {
            assert_eq!(good.parse::<EndpointName>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(33)] {
            assert_eq!(bad.parse::<EndpointName>(), Err(InvalidName), "{bad}");
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let of = Subject {
            hook_id: HookId::from_bytes([7; 16]),
            kind: "booking.confirmed".to_owned(),
            booking_id: BookingId::from_bytes([8; 16]),
        };
        let at = Timestamp::from_millis(1_700_000_000_000);
        for what in [
            Delivery::Began { from: vec![0, 3] },
            Delivery::Taken { of: of.clone(), status: 204, tries: 2 },
            Delivery::Failed { of: of.clone(), reason: "503".to_owned(), next_at: at.plus_seconds(5) },
            Delivery::GivenUp { of, reason: "503".to_owned() },
            Delivery::Gone,
            Delivery::Replay { since: at, actor: "ada".to_owned() },
        ] {
            let record = DeliveryRecord { endpoint: "shop".parse().unwrap(), at, what };
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<DeliveryRecord>(&text).unwrap(), record, "{text}");
        }
    }
}
