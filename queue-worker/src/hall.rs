//! Events with their venues, kept at hand: neither ever changes under its id.

use std::{collections::HashMap, sync::Arc};

use booking_core::{
    catalog::{Event, Venue},
    id::EventId,
    ports::{PortResult, catalog::Catalog},
};

/// An event and its venue.
#[derive(Clone)]
pub(crate) struct Hall {
    pub(crate) event: Arc<Event>,
    pub(crate) venue: Arc<Venue>,
}

/// The halls in use. At most [`Self::MAX`] at once; with one more, all are forgotten and read again when needed.
#[derive(Default)]
pub(crate) struct Halls(HashMap<EventId, Hall>);

impl Halls {
    const MAX: usize = 1_000;

    /// The hall of `event`; `None` where the catalog does not know it.
    pub(crate) async fn get(&mut self, catalog: &dyn Catalog, event: &EventId) -> PortResult<Option<Hall>> {
        if let Some(hall) = self.0.get(event) {
            return Ok(Some(hall.clone()));
        }
        let Some(found) = catalog.event(event).await? else { return Ok(None) };
        let Some(venue) = catalog.venue(&found.venue_id).await? else { return Ok(None) };
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        let hall = Hall { event: found, venue };
        self.0.insert(event.clone(), hall.clone());
        Ok(Some(hall))
    }
}
