//! An event that goes to another hall: beginning, what is to be carried over, the end.

use booking_core::{
    booking::{Begun, Booking, EventHall, HallChange, Housing, ToCarry, judge_begin},
    id::EventId,
    time::Timestamp,
};
use sqlx::{Connection as _, PgConnection};

use super::{
    read::{Read, limit},
    rows::{kept, seat_index, select_bookings},
};
use crate::sql::stored::{from_json, from_text, to_json, to_u64};

/// Waits for whoever changes a booking of the event: what comes after it finds the event on its way. A try that lost its
/// answer finds its change begun.
pub(super) async fn begin(
    connection: &mut PgConnection,
    event: &EventId,
    change: &HallChange,
    version: u64,
    now: Timestamp,
) -> Read<Begun> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    sqlx::query("INSERT INTO event_versions (event_id, version, booked) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING")
        .bind(event.as_str())
        .execute(&mut *transaction)
        .await?;
    let (stands, first_seat, carries, resting, known): (i64, i64, bool, Option<i64>, Option<String>) = sqlx::query_as(
        "SELECT version, first_seat, carries, rests_until, rehousing FROM event_versions
         WHERE event_id = $1 FOR UPDATE",
    )
    .bind(event.as_str())
    .fetch_one(&mut *transaction)
    .await?;
    let hall = EventHall {
        first_seat: seat_index(first_seat)?.0,
        change: known.map(|known| from_json(&known)).transpose()?,
        carries,
        rests_until: resting.map(Timestamp::from_millis),
    };
    let (holds, last): (i64, Option<i64>) =
        sqlx::query_as("SELECT count(*), max(expires_at) FROM holds WHERE event_id = $1 AND expires_at > $2")
            .bind(event.as_str())
            .bind(now.as_millis())
            .fetch_one(&mut *transaction)
            .await?;
    let holds = last.map(|last| Ok::<_, sqlx::Error>((to_u64(holds)?, Timestamp::from_millis(last)))).transpose()?;
    let (begun, after) = judge_begin(&hall, change, (version, to_u64(stands)?), holds);
    let Some(after) = after else { return Ok(begun) };
    sqlx::query(
        "UPDATE event_versions SET first_seat = $2, rehousing = $3, carries = $4, rests_until = $5 WHERE event_id = $1",
    )
    .bind(event.as_str())
    .bind(i64::from(after.first_seat))
    .bind(after.change.as_ref().map(to_json))
    .bind(after.carries)
    .bind(after.rests_until.map(Timestamp::as_millis))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(begun)
}

pub(super) async fn housing(connection: &mut PgConnection, event: &EventId) -> Read<Option<Housing>> {
    let row: Option<(Option<String>, bool, i64)> =
        sqlx::query_as("SELECT rehousing, carries, first_seat FROM event_versions WHERE event_id = $1")
            .bind(event.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    let Some((Some(change), carries, first_seat)) = row else { return Ok(None) };
    let left: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT booking_id) FROM seat_claims WHERE event_id = $1 AND seat < $2 AND until IS NULL",
    )
    .bind(event.as_str())
    .bind(first_seat)
    .fetch_one(connection)
    .await?;
    Ok(Some(Housing { change: from_json(&change)?, left: to_u64(left)?, is_done: !carries }))
}

pub(super) async fn to_carry(connection: &mut PgConnection, max: usize) -> Read<Option<ToCarry>> {
    let row: Option<(String, String, i64)> = sqlx::query_as(
        "SELECT event_id, rehousing, first_seat FROM event_versions WHERE carries ORDER BY event_id LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some((event, change, first_seat)) = row else { return Ok(None) };
    let rows = sqlx::query(select_bookings!(
        "WHERE b.booking_id IN (SELECT c.booking_id FROM (
            SELECT booking_id FROM seat_claims
            WHERE event_id = $1 AND seat < $2 AND until IS NULL ORDER BY seat LIMIT $3) c)
        ORDER BY b.booking_id"
    ))
    .bind(&event)
    .bind(i64::from(seat_index(first_seat)?.0))
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    let bookings: Vec<Booking> = rows.iter().map(|row| Ok(kept(row)?.booking)).collect::<Read<_>>()?;
    Ok(Some(ToCarry { event: from_text(&event)?, change: from_json(&change)?, bookings }))
}

pub(super) async fn end(connection: &mut PgConnection, event: &EventId, number: u32) -> Read<()> {
    sqlx::query(
        "UPDATE event_versions v SET carries = false
         WHERE v.event_id = $1 AND v.carries AND (v.rehousing::json #>> '{rehoused,number}')::bigint = $2
            AND NOT EXISTS (SELECT 1 FROM seat_claims c
                WHERE c.event_id = $1 AND c.seat < v.first_seat AND c.until IS NULL)",
    )
    .bind(event.as_str())
    .bind(i64::from(number))
    .execute(connection)
    .await?;
    Ok(())
}
