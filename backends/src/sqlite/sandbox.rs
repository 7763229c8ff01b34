//! The sandbox provider in one SQLite file; its rule is [`SandboxPayment`].

use std::{collections::BTreeSet, path::Path, sync::Arc};

use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{PortError, PortResult, payments::PaymentStanding},
    time::Timestamp,
};
use sqlx::SqliteConnection;

use super::{
    database::{Database, Schema},
    error::{from_json, from_text, to_json},
    group::{Group, Reply, Scribe},
    queue::{self, Queue},
};
use crate::sandbox::{Ask, PaymentsAtHand, SandboxPayment, Told, sandbox_verbs};

const PORT: &str = "payments";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x5770_6179,
    steps: &[
        ("payments", include_str!("../../migrations/sqlite/payments/0001_payments.sql")),
        ("notices", include_str!("../../migrations/sqlite/payments/0002_notices.sql")),
    ],
};

/// The most verbs that wait to be written; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;

/// The sandbox. A clone is the same sandbox.
#[derive(Clone)]
pub struct SqliteSandbox(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    scribe: Scribe<Act>,
}

impl SqliteSandbox {
    /// Opens the sandbox in the file at `path`, made where it is missing; its folder must exist. Must be called on a
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
}

impl SqliteSandbox {
    async fn ask(&self, ask: Ask) -> PortResult<Told> {
        self.0.scribe.ask(|reply| Act { ask, reply }).await
    }

    async fn look_up(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        let found: Result<Option<String>, _> =
            sqlx::query_scalar("SELECT payment FROM payments WHERE transaction_id = ?1")
                .bind(transaction.as_str())
                .fetch_optional(self.0.database.readers())
                .await;
        let standing =
            found.and_then(|text| text.map(|text| Ok(from_json::<SandboxPayment>(&text)?.standing())).transpose());
        self.0.database.answer(standing)
    }

    async fn to_tell(&self, now: Timestamp, max: usize) -> PortResult<Vec<TransactionId>> {
        let found: Result<Vec<String>, _> =
            sqlx::query_scalar("SELECT transaction_id FROM payments WHERE tell_at <= ?1 ORDER BY tell_at LIMIT ?2")
                .bind(now.as_millis())
                .bind(i64::try_from(max).unwrap_or(i64::MAX))
                .fetch_all(self.0.database.readers())
                .await;
        let found = found.and_then(|ids| ids.iter().map(|id| from_text(id)).collect());
        self.0.database.answer(found)
    }
}

sandbox_verbs!(SqliteSandbox, look_up, to_tell);

/// What is asked for, and who waits for the answer.
struct Act {
    ask: Ask,
    reply: Reply<Told>,
}

impl queue::Act for Act {
    fn bytes(&self) -> usize {
        256
    }
}

struct Writer;

impl Group for Writer {
    type Act = Act;
    const APART: bool = true;

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Act>) -> Result<(), sqlx::Error> {
        let named: BTreeSet<&TransactionId> = acts.iter().map(|act| act.ask.transaction()).collect();
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT transaction_id, payment FROM payments
             WHERE transaction_id IN (SELECT value FROM json_each(?1))",
        )
        .bind(to_json(&named))
        .fetch_all(&mut *transaction)
        .await?;
        let before = rows
            .into_iter()
            .map(|(id, payment)| Ok((from_text(&id)?, from_json(&payment)?)))
            .collect::<Result<PaymentsAtHand, sqlx::Error>>()?;
        let mut payments = before.clone();
        for act in acts {
            act.reply.set(act.ask.decide(&mut payments));
        }
        let changed: Vec<_> = payments
            .iter()
            .filter(|(id, payment)| before.get(*id) != Some(payment))
            .map(|(id, payment)| (id, payment, payment.tell_at().map(Timestamp::as_millis)))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO payments (transaction_id, payment, tell_at)
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
             ON CONFLICT (transaction_id) DO UPDATE SET payment = excluded.payment, tell_at = excluded.tell_at",
        )
        .bind(to_json(&changed))
        .execute(transaction)
        .await?;
        Ok(())
    }

    fn written(&mut self, acts: Vec<Act>) {
        for act in acts {
            act.reply.send();
        }
    }

    fn failed(&mut self, acts: Vec<Act>, why: &PortError) {
        for act in acts {
            act.reply.fail(why);
        }
    }
}
