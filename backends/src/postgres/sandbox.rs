//! The sandbox provider on Postgres, so that every process has the same; its rule is [`SandboxPayment`]. Every verb of
//! the port is safe to repeat, so those who ask at once are answered by one transaction.

use booking_core::{
    id::{BookingId, TransactionId},
    money::Money,
    ports::{PortResult, payments::PaymentStanding},
    time::Timestamp,
};
use sqlx::{Connection as _, PgConnection, types::Json};

use super::{database::PostgresDatabase, gather::Gather, tries::ask};
use crate::sandbox::{Ask, PaymentsAtHand, SandboxPayment, Told, sandbox_verbs};

const PORT: &str = "payments";

/// The sandbox. A clone is the same sandbox.
#[derive(Debug, Clone)]
pub struct PostgresSandbox {
    database: PostgresDatabase,
    asks: Gather<Ask, Told>,
}

impl PostgresSandbox {
    /// The sandbox in `database`. Must be called on a Tokio runtime.
    pub fn new(database: PostgresDatabase) -> Self {
        let deciding = database.clone();
        let asks = Gather::new(PORT, move |asks| decide(deciding.clone(), asks));
        Self { database, asks }
    }

    async fn ask(&self, ask: Ask) -> PortResult<Told> {
        self.asks.ask(ask).await
    }

    async fn look_up(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        let found: Option<Json<SandboxPayment>> = ask!(&self.database, PORT, connection =>
            sqlx::query_scalar("SELECT payment FROM payments_sandbox WHERE transaction_id = $1")
                .bind(transaction.as_str())
                .fetch_optional(&mut *connection))?;
        Ok(found.map(|payment| payment.0.standing()))
    }

    async fn to_tell(&self, now: Timestamp, max: usize) -> PortResult<Vec<TransactionId>> {
        let found: Vec<String> = ask!(&self.database, PORT, connection =>
            sqlx::query_scalar("SELECT transaction_id FROM payments_sandbox WHERE tell_at <= $1 ORDER BY tell_at LIMIT $2")
                .bind(now.as_millis())
                .bind(i64::try_from(max).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection))?;
        Ok(found.iter().filter_map(|id| id.parse().ok()).collect())
    }
}

sandbox_verbs!(PostgresSandbox, look_up, to_tell);

async fn decide(database: PostgresDatabase, asks: Vec<Ask>) -> PortResult<Vec<Told>> {
    ask!(&database, PORT, connection => transact(connection, &asks))
}

async fn transact(connection: &mut PgConnection, asks: &[Ask]) -> Result<Vec<Told>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut named: Vec<&str> = asks.iter().map(|ask| ask.transaction().as_str()).collect();
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
    let told: Vec<Told> = asks.iter().map(|ask| ask.decide(&mut payments)).collect();
    let changed = payments.iter().filter(|(id, payment)| before.get(*id) != Some(payment));
    let changed: Vec<(&TransactionId, &SandboxPayment)> = changed.collect();
    let ids: Vec<&str> = changed.iter().map(|(id, _)| id.as_str()).collect();
    let tell_at: Vec<Option<i64>> =
        changed.iter().map(|(_, payment)| payment.tell_at().map(Timestamp::as_millis)).collect();
    let changed: Vec<Json<&SandboxPayment>> = changed.into_iter().map(|(_, payment)| Json(payment)).collect();
    if !ids.is_empty() {
        sqlx::query(
            "INSERT INTO payments_sandbox (transaction_id, payment, tell_at)
             SELECT * FROM UNNEST($1::text[], $2::jsonb[], $3::bigint[]) AS changed (id, payment, tell_at) ORDER BY id
             ON CONFLICT (transaction_id) DO UPDATE SET payment = excluded.payment, tell_at = excluded.tell_at",
        )
        .bind(&ids)
        .bind(&changed)
        .bind(&tell_at)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(told)
}
