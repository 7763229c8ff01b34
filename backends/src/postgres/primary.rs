//! Looking for the server that accepts writes, among those that are named.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use booking_core::ports::PortResult;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    error::{PORT, is_ended, unavailable},
    settings::PostgresSettings,
};

/// The oldest Postgres that will do, as `server_version_num` has it.
const OLDEST: i32 = 150_000;
/// How often a server is looked at whose connections break.
const LOOKS: u32 = 3;
/// For so long the answer that nobody accepts writes is not asked for again.
const NOBODY_FOR: Duration = Duration::from_millis(200);

/// When a connection was lost, and whether the server is in doubt since.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    is_open: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Doubt {
    /// A connection was lost, or the server turned out not to accept writes.
    pub(super) fn raise(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.is_open.store(true, Ordering::Release);
    }

    /// Whether a connection that idled for `idle` was last used before the latest loss, so that it may be of a server
    /// that is gone.
    pub(super) fn covers(&self, idle: Duration) -> bool {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() <= idle)
    }
}

/// The servers, and a pool of connections to the one that accepts writes.
#[derive(Debug)]
pub(super) struct Primary {
    hosts: Vec<PgConnectOptions>,
    connect_timeout: Duration,
    /// When the last look ended without one, and why. Held while somebody looks.
    nobody: tokio::sync::Mutex<Option<(Instant, String)>>,
}

impl Primary {
    /// Looks for the server that accepts writes, and makes a pool that connects to it; `options` says how.
    pub(super) async fn open(settings: &PostgresSettings, options: PgPoolOptions) -> PortResult<(Self, PgPool)> {
        let hosts = settings.hosts()?.into_iter().map(|host| settings.limited(host)).collect();
        let primary = Self { hosts, connect_timeout: settings.connect_timeout, nobody: tokio::sync::Mutex::default() };
        let found = primary.look().await.map_err(|nobody| unavailable(PORT, nobody))?;
        Ok((primary, options.connect_lazy_with(found)))
    }

    /// If the server is in doubt: looks for it again, once for all who ask, and points the pool at it.
    pub(super) async fn settle(&self, doubt: &Doubt, pool: &PgPool, port: &'static str) -> PortResult<()> {
        if !doubt.is_open.load(Ordering::Acquire) {
            return Ok(());
        }
        let asked = Instant::now();
        let mut nobody = self.nobody.lock().await;
        if !doubt.is_open.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some((ended, why)) = &*nobody
            && *ended + NOBODY_FOR > asked
        {
            return Err(unavailable(port, why.clone()));
        }
        match self.look().await {
            Ok(found) => {
                let before = pool.connect_options();
                if (before.get_host(), before.get_port()) != (found.get_host(), found.get_port()) {
                    tracing::warn!(from = %name(&before), to = %name(&found), "another Postgres accepts the writes now");
                    pool.set_connect_options(found);
                }
                doubt.is_open.store(false, Ordering::Release);
                *nobody = None;
                Ok(())
            }
            Err(why) => {
                *nobody = Some((Instant::now(), why.clone()));
                Err(unavailable(port, why))
            }
        }
    }

    /// The first server that accepts writes, or why each of them doesn't.
    async fn look(&self) -> Result<PgConnectOptions, String> {
        let mut reasons = Vec::new();
        for host in &self.hosts {
            let looked = tokio::time::timeout(self.connect_timeout, persistently(host)).await;
            let reason = match looked {
                Ok(Ok(Ok(()))) => return Ok(host.clone()),
                Ok(Ok(Err(reason))) => reason,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            reasons.push(format!("{}: {reason}", name(host)));
        }
        Err(format!("no Postgres accepts writes ({}); start one, or promote a standby", reasons.join("; ")))
    }
}

/// [`accepts_writes`], asked again where the connection broke in between: that says nothing about the server.
async fn persistently(host: &PgConnectOptions) -> Result<Result<(), String>, sqlx::Error> {
    let mut looks = 0;
    loop {
        looks += 1;
        match accepts_writes(host).await {
            Err(error) if looks < LOOKS && is_broken(&error) => {}
            looked => return looked,
        }
    }
}

/// Whether a server was there, and the connection to it ended.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(_) => is_ended(error),
        _ => false,
    }
}

/// Whether `host` accepts writes; if not, why.
async fn accepts_writes(host: &PgConnectOptions) -> Result<Result<(), String>, sqlx::Error> {
    let mut connection = host.connect().await?;
    let (version, is_read_only, commits, fsync) = server(&mut connection).await?;
    connection.close().await?;
    if version < OLDEST {
        return Ok(Err(format!("it is version {}; 15 is the oldest that will do", version / 10_000)));
    }
    if commits == "off" || fsync == "off" {
        tracing::warn!(
            host = %name(host), synchronous_commit = commits, fsync,
            "this Postgres acknowledges what a crash may lose; set both on"
        );
    }
    Ok(if is_read_only == "on" { Err("it is read-only".to_owned()) } else { Ok(()) })
}

async fn server(connection: &mut PgConnection) -> Result<(i32, String, String, String), sqlx::Error> {
    sqlx::query_as(
        "SELECT current_setting('server_version_num')::integer, current_setting('transaction_read_only'),
            current_setting('synchronous_commit'), current_setting('fsync')",
    )
    .fetch_one(connection)
    .await
}

/// Whether a connection that idled is still there, and its server still accepts writes.
pub(super) async fn is_good(connection: &mut PgConnection, within: Duration) -> Result<bool, sqlx::Error> {
    let look = sqlx::query_scalar::<_, String>("SELECT current_setting('transaction_read_only')").fetch_one(connection);
    let is_read_only = tokio::time::timeout(within, look).await.map_err(std::io::Error::from)??;
    Ok(is_read_only == "off")
}

fn name(host: &PgConnectOptions) -> String {
    format!("{}:{}", host.get_host(), host.get_port())
}
