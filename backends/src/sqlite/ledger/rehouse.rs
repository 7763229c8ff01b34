//! An event that goes to another hall: beginning, what is to be carried over, the end.

use booking_core::{
    booking::{Begun, Booking, HallChange, Housing, ToCarry, rests_until},
    id::EventId,
    time::Timestamp,
};
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{kept, select_bookings};
use crate::{
    sql::stored::{from_text, to_i64},
    sqlite::error::{from_json, to_json, to_u64},
};

pub(super) async fn begin(
    connection: &mut SqliteConnection,
    event: &str,
    change: &HallChange,
    version: u64,
    now: Timestamp,
) -> Result<Begun, sqlx::Error> {
    sqlx::query("INSERT INTO event_versions (event_id, version, booked) VALUES (?1, 0, 0) ON CONFLICT DO NOTHING")
        .bind(event)
        .execute(&mut *connection)
        .await?;
    let (stands, carries, known): (i64, bool, Option<String>) =
        sqlx::query_as("SELECT version, carries, rehousing FROM event_versions WHERE event_id = ?1")
            .bind(event)
            .fetch_one(&mut *connection)
            .await?;
    let known = known.map(|known| from_json::<HallChange>(&known)).transpose()?.map(|known| known.rehoused);
    if known.as_ref().is_some_and(|known| known.command == change.rehoused.command) {
        return Ok(Begun::Begun);
    }
    if carries {
        return Ok(Begun::Another);
    }
    if stands != to_i64(version) || known.map_or(0, |known| known.number) + 1 != change.rehoused.number {
        return Ok(Begun::Changed);
    }
    let (holds, last): (i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*), max(expires_at) FROM bookings WHERE event_id = ?1 AND state = 'held' AND expires_at > ?2",
    )
    .bind(event)
    .bind(now.as_millis())
    .fetch_one(&mut *connection)
    .await?;
    if let Some(until) = last.map(Timestamp::from_millis) {
        sqlx::query("UPDATE event_versions SET rests_until = ?2 WHERE event_id = ?1")
            .bind(event)
            .bind(rests_until(until).as_millis())
            .execute(connection)
            .await?;
        return Ok(Begun::Held { holds: to_u64(holds)?, until });
    }
    sqlx::query(
        "UPDATE event_versions SET first_seat = ?2, rehousing = ?3, carries = 1, rests_until = NULL
         WHERE event_id = ?1",
    )
    .bind(event)
    .bind(change.rehoused.first_seat)
    .bind(to_json(change))
    .execute(connection)
    .await?;
    Ok(Begun::Begun)
}

pub(super) async fn housing(readers: &SqlitePool, event: &EventId) -> Result<Option<Housing>, sqlx::Error> {
    let row: Option<(Option<String>, bool, u32)> =
        sqlx::query_as("SELECT rehousing, carries, first_seat FROM event_versions WHERE event_id = ?1")
            .bind(event.as_str())
            .fetch_optional(readers)
            .await?;
    let Some((Some(change), carries, first_seat)) = row else { return Ok(None) };
    let left: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT booking_id) FROM seat_claims WHERE event_id = ?1 AND seat < ?2 AND booked = 1",
    )
    .bind(event.as_str())
    .bind(first_seat)
    .fetch_one(readers)
    .await?;
    Ok(Some(Housing { change: from_json(&change)?, left: to_u64(left)?, is_done: !carries }))
}

pub(super) async fn to_carry(readers: &SqlitePool, max: usize) -> Result<Option<ToCarry>, sqlx::Error> {
    let row: Option<(String, String, u32)> = sqlx::query_as(
        "SELECT event_id, rehousing, first_seat FROM event_versions WHERE carries = 1 ORDER BY event_id LIMIT 1",
    )
    .fetch_optional(readers)
    .await?;
    let Some((event, change, first_seat)) = row else { return Ok(None) };
    let rows = sqlx::query(select_bookings!(
        "WHERE booking_id IN (SELECT booking_id FROM (
            SELECT booking_id FROM seat_claims WHERE event_id = ?1 AND seat < ?2 AND booked = 1 ORDER BY seat LIMIT ?3))
        ORDER BY booking_id"
    ))
    .bind(&event)
    .bind(first_seat)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(readers)
    .await?;
    let bookings: Vec<Booking> = rows.iter().map(|row| Ok(kept(row)?.booking)).collect::<Result<_, sqlx::Error>>()?;
    Ok(Some(ToCarry { event: from_text(&event)?, change: from_json(&change)?, bookings }))
}

pub(super) async fn end(connection: &mut SqliteConnection, event: &str, number: u32) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE event_versions SET carries = 0
         WHERE event_id = ?1 AND carries = 1 AND rehousing ->> '$.rehoused.number' = ?2 AND NOT EXISTS (
             SELECT 1 FROM seat_claims c
             WHERE c.event_id = ?1 AND c.seat < event_versions.first_seat AND c.booked = 1)",
    )
    .bind(event)
    .bind(number)
    .execute(connection)
    .await?;
    Ok(())
}
