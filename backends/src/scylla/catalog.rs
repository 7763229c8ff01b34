//! The catalog.

use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{
    catalog::{Event, Moved, Rehoused, Venue},
    digest::Digest,
    id::{EventId, VenueId},
    ports::{
        PortResult,
        catalog::{Catalog, CatalogReader, Put},
    },
    time::Timestamp,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;

use super::{
    cluster::{Asking, Cluster},
    error::{damaged, unavailable},
    settings::ScyllaSettings,
};
use crate::kept::KeptCatalog;

/// How large a part of a venue is at most, in bytes.
const PART_BYTES: usize = 256 << 10;
/// How many rows of one thing are asked for at once.
const AT_ONCE: usize = 16;
/// How long a month of the list of what begins when is.
const MONTH_MS: i64 = 30 * 86_400_000;
/// The most rows of that list that one request names.
const MAX_ROWS: usize = 1_000;
/// How often a change is tried anew where somebody else changed the same event meanwhile.
const TRIES: usize = 8;

/// The catalog. A clone is the same catalog.
#[derive(Clone)]
pub struct ScyllaCatalog(Arc<Shared>);

struct Shared {
    cluster: Cluster,
    kept: KeptCatalog,
}

impl ScyllaCatalog {
    /// The catalog that `settings` name. Nothing is asked of the nodes before it is used.
    pub fn new(settings: ScyllaSettings) -> Self {
        Self(Arc::new(Shared { cluster: Cluster::new(settings), kept: KeptCatalog::new() }))
    }

    /// Finds the nodes, and makes the keyspace and the tables that are missing where that is wished.
    ///
    /// # Errors
    /// `Unavailable`: no node answers, or there is no such table and none is to be made.
    pub async fn prepare(&self) -> PortResult<()> {
        self.0.cluster.ask().await.map(drop)
    }

    async fn read_event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>> {
        let asking = self.0.cluster.ask().await?;
        let found: Option<(i64, String)> = asking.row(&asking.event, (event.as_str(),)).await?;
        found.map(|(_, text)| read(text.as_bytes()).map(Arc::new)).transpose()
    }

    async fn read_venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>> {
        let asking = self.0.cluster.ask().await?;
        let found: Option<(String, i32)> = asking.row(&asking.venue, (venue.as_str(),)).await?;
        let Some((digest, parts)) = found else { return Ok(None) };
        asking.parts(venue, &digest, parts).await.map(Arc::new).map(Some)
    }

    /// Replaces an event by what `after` makes of it; `None`: it is another than was expected.
    async fn change(&self, event: &EventId, after: impl Fn(&Event) -> Option<Event>) -> PortResult<Put> {
        let asking = self.0.cluster.ask().await?;
        for _ in 0..TRIES {
            let Some((version, before)) = asking.standing(event).await? else { return Ok(Put::Conflict) };
            let Some(after) = after(&before) else { return Ok(Put::Conflict) };
            if after == before {
                return Ok(Put::Done);
            }
            asking.list(&after).await?;
            let (next, text) = (version + 1, to_json(&after));
            // Whether it did anything is seen by what stands then: an answer may be lost on its way.
            asking.write(&asking.change_event, (next, text, event.as_str(), version)).await?;
        }
        Err(unavailable("others changed the same event again and again; ask again"))
    }
}

#[async_trait]
impl CatalogReader for ScyllaCatalog {
    async fn venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>> {
        self.0.kept.venue(venue, self.read_venue(venue)).await
    }

    async fn hall(&self, event: &Event) -> PortResult<Option<Arc<Venue>>> {
        self.0.kept.hall(self, event).await
    }

    async fn event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>> {
        self.0.kept.event(event, self.read_event(event)).await
    }

    async fn events(
        &self,
        from: Timestamp,
        after: Option<(Timestamp, EventId)>,
        max: usize,
    ) -> PortResult<Vec<Arc<Event>>> {
        let asking = self.0.cluster.ask().await?;
        // No event has an empty id: without `after`, every event at or after `from` is behind this.
        let mut behind = after.map_or((from, String::new()), |(start, id)| (start, id.as_str().to_owned()));
        let months: Vec<(i32,)> = asking.rows(&asking.months, (month_of(behind.0),)).await?;
        let mut found = Vec::new();
        for (month,) in months {
            while found.len() < max {
                let limit = (max - found.len()).min(MAX_ROWS);
                let asked = (month, behind.0.as_millis(), behind.1.as_str(), i32::try_from(limit).unwrap_or(i32::MAX));
                let rows: Vec<(i64, String)> = asking.rows(&asking.by_start, asked).await?;
                let Some((start, id)) = rows.last() else { break };
                behind = (Timestamp::from_millis(*start), id.clone());
                let is_all = rows.len() < limit;
                found.extend(self.pointed_to(rows, from).await?);
                if is_all {
                    break;
                }
            }
        }
        Ok(found)
    }
}

impl ScyllaCatalog {
    /// The events that `rows` lead to: those that still begin then.
    async fn pointed_to(&self, rows: Vec<(i64, String)>, from: Timestamp) -> PortResult<Vec<Arc<Event>>> {
        let look = async |(start, id): (i64, String)| {
            let id: EventId = id.parse().map_err(damaged)?;
            let event = self.read_event(&id).await?;
            Ok(event.filter(|event| event.starts_at.as_millis() == start && event.starts_at >= from))
        };
        let found: Vec<Option<Arc<Event>>> = stream::iter(rows).map(look).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

#[async_trait]
impl Catalog for ScyllaCatalog {
    async fn put_venue(&self, venue: &Venue) -> PortResult<Put> {
        let asking = self.0.cluster.ask().await?;
        let id = &venue.venue_id;
        if asking.standing_venue(id).await?.is_none() {
            let text = to_json(venue);
            let digest = Digest::of(&[text.as_bytes()]).to_string();
            let parts = asking.add_parts(id, &digest, text.as_bytes()).await?;
            asking.write(&asking.add_venue, (id.as_str(), digest, parts)).await?;
        }
        let stands = asking.standing_venue(id).await?;
        let (digest, parts) = stands.ok_or_else(|| unavailable("a venue that was added is not there; ask again"))?;
        let stands = asking.parts(id, &digest, parts).await?;
        Ok(if stands == *venue { Put::Done } else { Put::Conflict })
    }

    async fn put_event(&self, event: &Event) -> PortResult<Put> {
        let asking = self.0.cluster.ask().await?;
        let id = &event.event_id;
        if asking.standing(id).await?.is_none() {
            asking.list(event).await?;
            asking.write(&asking.add_event, (id.as_str(), to_json(event))).await?;
        }
        let stands = asking.standing(id).await?;
        let (_, stands) = stands.ok_or_else(|| unavailable("an event that was added is not there; ask again"))?;
        Ok(if stands == *event { Put::Done } else { Put::Conflict })
    }

    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put> {
        let done = self.change(event, |before| before.after(moved)).await;
        self.0.kept.forget(event);
        done
    }

    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put> {
        let done = self.change(event, |before| before.rehoused(rehoused)).await;
        self.0.kept.forget(event);
        done
    }
}

impl Asking {
    /// The event as the last transaction left it, with its version.
    async fn standing(&self, event: &EventId) -> PortResult<Option<(i64, Event)>> {
        let found: Option<(i64, String)> = self.row(&self.event_now, (event.as_str(),)).await?;
        found.map(|(version, text)| Ok((version, read(text.as_bytes())?))).transpose()
    }

    async fn standing_venue(&self, venue: &VenueId) -> PortResult<Option<(String, i32)>> {
        self.row(&self.venue_now, (venue.as_str(),)).await
    }

    /// Has the list of what begins when lead to `event`. Written before it, and never taken back: who reads the list looks
    /// whether the event begins then.
    async fn list(&self, event: &Event) -> PortResult<()> {
        let month = month_of(event.starts_at);
        self.write(&self.add_month, (month,)).await?;
        self.write(&self.add_start, (month, event.starts_at.as_millis(), event.event_id.as_str())).await
    }

    /// Writes a venue's text in parts, and says how many they are.
    async fn add_parts(&self, venue: &VenueId, digest: &str, text: &[u8]) -> PortResult<i32> {
        let add = async |(part, content): (i32, &[u8])| {
            self.write(&self.add_part, (venue.as_str(), digest, part, content)).await
        };
        let parts = (0_i32..).zip(text.chunks(PART_BYTES));
        let written: Vec<()> = stream::iter(parts).map(add).buffered(AT_ONCE).try_collect().await?;
        i32::try_from(written.len()).map_err(damaged)
    }

    /// The venue that was written in so many parts.
    async fn parts(&self, venue: &VenueId, digest: &str, parts: i32) -> PortResult<Venue> {
        let part = async |part: i32| {
            let found: Option<(Vec<u8>,)> = self.row(&self.part, (venue.as_str(), digest, part)).await?;
            let (content,) = found.ok_or_else(|| damaged(format!("{venue} without its part {part}")))?;
            Ok(content)
        };
        let parts: Vec<Vec<u8>> = stream::iter(0..parts).map(part).buffered(AT_ONCE).try_collect().await?;
        read(&parts.concat())
    }
}

fn month_of(at: Timestamp) -> i32 {
    let month = at.as_millis().div_euclid(MONTH_MS);
    i32::try_from(month).unwrap_or(if month < 0 { i32::MIN } else { i32::MAX })
}

fn read<T: DeserializeOwned>(text: &[u8]) -> PortResult<T> {
    serde_json::from_slice(text).map_err(damaged)
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what is stored is plain data with text keys")
}
