//! Bookings as rows.

use booking_core::{
    booking::Booking, digest::Digest, id::TransactionId, money::Money, seats::SeatIndex, time::Timestamp,
};
use serde::Serialize;
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::sql::{
    books::Kept,
    stored::{from_json, from_text, state_of, state_text, unreadable},
};

/// A query of whole bookings, with whatever follows `FROM bookings`; [`kept`] reads its rows.
macro_rules! select_bookings {
    ($rest:literal) => {
        concat!(
            "SELECT booking_id, event_id, user_id, session, seats, state, amount, currency, expires_at, created_at,
                settled_at, transaction_id, refund, fingerprint, max_seats, cancelled_seats, bought_as, extended
            FROM bookings ",
            $rest
        )
    };
}
pub(super) use select_bookings;

/// Writes bookings given as a JSON array of [`BookingRow`].
pub(super) const UPSERT_BOOKINGS: &str = "INSERT INTO bookings
        (booking_id, event_id, user_id, session, seats, state, amount, currency, expires_at, created_at, settled_at,
         transaction_id, refund, fingerprint, max_seats, cancelled_seats, bought_as, extended)
    SELECT value ->> 'booking_id', value ->> 'event_id', value ->> 'user_id', value ->> 'session', value ->> 'seats',
        value ->> 'state', value ->> 'amount', value ->> 'currency', value ->> 'expires_at', value ->> 'created_at',
        value ->> 'settled_at', value ->> 'transaction_id', value ->> 'refund', unhex(value ->> 'fingerprint'),
        value ->> 'max_seats', value ->> 'cancelled_seats', value ->> 'bought_as', value ->> 'extended'
    FROM json_each(?1) WHERE true
    ON CONFLICT (booking_id) DO UPDATE SET state = excluded.state, settled_at = excluded.settled_at,
        transaction_id = excluded.transaction_id, refund = excluded.refund, seats = excluded.seats,
        cancelled_seats = excluded.cancelled_seats, bought_as = excluded.bought_as,
        expires_at = excluded.expires_at, extended = excluded.extended";

/// A booking as [`UPSERT_BOOKINGS`] takes it.
#[derive(Serialize)]
pub(super) struct BookingRow<'a> {
    booking_id: &'a str,
    event_id: &'a str,
    user_id: &'a str,
    session: &'a str,
    seats: &'a [SeatIndex],
    state: &'static str,
    amount: i64,
    currency: &'a str,
    expires_at: i64,
    created_at: i64,
    settled_at: Option<i64>,
    transaction_id: Option<&'a str>,
    refund: Option<i64>,
    fingerprint: Digest,
    max_seats: u32,
    cancelled_seats: &'a [SeatIndex],
    bought_as: &'a [(SeatIndex, SeatIndex)],
    extended: bool,
}

impl<'a> From<&'a Kept> for BookingRow<'a> {
    fn from(kept: &'a Kept) -> Self {
        let booking = &kept.booking;
        Self {
            booking_id: booking.booking_id.as_str(),
            event_id: booking.event_id.as_str(),
            user_id: booking.user_id.as_str(),
            session: booking.session.as_str(),
            seats: &booking.seats,
            state: state_text(booking.state),
            amount: booking.total.amount,
            currency: booking.total.currency.as_str(),
            expires_at: booking.expires_at.as_millis(),
            created_at: booking.created_at.as_millis(),
            settled_at: booking.settled_at.map(Timestamp::as_millis),
            transaction_id: booking.transaction.as_ref().map(TransactionId::as_str),
            refund: booking.refund,
            fingerprint: booking.fingerprint,
            max_seats: kept.max_seats,
            cancelled_seats: &booking.cancelled_seats,
            bought_as: &booking.bought_as,
            extended: booking.extended,
        }
    }
}

/// Reads a row of [`select_bookings`].
pub(super) fn kept(row: &SqliteRow) -> Result<Kept, sqlx::Error> {
    let fingerprint: [u8; 32] = row.try_get::<&[u8], _>(13)?.try_into().map_err(unreadable)?;
    let booking = Booking {
        booking_id: from_text(row.try_get(0)?)?,
        event_id: from_text(row.try_get(1)?)?,
        user_id: from_text(row.try_get(2)?)?,
        session: from_text(row.try_get(3)?)?,
        seats: from_json(row.try_get(4)?)?,
        cancelled_seats: from_json(row.try_get(15)?)?,
        bought_as: from_json(row.try_get(16)?)?,
        state: state_of(row.try_get(5)?)?,
        total: Money { amount: row.try_get(6)?, currency: from_text(row.try_get(7)?)? },
        expires_at: Timestamp::from_millis(row.try_get(8)?),
        extended: row.try_get(17)?,
        created_at: Timestamp::from_millis(row.try_get(9)?),
        settled_at: row.try_get::<Option<i64>, _>(10)?.map(Timestamp::from_millis),
        transaction: row.try_get::<Option<&str>, _>(11)?.map(from_text).transpose()?,
        refund: row.try_get(12)?,
        fingerprint: Digest(fingerprint),
    };
    Ok(Kept { booking, max_seats: row.try_get(14)?, changed: false })
}
