//! The refresh families in one SQLite file.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortError, PortResult,
        accounts::{FamilyId, RefreshFamilies, Rotation},
    },
    time::Timestamp,
};
use sqlx::SqliteConnection;

use super::{
    database::{Database, Schema},
    error::{to_i64, to_json, to_u64, unreadable},
    group::{Group, Reply, Scribe},
    queue::{self, Queue},
};

const PORT: &str = "accounts";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x5761_6363,
    steps: &[("accounts", include_str!("../../migrations/sqlite/accounts/0001_accounts.sql"))],
};

/// The most rotations that wait to be written; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;
/// The most families forgotten with one commit: more than one commit is likely to add, and a few milliseconds' work.
const MAX_FORGOTTEN: i64 = 1_024;
/// How long after its end a family is forgotten: a clock that jumped ahead by less forgets none that is still of use.
const FORGET_AFTER_MS: i64 = 24 * 3_600 * 1_000;

/// The refresh families. A clone is the same families.
#[derive(Clone)]
pub struct SqliteRefreshFamilies(Arc<Scribe<Rotate>>);

impl SqliteRefreshFamilies {
    /// Opens the families in the file at `path`, made where it is missing; its folder must exist. Must be called on a
    /// Tokio runtime, which the writer then runs on.
    ///
    /// # Errors
    /// `Unavailable`: the folder or the file can't be written, the disk is full, another process has it, or a newer
    /// version wrote it. `Damaged`: the file is corrupt or holds something else.
    pub async fn open(path: &Path) -> PortResult<Self> {
        let (database, connection) = Database::open(path, &SCHEMA).await?;
        let queue = Queue::new(PORT, MAX_WAITING);
        Ok(Self(Arc::new(Scribe::new(Arc::new(database), connection, queue, Writer))))
    }

    /// Writes what waits, and ends: every later rotation is refused.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

#[async_trait]
impl RefreshFamilies for SqliteRefreshFamilies {
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
        self.0.ask(|reply| Rotate { family, serial, expires_at, now, reply }).await
    }
}

struct Rotate {
    family: FamilyId,
    serial: u64,
    expires_at: Timestamp,
    now: Timestamp,
    reply: Reply<Rotation>,
}

impl queue::Act for Rotate {
    fn bytes(&self) -> usize {
        128
    }
}

/// A family: the serial that works next, `None` where none ever will, and its end in milliseconds.
#[derive(Clone, Copy)]
struct Family {
    next: Option<u64>,
    expires_at: i64,
}

struct Writer;

impl Group for Writer {
    type Act = Rotate;
    const APART: bool = true;

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Rotate>) -> Result<(), sqlx::Error> {
        let mut families = read(transaction, acts).await?;
        let mut latest = Timestamp::default();
        for act in acts {
            let ends = act.expires_at.as_millis();
            let family = families.entry(act.family).or_insert(Family { next: Some(0), expires_at: ends });
            family.expires_at = family.expires_at.max(ends);
            family.next = family.next.filter(|next| *next == act.serial).and_then(|next| next.checked_add(1));
            act.reply.set(family.next.map_or(Rotation::Revoked, Rotation::Next));
            latest = latest.max(act.now);
        }
        let rows: Vec<_> =
            families.iter().map(|(id, family)| (hex::encode(id), family.next.map(to_i64), family.expires_at)).collect();
        sqlx::query(
            "INSERT INTO families (family, next, expires_at)
             SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
             ON CONFLICT (family) DO UPDATE SET next = excluded.next, expires_at = excluded.expires_at",
        )
        .bind(to_json(&rows))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM families WHERE family IN
                (SELECT family FROM families WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )
        .bind(latest.as_millis() - FORGET_AFTER_MS)
        .bind(MAX_FORGOTTEN)
        .execute(transaction)
        .await?;
        Ok(())
    }

    fn written(&mut self, acts: Vec<Rotate>) {
        for act in acts {
            act.reply.send();
        }
    }

    fn failed(&mut self, acts: Vec<Rotate>, why: &PortError) {
        for act in acts {
            act.reply.fail(why);
        }
    }
}

/// The families that `acts` name, as far as they are known.
async fn read(connection: &mut SqliteConnection, acts: &[Rotate]) -> Result<HashMap<FamilyId, Family>, sqlx::Error> {
    let named: HashSet<String> = acts.iter().map(|act| hex::encode(act.family)).collect();
    let rows: Vec<(Vec<u8>, Option<i64>, i64)> = sqlx::query_as(
        "SELECT family, next, expires_at FROM families WHERE family IN (SELECT unhex(value) FROM json_each(?1))",
    )
    .bind(to_json(&named))
    .fetch_all(connection)
    .await?;
    let family = |(id, next, expires_at): (Vec<u8>, Option<i64>, i64)| {
        let id = FamilyId::try_from(id).map_err(|_| unreadable("a family whose name is not 16 bytes"))?;
        Ok((id, Family { next: next.map(to_u64).transpose()?, expires_at }))
    };
    rows.into_iter().map(family).collect()
}
