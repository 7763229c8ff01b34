//! A schema of its own for each test, and a small sale.

use std::time::Duration;

use backends::postgres::{PostgresDatabase, PostgresLedger, PostgresSettings};
use booking_core::{
    booking::{ClaimSeats, ConfirmSeats},
    digest::Digest,
    money::Money,
    seats::SeatIndex,
    time::Timestamp,
};
use sqlx::{Connection as _, PgConnection};

pub(crate) fn url() -> String {
    std::env::var("WEIR_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "WEIR_TEST_POSTGRES is not set; start the servers: scripts/servers up, then eval \"$(scripts/servers env)\""
        )
    })
}

/// A schema that is dropped with its last owner.
pub(crate) struct Schema(pub(crate) String);

impl Schema {
    pub(crate) fn new() -> Self {
        Self(format!("test_{}", hex::encode(rand::random::<[u8; 8]>())))
    }

    pub(crate) fn settings(&self) -> PostgresSettings {
        PostgresSettings {
            url: url(),
            schema: self.0.clone(),
            connections: 4,
            acquire_timeout: Duration::from_secs(20),
            lock_timeout: Duration::from_secs(20),
            statement_timeout: Duration::from_secs(20),
            try_timeout: Duration::from_secs(20),
            ..PostgresSettings::default()
        }
    }

    pub(crate) async fn database(&self) -> PostgresDatabase {
        self.database_with(|_| {}).await
    }

    pub(crate) async fn database_with(&self, change: impl FnOnce(&mut PostgresSettings)) -> PostgresDatabase {
        let mut settings = self.settings();
        change(&mut settings);
        let database = PostgresDatabase::open(settings).await.expect("a database");
        database.migrate().await.expect("the schema");
        database
    }

    pub(crate) async fn ledger(&self) -> PostgresLedger {
        PostgresLedger::new(self.database().await)
    }

    /// A connection past Weir, as an operator has it.
    pub(crate) async fn intruder(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&url()).await.expect("a connection");
        let path = format!("SET search_path = {}", self.0);
        sqlx::query(sqlx::AssertSqlSafe(path)).execute(&mut connection).await.expect("the schema");
        connection
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // The test's runtime is ending, and its connections with it.
        let (url, schema) = (url(), self.0.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&url).await?;
                let drop = format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS {schema} CASCADE");
                sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await?;
                connection.close().await
            })
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("schema {} stays: {error}", self.0);
        }
    }
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

pub(crate) fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

pub(crate) fn claim(number: u32, seats: &[u32]) -> ClaimSeats {
    ClaimSeats {
        booking: format!("booking_{number}").parse().unwrap(),
        event: "evt_1".parse().unwrap(),
        user: format!("user_{number}").parse().unwrap(),
        session: format!("session_{number}").parse().unwrap(),
        seats: seats.iter().copied().map(SeatIndex).collect(),
        total: euros(100),
        until: at(60_000),
        max_seats: 6,
        fingerprint: Digest::ZERO,
    }
}

pub(crate) fn confirm(number: u32) -> ConfirmSeats {
    let claim = claim(number, &[]);
    ConfirmSeats { booking: claim.booking, user: claim.user, transaction: format!("txn_{number}").parse().unwrap() }
}
