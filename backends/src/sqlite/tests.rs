//! The ports' suites on SQLite, and what only a file can have happen to it.

use std::path::Path;

use sqlx::{ConnectOptions as _, Executor as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::{
    LogSettings, SqliteCatalog, SqliteDesk, SqliteLedger, SqliteLog, SqliteMailroom, SqliteRefreshFamilies,
    SqliteSandbox,
};

mod contracts;
mod desk;
mod files;
mod ledger;
mod log;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn open_log(folder: &TempDir) -> SqliteLog {
    SqliteLog::open(&folder.path().join("log.db"), LogSettings::default()).await.expect("a log")
}

async fn open_desk(folder: &TempDir, log: &SqliteLog) -> SqliteDesk {
    SqliteDesk::open(&folder.path().join("desk.db"), log.clone()).await.expect("a desk")
}

async fn open_ledger(folder: &TempDir) -> SqliteLedger {
    SqliteLedger::open(&folder.path().join("ledger.db")).await.expect("a ledger")
}

/// Another program's connection to a database.
async fn intruder(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.expect("a connection")
}

/// Makes every later insert into `table` fail, or no longer.
async fn sabotage(connection: &mut SqliteConnection, table: &str, on: bool) {
    let sql = if on {
        format!("CREATE TRIGGER sabotage BEFORE INSERT ON {table} BEGIN SELECT raise(ABORT, 'sabotage'); END")
    } else {
        "DROP TRIGGER sabotage".to_owned()
    };
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.expect("a trigger");
}
