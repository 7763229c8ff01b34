//! The nodes, and what is asked of them.

use booking_core::ports::PortResult;
use scylla::{
    client::{execution_profile::ExecutionProfile, session::Session, session_builder::SessionBuilder},
    deserialize::row::DeserializeRow,
    serialize::row::SerializeRow,
    statement::{Consistency, SerialConsistency, prepared::PreparedStatement},
};
use tokio::sync::OnceCell;

use super::{
    error::{damaged, port_error, unavailable},
    schema,
    settings::ScyllaSettings,
};

/// The nodes, once somebody needed them: no process has to wait for them to start.
pub(super) struct Cluster {
    settings: ScyllaSettings,
    asking: OnceCell<Asking>,
}

/// A session with its statements, each sent to a node that has the row.
pub(super) struct Asking {
    session: Session,
    pub(super) event: PreparedStatement,
    pub(super) event_now: PreparedStatement,
    pub(super) add_event: PreparedStatement,
    pub(super) change_event: PreparedStatement,
    pub(super) months: PreparedStatement,
    pub(super) add_month: PreparedStatement,
    pub(super) by_start: PreparedStatement,
    pub(super) add_start: PreparedStatement,
    pub(super) venue: PreparedStatement,
    pub(super) venue_now: PreparedStatement,
    pub(super) add_venue: PreparedStatement,
    pub(super) part: PreparedStatement,
    pub(super) add_part: PreparedStatement,
}

impl Cluster {
    pub(super) fn new(settings: ScyllaSettings) -> Self {
        Self { settings, asking: OnceCell::new() }
    }

    /// The session, begun by whoever is first.
    pub(super) async fn ask(&self) -> PortResult<&Asking> {
        self.asking.get_or_try_init(|| Asking::begin(&self.settings)).await
    }
}

impl Asking {
    async fn begin(settings: &ScyllaSettings) -> PortResult<Self> {
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(Some(SerialConsistency::LocalSerial))
            .request_timeout(Some(settings.timeout))
            .build();
        let mut builder = SessionBuilder::new()
            .known_nodes(&settings.nodes)
            .connection_timeout(settings.timeout)
            // Where rows are is needed of this keyspace alone, and of none its columns.
            .keyspaces_to_fetch([settings.keyspace.as_str()])
            .default_execution_profile_handle(profile.into_handle());
        if let Some((user, password)) = &settings.login {
            builder = builder.user(user, password.reveal());
        }
        let session = builder.build().await.map_err(|error| unavailable(format!("no node answers: {error}")))?;
        schema::prepare(&session, settings).await?;
        Self::prepared(session, &settings.keyspace).await
    }

    /// Each statement names the keyspace in full, written `{}`: what a session was told to use is not part of a statement.
    async fn prepared(session: Session, keyspace: &str) -> PortResult<Self> {
        let prepare = async |cql: &str| {
            let cql = cql.replace("{}", keyspace);
            let prepared = session.prepare(cql.as_str()).await;
            prepared.map_err(|error| unavailable(format!("'{cql}' is refused: {error}; see scylla.migrate")))
        };
        let repeatable = async |cql: &str| {
            let mut prepared = prepare(cql).await?;
            prepared.set_is_idempotent(true);
            Ok(prepared)
        };
        // Sees what a transaction wrote whose outcome nobody was told.
        let latest = async |cql: &str| {
            let mut prepared = repeatable(cql).await?;
            prepared.set_consistency(Consistency::LocalSerial);
            Ok(prepared)
        };
        let (event, venue) = (
            "SELECT version, event FROM {}.events WHERE event_id = ?",
            "SELECT digest, parts FROM {}.venues WHERE venue_id = ?",
        );
        Ok(Self {
            event: repeatable(event).await?,
            event_now: latest(event).await?,
            add_event: prepare("INSERT INTO {}.events (event_id, version, event) VALUES (?, 1, ?) IF NOT EXISTS")
                .await?,
            change_event: prepare("UPDATE {}.events SET version = ?, event = ? WHERE event_id = ? IF version = ?")
                .await?,
            months: repeatable("SELECT month FROM {}.event_months WHERE shelf = 0 AND month >= ?").await?,
            add_month: repeatable("INSERT INTO {}.event_months (shelf, month) VALUES (0, ?)").await?,
            by_start: repeatable(
                "SELECT starts_at, event_id FROM {}.events_by_start
                 WHERE month = ? AND (starts_at, event_id) > (?, ?) LIMIT ?",
            )
            .await?,
            add_start: repeatable("INSERT INTO {}.events_by_start (month, starts_at, event_id) VALUES (?, ?, ?)")
                .await?,
            venue: repeatable(venue).await?,
            venue_now: latest(venue).await?,
            add_venue: prepare("INSERT INTO {}.venues (venue_id, digest, parts) VALUES (?, ?, ?) IF NOT EXISTS")
                .await?,
            part: repeatable("SELECT content FROM {}.venue_parts WHERE venue_id = ? AND digest = ? AND part = ?")
                .await?,
            add_part: repeatable("INSERT INTO {}.venue_parts (venue_id, digest, part, content) VALUES (?, ?, ?, ?)")
                .await?,
            session,
        })
    }

    /// Writes; a lightweight transaction may do nothing.
    pub(super) async fn write(&self, statement: &PreparedStatement, values: impl SerializeRow) -> PortResult<()> {
        self.session.execute_unpaged(statement, values).await.map(drop).map_err(|error| port_error(&error))
    }

    /// The rows that a statement with a limit finds.
    pub(super) async fn rows<R>(&self, statement: &PreparedStatement, values: impl SerializeRow) -> PortResult<Vec<R>>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let found = self.session.execute_unpaged(statement, values).await.map_err(|error| port_error(&error))?;
        let found = found.into_rows_result().map_err(damaged)?;
        let rows = found.rows::<R>().map_err(damaged)?;
        rows.map(|row| row.map_err(damaged)).collect()
    }

    /// The one row that there may be.
    pub(super) async fn row<R>(&self, statement: &PreparedStatement, values: impl SerializeRow) -> PortResult<Option<R>>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        Ok(self.rows(statement, values).await?.pop())
    }
}
