//! The schema's steps.

use std::time::Duration;

use booking_core::ports::PortResult;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::PgConnectOptions,
};

use super::{
    error::{PORT, damaged, port_error, unavailable},
    settings::PostgresSettings,
};

/// The steps, in order: a name and the SQL. Steps are added, never changed.
const STEPS: [(&str, &str); 16] = [
    ("ledger", include_str!("../../migrations/postgres/0001_ledger.sql")),
    ("catalog", include_str!("../../migrations/postgres/0002_catalog.sql")),
    ("accounts", include_str!("../../migrations/postgres/0003_accounts.sql")),
    ("payments", include_str!("../../migrations/postgres/0004_payments.sql")),
    ("cancellation", include_str!("../../migrations/postgres/0005_cancellation.sql")),
    ("lookups", include_str!("../../migrations/postgres/0006_lookups.sql")),
    ("moved", include_str!("../../migrations/postgres/0007_moved.sql")),
    ("doors", include_str!("../../migrations/postgres/0008_doors.sql")),
    ("lean", include_str!("../../migrations/postgres/0009_lean.sql")),
    ("mail", include_str!("../../migrations/postgres/0010_mail.sql")),
    ("rehousing", include_str!("../../migrations/postgres/0011_rehousing.sql")),
    ("extended", include_str!("../../migrations/postgres/0012_extended.sql")),
    ("sandbox_notices", include_str!("../../migrations/postgres/0013_sandbox_notices.sql")),
    ("changes", include_str!("../../migrations/postgres/0014_changes.sql")),
    ("fewer_indexes", include_str!("../../migrations/postgres/0015_fewer_indexes.sql")),
    ("on_their_pages", include_str!("../../migrations/postgres/0016_on_their_pages.sql")),
];

/// How long to wait for another process that migrates, or for a lock of a table.
const PATIENCE: Duration = Duration::from_mins(1);

/// Brings the schema of `settings` on the server at `host` to what this version needs.
pub(super) async fn run(settings: &PostgresSettings, host: &PgConnectOptions) -> PortResult<()> {
    let failed = |error: sqlx::Error| port_error(PORT, &error);
    // A step may rewrite a large table: no limit for a statement, one for waiting.
    let host = host.clone().options([("statement_timeout", 0), ("lock_timeout", PATIENCE.as_millis())]);
    let mut connection = host.connect().await.map_err(failed)?;
    lock(&mut connection, &settings.schema).await.map_err(failed)?;
    let outcome = apply(&mut connection, settings).await;
    // The lock ends with its connection.
    connection.close().await.map_err(failed)?;
    outcome
}

/// Locks the schema for who migrates. Not by the migrator's own lock: that comes after the schema would have to be
/// there, and two that make it at once collide.
async fn lock(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('weir/migrate/' || $1, 0))")
        .bind(schema)
        .execute(connection)
        .await?;
    Ok(())
}

async fn apply(connection: &mut PgConnection, settings: &PostgresSettings) -> PortResult<()> {
    let schema = &settings.schema;
    // Asked first: a role that may not make schemas can still bring one up to date that was made for it.
    let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
        .bind(schema)
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| port_error(PORT, &error))?;
    if !is_there {
        // The settings accept no name that would have to be quoted.
        let make = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        connection.execute(sqlx::raw_sql(make)).await.map_err(|error| port_error(PORT, &error))?;
    }
    let steps = STEPS.iter().zip(1..).map(|((name, sql), version)| {
        Migration::new(version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(steps.collect());
    migrator.set_locking(false);
    migrator.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => unavailable(
            PORT,
            format!(
                "schema {schema} was written by a newer weir (step {found}, known up to {}); run that one",
                STEPS.len()
            ),
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => port_error(PORT, &error),
        other => damaged(PORT, format!("schema {schema} is another than expected: {other}")),
    })
}
