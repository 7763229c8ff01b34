//! One event, with its venue, its sale, and every seat with its price and what it is now.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::{
    catalog::{Event, Location},
    id::{EventId, VenueId},
    money::Currency,
    seats::SeatStatus,
    time::Timestamp,
};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    line::{self, public::LineView},
    problem::Answer,
    request::Id,
    respond,
};

/// An event, for buyers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAnswer {
    event_details: EventDetails,
    venue: VenueDetails,
    /// The sale, where there is one.
    sale: Option<LineView>,
    seats: Vec<SeatDetails>,
}

/// What is on, and when.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventDetails {
    #[schema(value_type = String)]
    event_id: EventId,
    title: String,
    description: String,
    thumbnail: Option<String>,
    /// Who is on.
    performers: Vec<String>,
    category: Option<String>,
    /// The language it is in, as a BCP 47 tag.
    language: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Its latest move, where it begins at another time than it was announced for.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<MovedDetails>,
    #[schema(value_type = String)]
    currency: Currency,
    /// The price of a seat in each category, in minor units.
    prices: std::collections::BTreeMap<String, i64>,
    /// The categories, in the venue's order.
    categories: Vec<CategoryDetails>,
    /// Seats that are available.
    available_seats: u64,
    /// The version of the live map that `seats` shows.
    version: u64,
}

/// An event that begins at another time than it was announced for.
#[derive(Serialize, ToSchema)]
pub(crate) struct MovedDetails {
    /// When it was to begin before.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Why.
    reason: String,
}

/// The latest move of `event`.
pub(crate) fn latest_move(event: &Event) -> Option<MovedDetails> {
    event.moves.last().map(|moved| MovedDetails { from: moved.from, reason: moved.reason.clone() })
}

/// A category of seats.
#[derive(Serialize, ToSchema)]
pub(crate) struct CategoryDetails {
    name: String,
    color: String,
}

/// Where.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VenueDetails {
    #[schema(value_type = String)]
    venue_id: VenueId,
    name: String,
    #[schema(value_type = Object)]
    location: Location,
    address: String,
}

/// One seat.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeatDetails {
    seat_id: String,
    section: String,
    row: String,
    number: String,
    category: String,
    /// `available`, `reserved` or `booked`.
    #[schema(value_type = String)]
    status: SeatStatus,
    /// In minor units.
    price: i64,
    x: f64,
    y: f64,
}

/// An event with its venue, its sale and its seats.
#[utoipa::path(
    get, path = "/v1/events/{eventId}", tag = "Browse",
    params(("eventId" = String, Path, description = "The event")),
    responses(
        (status = 200, description = "The event", body = EventAnswer),
        (status = 304, description = "As If-None-Match has it"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_event(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let map = app.seats.get(&app, &event).await?;
    let now = app.parts.clock.now();
    let sale = match crate::sales::opened(&app, &event) {
        Some(sale) => Some(line::public::view(&app, &sale, now).await),
        None => None,
    };
    let (version, statuses) = (map.version(), map.by_seat());
    let (event, venue) = (map.event(), &map.venue);
    let seats = venue.seat_map.seats().iter().zip(&statuses).map(|(seat, status)| SeatDetails {
        seat_id: seat.seat_id.to_string(),
        section: seat.section.to_string(),
        row: seat.row.to_string(),
        number: seat.number.to_string(),
        category: seat.category.to_string(),
        status: *status,
        price: event.prices.get(&*seat.category).copied().unwrap_or(0),
        x: seat.x,
        y: seat.y,
    });
    let answer = EventAnswer {
        event_details: EventDetails {
            event_id: event.event_id.clone(),
            title: event.title.clone(),
            description: event.description.clone(),
            thumbnail: event.thumbnail.clone(),
            performers: event.performers.clone(),
            category: event.category.clone(),
            language: event.language.clone(),
            starts_at: event.starts_at,
            moved: latest_move(&event),
            currency: event.currency,
            prices: event.prices.clone(),
            categories: venue
                .seat_map
                .categories()
                .iter()
                .map(|category| CategoryDetails { name: category.name.to_string(), color: category.color.to_string() })
                .collect(),
            available_seats: map.left(),
            version,
        },
        venue: VenueDetails {
            venue_id: venue.venue_id.clone(),
            name: venue.name.clone(),
            location: venue.location.clone(),
            address: venue.address.clone(),
        },
        sale,
        seats: seats.collect(),
    };
    let body = line::json(&answer, 1_024 + 192 * statuses.len());
    let etag = respond::etag_of(&body);
    Ok(respond::cached(&headers, &etag, "public, no-cache", body))
}
