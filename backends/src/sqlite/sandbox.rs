//! The sandbox provider in one SQLite file; its rule is [`SandboxPayment`].

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{
        PortError, PortResult,
        payments::{Authorisation, PaymentStatus, Payments, SandboxOutcome, SandboxPayments},
    },
};
use sqlx::SqliteConnection;

use super::{
    database::{Database, Schema},
    error::{from_json, from_text, to_json},
    group::{Group, Reply, Scribe},
    queue::{self, Queue},
};
use crate::sandbox::SandboxPayment;

const PORT: &str = "payments";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x5770_6179,
    steps: &[("payments", include_str!("../../migrations/sqlite/payments/0001_payments.sql"))],
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

#[async_trait]
impl Payments for SqliteSandbox {
    async fn authorise(
        &self,
        booking: &BookingId,
        transaction: &TransactionId,
        due: Money,
    ) -> PortResult<Authorisation> {
        let (booking, transaction) = (booking.clone(), transaction.clone());
        self.0.scribe.ask(|reply| Act::Authorise { booking, transaction, due, reply }).await?
    }

    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        let (booking, transaction) = (booking.clone(), transaction.clone());
        self.0.scribe.ask(|reply| Act::Capture { booking, transaction, reply }).await?
    }

    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        let (booking, transaction) = (booking.clone(), transaction.clone());
        self.0.scribe.ask(|reply| Act::Void { booking, transaction, reply }).await?
    }

    async fn status(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStatus>> {
        let found: Result<Option<String>, _> =
            sqlx::query_scalar("SELECT payment FROM payments WHERE transaction_id = ?1")
                .bind(transaction.as_str())
                .fetch_optional(self.0.database.readers())
                .await;
        let status =
            found.and_then(|text| text.map(|text| Ok(from_json::<SandboxPayment>(&text)?.status())).transpose());
        self.0.database.answer(status)
    }
}

#[async_trait]
impl SandboxPayments for SqliteSandbox {
    async fn create(&self, transaction: &TransactionId, amount: Money, outcome: SandboxOutcome) -> PortResult<()> {
        let transaction = transaction.clone();
        self.0.scribe.ask(|reply| Act::Create { transaction, amount, outcome, reply }).await?
    }
}

/// What is asked for. A refusal of the provider is an answer like any other, and what it changed is kept.
enum Act {
    Create { transaction: TransactionId, amount: Money, outcome: SandboxOutcome, reply: Reply<PortResult<()>> },
    Authorise { booking: BookingId, transaction: TransactionId, due: Money, reply: Reply<PortResult<Authorisation>> },
    Capture { booking: BookingId, transaction: TransactionId, reply: Reply<PortResult<()>> },
    Void { booking: BookingId, transaction: TransactionId, reply: Reply<PortResult<()>> },
}

impl queue::Act for Act {
    fn bytes(&self) -> usize {
        256
    }
}

type AllPayments = HashMap<TransactionId, SandboxPayment>;

impl Act {
    fn transaction(&self) -> &TransactionId {
        match self {
            Self::Create { transaction, .. }
            | Self::Authorise { transaction, .. }
            | Self::Capture { transaction, .. }
            | Self::Void { transaction, .. } => transaction,
        }
    }

    fn decide(&mut self, payments: &mut AllPayments) {
        match self {
            Self::Create { transaction, amount, outcome, reply } => {
                let made =
                    payments.entry(transaction.clone()).or_insert_with(|| SandboxPayment::new(*amount, *outcome));
                reply.set(made.is_again(transaction, *amount, *outcome));
            }
            Self::Authorise { booking, transaction, due, reply } => {
                let payment = payments.get_mut(transaction);
                reply.set(
                    payment.map_or_else(|| Ok(SandboxPayment::unknown()), |payment| payment.authorise(booking, *due)),
                );
            }
            Self::Capture { booking, transaction, reply } => {
                reply.set(match payments.get_mut(transaction) {
                    Some(payment) => payment.capture(transaction, booking),
                    None => Err(SandboxPayment::nothing_to_take(transaction, booking)),
                });
            }
            Self::Void { booking, transaction, reply } => {
                reply.set(payments.get_mut(transaction).map_or(Ok(()), |payment| payment.void(transaction, booking)));
            }
        }
    }
}

struct Writer;

impl Group for Writer {
    type Act = Act;
    const APART: bool = true;

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Act>) -> Result<(), sqlx::Error> {
        let named: BTreeSet<&TransactionId> = acts.iter().map(Act::transaction).collect();
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
            .collect::<Result<AllPayments, sqlx::Error>>()?;
        let mut payments = before.clone();
        for act in acts {
            act.decide(&mut payments);
        }
        let changed: Vec<_> = payments.iter().filter(|(id, payment)| before.get(*id) != Some(payment)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO payments (transaction_id, payment)
             SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
             ON CONFLICT (transaction_id) DO UPDATE SET payment = excluded.payment",
        )
        .bind(to_json(&changed))
        .execute(transaction)
        .await?;
        Ok(())
    }

    fn written(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Create { reply, .. } | Act::Capture { reply, .. } | Act::Void { reply, .. } => reply.send(),
                Act::Authorise { reply, .. } => reply.send(),
            }
        }
    }

    fn failed(&mut self, acts: Vec<Act>, why: &PortError) {
        for act in acts {
            match act {
                Act::Create { reply, .. } | Act::Capture { reply, .. } | Act::Void { reply, .. } => reply.fail(why),
                Act::Authorise { reply, .. } => reply.fail(why),
            }
        }
    }
}
