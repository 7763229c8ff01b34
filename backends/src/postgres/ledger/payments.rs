//! The trail of payment acts, and which payments have no end yet.

use std::collections::HashMap;

use booking_core::{
    booking::{PaymentAct, PaymentStep},
    id::BookingId,
    money::Money,
    time::Timestamp,
};
use sqlx::{Connection as _, FromRow as _, PgConnection, Row as _, postgres::PgRow};

use super::read::{Read, limit};
use crate::sql::stored::{from_text, unreadable};

/// The acts of a statement, as they are to be stored; [`PaymentAct`]s are bound to it by [`write`]. One that is there
/// already is left out: of two that record it at once, the later fails on the key and finds it on its next try.
macro_rules! record {
    ($where:literal, $then:literal) => {
        concat!(
            "WITH acts AS (
                SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[],
                    $8::text[]) AS a (booking_id, transaction_id, refund, step, amount, currency, at, reason)
            ), recorded AS (
                INSERT INTO payment_acts (booking_id, transaction_id, refund, step, amount, currency, at, reason)
                SELECT a.* FROM acts a
                WHERE NOT EXISTS (
                    SELECT 1 FROM payment_acts p WHERE p.booking_id = a.booking_id AND p.transaction_id = a.transaction_id
                        AND p.refund = a.refund AND p.step = a.step)",
            $where,
            " RETURNING number, booking_id, transaction_id, refund, step, at
            ) ",
            $then
        )
    };
}

/// Those after which nothing else is known of the payment than before.
const NOTED: &str = record!("", "SELECT 1");

/// Those from which on there is something to do about the money.
const BEGUN: &str = record!(
    "",
    "INSERT INTO unsettled_payments (booking_id, transaction_id, refund, at, number)
     SELECT r.booking_id, r.transaction_id, r.refund, r.at, r.number FROM recorded r
     WHERE NOT EXISTS (
        SELECT 1 FROM payment_acts p
        WHERE p.booking_id = r.booking_id AND p.transaction_id = r.transaction_id AND p.refund = r.refund
            AND p.step IN ('captured', 'voided', 'refunded', 'resolved', 'declined'))
        AND NOT EXISTS (
            SELECT 1 FROM unsettled_payments u
            WHERE u.booking_id = r.booking_id AND u.transaction_id = r.transaction_id AND u.refund = r.refund)"
);

/// The same of what is to be given back: not the payment of a booking that was confirmed with it. Also after the provider
/// refused: what it told may be of later.
const VOID_DUE: &str = record!(
    " AND NOT EXISTS (
        SELECT 1 FROM bookings b
        WHERE b.booking_id = a.booking_id AND b.transaction_id = a.transaction_id AND b.state = 'confirmed')",
    "INSERT INTO unsettled_payments (booking_id, transaction_id, refund, at, number)
     SELECT r.booking_id, r.transaction_id, r.refund, r.at, r.number FROM recorded r
     WHERE NOT EXISTS (
        SELECT 1 FROM payment_acts p
        WHERE p.booking_id = r.booking_id AND p.transaction_id = r.transaction_id AND p.refund = r.refund
            AND p.step IN ('captured', 'voided', 'refunded', 'resolved'))
     ON CONFLICT (booking_id, transaction_id, refund) DO NOTHING"
);

/// Those that a person has to see to.
const STUCK: &str = record!(
    "",
    "UPDATE unsettled_payments u SET stuck = r.number FROM recorded r
     WHERE u.booking_id = r.booking_id AND u.transaction_id = r.transaction_id AND u.refund = r.refund"
);

/// Those after which nothing is left to do; also where they were recorded before.
const ENDED: &str = record!(
    "",
    "DELETE FROM unsettled_payments u USING acts a
     WHERE u.booking_id = a.booking_id AND u.transaction_id = a.transaction_id AND u.refund = a.refund"
);

/// A refusal is an end, unless the money is to be given back.
const DECLINED: &str = record!(
    "",
    "DELETE FROM unsettled_payments u USING acts a
     WHERE u.booking_id = a.booking_id AND u.transaction_id = a.transaction_id AND u.refund = a.refund
        AND NOT EXISTS (
            SELECT 1 FROM payment_acts p
            WHERE p.booking_id = a.booking_id AND p.transaction_id = a.transaction_id AND p.refund = a.refund
                AND p.step = 'voidDue')"
);

fn statement(step: PaymentStep) -> &'static str {
    match step {
        PaymentStep::Authorised => NOTED,
        PaymentStep::Asked | PaymentStep::RefundDue => BEGUN,
        PaymentStep::VoidDue => VOID_DUE,
        PaymentStep::Stuck => STUCK,
        PaymentStep::Declined => DECLINED,
        PaymentStep::Captured | PaymentStep::Voided | PaymentStep::Refunded | PaymentStep::Resolved => ENDED,
    }
}

/// Records acts, each about other money: those of a kind by one statement.
pub(super) async fn record(connection: &mut PgConnection, acts: &[PaymentAct]) -> Read<()> {
    let mut kinds: Vec<(&'static str, Vec<&PaymentAct>)> = Vec::new();
    for act in acts {
        let statement = statement(act.step);
        match kinds.iter_mut().find(|(known, _)| *known == statement) {
            Some((_, acts)) => acts.push(act),
            None => kinds.push((statement, vec![act])),
        }
    }
    for (statement, mut acts) in kinds {
        // All in the same order: who records the same meanwhile waits, and nobody for each other.
        acts.sort_unstable_by_key(|act| (&act.booking, &act.transaction, act.refund));
        if statement == VOID_DUE {
            give_back(connection, &acts).await?;
        } else {
            write(connection, statement, &acts).await?;
        }
    }
    Ok(())
}

/// Who is to give money back waits for who confirms the booking with it, and the other way round: each then sees what the
/// other did (invariant 9).
async fn give_back(connection: &mut PgConnection, acts: &[&PaymentAct]) -> Read<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "SELECT 1 FROM event_versions
         WHERE event_id IN (SELECT event_id FROM bookings WHERE booking_id = ANY ($1))
         ORDER BY event_id FOR UPDATE",
    )
    .bind(acts.iter().map(|act| act.booking.as_str()).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    write(&mut transaction, VOID_DUE, acts).await?;
    transaction.commit().await
}

async fn write(connection: &mut PgConnection, statement: &'static str, acts: &[&PaymentAct]) -> Read<()> {
    let steps = acts.iter().map(|act| match serde_json::to_value(act.step) {
        Ok(serde_json::Value::String(step)) => Ok(step),
        _ => Err(unreadable("a payment's step without a name")),
    });
    sqlx::query(statement)
        .bind(acts.iter().map(|act| act.booking.as_str()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.transaction.as_str()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| i64::from(act.refund)).collect::<Vec<_>>())
        .bind(steps.collect::<Read<Vec<String>>>()?)
        .bind(acts.iter().map(|act| act.amount.amount).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.amount.currency.as_str()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.at.as_millis()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.reason.as_deref()).collect::<Vec<_>>())
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
         FROM (SELECT * FROM unsettled_payments WHERE at <= $1 AND stuck IS NULL ORDER BY at, number LIMIT $2) u
         JOIN payment_acts a USING (booking_id, transaction_id, refund)
         WHERE a.number = u.number ORDER BY u.at, u.number",
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
