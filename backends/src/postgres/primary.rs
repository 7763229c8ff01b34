//! Looking for the server that accepts writes, among those that are named.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use booking_core::ports::PortResult;
use futures_util::future::join_all;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    error::{PORT, unavailable},
    settings::PostgresSettings,
};

/// The oldest Postgres that will do, as `server_version_num` has it.
const OLDEST: i32 = 150_000;
/// For so long the answer that nobody accepts writes is not asked for again.
const NOBODY_FOR: Duration = Duration::from_millis(200);

/// When a connection was lost, and whether the server is in doubt since.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    raised: AtomicU64,
    /// Up to which of them the server was looked for since.
    settled: AtomicU64,
    since: Mutex<Option<Instant>>,
}

impl Doubt {
    /// A connection was lost, or the server turned out not to accept writes.
    pub(super) fn raise(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.raised.fetch_add(1, Ordering::AcqRel);
    }

    /// The latest one that is open.
    fn open(&self) -> Option<u64> {
        let raised = self.raised.load(Ordering::Acquire);
        (raised > self.settled.load(Ordering::Acquire)).then_some(raised)
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
    how: PgPoolOptions,
    pool: Mutex<PgPool>,
    /// When the last look ended without one, and why. Held while somebody looks.
    nobody: tokio::sync::Mutex<Option<(Instant, String)>>,
}

impl Primary {
    /// Looks for the server that accepts writes, and makes a pool that connects to it; `how` says how.
    pub(super) async fn open(settings: &PostgresSettings, how: PgPoolOptions) -> PortResult<Self> {
        let hosts: Vec<_> = settings.hosts()?.into_iter().map(|host| settings.limited(host)).collect();
        let found = look(&hosts, settings.connect_timeout).await.map_err(|nobody| unavailable(PORT, nobody))?;
        let pool = Mutex::new(how.clone().connect_lazy_with(found));
        let connect_timeout = settings.connect_timeout;
        Ok(Self { hosts, connect_timeout, how, pool, nobody: tokio::sync::Mutex::default() })
    }

    /// The connections to the server that was found last.
    pub(super) fn pool(&self) -> PgPool {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// If the server is in doubt: looks for it again, once for all who ask, and connects to it from then on.
    pub(super) async fn settle(&self, doubt: &Doubt, port: &'static str) -> PortResult<()> {
        if doubt.open().is_none() {
            return Ok(());
        }
        let asked = Instant::now();
        let mut nobody = self.nobody.lock().await;
        // Not what is raised during the look: it may be of a server that was lost since.
        let Some(open) = doubt.open() else { return Ok(()) };
        if let Some((ended, why)) = &*nobody
            && *ended + NOBODY_FOR > asked
        {
            return Err(unavailable(port, why.clone()));
        }
        match look(&self.hosts, self.connect_timeout).await {
            Ok(found) => {
                self.turn_to(found, nobody.take().is_some());
                doubt.settled.fetch_max(open, Ordering::AcqRel);
                Ok(())
            }
            Err(why) => {
                *nobody = Some((Instant::now(), why.clone()));
                Err(unavailable(port, why))
            }
        }
    }

    /// Connects to `found` from now on. Connections from before are void if it is another server, or was gone in
    /// between; one that hangs would keep its place in the pool for as long as TCP has patience.
    fn turn_to(&self, found: PgConnectOptions, was_gone: bool) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pool.connect_options();
        let is_another = (before.get_host(), before.get_port()) != (found.get_host(), found.get_port());
        if pool.is_closed() || !(is_another || was_gone) {
            return;
        }
        if is_another {
            tracing::warn!(from = %name(&before), to = %name(&found), "another Postgres accepts the writes now");
        }
        let before = std::mem::replace(&mut *pool, self.how.clone().connect_lazy_with(found));
        let patience = self.connect_timeout;
        // Closed at once for who would come; the rest is courtesy, and not to be waited for.
        tokio::spawn(async move { tokio::time::timeout(patience, before.close()).await });
    }
}

/// The server that accepts writes, or why each of them doesn't. Where several do, one is a primary that another was
/// promoted over and that does not know it yet: the one on the latest timeline is the real one.
async fn look(hosts: &[PgConnectOptions], within: Duration) -> Result<PgConnectOptions, String> {
    let ask = |host| async move {
        match tokio::time::timeout(within, accepts_writes(host)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    };
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    for (host, answer) in hosts.iter().zip(join_all(hosts.iter().map(ask)).await) {
        match answer {
            Ok(()) => found.push(host),
            Err(reason) => reasons.push(format!("{}: {reason}", name(host))),
        }
    }
    if let [several @ .., _] = &found[..]
        && !several.is_empty()
    {
        let timelines = join_all(found.iter().map(|host| tokio::time::timeout(within, timeline(host)))).await;
        // In reverse: of equals, the last is the maximum, and the first that was named is wanted.
        let latest = found.iter().zip(timelines).rev().max_by_key(|(_, timeline)| match timeline {
            Ok(Ok(timeline)) => *timeline,
            _ => 0,
        });
        tracing::warn!(hosts = found.len(), "several Postgres accept writes; shut down all but the one promoted last");
        found = latest.map(|(host, _)| *host).into_iter().collect();
    }
    found
        .first()
        .map(|host| (*host).clone())
        .ok_or_else(|| format!("no Postgres accepts writes ({}); start one, or promote a standby", reasons.join("; ")))
}

/// How often a server was promoted in this one's past.
async fn timeline(host: &PgConnectOptions) -> Result<i64, sqlx::Error> {
    let mut connection = host.connect().await?;
    // A WAL file's name begins with its timeline.
    let timeline =
        sqlx::query_scalar("SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint")
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    Ok(timeline)
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
