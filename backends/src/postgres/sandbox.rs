//! The sandbox provider on Postgres, so that every process has the same; its rule is [`SandboxPayment`].
//!
//! Those who ask at once are answered by one transaction. Every verb of the port is safe to repeat, so a transaction
//! whose end is unknown is simply done again.

use std::sync::Arc;

use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{PortError, PortResult, payments::PaymentStatus},
};
use sqlx::{Connection as _, PgConnection, types::Json};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    database::PostgresDatabase,
    error::unavailable,
    tries::{Tries, ask},
};
use crate::sandbox::{Ask, PaymentsAtHand, SandboxPayment, Told, sandbox_verbs};

const PORT: &str = "payments";

/// The most verbs that wait; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;
/// The most verbs of one transaction.
const MAX_TOGETHER: usize = 512;

/// The sandbox. A clone is the same sandbox.
#[derive(Debug, Clone)]
pub struct PostgresSandbox {
    database: PostgresDatabase,
    asks: mpsc::Sender<Asked>,
}

#[derive(Debug)]
struct Asked {
    ask: Ask,
    answer: oneshot::Sender<PortResult<Told>>,
}

impl PostgresSandbox {
    /// The sandbox in `database`. Must be called on a Tokio runtime.
    pub fn new(database: PostgresDatabase) -> Self {
        let (asks, asked) = mpsc::channel(MAX_WAITING);
        let asked = Arc::new(Mutex::new(asked));
        // Two, so that one decides while the other waits for its commit.
        for _ in 0..2 {
            tokio::spawn(run(database.clone(), Arc::clone(&asked)));
        }
        Self { database, asks }
    }

    async fn ask(&self, ask: Ask) -> PortResult<Told> {
        let (answer, answered) = oneshot::channel();
        let full = || unavailable(PORT, "too many payments are asked for at once; try again");
        self.asks.try_send(Asked { ask, answer }).map_err(|_| full())?;
        answered.await.unwrap_or_else(|_| Err(unavailable(PORT, "the sandbox is closed")))
    }

    async fn look_up(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStatus>> {
        let found: Option<Json<SandboxPayment>> = ask!(&self.database, PORT, connection =>
            sqlx::query_scalar("SELECT payment FROM payments_sandbox WHERE transaction_id = $1")
                .bind(transaction.as_str())
                .fetch_optional(&mut *connection))?;
        Ok(found.map(|payment| payment.0.status()))
    }
}

sandbox_verbs!(PostgresSandbox, look_up);

/// Answers those who ask, many at a time, until the last handle is gone.
async fn run(database: PostgresDatabase, asked: Arc<Mutex<mpsc::Receiver<Asked>>>) {
    let mut together = Vec::with_capacity(MAX_TOGETHER);
    loop {
        if asked.lock().await.recv_many(&mut together, MAX_TOGETHER).await == 0 {
            return;
        }
        match decide(&database, &together).await {
            Ok(told) => {
                for (asked, told) in together.drain(..).zip(told) {
                    // Whoever asked may be gone.
                    let _ = asked.answer.send(Ok(told));
                }
            }
            Err(error) => {
                for asked in together.drain(..) {
                    let _ = asked.answer.send(Err(PortError::clone(&error)));
                }
            }
        }
    }
}

async fn decide(database: &PostgresDatabase, asked: &[Asked]) -> PortResult<Vec<Told>> {
    let mut tries = Tries::new(database, PORT);
    loop {
        let mut held = tries.connection().await?;
        match tries.in_time(transact(held.connection(), asked)).await {
            Ok(told) => {
                held.put_back();
                return Ok(told);
            }
            Err(failure) => tries.after(held, &failure).await?,
        }
    }
}

async fn transact(connection: &mut PgConnection, asked: &[Asked]) -> Result<Vec<Told>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut named: Vec<&str> = asked.iter().map(|asked| asked.ask.transaction().as_str()).collect();
    named.sort_unstable();
    named.dedup();
    // Locked in one order, so that nobody waits for somebody who waits.
    let rows: Vec<(String, Json<SandboxPayment>)> = sqlx::query_as(
        "SELECT transaction_id, payment FROM payments_sandbox
         WHERE transaction_id = ANY($1) ORDER BY transaction_id FOR UPDATE",
    )
    .bind(&named)
    .fetch_all(&mut *transaction)
    .await?;
    let id_of = |id: &str| id.parse().map_err(|_| sqlx::Error::Decode(format!("'{id}' is no transaction").into()));
    let before: PaymentsAtHand =
        rows.into_iter().map(|(id, payment)| Ok((id_of(&id)?, payment.0))).collect::<Result<_, sqlx::Error>>()?;
    let mut payments = before.clone();
    let told: Vec<Told> = asked.iter().map(|asked| asked.ask.decide(&mut payments)).collect();
    let changed = payments.iter().filter(|(id, payment)| before.get(*id) != Some(payment));
    let (ids, changed): (Vec<&str>, Vec<Json<&SandboxPayment>>) =
        changed.map(|(id, payment)| (id.as_str(), Json(payment))).unzip();
    if !ids.is_empty() {
        sqlx::query(
            "INSERT INTO payments_sandbox (transaction_id, payment)
             SELECT * FROM UNNEST($1::text[], $2::jsonb[]) AS changed (id, payment) ORDER BY id
             ON CONFLICT (transaction_id) DO UPDATE SET payment = excluded.payment",
        )
        .bind(&ids)
        .bind(&changed)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(told)
}
