//! An event that goes to another hall: beginning, what is to be carried over, the end.

use booking_core::{
    booking::{Begun, Booking, EventHall, HallChange, Housing, ToCarry, judge_begin},
    id::EventId,
    time::Timestamp,
};
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{kept, select_bookings};
use crate::{
    sql::stored::from_text,
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
    let (stands, first_seat, carries, resting, known): (i64, u32, bool, Option<i64>, Option<String>) = sqlx::query_as(
        "SELECT version, first_seat, carries, rests_until, rehousing FROM event_versions WHERE event_id = ?1",
    )
    .bind(event)
    .fetch_one(&mut *connection)
    .await?;
    let hall = EventHall {
        first_seat,
        change: known.map(|known| from_json(&known)).transpose()?,
        carries,
        rests_until: resting.map(Timestamp::from_millis),
    };
    let (holds, last): (i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*), max(expires_at) FROM bookings WHERE event_id = ?1 AND state = 'held' AND expires_at > ?2",
    )
    .bind(event)
    .bind(now.as_millis())
    .fetch_one(&mut *connection)
    .await?;
    let holds = last.map(|last| Ok::<_, sqlx::Error>((to_u64(holds)?, Timestamp::from_millis(last)))).transpose()?;
    let (begun, after) = judge_begin(&hall, change, (version, to_u64(stands)?), holds);
    let Some(after) = after else { return Ok(begun) };
    sqlx::query(
        "UPDATE event_versions SET first_seat = ?2, rehousing = ?3, carries = ?4, rests_until = ?5 WHERE event_id = ?1",
    )
    .bind(event)
    .bind(after.first_seat)
    .bind(after.change.as_ref().map(to_json))
    .bind(after.carries)
    .bind(after.rests_until.map(Timestamp::as_millis))
    .execute(connection)
    .await?;
    Ok(begun)
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
