//! What is beside the bookings: the audit trail, the ends of seed chains, events that are called off.

use booking_core::{
    booking::{AuditEntry, CalledOff},
    digest::Digest,
    id::EventId,
    time::Timestamp,
};
use sqlx::PgConnection;

use super::read::{Read, limit};
use crate::sql::stored::{from_json, to_i64, to_json, to_u64, unreadable};

pub(super) async fn record_audit(connection: &mut PgConnection, entry: &AuditEntry) -> Read<()> {
    sqlx::query(
        "INSERT INTO audit (event_id, command, actor, at, action, before, after)
         VALUES ($1, $2, $3, $4, $5, $6::text::json, $7::text::json)
         ON CONFLICT (event_id, command) DO NOTHING",
    )
    .bind(entry.event_id.as_str())
    .bind(entry.command.as_str())
    .bind(entry.actor.as_str())
    .bind(entry.at.as_millis())
    .bind(entry.action.as_str())
    .bind(to_json(&entry.before))
    .bind(to_json(&entry.after))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn audit_trail(
    connection: &mut PgConnection,
    event: &EventId,
    before: Option<u64>,
    max: usize,
) -> Read<Vec<AuditEntry>> {
    let rows: Vec<(i64, String, String, i64, String, String, String)> = sqlx::query_as(
        "SELECT number, command, actor, at, action, before::text, after::text FROM audit
         WHERE event_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
    )
    .bind(event.as_str())
    .bind(before.map_or(i64::MAX, to_i64))
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    let entry = |(number, command, actor, at, action, before, after): (i64, _, _, i64, _, String, String)| {
        Ok(AuditEntry {
            number: to_u64(number)?,
            command,
            event_id: event.clone(),
            actor,
            at: Timestamp::from_millis(at),
            action,
            before: from_json(&before)?,
            after: from_json(&after)?,
        })
    };
    rows.into_iter().map(entry).collect()
}

pub(super) async fn chain_end(connection: &mut PgConnection, event: &EventId, candidate: &Digest) -> Read<Digest> {
    sqlx::query("INSERT INTO chain_ends (event_id, chain_end) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING")
        .bind(event.as_str())
        .bind(&candidate.0[..])
        .execute(&mut *connection)
        .await?;
    let kept: Vec<u8> = sqlx::query_scalar("SELECT chain_end FROM chain_ends WHERE event_id = $1")
        .bind(event.as_str())
        .fetch_one(connection)
        .await?;
    let kept = <[u8; 32]>::try_from(kept).map_err(|kept| unreadable(format!("a chain end of {} bytes", kept.len())))?;
    Ok(Digest(kept))
}

/// Waits for whoever changes a booking of the event: what comes after it finds the event called off.
pub(super) async fn call_off(
    connection: &mut PgConnection,
    event: &EventId,
    called_off: &CalledOff,
) -> Read<CalledOff> {
    let kept: String = sqlx::query_scalar(
        "INSERT INTO event_versions (event_id, version, booked, called_off) VALUES ($1, 0, 0, $2::text::json)
         ON CONFLICT (event_id) DO UPDATE SET called_off = coalesce(event_versions.called_off, excluded.called_off)
         RETURNING called_off::text",
    )
    .bind(event.as_str())
    .bind(to_json(called_off))
    .fetch_one(connection)
    .await?;
    from_json(&kept)
}

pub(super) async fn called_off(connection: &mut PgConnection, event: &EventId) -> Read<Option<CalledOff>> {
    let kept: Option<Option<String>> =
        sqlx::query_scalar("SELECT called_off::text FROM event_versions WHERE event_id = $1")
            .bind(event.as_str())
            .fetch_optional(connection)
            .await?;
    kept.flatten().map(|kept| from_json(&kept)).transpose()
}

pub(super) async fn refunds_left(connection: &mut PgConnection, event: &EventId) -> Read<u64> {
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM unsettled_payments u JOIN bookings b ON b.booking_id = u.booking_id
         WHERE u.refund > 0 AND b.event_id = $1",
    )
    .bind(event.as_str())
    .fetch_one(connection)
    .await?;
    to_u64(left)
}
