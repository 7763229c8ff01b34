//! The outbox: numbered when it is read.
//!
//! Two transactions may commit in another order than they wrote in. A number given when writing could turn up below one
//! that was published already, and be taken for published with it. So a row gets its number when it is first seen,
//! behind every number given before. Rows of one booking are in order: each change is committed before the next begins.

use booking_core::{booking::OutboxRow, time::Timestamp};
use sqlx::{Connection as _, PgConnection};

use super::read::{Read, limit};
use crate::sql::stored::{from_json, to_i64, to_u64};

/// How long a transaction's mark is kept: longer than any writer goes on trying.
const KEEP_ACTS: &str = "10 minutes";
/// The most marks forgotten at once.
const MAX_FORGOTTEN: i64 = 1_000;

/// Up to `max` rows, oldest first.
pub(super) async fn read(connection: &mut PgConnection, max: usize) -> Read<Vec<OutboxRow>> {
    let has_new: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM outbox WHERE number IS NULL)")
        .fetch_one(&mut *connection)
        .await?;
    if has_new {
        number(connection, max).await?;
    }
    let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "SELECT number, kind, booking::text, at FROM outbox WHERE number IS NOT NULL ORDER BY number LIMIT $1",
    )
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    let row = |(number, kind, booking, at): (i64, String, String, i64)| {
        Ok(OutboxRow { number: to_u64(number)?, kind, booking: from_json(&booking)?, at: Timestamp::from_millis(at) })
    };
    rows.into_iter().map(row).collect()
}

/// Gives up to `max` rows their numbers. Whoever does so locks the last number first, so that nobody else numbers the
/// same rows.
async fn number(connection: &mut PgConnection, max: usize) -> Read<()> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let last: i64 =
        sqlx::query_scalar("SELECT last FROM outbox_numbers FOR UPDATE").fetch_one(&mut *transaction).await?;
    sqlx::query(
        "WITH seen AS (
            SELECT entry, $1 + row_number() OVER (ORDER BY entry) AS number
            FROM (SELECT entry FROM outbox WHERE number IS NULL ORDER BY entry LIMIT $2) AS new
        ), numbered AS (
            UPDATE outbox o SET number = seen.number FROM seen WHERE o.entry = seen.entry RETURNING 1
        )
        UPDATE outbox_numbers SET last = last + (SELECT count(*) FROM numbered)",
    )
    .bind(last)
    .bind(limit(max))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Forgets the rows up to and with `number`, and marks of transactions that nobody looks for any more.
pub(super) async fn published(connection: &mut PgConnection, number: u64) -> Read<()> {
    sqlx::query("DELETE FROM outbox WHERE number <= $1").bind(to_i64(number)).execute(&mut *connection).await?;
    sqlx::query(
        "DELETE FROM acts WHERE act_id IN (
            SELECT act_id FROM acts WHERE written_at < now() - $1::interval ORDER BY written_at LIMIT $2
            FOR UPDATE SKIP LOCKED)",
    )
    .bind(KEEP_ACTS)
    .bind(MAX_FORGOTTEN)
    .execute(connection)
    .await?;
    Ok(())
}
