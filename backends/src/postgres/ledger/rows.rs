//! Bookings as rows.

use booking_core::{booking::Booking, digest::Digest, money::Money, seats::SeatIndex, time::Timestamp};
use sqlx::{Row as _, postgres::PgRow};

use crate::sql::{
    books::Kept,
    stored::{from_json, from_text, state_of, unreadable},
};

/// A query of whole bookings `b`, with whatever follows `FROM bookings b`; [`kept`] reads its rows.
macro_rules! select_bookings {
    ($rest:literal) => {
        concat!(
            "SELECT b.booking_id, b.event_id, b.user_id, b.session, b.seats, b.state, b.amount, b.currency,
                b.expires_at, b.created_at, b.settled_at, b.transaction_id, b.refund, b.fingerprint, b.max_seats,
                b.cancelled_seats, b.bought_as, b.extended
            FROM bookings b ",
            $rest
        )
    };
}
pub(super) use select_bookings;

/// Reads a row of [`select_bookings`].
pub(super) fn kept(row: &PgRow) -> Result<Kept, sqlx::Error> {
    let fingerprint: [u8; 32] = row.try_get::<&[u8], _>(13)?.try_into().map_err(unreadable)?;
    let seats = |at: usize| row.try_get::<Vec<i64>, _>(at)?.into_iter().map(seat_index).collect::<Result<_, _>>();
    let booking = Booking {
        booking_id: from_text(row.try_get(0)?)?,
        event_id: from_text(row.try_get(1)?)?,
        user_id: from_text(row.try_get(2)?)?,
        session: from_text(row.try_get(3)?)?,
        seats: seats(4)?,
        cancelled_seats: seats(15)?,
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
    let max_seats = u32::try_from(row.try_get::<i64, _>(14)?).map_err(unreadable)?;
    Ok(Kept { booking, max_seats, changed: false })
}

/// A seat's index as it is stored.
pub(super) fn seat_index(stored: i64) -> Result<SeatIndex, sqlx::Error> {
    u32::try_from(stored).map(SeatIndex).map_err(unreadable)
}
