//! Trying a verb again where that is safe and may help.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use booking_core::ports::PortResult;

use super::{
    database::{Held, PostgresDatabase},
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
    /// Since when there is no connection.
    without: Option<Instant>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(database: &'a PostgresDatabase, port: &'static str) -> Self {
        let settings = database.settings();
        Self { database, port, left: settings.retries, wait: settings.retry_wait, without: None }
    }

    /// A connection for the next try. Where there is none, nothing was done: tried again, too, for about as long as
    /// one may take to come about. A failover takes longer; whoever asks hears of it meanwhile.
    pub(super) async fn connection(&mut self) -> PortResult<Held> {
        loop {
            let none = match self.database.acquire(self.port).await {
                Ok(held) => {
                    self.without = None;
                    return Ok(held);
                }
                Err(none) => none,
            };
            let since = *self.without.get_or_insert_with(Instant::now);
            if !none.passes || self.left == 0 || since.elapsed() >= self.database.settings().connect_timeout {
                return Err(none.error);
            }
            self.again().await;
        }
    }

    /// What `work` comes to within the time that a try may take.
    pub(super) async fn in_time<T, E: Into<Failure>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let done = tokio::time::timeout(self.database.settings().try_timeout, work).await;
        done.map_or(Err(Failure::TooSlow), |done| done.map_err(Into::into))
    }

    /// After a try failed on the connection that is `held`: waits if there is to be another one.
    ///
    /// # Errors
    /// What the failure means to the port, if it is the last word.
    pub(super) async fn after(&mut self, held: Held, failure: &Failure) -> PortResult<()> {
        self.database.put_away(held, failure);
        if failure.cure() == Cure::None || self.left == 0 {
            return Err(failure.port_error(self.port));
        }
        tracing::debug!(port = self.port, ?failure, left = self.left, "tried again");
        self.again().await;
        Ok(())
    }

    async fn again(&mut self) {
        self.left -= 1;
        // Half to one and a half of it: who collided must not meet again.
        tokio::time::sleep(self.wait.mul_f64(rand::random_range(0.5..1.5))).await;
        self.wait = (self.wait * 2).min(MAX_WAIT);
    }
}

/// Asks the database something that is safe to ask again, however the try before ended: `ask!(database, PORT,
/// connection => work)`, where `work` is a future of a `Result` with an error of SQL, or a [`Failure`], that may use
/// `connection`.
macro_rules! ask {
    ($database:expr, $port:expr, $connection:ident => $work:expr) => {{
        let mut tries = $crate::postgres::tries::Tries::new($database, $port);
        loop {
            let mut held = tries.connection().await?;
            let outcome = {
                let $connection: &mut sqlx::PgConnection = held.connection();
                tries.in_time($work).await
            };
            match outcome {
                Ok(answer) => {
                    held.put_back();
                    break Ok(answer);
                }
                Err(failure) => tries.after(held, &failure).await?,
            }
        }
    }};
}
pub(super) use ask;
