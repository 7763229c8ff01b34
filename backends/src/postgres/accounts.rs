//! The refresh families on Postgres: a rotation is one statement.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortResult,
        accounts::{FamilyId, RefreshFamilies, Rotation},
    },
    time::Timestamp,
};
use sqlx::PgConnection;

use super::{database::PostgresDatabase, tries::ask};
use crate::sql::stored::{to_i64, to_u64};

const PORT: &str = "accounts";

/// How often families that ended are forgotten, in milliseconds.
const FORGET_EVERY_MS: i64 = 10_000;
/// The most families forgotten at once: more than are likely to begin meanwhile, and a few milliseconds' work.
const MAX_FORGOTTEN: i64 = 4_096;
/// How long after its end a family is forgotten: a clock that jumped ahead by less forgets none that is still of use.
const FORGET_AFTER_MS: i64 = 24 * 3_600 * 1_000;

/// The refresh families. A clone is the same families.
#[derive(Debug, Clone)]
pub struct PostgresRefreshFamilies {
    database: PostgresDatabase,
    /// When families were last forgotten.
    forgot_at: Arc<AtomicI64>,
}

impl PostgresRefreshFamilies {
    /// The families in `database`.
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database, forgot_at: Arc::default() }
    }

    /// Forgets families that ended long ago, if that is due.
    async fn forget(&self, now: Timestamp) {
        let now = now.as_millis();
        let forgot_at = self.forgot_at.load(Ordering::Relaxed);
        let is_mine = now - forgot_at >= FORGET_EVERY_MS
            && self.forgot_at.compare_exchange(forgot_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_mine {
            return;
        }
        let forgotten: PortResult<()> =
            async { ask!(&self.database, PORT, connection => forget(connection, now)) }.await;
        if let Err(error) = forgotten {
            tracing::debug!(%error, "families that ended are forgotten the next time");
        }
    }
}

#[async_trait]
impl RefreshFamilies for PostgresRefreshFamilies {
    async fn rotate(
        &self,
        family: FamilyId,
        serial: u64,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> PortResult<Rotation> {
        // A family that may be forgotten must not begin anew at serial 0.
        if expires_at <= now {
            return Ok(Rotation::Revoked);
        }
        let spending =
            Spending { family, serial: to_i64(serial), expires_at: expires_at.as_millis(), act: rand::random() };
        let rotated = ask!(&self.database, PORT, connection => spend(connection, &spending))?;
        self.forget(now).await;
        Ok(rotated)
    }
}

/// A rotation, and the mark by which it knows itself again where the connection broke before its answer.
struct Spending {
    family: FamilyId,
    serial: i64,
    expires_at: i64,
    act: [u8; 16],
}

async fn spend(connection: &mut PgConnection, spending: &Spending) -> Result<Rotation, sqlx::Error> {
    // The row's lock makes one after the other of those who spend a family's tokens at once. The largest serial has no
    // next one.
    let next: Option<i64> = sqlx::query_scalar(
        "INSERT INTO families AS f (family, next, expires_at, act)
         VALUES ($1, CASE WHEN $2 = 0 THEN 1 END, $3, $4)
         ON CONFLICT (family) DO UPDATE SET
            next = CASE
                WHEN f.act = excluded.act THEN f.next
                WHEN f.next = $2 AND $2 < 9223372036854775807 THEN $2 + 1
            END,
            expires_at = greatest(f.expires_at, excluded.expires_at),
            act = excluded.act
         RETURNING next",
    )
    .bind(&spending.family[..])
    .bind(spending.serial)
    .bind(spending.expires_at)
    .bind(&spending.act[..])
    .fetch_one(connection)
    .await?;
    next.map_or(Ok(Rotation::Revoked), |next| Ok(Rotation::Next(to_u64(next)?)))
}

async fn forget(connection: &mut PgConnection, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM families WHERE family IN (
            SELECT family FROM families WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind(now - FORGET_AFTER_MS)
    .bind(MAX_FORGOTTEN)
    .execute(connection)
    .await?;
    Ok(())
}
