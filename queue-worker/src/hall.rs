//! Events with their venues, kept at hand for a second: an event may be moved, or go
//! to another hall.

use std::{collections::HashMap, sync::Arc};

use booking_core::{
    booking::Booking,
    catalog::{Event, Venue},
    id::EventId,
    ports::{PortError, PortResult, catalog::Catalog},
    time::Timestamp,
};

/// An event and its venue, numbered on from those that it was in before.
#[derive(Clone)]
pub(crate) struct Hall {
    pub(crate) event: Arc<Event>,
    pub(crate) venue: Arc<Venue>,
}

/// The halls in use, and when each was read. At most [`Self::MAX`] at once; with one more, all are forgotten and read
/// again when needed.
#[derive(Default)]
pub(crate) struct Halls(HashMap<EventId, (Hall, Timestamp)>);

impl Halls {
    const MAX: usize = 1_000;
    /// How long a hall is taken for what it was, in milliseconds.
    const FRESH_MS: i64 = 1_000;

    /// The hall that `booking` has its seats in; `None` where the catalog does not know it.
    ///
    /// # Errors
    /// If the catalog fails, or has not heard yet that the event went there.
    pub(crate) async fn of(
        &mut self,
        catalog: &dyn Catalog,
        booking: &Booking,
        now: Timestamp,
    ) -> PortResult<Option<Hall>> {
        for _ in 0..2 {
            let hall = self.get(catalog, &booking.event_id, now).await?;
            if hall.as_ref().is_none_or(|hall| booking.is_known_to(&hall.venue.seat_map)) {
                return Ok(hall);
            }
            self.forget(&booking.event_id);
        }
        Err(not_heard_yet(&booking.event_id))
    }

    /// Has the hall of `event` read anew when it is asked for next.
    pub(crate) fn forget(&mut self, event: &EventId) {
        self.0.remove(event);
    }

    /// The hall of `event`; `None` where the catalog does not know it.
    pub(crate) async fn get(
        &mut self,
        catalog: &dyn Catalog,
        event: &EventId,
        now: Timestamp,
    ) -> PortResult<Option<Hall>> {
        if let Some((hall, read_at)) = self.0.get(event)
            && (0..Self::FRESH_MS).contains(&now.millis_since(*read_at))
        {
            return Ok(Some(hall.clone()));
        }
        let Some(found) = catalog.event(event).await? else { return Ok(None) };
        let Some(venue) = catalog.hall(&found).await? else { return Ok(None) };
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        let hall = Hall { event: found, venue };
        self.0.insert(event.clone(), (hall.clone(), now));
        Ok(Some(hall))
    }
}

/// That the catalog does not say yet that `event` is in another hall.
pub(crate) fn not_heard_yet(event: &EventId) -> PortError {
    PortError::Unavailable { port: "catalog", reason: format!("it has not heard yet that {event} is in another hall") }
}
