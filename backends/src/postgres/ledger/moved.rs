//! Telling the bookings of an event that it was moved.

use booking_core::{
    booking::{Booking, MOVED, TELL_AGAIN_MS, Telling},
    catalog::Moved,
    id::EventId,
    time::Timestamp,
};
use sqlx::{Connection as _, PgConnection};

use super::{
    read::{Read, limit},
    rows::{kept, select_bookings},
};
use crate::sql::stored::{from_json, to_json, to_u64};

pub(super) async fn record(connection: &mut PgConnection, event: &EventId, moved: &Moved) -> Read<()> {
    sqlx::query(
        "INSERT INTO event_versions AS v (event_id, version, booked, moved, tell_at)
         VALUES ($1, 0, 0, $2::text::json, $3)
         ON CONFLICT (event_id) DO UPDATE SET moved = excluded.moved, tell_at = excluded.tell_at
         WHERE v.moved IS NULL OR (v.moved ->> 'number')::bigint < $4",
    )
    .bind(event.as_str())
    .bind(to_json(moved))
    .bind(moved.at.as_millis())
    .bind(i64::from(moved.number))
    .execute(connection)
    .await?;
    Ok(())
}

/// Tells up to `max` bookings of an event that waits for it. Its row is locked first, as by whoever changes a booking of
/// it: so its bookings' outbox rows are in order, and nobody else tells the same. A try that lost its answer tells
/// nobody again: the next one finds who was told.
pub(super) async fn tell(connection: &mut PgConnection, max: usize, now: Timestamp) -> Read<usize> {
    let is_due: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM event_versions WHERE tell_at <= $1)")
        .bind(now.as_millis())
        .fetch_one(&mut *connection)
        .await?;
    if !is_due {
        return Ok(0);
    }
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let due: Option<(String, String)> = sqlx::query_as(
        "SELECT event_id, moved::text FROM event_versions WHERE tell_at <= $1
         ORDER BY tell_at, event_id LIMIT 1 FOR UPDATE",
    )
    .bind(now.as_millis())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((event, moved)) = due else { return Ok(0) };
    let moved: Moved = from_json(&moved)?;
    // In the order of their ids, as everybody locks several bookings.
    let rows = sqlx::query(select_bookings!(
        "WHERE b.booking_id IN (SELECT booking_id FROM door_changes WHERE event_id = $1)
            AND b.state = 'confirmed' AND b.created_at <= $2 AND b.moves_told < $3
        ORDER BY b.booking_id LIMIT $4 FOR UPDATE"
    ))
    .bind(&event)
    .bind(moved.booked_until().as_millis())
    .bind(i64::from(moved.number))
    .bind(limit(max))
    .fetch_all(&mut *transaction)
    .await?;
    let told: Vec<Booking> = rows.iter().map(|row| Ok(kept(row)?.booking)).collect::<Read<_>>()?;
    sqlx::query(
        "WITH told AS (
            UPDATE bookings SET moves_told = $1 WHERE booking_id = ANY ($2)
        )
        INSERT INTO outbox (kind, booking_id, booking, at)
        SELECT $3, booking_id, booking, $4 FROM unnest($2::text[], $5::text[]) AS o (booking_id, booking)",
    )
    .bind(i64::from(moved.number))
    .bind(told.iter().map(|booking| booking.booking_id.as_str()).collect::<Vec<_>>())
    .bind(MOVED)
    .bind(now.as_millis())
    .bind(told.iter().map(to_json).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    if told.len() < max {
        // A hold that was made before the move, or just after it, may still be confirmed.
        sqlx::query(
            "UPDATE event_versions SET tell_at = CASE WHEN $4 OR EXISTS (
                SELECT 1 FROM holds h JOIN bookings b ON b.booking_id = h.booking_id
                WHERE h.event_id = $1 AND b.created_at <= $2) THEN $3 END
             WHERE event_id = $1",
        )
        .bind(&event)
        .bind(moved.booked_until().as_millis())
        .bind(now.plus_millis(TELL_AGAIN_MS).as_millis())
        .bind(now <= moved.booked_until())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(told.len())
}

pub(super) async fn telling(connection: &mut PgConnection, event: &EventId) -> Read<Option<Telling>> {
    let moved: Option<Option<String>> =
        sqlx::query_scalar("SELECT moved::text FROM event_versions WHERE event_id = $1")
            .bind(event.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    let Some(moved) = moved.flatten() else { return Ok(None) };
    let moved: Moved = from_json(&moved)?;
    let (told, left): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE b.moves_told >= $1), count(*) FILTER (WHERE b.moves_told < $1)
         FROM door_changes d JOIN bookings b ON b.booking_id = d.booking_id AND b.door_version = d.version
         WHERE d.event_id = $2 AND b.state = 'confirmed' AND b.created_at <= $3",
    )
    .bind(i64::from(moved.number))
    .bind(event.as_str())
    .bind(moved.booked_until().as_millis())
    .fetch_one(connection)
    .await?;
    Ok(Some(Telling { moved, told: to_u64(told)?, left: to_u64(left)? }))
}
