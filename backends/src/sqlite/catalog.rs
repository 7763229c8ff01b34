//! The catalog in one SQLite file: venues and events as JSON, and what was read of them in memory.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use booking_core::{
    capture::CatalogChange,
    catalog::{Event, Moved, Rehoused, Venue},
    id::{EventId, VenueId},
    ports::{
        PortError, PortResult,
        catalog::{Catalog, CatalogReader, Put},
        changes::CatalogChanges,
    },
    time::Timestamp,
};
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::{
    database::{Database, Schema},
    error::{from_json, from_text, to_i64, to_json, to_u64},
    group::{Group, Reply, Scribe},
    queue::{self, Queue},
};
use crate::kept::KeptCatalog;

const PORT: &str = "catalog";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x5763_6174,
    steps: &[
        ("catalog", include_str!("../../migrations/sqlite/catalog/0001_catalog.sql")),
        ("moved", include_str!("../../migrations/sqlite/catalog/0002_moved.sql")),
        ("rehousing", include_str!("../../migrations/sqlite/catalog/0003_rehousing.sql")),
        ("changes", include_str!("../../migrations/sqlite/catalog/0004_changes.sql")),
    ],
};

/// The most writes that wait; one more is answered as unavailable.
const MAX_WAITING: usize = 256;

/// The catalog. A clone is the same catalog.
#[derive(Clone)]
pub struct SqliteCatalog(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    scribe: Scribe<Act>,
    kept: KeptCatalog,
}

impl SqliteCatalog {
    /// Opens the catalog in the file at `path`, made where it is missing; its folder must exist. Must be called on a
    /// Tokio runtime, which the writer then runs on.
    ///
    /// # Errors
    /// `Unavailable`: the folder or the file can't be written, the disk is full, another process has it, or a newer
    /// version wrote it. `Damaged`: the file is corrupt or no catalog.
    pub async fn open(path: &Path) -> PortResult<Self> {
        let (database, connection) = Database::open(path, &SCHEMA).await?;
        let database = Arc::new(database);
        let scribe = Scribe::new(Arc::clone(&database), connection, Queue::new(PORT, MAX_WAITING), Writer);
        Ok(Self(Arc::new(Shared { database, scribe, kept: KeptCatalog::new() })))
    }

    /// Writes what waits, and ends: every later write is refused.
    pub async fn close(&self) {
        self.0.scribe.close().await;
    }

    async fn one<T: DeserializeOwned>(&self, sql: &'static str, id: &str) -> PortResult<Option<Arc<T>>> {
        let found: Result<Option<String>, _> =
            sqlx::query_scalar(sql).bind(id).fetch_optional(self.0.database.readers()).await;
        let found = found.and_then(|text| text.map(|text| Ok(Arc::new(from_json(&text)?))).transpose());
        self.0.database.answer(found)
    }
}

#[async_trait]
impl CatalogReader for SqliteCatalog {
    async fn venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>> {
        self.0.kept.venue(venue, self.one("SELECT venue FROM venues WHERE venue_id = ?1", venue.as_str())).await
    }

    async fn hall(&self, event: &Event) -> PortResult<Option<Arc<Venue>>> {
        self.0.kept.hall(self, event).await
    }

    async fn event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>> {
        self.0.kept.event(event, self.one("SELECT event FROM events WHERE event_id = ?1", event.as_str())).await
    }

    async fn events(
        &self,
        from: Timestamp,
        after: Option<(Timestamp, EventId)>,
        max: usize,
    ) -> PortResult<Vec<Arc<Event>>> {
        // No event has an empty id: without `after`, every event at or after `from` is behind this.
        let (after_start, after_id) =
            after.as_ref().map_or((from.as_millis(), ""), |(start, id)| (start.as_millis(), id.as_str()));
        let rows: Result<Vec<String>, _> = sqlx::query_scalar(
            "SELECT event FROM events
             WHERE starts_at >= ?1 AND (starts_at, event_id) > (?2, ?3)
             ORDER BY starts_at, event_id LIMIT ?4",
        )
        .bind(from.as_millis())
        .bind(after_start)
        .bind(after_id)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(self.0.database.readers())
        .await;
        let events = rows.and_then(|rows| rows.iter().map(|text| Ok(Arc::new(from_json(text)?))).collect());
        self.0.database.answer(events)
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn put_venue(&self, venue: &Venue) -> PortResult<Put> {
        let venue = Box::new(venue.clone());
        self.0.scribe.ask(|reply| Act::Venue { venue, reply }).await
    }

    async fn put_event(&self, event: &Event) -> PortResult<Put> {
        let event = Box::new(event.clone());
        self.0.scribe.ask(|reply| Act::Event { event, reply }).await
    }

    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put> {
        let (id, moved) = (event.clone(), Box::new(moved.clone()));
        let done = self.0.scribe.ask(|reply| Act::Move { event: id, moved, reply }).await;
        self.0.kept.forget(event);
        done
    }

    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put> {
        let (id, rehoused) = (event.clone(), Box::new(rehoused.clone()));
        let done = self.0.scribe.ask(|reply| Act::Rehouse { event: id, rehoused, reply }).await;
        self.0.kept.forget(event);
        done
    }
}

#[async_trait]
impl CatalogChanges for SqliteCatalog {
    async fn changes(&self, max: usize) -> PortResult<Vec<(u64, CatalogChange)>> {
        let rows: Result<Vec<(i64, String, i64, Option<String>)>, _> =
            sqlx::query_as("SELECT number, event_id, at, event FROM changes ORDER BY number LIMIT ?1")
                .bind(to_i64(max as u64))
                .fetch_all(self.0.database.readers())
                .await;
        let read = |(number, event_id, at, event): (i64, String, i64, Option<String>)| {
            let version = to_u64(number)?;
            let event = event.map(|text| from_json(&text)).transpose()?;
            let (event_id, at) = (from_text(&event_id)?, Timestamp::from_millis(at));
            Ok((version, CatalogChange { version, at, event_id, event }))
        };
        self.0.database.answer(rows.and_then(|rows| rows.into_iter().map(read).collect()))
    }

    async fn changes_published(&self, numbers: &[u64]) -> PortResult<()> {
        let numbers = to_json(numbers);
        self.0.scribe.ask(|reply| Act::Published { numbers, reply }).await
    }
}

enum Act {
    Venue { venue: Box<Venue>, reply: Reply<Put> },
    Event { event: Box<Event>, reply: Reply<Put> },
    Move { event: EventId, moved: Box<Moved>, reply: Reply<Put> },
    Rehouse { event: EventId, rehoused: Box<Rehoused>, reply: Reply<Put> },
    Published { numbers: String, reply: Reply<()> },
}

impl queue::Act for Act {
    fn bytes(&self) -> usize {
        match self {
            // About what a seat takes.
            Self::Venue { venue, .. } => 1_024 + 128 * venue.seat_map.len(),
            Self::Event { event, .. } => 1_024 + event.description.len(),
            Self::Move { moved, .. } => 1_024 + moved.reason.len(),
            Self::Rehouse { rehoused, .. } => 1_024 + rehoused.reason.len(),
            Self::Published { numbers, .. } => numbers.len(),
        }
    }
}

struct Writer;

impl Group for Writer {
    type Act = Act;
    const APART: bool = true;

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Act>) -> Result<(), sqlx::Error> {
        for act in acts {
            match act {
                Act::Venue { venue, reply } => {
                    let made = sqlx::query(
                        "INSERT INTO venues (venue_id, venue) VALUES (?1, ?2) ON CONFLICT (venue_id) DO NOTHING",
                    )
                    .bind(venue.venue_id.as_str())
                    .bind(to_json(&**venue))
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                    let sql = "SELECT venue FROM venues WHERE venue_id = ?1";
                    reply.set(outcome(made, transaction, sql, venue.venue_id.as_str(), &**venue).await?);
                }
                Act::Event { event, reply } => {
                    let made = sqlx::query(
                        "INSERT INTO events (event_id, starts_at, event) VALUES (?1, ?2, ?3)
                         ON CONFLICT (event_id) DO NOTHING",
                    )
                    .bind(event.event_id.as_str())
                    .bind(event.starts_at.as_millis())
                    .bind(to_json(&**event))
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                    let sql = "SELECT event FROM events WHERE event_id = ?1";
                    reply.set(outcome(made, transaction, sql, event.event_id.as_str(), &**event).await?);
                }
                Act::Move { event, moved, reply } => {
                    reply.set(change(transaction, event, |before| before.after(moved)).await?);
                }
                Act::Rehouse { event, rehoused, reply } => {
                    reply.set(change(transaction, event, |before| before.rehoused(rehoused)).await?);
                }
                Act::Published { numbers, reply } => {
                    sqlx::query("DELETE FROM changes WHERE number IN (SELECT value FROM json_each(?1))")
                        .bind(numbers.as_str())
                        .execute(&mut *transaction)
                        .await?;
                    reply.set(());
                }
            }
        }
        Ok(())
    }

    fn written(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Venue { reply, .. }
                | Act::Event { reply, .. }
                | Act::Move { reply, .. }
                | Act::Rehouse { reply, .. } => reply.send(),
                Act::Published { reply, .. } => reply.send(),
            }
        }
    }

    fn failed(&mut self, acts: Vec<Act>, why: &PortError) {
        for act in acts {
            match act {
                Act::Venue { reply, .. }
                | Act::Event { reply, .. }
                | Act::Move { reply, .. }
                | Act::Rehouse { reply, .. } => reply.fail(why),
                Act::Published { reply, .. } => reply.fail(why),
            }
        }
    }
}

/// Replaces an event by what `after` makes of it; `None`: it is another than was expected.
async fn change(
    connection: &mut SqliteConnection,
    event: &EventId,
    after: impl Fn(&Event) -> Option<Event>,
) -> Result<Put, sqlx::Error> {
    let stands: Option<String> = sqlx::query_scalar("SELECT event FROM events WHERE event_id = ?1")
        .bind(event.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(before) = stands.map(|text| from_json::<Event>(&text)).transpose()? else { return Ok(Put::Conflict) };
    let Some(after) = after(&before) else { return Ok(Put::Conflict) };
    if after != before {
        sqlx::query("UPDATE events SET starts_at = ?2, event = ?3 WHERE event_id = ?1")
            .bind(event.as_str())
            .bind(after.starts_at.as_millis())
            .bind(to_json(&after))
            .execute(connection)
            .await?;
    }
    Ok(Put::Done)
}

/// Whether `thing` is what stands under its id: it was made now, or is the same as what was made before.
async fn outcome<T: DeserializeOwned + PartialEq>(
    made: u64,
    connection: &mut SqliteConnection,
    sql: &'static str,
    id: &str,
    thing: &T,
) -> Result<Put, sqlx::Error> {
    if made > 0 {
        return Ok(Put::Done);
    }
    let stands: String = sqlx::query_scalar(sql).bind(id).fetch_one(connection).await?;
    Ok(if from_json::<T>(&stands)? == *thing { Put::Done } else { Put::Conflict })
}
