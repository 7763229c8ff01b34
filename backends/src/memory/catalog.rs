//! The catalog in memory.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    ops::Bound,
    sync::{Arc, Mutex},
};

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

use super::locked;

/// A catalog in memory; its clones share it. It grows with what operators put into it.
#[derive(Debug, Clone, Default)]
pub struct MemoryCatalog(Arc<Mutex<Shelves>>);

#[derive(Debug, Default)]
struct Shelves {
    venues: HashMap<VenueId, Arc<Venue>>,
    events: HashMap<EventId, Arc<Event>>,
    by_start: BTreeMap<(Timestamp, EventId), Arc<Event>>,
    /// Changes that are not published, by their number, which is their version, too.
    changes: BTreeMap<u64, CatalogChange>,
    last_change: u64,
}

impl Shelves {
    /// Shelves `event` as it is now. Nothing here has a clock: the change has no time.
    fn shelve(&mut self, event: Arc<Event>) {
        self.last_change += 1;
        let change = CatalogChange {
            version: self.last_change,
            at: Timestamp::default(),
            event_id: event.event_id.clone(),
            event: Some(Event::clone(&event)),
        };
        self.changes.insert(self.last_change, change);
        self.by_start.insert((event.starts_at, event.event_id.clone()), Arc::clone(&event));
        self.events.insert(event.event_id.clone(), event);
    }
}

#[async_trait]
impl CatalogReader for MemoryCatalog {
    async fn venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>> {
        Ok(locked(&self.0).venues.get(venue).cloned())
    }

    async fn event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>> {
        Ok(locked(&self.0).events.get(event).cloned())
    }

    async fn events(
        &self,
        from: Timestamp,
        after: Option<(Timestamp, EventId)>,
        max: usize,
    ) -> PortResult<Vec<Arc<Event>>> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let shelves = locked(&self.0);
        let listed = shelves.by_start.range((begin, Bound::Unbounded)).map(|(_, event)| event);
        Ok(listed.skip_while(|event| event.starts_at < from).take(max).cloned().collect())
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn put_venue(&self, venue: &Venue) -> PortResult<Put> {
        Ok(put(locked(&self.0).venues.entry(venue.venue_id.clone()), venue))
    }

    async fn put_event(&self, event: &Event) -> PortResult<Put> {
        let mut shelves = locked(&self.0);
        if let Some(kept) = shelves.events.get(&event.event_id) {
            return Ok(if **kept == *event { Put::Done } else { Put::Conflict });
        }
        shelves.shelve(Arc::new(event.clone()));
        Ok(Put::Done)
    }

    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put> {
        let mut shelves = locked(&self.0);
        let Some(before) = shelves.events.get(event).cloned() else { return Ok(Put::Conflict) };
        let Some(after) = before.after(moved).map(Arc::new) else { return Ok(Put::Conflict) };
        if after != before {
            shelves.by_start.remove(&(before.starts_at, event.clone()));
            shelves.shelve(after);
        }
        Ok(Put::Done)
    }

    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put> {
        let mut shelves = locked(&self.0);
        let Some(before) = shelves.events.get(event).cloned() else { return Ok(Put::Conflict) };
        let Some(after) = before.rehoused(rehoused).map(Arc::new) else { return Ok(Put::Conflict) };
        if after != before {
            shelves.shelve(after);
        }
        Ok(Put::Done)
    }
}

#[async_trait]
impl CatalogChanges for MemoryCatalog {
    async fn changes(&self, max: usize) -> PortResult<Vec<(u64, CatalogChange)>> {
        let shelves = locked(&self.0);
        Ok(shelves.changes.iter().take(max).map(|(number, change)| (*number, change.clone())).collect())
    }

    async fn changes_published(&self, numbers: &[u64]) -> PortResult<()> {
        let mut shelves = locked(&self.0);
        for number in numbers {
            shelves.changes.remove(number);
        }
        Ok(())
    }
}

fn put<K, T: Clone + PartialEq>(entry: Entry<'_, K, Arc<T>>, thing: &T) -> Put {
    let kept = entry.or_insert_with(|| Arc::new(thing.clone()));
    if **kept == *thing { Put::Done } else { Put::Conflict }
}
