//! Reading bookings and seats.

use std::collections::HashMap;

use booking_core::{
    booking::{Booking, Totals},
    holds::SeatClaim,
    id::{BookingId, EventId, UserId},
    ports::ledger::SeatStates,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use super::rows::{kept, seat_index, select_bookings};
use crate::sql::stored::{from_text, to_u64};

pub(super) type Read<T> = Result<T, sqlx::Error>;

/// The bookings of these ids, in their order.
pub(super) async fn bookings(connection: &mut PgConnection, ids: &[BookingId]) -> Read<Vec<Option<Booking>>> {
    let names: Vec<&str> = ids.iter().map(BookingId::as_str).collect();
    let rows = sqlx::query(select_bookings!("WHERE b.booking_id = ANY ($1)")).bind(names).fetch_all(connection).await?;
    let found = rows.iter().map(|row| {
        let booking = kept(row)?.booking;
        Ok((booking.booking_id.clone(), booking))
    });
    let found: HashMap<BookingId, Booking> = found.collect::<Read<_>>()?;
    // The same one may be asked for twice.
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

pub(super) async fn bookings_of(
    connection: &mut PgConnection,
    user: &UserId,
    before: Option<&BookingId>,
    max: usize,
) -> Read<Vec<Booking>> {
    let rows = sqlx::query(select_bookings!(
        "WHERE b.user_id = $1
            AND ($2 IS NULL OR b.number < (SELECT number FROM bookings WHERE booking_id = $2 AND user_id = $1))
        ORDER BY b.number DESC LIMIT $3"
    ))
    .bind(user.as_str())
    .bind(before.map(BookingId::as_str))
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(kept(row)?.booking)).collect()
}

pub(super) async fn all_bookings(
    connection: &mut PgConnection,
    after: Option<&BookingId>,
    max: usize,
) -> Read<Vec<Booking>> {
    let rows = sqlx::query(select_bookings!("WHERE b.booking_id > coalesce($1, '') ORDER BY b.booking_id LIMIT $2"))
        .bind(after.map(BookingId::as_str))
        .bind(limit(max))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(kept(row)?.booking)).collect()
}

pub(super) async fn seat_owners(connection: &mut PgConnection, event: &EventId) -> Read<Vec<(SeatIndex, BookingId)>> {
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT seat, booking_id FROM seat_claims WHERE event_id = $1")
        .bind(event.as_str())
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|(seat, owner)| Ok((seat_index(seat)?, from_text(&owner)?))).collect()
}

pub(super) async fn bookings_called_off(connection: &mut PgConnection, max: usize) -> Read<Vec<Booking>> {
    // All of the event are looked at for each batch: rarer than a confirmation, which would have to keep an index of them.
    let rows = sqlx::query(select_bookings!(
        "WHERE b.booking_id IN (
            SELECT o.booking_id FROM door_changes d
            JOIN bookings o ON o.booking_id = d.booking_id AND o.door_version = d.version
            WHERE o.state = 'confirmed'
                AND d.event_id IN (SELECT event_id FROM event_versions WHERE called_off IS NOT NULL)
            ORDER BY o.number LIMIT $1)
        ORDER BY b.number"
    ))
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(kept(row)?.booking)).collect()
}

/// Up to `max` holds whose deadline has passed, oldest first.
pub(super) async fn due(connection: &mut PgConnection, now: Timestamp, max: usize) -> Read<Vec<BookingId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT booking_id FROM holds WHERE expires_at <= $1
         ORDER BY expires_at, booking_id LIMIT $2",
    )
    .bind(now.as_millis())
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    ids.iter().map(|id| from_text(id)).collect()
}

pub(super) async fn seat_states(connection: &mut PgConnection, event: &EventId) -> Read<SeatStates> {
    // One statement, so that the version is the one of these seats.
    let mut rows = sqlx::query_as::<_, (Option<i64>, i64)>(
        "SELECT NULL, version FROM event_versions WHERE event_id = $1
         UNION ALL
         SELECT seat, CASE WHEN until IS NULL THEN 1 ELSE 0 END::bigint FROM seat_claims WHERE event_id = $1",
    )
    .bind(event.as_str())
    .fetch(connection);
    let mut seats = SeatStates::default();
    while let Some((seat, value)) = rows.try_next().await? {
        match seat {
            None => seats.version = to_u64(value)?,
            Some(seat) => {
                let status = if value == 0 { SeatStatus::Reserved } else { SeatStatus::Booked };
                seats.taken.push((seat_index(seat)?, status));
            }
        }
    }
    Ok(seats)
}

/// `OFFSET 0`: each hold's booking by its key, and not all that the event has.
pub(super) async fn totals(connection: &mut PgConnection, event: &EventId, now: Timestamp) -> Read<Totals> {
    let (booked, held, holding_sessions): (i64, i64, i64) = sqlx::query_as(
        "SELECT coalesce((SELECT booked FROM event_versions WHERE event_id = $1), 0),
            coalesce(sum(cardinality(b.seats)), 0)::bigint, count(DISTINCT b.session)
         FROM holds h
         CROSS JOIN LATERAL (SELECT seats, session FROM bookings WHERE booking_id = h.booking_id OFFSET 0) b
         WHERE h.event_id = $1 AND h.expires_at > $2",
    )
    .bind(event.as_str())
    .bind(now.as_millis())
    .fetch_one(connection)
    .await?;
    Ok(Totals { held: to_u64(held)?, booked: to_u64(booked)?, holding_sessions: to_u64(holding_sessions)? })
}

pub(super) async fn live_claims(
    connection: &mut PgConnection,
    event: &EventId,
    now: Timestamp,
) -> Read<Vec<SeatClaim>> {
    let mut rows = sqlx::query_as::<_, (String, Vec<i64>, Option<i64>)>(
        "SELECT booking_id, array_agg(seat ORDER BY seat), max(until) FROM seat_claims
         WHERE event_id = $1 AND (until IS NULL OR until > $2) GROUP BY booking_id",
    )
    .bind(event.as_str())
    .bind(now.as_millis())
    .fetch(connection);
    let mut claims = Vec::new();
    while let Some((booking, seats, until)) = rows.try_next().await? {
        let seats = seats.into_iter().map(seat_index).collect::<Result<_, _>>()?;
        claims.push(SeatClaim { booking: from_text(&booking)?, seats, until: until.map(Timestamp::from_millis) });
    }
    Ok(claims)
}

pub(super) fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}
