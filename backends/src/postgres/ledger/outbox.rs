//! The outbox. Its rows are known by the entry each was written with. Two transactions may commit in another order than
//! they wrote in, so a row may turn up below one that was published already: what is published is forgotten row by row,
//! not up to a number. Rows of one event are in order: whoever writes one has locked its event.

use booking_core::{booking::OutboxRow, time::Timestamp};
use sqlx::PgConnection;

use super::read::{Read, limit};
use crate::sql::stored::{from_json, to_i64, to_u64};

/// How long a transaction's mark is kept: longer than any writer goes on trying.
const KEEP_ACTS: &str = "10 minutes";
/// The most marks forgotten at once.
const MAX_FORGOTTEN: i64 = 1_000;

/// Up to `max` rows, oldest first.
pub(super) async fn read(connection: &mut PgConnection, max: usize) -> Read<Vec<OutboxRow>> {
    let rows: Vec<(i64, String, String, i64)> =
        sqlx::query_as("SELECT entry, kind, booking, at FROM outbox ORDER BY entry LIMIT $1")
            .bind(limit(max))
            .fetch_all(connection)
            .await?;
    let row = |(number, kind, booking, at): (i64, String, String, i64)| {
        Ok(OutboxRow { number: to_u64(number)?, kind, booking: from_json(&booking)?, at: Timestamp::from_millis(at) })
    };
    rows.into_iter().map(row).collect()
}

/// Forgets the rows of these numbers, and marks of transactions that nobody looks for any more.
pub(super) async fn published(connection: &mut PgConnection, numbers: &[u64]) -> Read<()> {
    let entries: Vec<i64> = numbers.iter().copied().map(to_i64).collect();
    sqlx::query(
        "WITH published AS (
            DELETE FROM outbox WHERE entry = ANY ($1)
        )
        DELETE FROM acts WHERE act_id IN (
            SELECT act_id FROM acts WHERE written_at < now() - $2::interval ORDER BY written_at LIMIT $3
            FOR UPDATE SKIP LOCKED)",
    )
    .bind(entries)
    .bind(KEEP_ACTS)
    .bind(MAX_FORGOTTEN)
    .execute(connection)
    .await?;
    Ok(())
}
