//! The keyspace and its tables.

use booking_core::ports::PortResult;
use scylla::client::session::Session;

use super::{
    error::{port_error, unavailable},
    settings::{Dialect, ScyllaSettings},
};

/// Each table, without what its dialect adds.
const TABLES: [(&str, &str); 5] = [
    // What connectors read: see `booking_core::capture`.
    ("events", "event_id text PRIMARY KEY, version bigint, event text"),
    // Pointers to events: an event that begins at another time by now is none that this row leads to.
    ("events_by_start", "month int, starts_at bigint, event_id text, PRIMARY KEY (month, starts_at, event_id)"),
    ("event_months", "shelf int, month int, PRIMARY KEY (shelf, month)"),
    ("venues", "venue_id text PRIMARY KEY, digest text, parts int"),
    ("venue_parts", "venue_id text, digest text, part int, content blob, PRIMARY KEY ((venue_id, digest), part)"),
];

/// Makes the keyspace and the tables that are missing. The servers don't like the same table to be
/// made by two at once, so that what is there is left alone.
pub(super) async fn prepare(session: &Session, settings: &ScyllaSettings) -> PortResult<()> {
    let keyspace = &settings.keyspace;
    let known = tables(session, keyspace).await?;
    if settings.migrate && known.is_empty() {
        let replication = settings.replication;
        run(
            session,
            format!(
                "CREATE KEYSPACE IF NOT EXISTS {keyspace}
                 WITH replication = {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}"
            ),
        )
        .await?;
    }
    for (name, columns) in TABLES.iter().filter(|(name, _)| !known.iter().any(|known| known == name)) {
        if !settings.migrate {
            return Err(unavailable(format!(
                "the keyspace {keyspace} has no table '{name}'; let one process make it with scylla.migrate"
            )));
        }
        let captured = match (*name, settings.dialect) {
            ("events", Dialect::Cassandra) => " WITH cdc = true",
            ("events", Dialect::Scylla) => " WITH cdc = {'enabled': true}",
            _ => "",
        };
        run(session, format!("CREATE TABLE IF NOT EXISTS {keyspace}.{name} ({columns}){captured}")).await?;
    }
    Ok(())
}

async fn tables(session: &Session, keyspace: &str) -> PortResult<Vec<String>> {
    let asked = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let found = session.query_unpaged(asked, (keyspace,)).await.map_err(|error| port_error(&error))?;
    let found = found.into_rows_result().map_err(super::error::damaged)?;
    let rows = found.rows::<(String,)>().map_err(super::error::damaged)?;
    rows.map(|row| row.map(|(name,)| name).map_err(super::error::damaged)).collect()
}

async fn run(session: &Session, statement: String) -> PortResult<()> {
    session.query_unpaged(statement, ()).await.map(drop).map_err(|error| port_error(&error))
}
