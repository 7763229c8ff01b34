//! What seldom or never changes, kept in memory once it was read.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use booking_core::{
    catalog::{Event, Venue},
    id::{EventId, VenueId},
    ports::{
        PortError, PortResult,
        catalog::{self, CatalogReader},
    },
};

/// The most venues kept in memory; each has up to 200,000 seats.
const MAX_VENUES: usize = 32;
/// The most events kept in memory.
const MAX_EVENTS: usize = 4_096;

/// How long a thing that may change is taken for what it was.
const FRESH: Duration = Duration::from_secs(1);
/// How long its store may take to say what it is by now, where it is known what it was.
const PATIENCE: Duration = Duration::from_millis(200);

/// What was read of a catalog: a venue never changes; an event may be moved or go to another hall, and is read again after a
/// second.
pub(crate) struct KeptCatalog {
    venues: Kept<VenueId, Venue>,
    events: Kept<EventId, Event>,
    /// Halls of events that were in others before, by how many.
    halls: Kept<(EventId, usize), Venue>,
}

impl KeptCatalog {
    /// With nothing in it.
    pub(crate) fn new() -> Self {
        Self { venues: Kept::new(MAX_VENUES), events: Kept::new(MAX_EVENTS), halls: Kept::new(MAX_VENUES) }
    }

    /// The venue, by `read` where it is not kept.
    pub(crate) async fn venue(
        &self,
        venue: &VenueId,
        read: impl Future<Output = PortResult<Option<Arc<Venue>>>>,
    ) -> PortResult<Option<Arc<Venue>>> {
        if let Some(kept) = self.venues.get(venue) {
            return Ok(Some(kept));
        }
        Ok(read.await?.map(|found| self.venues.keep(venue, found)))
    }

    /// The hall of `event`, by what `catalog` says of its venues.
    pub(crate) async fn hall(&self, catalog: &impl CatalogReader, event: &Event) -> PortResult<Option<Arc<Venue>>> {
        if event.halls.is_empty() {
            return catalog.venue(&event.venue_id).await;
        }
        let id = (event.event_id.clone(), event.halls.len());
        if let Some(kept) = self.halls.get(&id) {
            return Ok(Some(kept));
        }
        Ok(catalog::hall(catalog, event).await?.map(|hall| self.halls.keep(&id, hall)))
    }

    /// The event, by `read` where it was not read within the last second. Where its store is away or hangs, as it was known
    /// last: nobody changes it meanwhile, and a sale goes on by it.
    pub(crate) async fn event(
        &self,
        event: &EventId,
        read: impl Future<Output = PortResult<Option<Arc<Event>>>>,
    ) -> PortResult<Option<Arc<Event>>> {
        if let Some(kept) = self.events.get_fresh(event) {
            return Ok(Some(kept));
        }
        let found = match self.events.get(event) {
            None => read.await?,
            Some(known) => match tokio::time::timeout(PATIENCE, read).await {
                Ok(Ok(found)) => found,
                Ok(Err(error @ PortError::Damaged { .. })) => return Err(error),
                // Kept as if it were read, so that it is not said to each who asks.
                Ok(Err(error @ PortError::Unavailable { .. })) => {
                    tracing::debug!(%error, %event, "it is not known what the event is by now: it is taken for what it was");
                    Some(known)
                }
                Err(_) => {
                    tracing::debug!(%event, "the event's store takes its time: the event is taken for what it was");
                    Some(known)
                }
            },
        };
        Ok(found.map(|found| self.events.keep(event, found)))
    }

    /// Has an event read again that was changed.
    pub(crate) fn forget(&self, event: &EventId) {
        self.events.forget(event);
    }
}

/// Things kept in memory by id; beyond the limit any one of them is forgotten.
struct Kept<K, T> {
    max: usize,
    things: Mutex<HashMap<K, (Arc<T>, Instant)>>,
}

impl<K: Clone + Eq + Hash, T> Kept<K, T> {
    /// Keeps `max` things at most.
    fn new(max: usize) -> Self {
        Self { max, things: Mutex::default() }
    }

    fn things(&self) -> std::sync::MutexGuard<'_, HashMap<K, (Arc<T>, Instant)>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing, if it is kept, however long.
    fn get(&self, id: &K) -> Option<Arc<T>> {
        self.things().get(id).map(|(thing, _)| Arc::clone(thing))
    }

    /// The thing, if it was read within the last second.
    fn get_fresh(&self, id: &K) -> Option<Arc<T>> {
        self.things().get(id).filter(|(_, read_at)| read_at.elapsed() < FRESH).map(|(thing, _)| Arc::clone(thing))
    }

    /// Keeps a thing that was read.
    fn keep(&self, id: &K, thing: Arc<T>) -> Arc<T> {
        let mut things = self.things();
        if things.len() >= self.max && !things.contains_key(id) {
            let any = things.keys().next().cloned();
            any.and_then(|any| things.remove(&any));
        }
        things.insert(id.clone(), (Arc::clone(&thing), Instant::now()));
        thing
    }

    /// Forgets a thing that was changed.
    fn forget(&self, id: &K) {
        self.things().remove(id);
    }
}
