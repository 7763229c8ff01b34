//! Events out of files: which venue each is in, and whether it can be one.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use anyhow::Context as _;
use booking_core::{
    catalog::Event,
    digest::Digest,
    id::{EventId, VenueId},
    money::Currency,
    refund::RefundPolicy,
};
use serde_json::{Map, Value, json};

use super::{Judged, Wanted, fields::Fields, halls::Halls, json_ld, source::Found, table};
use crate::{api::ApiError, cli::ImportEventsArgs};

/// The largest event out of a file, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;
/// The largest file of venues' names, in bytes.
const MAX_NAMES_BYTES: u64 = 16 << 20;
/// Stands for a currency that can't be read, so that the rest is looked at: ISO 4217's word for none.
pub(super) const NO_CURRENCY: &str = "XXX";

/// Tells which things of files can be events.
pub(super) struct Events {
    halls: Halls,
    venue: Option<VenueId>,
    names: Option<HashMap<String, VenueId>>,
    source: String,
}

impl Events {
    /// # Errors
    /// If the file of venues' names can't be read.
    pub(super) fn new(args: &ImportEventsArgs, halls: Halls) -> anyhow::Result<Self> {
        let names = args.venues.as_deref().map(read_names).transpose()?;
        Ok(Self { halls, venue: args.venue.clone(), names, source: args.source.clone() })
    }

    /// # Errors
    /// If its venue can't be looked up.
    pub(super) async fn judge(&mut self, found: Found) -> Result<Judged, ApiError> {
        let item = match found {
            Ok(item) => item,
            Err(mistake) => return Ok(Judged::Wrong(vec![mistake])),
        };
        let (mut fields, called) = if item.fields.contains_key("@type") {
            let Some(translated) = json_ld::translate(&item.fields) else { return Ok(Judged::PassedOver) };
            let mut fields = Fields::new(item.place, translated.fields, |field| json_ld::name_of(field).to_owned());
            for (field, what) in translated.mistakes {
                fields.mistake(&field, what);
            }
            (fields, translated.venue)
        } else {
            let naming = if item.is_row { table::column } else { str::to_owned };
            let mut fields = Fields::new(item.place, item.fields, naming);
            let called = fields.take("venue").into_iter().collect();
            (fields, called)
        };
        let venue = self.venue(&mut fields, &called);
        let categories = match &venue {
            None => None,
            Some(venue) => {
                let hall = self.halls.categories(venue).await?;
                if hall.is_none() {
                    fields.mistake("venueId", format_args!("there is no venue {venue}"));
                }
                hall
            }
        };
        Ok(self.event(fields, venue, categories.as_ref().map(|categories| &categories[..])))
    }

    /// The venue of the event of `fields`, by its id or by what it is `called`.
    fn venue(&self, fields: &mut Fields, called: &[String]) -> Option<VenueId> {
        if let Some(id) = fields.value("venueId") {
            let id = serde_json::from_value(id).map_err(|error| fields.mistake("venueId", error));
            return id.ok();
        }
        let Some(first) = called.first() else {
            if self.venue.is_none() {
                fields.mistake("venueId", "is missing, and no --venue is given for events that name none");
            }
            return self.venue.clone();
        };
        match &self.names {
            None if self.venue.is_some() => self.venue.clone(),
            None => {
                fields.mistake("venue", format_args!("give the id of '{first}' with --venue, or in a file --venues"));
                None
            }
            Some(names) => {
                let id = called.iter().find_map(|name| names.get(name));
                if id.is_none() {
                    fields.mistake("venue", format_args!("the file of --venues has no '{first}'"));
                }
                id.cloned()
            }
        }
    }

    fn event(&self, mut fields: Fields, venue: Option<VenueId>, categories: Option<&[String]>) -> Judged {
        let own_id = fields.value("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        let currency: Option<Currency> = fields.require("currency");
        let refund_policy: Option<RefundPolicy> = fields.take("refundPolicy");
        let event = Event {
            event_id: EventId::from_bytes([0; 16]),
            title: fields.take("title").unwrap_or_default(),
            description: fields.take("description").unwrap_or_default(),
            performers: fields.take("performers").unwrap_or_default(),
            category: fields.take("category"),
            language: fields.take("language"),
            thumbnail: fields.take("thumbnail"),
            venue_id: venue.unwrap_or_else(|| VenueId::from_bytes([0; 16])),
            starts_at: fields.require("startsAt").unwrap_or_default(),
            currency: currency.unwrap_or_else(|| NO_CURRENCY.parse().expect("three capital letters")),
            prices: prices(&mut fields, categories),
            refund_policy: refund_policy.clone().unwrap_or_default(),
            moves: Vec::new(),
            halls: Vec::new(),
        };
        let wrong =
            event.mistakes().into_iter().chain(categories.map_or_else(Vec::new, |names| event.price_mistakes(names)));
        for mistake in wrong {
            fields.mistake(mistake.field(), mistake);
        }
        let place = fields.place.clone();
        let mistakes = fields.finish("an event");
        if !mistakes.is_empty() {
            return Judged::Wrong(mistakes);
        }
        let mut body = json!(event);
        if let Some(body) = body.as_object_mut() {
            body.remove("eventId");
            if refund_policy.is_none() {
                // The gateway's own is in force, as of now and not as of this executable.
                body.remove("refundPolicy");
            }
        }
        let content = Digest::of(&[body.to_string().as_bytes()]);
        let key = own_id.filter(|id| !id.is_empty()).map_or_else(
            || Digest::of(&[b"weir/import/event/v1", &content.0]),
            |id| Digest::of(&[b"weir/import/id/v1", self.source.as_bytes(), &[0], id.as_bytes()]),
        );
        Judged::Wanted(Wanted { place, key, content, body })
    }
}

/// The prices of each category, or one for all the `categories` of the venue.
fn prices(fields: &mut Fields, categories: Option<&[String]>) -> BTreeMap<String, i64> {
    // One that can't be read is named once, and not as missing too.
    let minor_units = |fields: &mut Fields, field: &str, value: &Value| {
        value.as_i64().unwrap_or_else(|| {
            fields.mistake(field, format_args!("{value} is no whole number of minor units"));
            0
        })
    };
    match (fields.value("price"), fields.take::<Map<String, Value>>("prices")) {
        (Some(price), None) => {
            let price = minor_units(fields, "price", &price);
            categories.unwrap_or_default().iter().map(|name| (name.clone(), price)).collect()
        }
        (None, Some(prices)) => {
            let price = |(name, value): (String, Value)| {
                let price = minor_units(fields, &format!("prices.{name}"), &value);
                (name, price)
            };
            prices.into_iter().map(price).collect()
        }
        (Some(_), Some(_)) => {
            fields.mistake("price", "is one for every category; give either it or prices");
            BTreeMap::new()
        }
        (None, None) => BTreeMap::new(),
    }
}

fn read_names(path: &Path) -> anyhow::Result<HashMap<String, VenueId>> {
    let named = || format!("the names of venues in {} can't be read", path.display());
    let size = fs::metadata(path).with_context(named)?.len();
    anyhow::ensure!(size <= MAX_NAMES_BYTES, "{} is larger than {MAX_NAMES_BYTES} bytes", path.display());
    serde_json::from_slice(&fs::read(path).with_context(named)?).with_context(named)
}
