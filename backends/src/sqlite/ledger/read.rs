//! Reading the ledger.

use booking_core::{
    booking::{AuditEntry, Booking, CalledOff, OutboxRow, PaymentAct, Totals},
    holds::SeatClaim,
    id::{BookingId, EventId, UserId},
    money::Money,
    ports::ledger::SeatStates,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use sqlx::SqlitePool;

use super::rows::{kept, select_bookings};
use crate::sqlite::error::{from_json, from_text, to_i64, to_u64, unreadable};

type Read<T> = Result<T, sqlx::Error>;

pub(super) async fn booking(readers: &SqlitePool, booking: &BookingId) -> Read<Option<Booking>> {
    let row =
        sqlx::query(select_bookings!("WHERE booking_id = ?1")).bind(booking.as_str()).fetch_optional(readers).await?;
    row.map(|row| Ok(kept(&row)?.booking)).transpose()
}

pub(super) async fn bookings_of(
    readers: &SqlitePool,
    user: &UserId,
    before: Option<&BookingId>,
    max: usize,
) -> Read<Vec<Booking>> {
    let mut rows = sqlx::query(select_bookings!(
        "WHERE user_id = ?1
            AND (?2 IS NULL OR number < (SELECT number FROM bookings WHERE booking_id = ?2 AND user_id = ?1))
        ORDER BY number DESC LIMIT ?3"
    ))
    .bind(user.as_str())
    .bind(before.map(BookingId::as_str))
    .bind(limit(max))
    .fetch(readers);
    let mut bookings = Vec::new();
    while let Some(row) = rows.try_next().await? {
        bookings.push(kept(&row)?.booking);
    }
    Ok(bookings)
}

pub(super) async fn seat_states(readers: &SqlitePool, event: &EventId) -> Read<SeatStates> {
    // One statement, so that the version is the one of these seats.
    let mut rows = sqlx::query_as::<_, (Option<i64>, i64)>(
        "SELECT NULL, version FROM event_versions WHERE event_id = ?1
         UNION ALL
         SELECT seat, booked FROM seat_claims WHERE event_id = ?1",
    )
    .bind(event.as_str())
    .fetch(readers);
    let mut seats = SeatStates::default();
    while let Some((seat, value)) = rows.try_next().await? {
        match seat {
            None => seats.version = to_u64(value)?,
            Some(seat) => {
                let status = if value == 0 { SeatStatus::Reserved } else { SeatStatus::Booked };
                seats.taken.push((SeatIndex(u32::try_from(seat).map_err(unreadable)?), status));
            }
        }
    }
    Ok(seats)
}

pub(super) async fn totals(readers: &SqlitePool, event: &EventId, now: Timestamp) -> Read<Totals> {
    let (booked, held, holding_sessions): (i64, i64, i64) = sqlx::query_as(
        "SELECT coalesce((SELECT booked FROM event_versions WHERE event_id = ?1), 0),
            coalesce(sum(json_array_length(seats)), 0), count(DISTINCT session)
         FROM bookings INDEXED BY bookings_with_seats
         WHERE event_id = ?1 AND state IN ('held', 'confirmed') AND state = 'held' AND expires_at > ?2",
    )
    .bind(event.as_str())
    .bind(now.as_millis())
    .fetch_one(readers)
    .await?;
    Ok(Totals { held: to_u64(held)?, booked: to_u64(booked)?, holding_sessions: to_u64(holding_sessions)? })
}

pub(super) async fn live_claims(readers: &SqlitePool, event: &EventId, now: Timestamp) -> Read<Vec<SeatClaim>> {
    let mut rows = sqlx::query(select_bookings!(
        "WHERE event_id = ?1 AND state IN ('held', 'confirmed') AND (state = 'confirmed' OR expires_at > ?2)"
    ))
    .bind(event.as_str())
    .bind(now.as_millis())
    .fetch(readers);
    let mut claims = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let booking = kept(&row)?.booking;
        let until = booking.is_live_hold(now).then_some(booking.expires_at);
        claims.push(SeatClaim { booking: booking.booking_id, seats: booking.seats, until });
    }
    Ok(claims)
}

pub(super) async fn audit_trail(
    readers: &SqlitePool,
    event: &EventId,
    before: Option<u64>,
    max: usize,
) -> Read<Vec<AuditEntry>> {
    let rows: Vec<(i64, String, String, i64, String, String, String)> = sqlx::query_as(
        "SELECT number, command, actor, at, action, before, after FROM audit
         WHERE event_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
    )
    .bind(event.as_str())
    .bind(before.map_or(i64::MAX, to_i64))
    .bind(limit(max))
    .fetch_all(readers)
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

/// A payment act as it is stored: booking, transaction, refund, step, amount, currency, moment, reason.
type ActRow = (String, String, u32, String, i64, String, i64, Option<String>);

fn payment_act((booking, transaction, refund, step, amount, currency, at, reason): ActRow) -> Read<PaymentAct> {
    Ok(PaymentAct {
        booking: from_text(&booking)?,
        transaction: from_text(&transaction)?,
        refund,
        reason,
        step: serde_json::from_value(serde_json::Value::String(step)).map_err(unreadable)?,
        amount: Money { amount, currency: from_text(&currency)? },
        at: Timestamp::from_millis(at),
    })
}

pub(super) async fn payment_acts(readers: &SqlitePool, booking: &BookingId) -> Read<Vec<PaymentAct>> {
    let rows: Vec<ActRow> = sqlx::query_as(
        "SELECT booking_id, transaction_id, refund, step, amount, currency, at, reason FROM payment_acts
         WHERE booking_id = ?1 ORDER BY number",
    )
    .bind(booking.as_str())
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(payment_act).collect()
}

pub(super) async fn unsettled_payments(readers: &SqlitePool, until: Timestamp, max: usize) -> Read<Vec<PaymentAct>> {
    let rows: Vec<ActRow> = sqlx::query_as(
        "SELECT a.booking_id, a.transaction_id, a.refund, a.step, a.amount, a.currency, a.at, a.reason
         FROM unsettled_payments u CROSS JOIN payment_acts a ON a.number = u.number
         WHERE u.at <= ?1 AND u.stuck IS NULL ORDER BY u.at, u.number LIMIT ?2",
    )
    .bind(until.as_millis())
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(payment_act).collect()
}

pub(super) async fn stuck_payments(readers: &SqlitePool, max: usize) -> Read<Vec<PaymentAct>> {
    let rows: Vec<ActRow> = sqlx::query_as(
        "SELECT a.booking_id, a.transaction_id, a.refund, a.step, a.amount, a.currency, a.at, a.reason
         FROM unsettled_payments u CROSS JOIN payment_acts a ON a.number = u.stuck
         WHERE u.stuck IS NOT NULL ORDER BY u.stuck LIMIT ?1",
    )
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(payment_act).collect()
}

pub(super) async fn outbox(readers: &SqlitePool, max: usize) -> Read<Vec<OutboxRow>> {
    let rows: Vec<(i64, String, String, i64)> =
        sqlx::query_as("SELECT number, kind, booking, at FROM outbox ORDER BY number LIMIT ?1")
            .bind(limit(max))
            .fetch_all(readers)
            .await?;
    let row = |(number, kind, booking, at): (i64, String, String, i64)| {
        Ok(OutboxRow { number: to_u64(number)?, kind, booking: from_json(&booking)?, at: Timestamp::from_millis(at) })
    };
    rows.into_iter().map(row).collect()
}

pub(super) async fn called_off(readers: &SqlitePool, event: &EventId) -> Read<Option<CalledOff>> {
    let kept: Option<Option<String>> = sqlx::query_scalar("SELECT called_off FROM event_versions WHERE event_id = ?1")
        .bind(event.as_str())
        .fetch_optional(readers)
        .await?;
    kept.flatten().map(|kept| from_json(&kept)).transpose()
}

pub(super) async fn refunds_left(readers: &SqlitePool, event: &EventId) -> Read<u64> {
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM unsettled_payments u CROSS JOIN bookings b ON b.booking_id = u.booking_id
         WHERE u.refund > 0 AND b.event_id = ?1",
    )
    .bind(event.as_str())
    .fetch_one(readers)
    .await?;
    to_u64(left)
}

pub(super) async fn all_bookings(readers: &SqlitePool, after: Option<&BookingId>, max: usize) -> Read<Vec<Booking>> {
    let rows = sqlx::query(select_bookings!("WHERE booking_id > coalesce(?1, '') ORDER BY booking_id LIMIT ?2"))
        .bind(after.map(BookingId::as_str))
        .bind(limit(max))
        .fetch_all(readers)
        .await?;
    rows.iter().map(|row| Ok(kept(row)?.booking)).collect()
}

pub(super) async fn seat_owners(readers: &SqlitePool, event: &EventId) -> Read<Vec<(SeatIndex, BookingId)>> {
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT seat, booking_id FROM seat_claims WHERE event_id = ?1")
        .bind(event.as_str())
        .fetch_all(readers)
        .await?;
    let owner =
        |(seat, owner): (i64, String)| Ok((SeatIndex(u32::try_from(seat).map_err(unreadable)?), from_text(&owner)?));
    rows.into_iter().map(owner).collect()
}

pub(super) async fn bookings_called_off(readers: &SqlitePool, max: usize) -> Read<Vec<Booking>> {
    let rows = sqlx::query(select_bookings!(
        "WHERE state = 'confirmed' AND event_id IN (SELECT event_id FROM event_versions WHERE called_off IS NOT NULL)
        ORDER BY number LIMIT ?1"
    ))
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.iter().map(|row| Ok(kept(row)?.booking)).collect()
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}
