//! The catalog on Postgres: venues and events as JSON, and what was read of them in memory.

use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{
    capture::CatalogChange,
    catalog::{Event, Moved, Rehoused, Venue},
    id::{EventId, VenueId},
    ports::{
        PortResult,
        catalog::{Catalog, CatalogReader, Put},
        changes::CatalogChanges,
    },
    time::Timestamp,
};
use serde::de::DeserializeOwned;
use sqlx::{Connection as _, PgConnection};

use super::{database::PostgresDatabase, error::port_error, tries::ask};
use crate::{
    kept::KeptCatalog,
    sql::stored::{from_json, from_text, to_i64, to_json, to_u64},
};

const PORT: &str = "catalog";

/// The catalog. A clone is the same catalog.
#[derive(Clone)]
pub struct PostgresCatalog(Arc<Shared>);

struct Shared {
    database: PostgresDatabase,
    kept: KeptCatalog,
}

impl PostgresCatalog {
    /// The catalog in `database`.
    pub fn new(database: PostgresDatabase) -> Self {
        Self(Arc::new(Shared { database, kept: KeptCatalog::new() }))
    }

    async fn one<T: DeserializeOwned>(&self, sql: &'static str, id: &str) -> PortResult<Option<Arc<T>>> {
        let found: Option<String> = ask!(&self.0.database, PORT, connection => one(connection, sql, id))?;
        read_all(found).map(|mut found| found.pop())
    }
}

#[async_trait]
impl CatalogReader for PostgresCatalog {
    async fn venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>> {
        self.0.kept.venue(venue, self.one(VENUE, venue.as_str())).await
    }

    async fn hall(&self, event: &Event) -> PortResult<Option<Arc<Venue>>> {
        self.0.kept.hall(self, event).await
    }

    async fn event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>> {
        self.0.kept.event(event, self.one(EVENT, event.as_str())).await
    }

    async fn events(
        &self,
        from: Timestamp,
        after: Option<(Timestamp, EventId)>,
        max: usize,
    ) -> PortResult<Vec<Arc<Event>>> {
        let found = ask!(&self.0.database, PORT, connection => list(connection, from, after.as_ref(), max))?;
        read_all(found)
    }
}

#[async_trait]
impl Catalog for PostgresCatalog {
    async fn put_venue(&self, venue: &Venue) -> PortResult<Put> {
        ask!(&self.0.database, PORT, connection => put_venue(connection, venue))
    }

    async fn put_event(&self, event: &Event) -> PortResult<Put> {
        ask!(&self.0.database, PORT, connection => put_event(connection, event))
    }

    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put> {
        let done = ask!(&self.0.database, PORT, connection => {
            change(connection, event, |before| before.after(moved))
        });
        self.0.kept.forget(event);
        done
    }

    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put> {
        let done = ask!(&self.0.database, PORT, connection => {
            change(connection, event, |before| before.rehoused(rehoused))
        });
        self.0.kept.forget(event);
        done
    }
}

#[async_trait]
impl CatalogChanges for PostgresCatalog {
    async fn changes(&self, max: usize) -> PortResult<Vec<(u64, CatalogChange)>> {
        ask!(&self.0.database, PORT, connection => changes(connection, max))
    }

    async fn changes_published(&self, numbers: &[u64]) -> PortResult<()> {
        if numbers.is_empty() {
            return Ok(());
        }
        ask!(&self.0.database, PORT, connection => published(connection, numbers))
    }
}

async fn changes(connection: &mut PgConnection, max: usize) -> Result<Vec<(u64, CatalogChange)>, sqlx::Error> {
    let rows: Vec<(i64, String, i64, Option<String>)> =
        sqlx::query_as("SELECT number, event_id, at, event::text FROM event_changes ORDER BY number LIMIT $1")
            .bind(to_i64(max as u64))
            .fetch_all(connection)
            .await?;
    let read = |(number, event_id, at, event): (i64, String, i64, Option<String>)| {
        let version = to_u64(number)?;
        let event = event.map(|text| from_json(&text)).transpose()?;
        let (event_id, at) = (from_text(&event_id)?, Timestamp::from_millis(at));
        Ok((version, CatalogChange { version, at, event_id, event }))
    };
    rows.into_iter().map(read).collect()
}

async fn published(connection: &mut PgConnection, numbers: &[u64]) -> Result<(), sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(to_i64).collect();
    sqlx::query("DELETE FROM event_changes WHERE number = ANY($1)").bind(numbers).execute(connection).await?;
    Ok(())
}

const VENUE: &str = "SELECT venue::text FROM venues WHERE venue_id = $1";
const EVENT: &str = "SELECT event::text FROM events WHERE event_id = $1";

async fn one(connection: &mut PgConnection, sql: &'static str, id: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(sql).bind(id).fetch_optional(connection).await
}

async fn list(
    connection: &mut PgConnection,
    from: Timestamp,
    after: Option<&(Timestamp, EventId)>,
    max: usize,
) -> Result<Vec<String>, sqlx::Error> {
    // No event has an empty id: without `after`, every event at or after `from` is behind this.
    let (after_start, after_id) = after.map_or((from.as_millis(), ""), |(start, id)| (start.as_millis(), id.as_str()));
    sqlx::query_scalar(
        "SELECT event::text FROM events
         WHERE starts_at >= $1 AND (starts_at, event_id COLLATE \"C\") > ($2, $3)
         ORDER BY starts_at, event_id COLLATE \"C\" LIMIT $4",
    )
    .bind(from.as_millis())
    .bind(after_start)
    .bind(after_id)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

async fn put_venue(connection: &mut PgConnection, venue: &Venue) -> Result<Put, sqlx::Error> {
    let made = sqlx::query(
        "INSERT INTO venues (venue_id, venue) VALUES ($1, $2::text::json) ON CONFLICT (venue_id) DO NOTHING",
    )
    .bind(venue.venue_id.as_str())
    .bind(to_json(venue))
    .execute(&mut *connection)
    .await?
    .rows_affected();
    outcome(made, connection, VENUE, venue.venue_id.as_str(), venue).await
}

async fn put_event(connection: &mut PgConnection, event: &Event) -> Result<Put, sqlx::Error> {
    let made = sqlx::query(
        "INSERT INTO events (event_id, starts_at, event) VALUES ($1, $2, $3::text::json)
         ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(event.event_id.as_str())
    .bind(event.starts_at.as_millis())
    .bind(to_json(event))
    .execute(&mut *connection)
    .await?
    .rows_affected();
    outcome(made, connection, EVENT, event.event_id.as_str(), event).await
}

/// Replaces an event by what `after` makes of it; `None`: it is another than was expected.
async fn change(
    connection: &mut PgConnection,
    event: &EventId,
    after: impl Fn(&Event) -> Option<Event>,
) -> Result<Put, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let stands: Option<String> = sqlx::query_scalar("SELECT event::text FROM events WHERE event_id = $1 FOR UPDATE")
        .bind(event.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(before) = stands.map(|text| from_json::<Event>(&text)).transpose()? else { return Ok(Put::Conflict) };
    let Some(after) = after(&before) else { return Ok(Put::Conflict) };
    if after != before {
        sqlx::query("UPDATE events SET starts_at = $2, event = $3::text::json WHERE event_id = $1")
            .bind(event.as_str())
            .bind(after.starts_at.as_millis())
            .bind(to_json(&after))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(Put::Done)
}

/// Whether `thing` is what stands under its id: it was made now, or is the same as what was made before.
async fn outcome<T: DeserializeOwned + PartialEq>(
    made: u64,
    connection: &mut PgConnection,
    sql: &'static str,
    id: &str,
    thing: &T,
) -> Result<Put, sqlx::Error> {
    if made > 0 {
        return Ok(Put::Done);
    }
    let stands = one(connection, sql, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(if from_json::<T>(&stands)? == *thing { Put::Done } else { Put::Conflict })
}

fn read_all<T: DeserializeOwned>(found: impl IntoIterator<Item = String>) -> PortResult<Vec<Arc<T>>> {
    let read = |text: String| from_json(&text).map(Arc::new).map_err(|error| port_error(PORT, &error));
    found.into_iter().map(read).collect()
}
