//! Trying a verb again where that is safe and may help.

use std::{future::Future, time::Duration};

use booking_core::ports::PortResult;
use sqlx::{Postgres, pool::PoolConnection};

use super::{
    database::PostgresDatabase,
    error::{Cure, Failure},
};

/// The longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The tries of one verb.
pub(super) struct Tries<'a> {
    database: &'a PostgresDatabase,
    port: &'static str,
    left: u32,
    wait: Duration,
}

impl<'a> Tries<'a> {
    pub(super) fn new(database: &'a PostgresDatabase, port: &'static str) -> Self {
        let settings = database.settings();
        Self { database, port, left: settings.retries, wait: settings.retry_wait }
    }

    /// A connection for the next try.
    pub(super) async fn connection(&self) -> PortResult<PoolConnection<Postgres>> {
        self.database.acquire(self.port).await
    }

    /// What `work` comes to within the time that a try may take.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.database.settings().try_timeout, work).await.unwrap_or(Err(Failure::TooSlow))
    }

    /// After a try failed on `connection`: waits if there is to be another one.
    ///
    /// # Errors
    /// What the failure means to the port, if it is the last word.
    pub(super) async fn after(&mut self, connection: PoolConnection<Postgres>, failure: &Failure) -> PortResult<()> {
        self.database.put_away(connection, failure);
        if failure.cure() == Cure::None || self.left == 0 {
            return Err(failure.port_error(self.port));
        }
        tracing::debug!(port = self.port, ?failure, left = self.left, "tried again");
        self.left -= 1;
        // Half to one and a half of it: who collided must not meet again.
        tokio::time::sleep(self.wait.mul_f64(rand::random_range(0.5..1.5))).await;
        self.wait = (self.wait * 2).min(MAX_WAIT);
        Ok(())
    }
}

/// Asks the database something that is safe to ask again, however the try before ended: `ask!(database, PORT,
/// connection => work)`, where `work` is a future of `Result<T, sqlx::Error>` that may use `connection`.
macro_rules! ask {
    ($database:expr, $port:expr, $connection:ident => $work:expr) => {{
        let mut tries = $crate::postgres::tries::Tries::new($database, $port);
        loop {
            let mut held = tries.connection().await?;
            let outcome = {
                let $connection: &mut sqlx::PgConnection = &mut held;
                tries.in_time(async { Ok($work.await?) }).await
            };
            match outcome {
                Ok(answer) => break Ok(answer),
                Err(failure) => tries.after(held, &failure).await?,
            }
        }
    }};
}
pub(super) use ask;
