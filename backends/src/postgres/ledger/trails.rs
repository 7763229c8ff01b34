//! What is beside the bookings: payment acts, the audit trail, the ends of seed chains.

use std::collections::HashMap;

use booking_core::{
    booking::{AuditEntry, CalledOff, PaymentAct, PaymentStep},
    digest::Digest,
    id::{BookingId, EventId},
    money::Money,
    time::Timestamp,
};
use sqlx::{FromRow as _, PgConnection, Row as _, postgres::PgRow};

use super::read::{Read, limit};
use crate::sql::stored::{from_json, from_text, to_i64, to_json, to_u64, unreadable};

/// Records acts, each about other money.
pub(super) async fn record_payments(connection: &mut PgConnection, acts: &[PaymentAct]) -> Read<()> {
    let steps = acts.iter().map(|act| match serde_json::to_value(act.step) {
        Ok(serde_json::Value::String(step)) => Ok(step),
        _ => Err(unreadable("a payment's step without a name")),
    });
    let steps = steps.collect::<Read<Vec<String>>>()?;
    let due: Vec<&str> =
        acts.iter().filter(|act| act.step == PaymentStep::VoidDue).map(|act| act.booking.as_str()).collect();
    // Who is to give money back waits for who confirms the booking with it, and the other way round: each then sees
    // what the other did (invariant 9). An end ends the payment also where it was recorded before.
    sqlx::query(
        "WITH acts AS (
            SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bool[],
                    $9::bigint[], $10::text[], $11::bool[])
                AS a (booking_id, transaction_id, step, amount, currency, at, is_end, refund, reason, is_begin)
        ), paid AS MATERIALIZED (
            SELECT booking_id, transaction_id, state FROM bookings
            WHERE booking_id = ANY ($8) ORDER BY booking_id FOR UPDATE
        ), recorded AS (
            INSERT INTO payment_acts (booking_id, transaction_id, refund, step, amount, currency, at, reason)
            SELECT a.booking_id, a.transaction_id, a.refund, a.step, a.amount, a.currency, a.at, a.reason FROM acts a
            WHERE a.step <> 'voidDue' OR NOT EXISTS (
                SELECT 1 FROM paid p WHERE p.booking_id = a.booking_id AND p.transaction_id = a.transaction_id
                    AND p.state = 'confirmed')
            ORDER BY a.booking_id, a.transaction_id, a.refund
            ON CONFLICT (booking_id, transaction_id, refund, step) DO NOTHING
            RETURNING number, booking_id, transaction_id, refund, step, at
        ), begun AS (
            INSERT INTO unsettled_payments (booking_id, transaction_id, refund, at, number)
            SELECT r.booking_id, r.transaction_id, r.refund, r.at, r.number
            FROM recorded r JOIN acts a USING (booking_id, transaction_id, refund)
            WHERE a.is_begin AND NOT EXISTS (
                SELECT 1 FROM payment_acts p
                WHERE p.booking_id = r.booking_id AND p.transaction_id = r.transaction_id AND p.refund = r.refund
                    AND (p.step IN ('captured', 'voided', 'refunded', 'resolved')
                        OR (p.step = 'declined' AND r.step <> 'voidDue')))
            ON CONFLICT (booking_id, transaction_id, refund) DO NOTHING
        ), stuck AS (
            UPDATE unsettled_payments u SET stuck = r.number FROM recorded r
            WHERE r.step = 'stuck' AND u.booking_id = r.booking_id AND u.transaction_id = r.transaction_id
                AND u.refund = r.refund
        )
        DELETE FROM unsettled_payments u USING acts a
        WHERE a.is_end AND u.booking_id = a.booking_id AND u.transaction_id = a.transaction_id
            AND u.refund = a.refund
            AND (a.step <> 'declined' OR NOT EXISTS (
                SELECT 1 FROM payment_acts p
                WHERE p.booking_id = a.booking_id AND p.transaction_id = a.transaction_id AND p.refund = a.refund
                    AND p.step = 'voidDue'))",
    )
    .bind(acts.iter().map(|act| act.booking.as_str()).collect::<Vec<_>>())
    .bind(acts.iter().map(|act| act.transaction.as_str()).collect::<Vec<_>>())
    .bind(steps)
    .bind(acts.iter().map(|act| act.amount.amount).collect::<Vec<_>>())
    .bind(acts.iter().map(|act| act.amount.currency.as_str()).collect::<Vec<_>>())
    .bind(acts.iter().map(|act| act.at.as_millis()).collect::<Vec<_>>())
    .bind(acts.iter().map(|act| act.step.is_end()).collect::<Vec<_>>())
    .bind(due)
    .bind(acts.iter().map(|act| i64::from(act.refund)).collect::<Vec<_>>())
    .bind(acts.iter().map(|act| act.reason.as_deref()).collect::<Vec<_>>())
    .bind(acts.iter().map(|act| act.step.is_begin()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A payment act as it is stored: booking, transaction, refund, step, amount, currency, moment, reason.
type ActRow = (String, String, i64, String, i64, String, i64, Option<String>);

fn payment_act((booking, transaction, refund, step, amount, currency, at, reason): ActRow) -> Read<PaymentAct> {
    Ok(PaymentAct {
        booking: from_text(&booking)?,
        transaction: from_text(&transaction)?,
        refund: u32::try_from(refund).map_err(unreadable)?,
        reason,
        step: serde_json::from_value(serde_json::Value::String(step)).map_err(unreadable)?,
        amount: Money { amount, currency: from_text(&currency)? },
        at: Timestamp::from_millis(at),
    })
}

/// The acts of each of these bookings, oldest first.
pub(super) async fn payment_acts(connection: &mut PgConnection, bookings: &[BookingId]) -> Read<Vec<Vec<PaymentAct>>> {
    // In order here and not there: no plan then walks all acts there ever were because they are few so far.
    let mut rows: Vec<(i64, PgRow)> = sqlx::query(
        "SELECT booking_id, transaction_id, refund, step, amount, currency, at, reason, number FROM payment_acts
         WHERE booking_id = ANY ($1)",
    )
    .bind(bookings.iter().map(BookingId::as_str).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(|row| Ok((row.try_get("number")?, row)))
    .collect::<Read<_>>()?;
    rows.sort_unstable_by_key(|(number, _)| *number);
    let mut found: HashMap<BookingId, Vec<PaymentAct>> = HashMap::new();
    for (_, row) in &rows {
        let act = payment_act(ActRow::from_row(row)?)?;
        found.entry(act.booking.clone()).or_default().push(act);
    }
    // The same one may be asked for twice.
    Ok(bookings.iter().map(|booking| found.get(booking).cloned().unwrap_or_default()).collect())
}

pub(super) async fn unsettled_payments(
    connection: &mut PgConnection,
    until: Timestamp,
    max: usize,
) -> Read<Vec<PaymentAct>> {
    let rows: Vec<ActRow> = sqlx::query_as(
        "SELECT a.booking_id, a.transaction_id, a.refund, a.step, a.amount, a.currency, a.at, a.reason
         FROM unsettled_payments u JOIN payment_acts a USING (booking_id, transaction_id, refund)
         WHERE a.number = u.number AND u.at <= $1 AND u.stuck IS NULL ORDER BY u.at, u.number LIMIT $2",
    )
    .bind(until.as_millis())
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(payment_act).collect()
}

pub(super) async fn stuck_payments(connection: &mut PgConnection, max: usize) -> Read<Vec<PaymentAct>> {
    let rows: Vec<ActRow> = sqlx::query_as(
        "SELECT a.booking_id, a.transaction_id, a.refund, a.step, a.amount, a.currency, a.at, a.reason
         FROM unsettled_payments u JOIN payment_acts a USING (booking_id, transaction_id, refund)
         WHERE a.number = u.stuck AND u.stuck IS NOT NULL ORDER BY u.stuck LIMIT $1",
    )
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(payment_act).collect()
}

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
