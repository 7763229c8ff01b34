//! The answers that clients rely on; of each, what the demo's crowd needs.

use booking_core::{digest::Digest, time::Timestamp};
use serde::Deserialize;

/// `POST /v1/users/guest`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Guest {
    pub(crate) access_token: String,
}

/// Where a visitor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PlaceState {
    Lobby,
    Drawing,
    Waiting,
    Called,
    Admitted,
    Lapsed,
    Left,
    Ended,
}

/// The place view.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlaceView {
    pub(crate) place_token: String,
    pub(crate) entry: Digest,
    pub(crate) state: PlaceState,
    pub(crate) batch: Option<u32>,
    pub(crate) index: Option<u64>,
    pub(crate) rank: Option<u64>,
    pub(crate) position: Option<u64>,
    pub(crate) turn: Option<Turn>,
    pub(crate) phase: Option<String>,
    pub(crate) poll_after_ms: u64,
}

/// The window in which a called visitor may come in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Turn {
    pub(crate) opens_at: Timestamp,
}

/// `POST …/line/claim`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Admission {
    pub(crate) admission_token: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) max_seats: u32,
}

/// `POST /v1/bookings/reserve`, and `GET /v1/bookings/{bookingId}` while it is pending or reserved.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reservation {
    pub(crate) booking_id: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) total_amount: i64,
    #[serde(default)]
    pub(crate) currency: String,
    pub(crate) expires_at: Option<Timestamp>,
}

/// `POST /v1/sandbox/payments`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    pub(crate) transaction_id: String,
}

/// `GET /v1/bookings/{bookingId}`, whatever its state.
#[derive(Debug, Deserialize)]
pub(crate) struct BookingView {
    pub(crate) status: String,
    pub(crate) seats: Vec<String>,
}

/// `POST /v1/bookings/confirm`
#[derive(Debug, Deserialize)]
pub(crate) struct Confirmation {
    pub(crate) tickets: Vec<Ticket>,
}

/// One seat of a confirmed booking.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    pub(crate) seat_id: String,
}

/// `GET /v1/events/{eventId}`: the seats.
#[derive(Debug, Deserialize)]
pub(crate) struct EventDetails {
    pub(crate) seats: Vec<Seat>,
}

/// One seat of the map.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seat {
    pub(crate) seat_id: String,
    pub(crate) section: String,
    pub(crate) row: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// `GET /v1/events/{eventId}/seats`: one letter a seat, in seat order; `a` is available.
#[derive(Debug, Deserialize)]
pub(crate) struct SeatStatuses {
    pub(crate) statuses: String,
}
