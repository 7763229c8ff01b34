//! The database: a pool of connections that the ports share.

use std::{sync::Arc, time::Duration};

use booking_core::ports::{PortError, PortResult};
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};

use super::{
    error::{Failure, port_error, unavailable},
    migrate,
    primary::{Doubt, Primary, is_good},
    settings::PostgresSettings,
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
    pool: PgPool,
}

impl PostgresDatabase {
    /// Looks for the first of the servers that accepts writes. The schema is made by [`Self::migrate`].
    ///
    /// # Errors
    /// `Unavailable`: the settings can't be, no server can be reached, none accepts writes, or it is too old.
    pub async fn open(settings: PostgresSettings) -> PortResult<Self> {
        let doubt = Arc::new(Doubt::default());
        let (doubted, within) = (Arc::clone(&doubt), settings.connect_timeout);
        let options = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            // A look costs as much as a small statement, and a connection that broke is found out by the statement.
            .test_before_acquire(false)
            .before_acquire(move |connection, past| {
                let is_doubtful = past.idle_for >= LOOK_AFTER || doubted.covers(past.idle_for);
                Box::pin(async move { if is_doubtful { is_good(connection, within).await } else { Ok(true) } })
            });
        let (primary, pool) = Primary::open(&settings, options).await?;
        Ok(Self(Arc::new(Shared { settings, primary, doubt, pool })))
    }

    /// Brings the schema to what this version needs; makes it where it is missing. Many processes may do so at once:
    /// one does, the others wait for it.
    ///
    /// # Errors
    /// `Unavailable`: the server can't be reached, the role may not, or a newer version wrote the schema. `Damaged`:
    /// the schema is another than this version made.
    pub async fn migrate(&self) -> PortResult<()> {
        migrate::run(&self.0.settings, &self.0.pool.connect_options()).await
    }

    /// Ends every connection, after what is under way: every later verb is refused.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }

    pub(super) fn settings(&self) -> &PostgresSettings {
        &self.0.settings
    }

    /// A connection to the server that accepts writes.
    pub(super) async fn acquire(&self, port: &'static str) -> PortResult<PoolConnection<Postgres>> {
        let Shared { primary, doubt, pool, .. } = &*self.0;
        primary.settle(doubt, pool, port).await?;
        match pool.acquire().await {
            // A new connection broke before it was there: whoever looks knows which server is up.
            Err(sqlx::Error::Io(_) | sqlx::Error::Database(_)) => {
                doubt.raise();
                primary.settle(doubt, pool, port).await?;
                pool.acquire().await.map_err(|error| self.no_connection(port, &error))
            }
            acquired => acquired.map_err(|error| self.no_connection(port, &error)),
        }
    }

    fn no_connection(&self, port: &'static str, error: &sqlx::Error) -> PortError {
        let Shared { settings, doubt, pool, .. } = &*self.0;
        match error {
            sqlx::Error::PoolTimedOut if pool.size() >= settings.connections && pool.num_idle() == 0 => unavailable(
                port,
                format!("all {} connections are busy; raise their number, or send less at once", settings.connections),
            ),
            sqlx::Error::PoolTimedOut => {
                doubt.raise();
                unavailable(port, "Postgres can't be reached; look whether it is up")
            }
            other => {
                doubt.raise();
                port_error(port, other)
            }
        }
    }

    /// Puts a connection away on which `failure` came about: back into the pool where it is still good, else away.
    pub(super) fn put_away(&self, connection: PoolConnection<Postgres>, failure: &Failure) {
        if failure.spares_connection() {
            return;
        }
        self.0.doubt.raise();
        // At once and without a word: what it still has under way must not be answered to somebody else.
        drop(connection.detach());
    }
}
