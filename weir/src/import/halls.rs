//! The categories of venues, each looked up once.

use std::{collections::HashMap, sync::Arc};

use booking_core::id::VenueId;
use serde::Deserialize;

use super::office::Office;
use crate::api::{Answer, ApiError, Call};

/// How many venues are remembered; one more, and all are looked up anew.
const MAX_REMEMBERED: usize = 1_000;

/// The names of a venue's categories of seats.
pub(super) type Categories = Arc<[String]>;

#[derive(Deserialize)]
struct Hall {
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Category {
    name: String,
}

/// Venues, as a Weir has them.
pub(super) struct Halls {
    office: Office,
    known: HashMap<VenueId, Option<Categories>>,
}

impl Halls {
    pub(super) fn of(office: Office) -> Self {
        Self { office, known: HashMap::new() }
    }

    /// Takes a venue for known.
    #[cfg(test)]
    pub(super) fn know(&mut self, venue: VenueId, categories: &[&str]) {
        self.known.insert(venue, Some(categories.iter().map(|name| (*name).to_owned()).collect()));
    }

    /// The categories of `venue`; `None` where there is no such venue.
    ///
    /// # Errors
    /// If it can't be looked up.
    pub(super) async fn categories(&mut self, venue: &VenueId) -> Result<Option<Categories>, ApiError> {
        if let Some(known) = self.known.get(venue) {
            return Ok(known.clone());
        }
        let path = format!("/v1/operator/venues/{venue}");
        let found = match self.office.ask::<Hall>(Call::get(&path)).await? {
            Answer::Ok(hall) => Some(hall.categories.into_iter().map(|category| category.name).collect()),
            Answer::Refused(problem) if problem.status == 404 => None,
            Answer::Refused(problem) => {
                return Err(ApiError::Refused { url: format!("{}{path}", self.office.address()), problem });
            }
        };
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(venue.clone(), found.clone());
        Ok(found)
    }
}
