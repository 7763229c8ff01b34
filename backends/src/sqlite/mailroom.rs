//! The mailroom in one SQLite file.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, LetterId},
    mail::{Contact, Letter},
    ports::{
        PortError, PortResult,
        mailroom::{Due, Letters, Mailroom, RefusedLetter, Settled},
    },
    time::Timestamp,
};
use sqlx::SqliteConnection;

use super::{
    database::{Database, Schema},
    error::{from_json, from_text, to_i64, to_json, to_u64, unreadable},
    group::{Group, Reply, Scribe},
    queue::{self, Queue},
};

const PORT: &str = "mailroom";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x576d_6169,
    steps: &[("mail", include_str!("../../migrations/sqlite/mail/0001_mail.sql"))],
};

/// The most verbs that wait to be written; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;
/// What a letter takes while it waits to be written, in bytes, about.
const LETTER_BYTES: usize = 1_024;

/// The mailroom. A clone is the same mailroom.
#[derive(Clone)]
pub struct SqliteMailroom(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    scribe: Scribe<Act>,
}

impl SqliteMailroom {
    /// Opens the mailroom in the file at `path`, made where it is missing; its folder must exist. Must be called on a
    /// Tokio runtime, which the writer then runs on.
    ///
    /// # Errors
    /// `Unavailable`: the folder or the file can't be written, the disk is full, another process has it, or a newer
    /// version wrote it. `Damaged`: the file is corrupt or holds something else.
    pub async fn open(path: &Path) -> PortResult<Self> {
        let (database, connection) = Database::open(path, &SCHEMA).await?;
        let database = Arc::new(database);
        let scribe = Scribe::new(Arc::clone(&database), connection, Queue::new(PORT, MAX_WAITING), Writer);
        Ok(Self(Arc::new(Shared { database, scribe })))
    }

    /// Writes what waits, and ends: every later verb is refused.
    pub async fn close(&self) {
        self.0.scribe.close().await;
    }

    async fn read_due(&self, now: Timestamp, max: usize) -> Result<Vec<Due>, sqlx::Error> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT l.letter, c.contact, l.tries, l.posted_at
             FROM letters l CROSS JOIN contacts c ON c.booking_id = l.booking_id
             WHERE l.due_at <= ?1 ORDER BY l.due_at, l.number LIMIT ?2",
        )
        .bind(now.as_millis())
        .bind(limit(max))
        .fetch_all(self.0.database.readers())
        .await?;
        let due = |(letter, contact, tries, posted_at): (String, String, i64, i64)| {
            Ok(Due {
                letter: from_json(&letter)?,
                contact: from_json(&contact)?,
                tries: u32::try_from(tries).map_err(unreadable)?,
                posted_at: Timestamp::from_millis(posted_at),
            })
        };
        rows.into_iter().map(due).collect()
    }

    async fn read_refused(&self, max: usize) -> Result<Vec<RefusedLetter>, sqlx::Error> {
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT letter_id, booking_id, refused, settled_at FROM letters WHERE refused IS NOT NULL
             ORDER BY settled_at DESC, number DESC LIMIT ?1",
        )
        .bind(limit(max))
        .fetch_all(self.0.database.readers())
        .await?;
        let refused = |(letter, booking, reason, at): (String, String, String, i64)| {
            Ok(RefusedLetter {
                letter_id: from_text(&letter)?,
                booking_id: from_text(&booking)?,
                reason,
                at: Timestamp::from_millis(at),
            })
        };
        rows.into_iter().map(refused).collect()
    }

    async fn count(&self) -> Result<Letters, sqlx::Error> {
        let (waiting, refused): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM letters WHERE due_at IS NOT NULL),
                (SELECT count(*) FROM letters WHERE refused IS NOT NULL)",
        )
        .fetch_one(self.0.database.readers())
        .await?;
        Ok(Letters { waiting: to_u64(waiting)?, refused: to_u64(refused)? })
    }
}

#[async_trait]
impl Mailroom for SqliteMailroom {
    async fn remember(&self, contacts: &[(BookingId, Contact)], now: Timestamp) -> PortResult<()> {
        // Where one is named twice, the last counts.
        let rows = contacts.iter().map(|(booking, contact)| (booking.to_string(), to_json(contact))).collect();
        self.0.scribe.ask(|reply| Act::Remember { rows, now, reply }).await
    }

    async fn post(&self, letters: &[Letter], now: Timestamp) -> PortResult<usize> {
        let row =
            |letter: &Letter| (letter.letter_id.to_string(), letter.booking.booking_id.to_string(), to_json(letter));
        let rows = letters.iter().map(row).collect();
        self.0.scribe.ask(|reply| Act::Post { rows, now, reply }).await
    }

    async fn due(&self, now: Timestamp, max: usize) -> PortResult<Vec<Due>> {
        self.0.database.answer(self.read_due(now, max).await)
    }

    async fn settle(&self, settled: &[(LetterId, Settled)], now: Timestamp) -> PortResult<()> {
        let row = |(id, settled): &(LetterId, Settled)| match settled {
            Settled::Sent => (id.to_string(), None, None),
            Settled::Later(until) => (id.to_string(), Some(until.as_millis()), None),
            Settled::Refused(why) => (id.to_string(), None, Some(why.clone())),
        };
        let rows = settled.iter().map(row).collect();
        self.0.scribe.ask(|reply| Act::Settle { rows, now, reply }).await
    }

    async fn refused(&self, max: usize) -> PortResult<Vec<RefusedLetter>> {
        self.0.database.answer(self.read_refused(max).await)
    }

    async fn letters(&self) -> PortResult<Letters> {
        self.0.database.answer(self.count().await)
    }

    async fn forget(&self, before: Timestamp, max: usize) -> PortResult<usize> {
        self.0.scribe.ask(|reply| Act::Forget { before, max, reply }).await
    }
}

/// A row about a letter that is settled: its id, until when it is put off, why it is refused.
type SettledRow = (String, Option<i64>, Option<String>);

enum Act {
    Remember { rows: Vec<(String, String)>, now: Timestamp, reply: Reply<()> },
    Post { rows: Vec<(String, String, String)>, now: Timestamp, reply: Reply<usize> },
    Settle { rows: Vec<SettledRow>, now: Timestamp, reply: Reply<()> },
    Forget { before: Timestamp, max: usize, reply: Reply<usize> },
}

impl queue::Act for Act {
    fn bytes(&self) -> usize {
        match self {
            Self::Remember { rows, .. } => rows.len() * LETTER_BYTES / 4,
            Self::Post { rows, .. } => rows.len() * LETTER_BYTES,
            Self::Settle { rows, .. } => rows.len() * LETTER_BYTES / 4,
            Self::Forget { .. } => LETTER_BYTES,
        }
    }
}

struct Writer;

impl Group for Writer {
    type Act = Act;
    const APART: bool = true;

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Act>) -> Result<(), sqlx::Error> {
        for act in acts {
            match act {
                Act::Remember { rows, now, reply } => {
                    remember(transaction, rows, *now).await?;
                    reply.set(());
                }
                Act::Post { rows, now, reply } => reply.set(post(transaction, rows, *now).await?),
                Act::Settle { rows, now, reply } => {
                    settle(transaction, rows, *now).await?;
                    reply.set(());
                }
                Act::Forget { before, max, reply } => reply.set(forget(transaction, *before, *max).await?),
            }
        }
        Ok(())
    }

    fn written(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Remember { reply, .. } | Act::Settle { reply, .. } => reply.send(),
                Act::Post { reply, .. } | Act::Forget { reply, .. } => reply.send(),
            }
        }
    }

    fn failed(&mut self, acts: Vec<Act>, why: &PortError) {
        for act in acts {
            match act {
                Act::Remember { reply, .. } | Act::Settle { reply, .. } => reply.fail(why),
                Act::Post { reply, .. } | Act::Forget { reply, .. } => reply.fail(why),
            }
        }
    }
}

async fn remember(
    transaction: &mut SqliteConnection,
    rows: &[(String, String)],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO contacts (booking_id, contact, noted_at)
         SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1) WHERE true ORDER BY key
         ON CONFLICT (booking_id) DO UPDATE SET contact = excluded.contact, noted_at = excluded.noted_at",
    )
    .bind(to_json(&rows))
    .bind(now.as_millis())
    .execute(transaction)
    .await?;
    Ok(())
}

async fn post(
    transaction: &mut SqliteConnection,
    rows: &[(String, String, String)],
    now: Timestamp,
) -> Result<usize, sqlx::Error> {
    let queued = sqlx::query(
        "INSERT INTO letters (letter_id, booking_id, letter, posted_at, due_at)
         SELECT value ->> 0, value ->> 1, value ->> 2, ?2, ?2 FROM json_each(?1)
         WHERE value ->> 1 IN (SELECT booking_id FROM contacts) ORDER BY key
         ON CONFLICT (letter_id) DO NOTHING",
    )
    .bind(to_json(&rows))
    .bind(now.as_millis())
    .execute(transaction)
    .await?;
    usize::try_from(queued.rows_affected()).map_err(unreadable)
}

async fn settle(transaction: &mut SqliteConnection, rows: &[SettledRow], now: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE letters SET
            tries = tries + (s.until IS NOT NULL),
            letter = CASE WHEN s.until IS NOT NULL THEN letter END,
            due_at = s.until,
            settled_at = CASE WHEN s.until IS NULL THEN ?2 END,
            refused = s.refused
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS until, value ->> 2 AS refused FROM json_each(?1)) AS s
         WHERE letters.letter_id = s.id AND letters.settled_at IS NULL",
    )
    .bind(to_json(&rows))
    .bind(now.as_millis())
    .execute(transaction)
    .await?;
    Ok(())
}

async fn forget(transaction: &mut SqliteConnection, before: Timestamp, max: usize) -> Result<usize, sqlx::Error> {
    let letters = sqlx::query(
        "DELETE FROM letters WHERE number IN (
            SELECT number FROM letters WHERE settled_at < ?1 ORDER BY settled_at LIMIT ?2)",
    )
    .bind(before.as_millis())
    .bind(limit(max))
    .execute(&mut *transaction)
    .await?;
    let contacts = sqlx::query(
        "DELETE FROM contacts WHERE booking_id IN (
            SELECT c.booking_id FROM contacts c WHERE c.noted_at < ?1
                AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.booking_id = c.booking_id AND l.due_at IS NOT NULL)
            ORDER BY c.noted_at LIMIT ?2)",
    )
    .bind(before.as_millis())
    .bind(limit(max))
    .execute(transaction)
    .await?;
    usize::try_from(letters.rows_affected() + contacts.rows_affected()).map_err(unreadable)
}

fn limit(max: usize) -> i64 {
    to_i64(max as u64)
}
