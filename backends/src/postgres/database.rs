//! The database: a pool of connections that the ports share.

use std::{sync::Arc, time::Duration};

use booking_core::{
    ports::{PortError, PortResult},
    time::Timestamp,
};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};

use super::{
    error::{Failure, PORT, is_passing, port_error, unavailable},
    migrate,
    primary::{Doubt, Primary, is_good},
    settings::PostgresSettings,
    tries::ask,
};

/// A connection that idled for so long is looked at before it is used: what is between here and the server may have
/// forgotten it.
const LOOK_AFTER: Duration = Duration::from_secs(30);

/// A Postgres database. A clone is the same one, with the same connections.
#[derive(Debug, Clone)]
pub struct PostgresDatabase(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: PostgresSettings,
    primary: Primary,
    doubt: Arc<Doubt>,
}

/// A connection on which something is under way. Dropped in the middle, it is thrown away: what is still to come on it
/// must not be answered to somebody else, nor waited for in the pool.
pub(super) struct Held(Option<PoolConnection<Postgres>>);

impl Held {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("only its end takes it away")
    }

    /// Back into the pool: nothing is under way on it any more.
    pub(super) fn put_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // At once and without a word.
        drop(self.0.take().map(PoolConnection::detach));
    }
}

/// Why there is no connection.
pub(super) struct NoConnection {
    pub(super) error: PortError,
    /// Whether there may be one in a moment. Not where everybody waits for one already.
    pub(super) passes: bool,
}

impl PostgresDatabase {
    /// Looks for the server that accepts writes. The schema is made by [`Self::migrate`].
    ///
    /// # Errors
    /// `Unavailable`: the settings can't be, no server can be reached, none accepts writes, or it is too old.
    pub async fn open(settings: PostgresSettings) -> PortResult<Self> {
        let doubt = Arc::new(Doubt::default());
        let (doubted, within) = (Arc::clone(&doubt), settings.connect_timeout);
        let how = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            // A look costs as much as a small statement, and a connection that broke is found out by the statement.
            .test_before_acquire(false)
            .before_acquire(move |connection, past| {
                let is_doubtful = past.idle_for >= LOOK_AFTER || doubted.covers(past.idle_for);
                Box::pin(async move { if is_doubtful { is_good(connection, within).await } else { Ok(true) } })
            });
        let primary = Primary::open(&settings, how).await?;
        Ok(Self(Arc::new(Shared { settings, primary, doubt })))
    }

    /// Brings the schema to what this version needs; makes it where it is missing. Many processes may do so at once:
    /// one does, the others wait for it.
    ///
    /// # Errors
    /// `Unavailable`: the server can't be reached, the role may not, or a newer version wrote the schema. `Damaged`:
    /// the schema is another than this version made.
    pub async fn migrate(&self) -> PortResult<()> {
        self.0.primary.settle(&self.0.doubt, PORT).await?;
        migrate::run(&self.0.settings, &self.0.primary.pool().connect_options()).await
    }

    /// What time it is there.
    ///
    /// # Errors
    /// `Unavailable`: the server can't be reached.
    pub async fn time(&self) -> PortResult<Timestamp> {
        let ms: i64 = ask!(self, PORT, connection =>
            sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
                .fetch_one(&mut *connection))?;
        Ok(Timestamp::from_millis(ms))
    }

    /// Ends every connection, after what is under way: every later verb is refused.
    pub async fn close(&self) {
        self.0.primary.pool().close().await;
    }

    pub(super) fn settings(&self) -> &PostgresSettings {
        &self.0.settings
    }

    /// A connection to the server that accepts writes.
    pub(super) async fn acquire(&self, port: &'static str) -> Result<Held, NoConnection> {
        let Shared { primary, doubt, .. } = &*self.0;
        primary.settle(doubt, port).await.map_err(|error| NoConnection { error, passes: true })?;
        let pool = primary.pool();
        let acquired = pool.acquire().await;
        acquired.map(|connection| Held(Some(connection))).map_err(|error| self.no_connection(port, &pool, &error))
    }

    fn no_connection(&self, port: &'static str, pool: &PgPool, error: &sqlx::Error) -> NoConnection {
        let Shared { settings, primary, doubt } = &*self.0;
        let (error, passes) = match error {
            sqlx::Error::PoolTimedOut if pool.size() >= settings.connections && pool.num_idle() == 0 => {
                let reason = format!(
                    "all {} connections are busy; raise their number, or send less at once",
                    settings.connections
                );
                (unavailable(port, reason), false)
            }
            // Closed for good, or only left for another.
            sqlx::Error::PoolClosed => (port_error(port, error), !primary.pool().is_closed()),
            other => {
                doubt.raise();
                let error = match other {
                    sqlx::Error::PoolTimedOut => unavailable(port, "Postgres can't be reached; look whether it is up"),
                    other => port_error(port, other),
                };
                (error, is_passing(other))
            }
        };
        NoConnection { error, passes }
    }

    /// Puts a connection away on which `failure` came about: back into the pool where it is still good, else away.
    pub(super) fn put_away(&self, held: Held, failure: &Failure) {
        if failure.spares_connection() {
            held.put_back();
        } else {
            self.0.doubt.raise();
        }
    }
}
