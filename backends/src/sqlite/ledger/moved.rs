//! Telling the bookings of an event that it was moved.

use booking_core::{
    booking::{Booking, MOVED, TELL_AGAIN_MS, Telling},
    catalog::Moved,
    id::EventId,
    time::Timestamp,
};
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{kept, select_bookings};
use crate::sqlite::error::{from_json, to_json, to_u64};

pub(super) async fn record(connection: &mut SqliteConnection, event: &str, moved: &Moved) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO event_versions (event_id, version, booked, moved, tell_at) VALUES (?1, 0, 0, ?2, ?3)
         ON CONFLICT (event_id) DO UPDATE SET moved = excluded.moved, tell_at = excluded.tell_at
         WHERE event_versions.moved IS NULL OR event_versions.moved ->> 'number' < excluded.moved ->> 'number'",
    )
    .bind(event)
    .bind(to_json(moved))
    .bind(moved.at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether somebody may have to be told.
pub(super) async fn is_due(readers: &SqlitePool, now: Timestamp) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM event_versions WHERE tell_at <= ?1)")
        .bind(now.as_millis())
        .fetch_one(readers)
        .await
}

/// Tells up to `max` bookings of the event that waits longest.
pub(super) async fn tell(connection: &mut SqliteConnection, max: usize, now: Timestamp) -> Result<usize, sqlx::Error> {
    let due: Option<(String, String)> = sqlx::query_as(
        "SELECT event_id, moved FROM event_versions WHERE tell_at <= ?1 ORDER BY tell_at, event_id LIMIT 1",
    )
    .bind(now.as_millis())
    .fetch_optional(&mut *connection)
    .await?;
    let Some((event, moved)) = due else { return Ok(0) };
    let moved: Moved = from_json(&moved)?;
    let rows = sqlx::query(select_bookings!(
        "WHERE event_id = ?1 AND state = 'confirmed' AND created_at <= ?2 AND moves_told < ?3
        ORDER BY booking_id LIMIT ?4"
    ))
    .bind(&event)
    .bind(moved.booked_until().as_millis())
    .bind(moved.number)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    let told: Vec<Booking> = rows.iter().map(|row| Ok(kept(row)?.booking)).collect::<Result<_, sqlx::Error>>()?;
    let ids: Vec<_> = told.iter().map(|booking| &booking.booking_id).collect();
    sqlx::query("UPDATE bookings SET moves_told = ?1 WHERE booking_id IN (SELECT value FROM json_each(?2))")
        .bind(moved.number)
        .bind(to_json(&ids))
        .execute(&mut *connection)
        .await?;
    let outbox: Vec<_> = told.iter().map(|booking| (&booking.booking_id, booking)).collect();
    sqlx::query(
        "INSERT INTO outbox (kind, booking_id, booking, at, written_at)
         SELECT ?1, value ->> 0, value ->> 1, ?2, ?2 FROM json_each(?3)",
    )
    .bind(MOVED)
    .bind(now.as_millis())
    .bind(to_json(&outbox))
    .execute(&mut *connection)
    .await?;
    if told.len() < max {
        // A hold that was made before the move, or just after it, may still be confirmed.
        sqlx::query(
            "UPDATE event_versions SET tell_at = CASE WHEN ?4 OR EXISTS (
                SELECT 1 FROM bookings b WHERE b.event_id = ?1 AND b.state = 'held' AND b.created_at <= ?2) THEN ?3 END
             WHERE event_id = ?1",
        )
        .bind(&event)
        .bind(moved.booked_until().as_millis())
        .bind(now.plus_millis(TELL_AGAIN_MS).as_millis())
        .bind(now <= moved.booked_until())
        .execute(connection)
        .await?;
    }
    Ok(told.len())
}

pub(super) async fn telling(readers: &SqlitePool, event: &EventId) -> Result<Option<Telling>, sqlx::Error> {
    let moved: Option<Option<String>> = sqlx::query_scalar("SELECT moved FROM event_versions WHERE event_id = ?1")
        .bind(event.as_str())
        .fetch_optional(readers)
        .await?;
    let Some(moved) = moved.flatten() else { return Ok(None) };
    let moved: Moved = from_json(&moved)?;
    let (told, left): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE moves_told >= ?1), count(*) FILTER (WHERE moves_told < ?1)
         FROM bookings WHERE event_id = ?2 AND state = 'confirmed' AND created_at <= ?3",
    )
    .bind(moved.number)
    .bind(event.as_str())
    .bind(moved.booked_until().as_millis())
    .fetch_one(readers)
    .await?;
    Ok(Some(Telling { moved, told: to_u64(told)?, left: to_u64(left)? }))
}
