//! The catalog: venues and events, for browsing and for the rules.
//!
//! Contract (suite: [`contract`]): a write that was answered survives a restart and is seen by every later read.
//! Writes of the same thing twice are one. A venue's seat map never changes under an id, and of an event only when it
//! begins and its hall: by its moves and its changes of hall, each done once.

use std::sync::Arc;

use async_trait::async_trait;

use super::PortResult;
use crate::{
    catalog::{Event, Moved, Rehoused, Venue},
    id::{EventId, VenueId},
    time::Timestamp,
};

#[cfg(feature = "contracts")]
pub mod contract;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there, now or since an earlier time with the same content.
    Done,
    /// The id is taken by something else.
    Conflict,
}

/// Reading the catalog.
#[async_trait]
pub trait CatalogReader: Send + Sync {
    /// A venue with its whole seat map.
    async fn venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>>;

    /// The hall of `event`, numbered on from those that it was in before ([`Venue::after`]).
    async fn hall(&self, event: &Event) -> PortResult<Option<Arc<Venue>>> {
        hall(self, event).await
    }

    /// An event. What it was before a move or a change of hall may still be read for a second after it.
    async fn event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>>;

    /// Up to `max` events that start at or after `from`, soonest first; `after` continues behind that (start, id).
    async fn events(
        &self,
        from: Timestamp,
        after: Option<(Timestamp, EventId)>,
        max: usize,
    ) -> PortResult<Vec<Arc<Event>>>;
}

/// What [`CatalogReader::hall`] answers, worked out anew.
///
/// # Errors
/// If a venue can't be read.
pub async fn hall(catalog: &(impl CatalogReader + ?Sized), event: &Event) -> PortResult<Option<Arc<Venue>>> {
    let mut hall: Option<Arc<Venue>> = None;
    for id in event.halls.iter().map(|earlier| &earlier.from).chain([&event.venue_id]) {
        let Some(venue) = catalog.venue(id).await? else { return Ok(None) };
        hall = Some(hall.map_or_else(|| Arc::clone(&venue), |before| Arc::new(venue.after(&before))));
    }
    Ok(hall)
}

/// Reading and writing the catalog.
#[async_trait]
pub trait Catalog: CatalogReader {
    /// Adds a venue.
    async fn put_venue(&self, venue: &Venue) -> PortResult<Put>;

    /// Adds an event.
    async fn put_event(&self, event: &Event) -> PortResult<Put>;

    /// Moves an event, as [`Event::after`] has it. [`Put::Conflict`]: there is no such event, or somebody else moved it
    /// meanwhile.
    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put>;

    /// Has an event in another hall, as [`Event::rehoused`] has it. [`Put::Conflict`]: there is no such event, or it is in
    /// another hall than the change begins with.
    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put>;
}
