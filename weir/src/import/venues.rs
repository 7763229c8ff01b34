//! Venues out of files: Weir's own seat maps, and pretix's seating plans.

use booking_core::{
    catalog::{Location, Venue},
    digest::Digest,
    id::VenueId,
    seats::{SeatMap, pretix},
};
use serde_json::{Map, Value, json};

use super::{Judged, Wanted, fields::Fields, source::Found};
use crate::cli::ImportVenuesArgs;

/// The largest venue out of a file, in bytes, with whatever says nothing about seats.
pub(super) const MAX_BYTES: u64 = 4 << 20;
/// The largest venue that a gateway takes, in bytes.
const MAX_BODY_BYTES: usize = 1_000_000;

/// Tells which things of files can be venues.
pub(super) struct Venues {
    args: ImportVenuesArgs,
}

impl Venues {
    pub(super) fn new(args: &ImportVenuesArgs) -> Self {
        Self { args: args.clone() }
    }

    pub(super) fn judge(&self, found: Found) -> Judged {
        let item = match found {
            Ok(item) => item,
            Err(mistake) => return Judged::Wrong(vec![mistake]),
        };
        let place = item.place.clone();
        let is_pretix = item.fields.contains_key("zones") || item.fields.contains_key("layout");
        let mut fields = Fields::new(item.place, Map::new(), str::to_owned);
        let venue = if is_pretix {
            self.of_pretix(&mut fields, item.fields)
        } else {
            fields = Fields::new(place.clone(), item.fields, str::to_owned);
            of_weir(&mut fields)
        };
        if let Some(Err(wrong)) = venue.as_ref().map(Venue::check) {
            fields.mistake("", wrong);
        }
        let body = venue.as_ref().map(body);
        let size = body.as_ref().map_or(0, |body| body.to_string().len());
        if size > MAX_BODY_BYTES {
            fields.mistake("", format_args!("takes {size} bytes; a gateway takes {MAX_BODY_BYTES}"));
        }
        match (body, fields.finish("a venue")) {
            (Some(body), mistakes) if mistakes.is_empty() => {
                let content = Digest::of(&[body.to_string().as_bytes()]);
                let key = Digest::of(&[b"weir/import/venue/v1", &content.0]);
                Judged::Wanted(Wanted { place, key, content, body })
            }
            (_, mistakes) => Judged::Wrong(mistakes),
        }
    }

    fn of_pretix(&self, fields: &mut Fields, plan: Map<String, Value>) -> Option<Venue> {
        let own_name = plan.get("name").and_then(Value::as_str).map(str::to_owned);
        let seat_map = pretix::parse(&Value::Object(plan)).map_err(|error| fields.mistake("", error));
        let Some(city) = self.args.city.clone() else {
            fields.mistake("", "is a pretix plan, which names no city; give it with --city");
            return None;
        };
        Some(Venue {
            venue_id: VenueId::from_bytes([0; 16]),
            name: self.args.name.clone().or(own_name).unwrap_or_default(),
            nicknames: Vec::new(),
            address: self.args.address.clone(),
            location: Location { city, point: None },
            seat_map: seat_map.ok()?,
        })
    }
}

fn of_weir(fields: &mut Fields) -> Option<Venue> {
    let name = fields.require("name");
    let nicknames = fields.take("nicknames").unwrap_or_default();
    let address = fields.require("address");
    let location: Option<Location> = fields.require("location");
    let (categories, sections) = (fields.require::<Value>("categories"), fields.require::<Value>("sections"));
    let map = json!({ "categories": categories?, "sections": sections? });
    let seat_map: Result<SeatMap, _> = serde_json::from_value(map).map_err(|error| fields.mistake("sections", error));
    Some(Venue {
        venue_id: VenueId::from_bytes([0; 16]),
        name: name?,
        nicknames,
        address: address?,
        location: location?,
        seat_map: seat_map.ok()?,
    })
}

/// The body of `POST /v1/operator/venues`.
fn body(venue: &Venue) -> Value {
    let mut body = json!(venue.seat_map);
    body["name"] = json!(venue.name);
    body["nicknames"] = json!(venue.nicknames);
    body["address"] = json!(venue.address);
    body["location"] = json!(venue.location);
    body
}
