//! Values as SQL databases store them.

use booking_core::booking::BookingState;

/// A stored value that Weir can't have written; a port answers that it is damaged.
pub(crate) fn unreadable(what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(what.to_string().into())
}

/// Reads `text`, stored as JSON.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(unreadable)
}

/// `value` as JSON to be stored.
pub(crate) fn to_json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("what is stored is plain data with text keys")
}

/// Reads `text`, stored in its type's text form.
pub(crate) fn from_text<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, sqlx::Error> {
    text.parse().map_err(unreadable)
}

/// A number as a database stores it. Offsets, versions and counts never come near 2^63.
pub(crate) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stored number that can't be negative.
pub(crate) fn to_u64(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(unreadable)
}

/// A booking's state as it is stored.
pub(crate) fn state_text(state: BookingState) -> &'static str {
    match state {
        BookingState::Held => "held",
        BookingState::Confirmed => "confirmed",
        BookingState::Cancelled => "cancelled",
        BookingState::Expired => "expired",
        BookingState::Released => "released",
    }
}

/// Reads a state as it is stored.
pub(crate) fn state_of(text: &str) -> Result<BookingState, sqlx::Error> {
    Ok(match text {
        "held" => BookingState::Held,
        "confirmed" => BookingState::Confirmed,
        "cancelled" => BookingState::Cancelled,
        "expired" => BookingState::Expired,
        "released" => BookingState::Released,
        other => return Err(unreadable(format!("a booking that is '{other}'"))),
    })
}
