//! The catalog in memory.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    ops::Bound,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    catalog::{Event, Moved, Rehoused, Venue},
    id::{EventId, VenueId},
    ports::{
        PortResult,
        catalog::{Catalog, CatalogReader, Put},
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
        let done = put(shelves.events.entry(event.event_id.clone()), event);
        if done == Put::Done {
            shelves.by_start.insert((event.starts_at, event.event_id.clone()), Arc::new(event.clone()));
        }
        Ok(done)
    }

    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put> {
        let mut shelves = locked(&self.0);
        let Some(before) = shelves.events.get(event).cloned() else { return Ok(Put::Conflict) };
        let Some(after) = before.after(moved).map(Arc::new) else { return Ok(Put::Conflict) };
        shelves.by_start.remove(&(before.starts_at, event.clone()));
        shelves.by_start.insert((after.starts_at, event.clone()), Arc::clone(&after));
        shelves.events.insert(event.clone(), after);
        Ok(Put::Done)
    }

    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put> {
        let mut shelves = locked(&self.0);
        let after = shelves.events.get(event).and_then(|before| before.rehoused(rehoused)).map(Arc::new);
        let Some(after) = after else { return Ok(Put::Conflict) };
        shelves.by_start.insert((after.starts_at, event.clone()), Arc::clone(&after));
        shelves.events.insert(event.clone(), after);
        Ok(Put::Done)
    }
}

fn put<K, T: Clone + PartialEq>(entry: Entry<'_, K, Arc<T>>, thing: &T) -> Put {
    let kept = entry.or_insert_with(|| Arc::new(thing.clone()));
    if **kept == *thing { Put::Done } else { Put::Conflict }
}
