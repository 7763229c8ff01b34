//! Opening a database: made where it is missing, brought to the known schema, and for this process alone.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use booking_core::ports::{PortError, PortResult};
use sqlx::{
    ConnectOptions as _, Connection as _, SqlSafeStr as _, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::error::{OrPortError as _, damaged, port_error, unavailable};

/// Connections that read, at most; each has a thread of its own.
const MAX_READERS: u32 = 4;
/// How long a read waits for one of them.
const READER_PATIENCE: Duration = Duration::from_secs(5);
/// How long a reading connection that nobody uses is kept.
const READER_IDLE: Duration = Duration::from_mins(1);
/// How long SQLite waits where another connection is in its way; only checkpoints ever are.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
/// How long opening waits for the process before, which may be stopping at this moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_RETRY: Duration = Duration::from_millis(10);
/// Files up to this size are checked through when they are opened (a few milliseconds); larger ones show damage where
/// it is read.
const MAX_CHECKED_BYTES: u64 = 4 << 20;
/// Rows that a connection reads ahead of who asked; a row of the log may have a quarter of a megabyte.
const ROWS_AHEAD: usize = 4;

/// What a database holds: of which port, and the steps that make it.
pub(super) struct Schema {
    /// The port that it stands behind, in a word.
    pub(super) port: &'static str,
    /// Marks the file (`PRAGMA application_id`), so that no port opens another's. The first step sets it.
    pub(super) application_id: i64,
    /// The steps, in order: a name and the SQL. Steps are added, never changed.
    pub(super) steps: &'static [(&'static str, &'static str)],
}

/// An open database.
pub(super) struct Database {
    port: &'static str,
    path: PathBuf,
    options: SqliteConnectOptions,
    readers: SqlitePool,
    /// Locked as long as it is open.
    _lock: File,
}

impl Database {
    /// Opens the database at `path`, whose folder must exist, and a first connection that writes.
    pub(super) async fn open(path: &Path, schema: &Schema) -> PortResult<(Self, SqliteConnection)> {
        let port = schema.port;
        let lock = lock(path, port).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_PATIENCE)
            .pragma("trusted_schema", "OFF")
            // 16 MiB between checkpoints; a file that has grown beyond 64 MiB is cut again.
            .pragma("wal_autocheckpoint", "4096")
            .pragma("journal_size_limit", "67108864")
            .row_buffer_size(ROWS_AHEAD)
            .thread_name(move |_| format!("sqlite-{port}"))
            .disable_statement_logging();
        let mut connection = options.connect().await.or_port_error(port, path)?;
        check(&mut connection, path, schema).await?;
        migrate(&mut connection, path, schema).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(MAX_READERS)
            .acquire_timeout(READER_PATIENCE)
            .idle_timeout(READER_IDLE)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().pragma("query_only", "ON"));
        Ok((Self { port, path: path.to_owned(), options, readers, _lock: lock }, connection))
    }

    /// The connections that read.
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Another connection that writes, where the one before failed.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.options.connect().await
    }

    /// What `error` means to the port.
    pub(super) fn port_error(&self, error: &sqlx::Error) -> PortError {
        port_error(self.port, &self.path, error)
    }

    /// An answer of the database, or what its failure means to the port.
    pub(super) fn answer<T>(&self, result: Result<T, sqlx::Error>) -> PortResult<T> {
        result.map_err(|error| self.port_error(&error))
    }
}

/// Locks `path` for this process by a file beside it. Not the database itself: closing any descriptor of that file
/// would drop the locks that SQLite has on it.
async fn lock(path: &Path, port: &'static str) -> PortResult<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&name).map_err(|error| {
        let folder = path.parent().unwrap_or(Path::new(".")).display();
        match error.kind() {
            io::ErrorKind::NotFound => unavailable(port, format!("the folder {folder} does not exist; make it")),
            io::ErrorKind::StorageFull => unavailable(port, format!("the disk is full below {folder}; make room")),
            _ => unavailable(port, format!("the folder {folder} can't be written: {error}")),
        }
    })?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited < LOCK_PATIENCE => {
                tokio::time::sleep(LOCK_RETRY).await;
                waited += LOCK_RETRY;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(unavailable(port, format!("{} is in use by another weir; stop that one", path.display())));
            }
            Err(TryLockError::Error(error)) => {
                return Err(unavailable(port, format!("{} can't be locked: {error}", path.display())));
            }
        }
    }
}

/// Refuses a file that is not this port's, and a small one that is damaged.
async fn check(connection: &mut SqliteConnection, path: &Path, schema: &Schema) -> PortResult<()> {
    let port = schema.port;
    let (application_id, tables): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(&mut *connection)
    .await
    .or_port_error(port, path)?;
    let is_new = application_id == 0 && tables == 0;
    if application_id != schema.application_id && !is_new {
        return Err(damaged(port, format!("{} is another program's or another part's database", path.display())));
    }
    let is_small = std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_CHECKED_BYTES);
    if is_small && !is_new {
        let found: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await.or_port_error(port, path)?;
        if found != "ok" {
            let first = found.lines().last().unwrap_or_default();
            return Err(damaged(port, format!("{} is corrupt ({first}); restore it from a copy", path.display())));
        }
    }
    Ok(())
}

/// Brings the database to the known schema.
async fn migrate(connection: &mut SqliteConnection, path: &Path, schema: &Schema) -> PortResult<()> {
    let steps = schema.steps.iter().zip(1..).map(|((name, sql), version)| {
        Migration::new(version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    let file = path.display();
    Migrator::with_migrations(steps.collect()).run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => unavailable(
            schema.port,
            format!(
                "{file} was written by a newer weir (schema {found}, known up to {}); run that one",
                schema.steps.len()
            ),
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            port_error(schema.port, path, &error)
        }
        other => damaged(schema.port, format!("{file} has another schema than expected: {other}")),
    })
}

/// Closes a connection that wrote; the last one to go folds the write-ahead log into the database.
pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "a database was not closed in order; its write-ahead log is read at the next start");
    }
}
