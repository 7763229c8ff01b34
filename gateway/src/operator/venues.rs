//! Adding venues, as Weir's own seat map or a pretix seating plan, and looking one up.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    catalog::{Location, Venue},
    id::VenueId,
    message::OperatorAct,
    seats::{SeatMap, map::Category, pretix},
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Operator, command};
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, Problem},
    request::{Body, Id, Query},
};

/// A venue, with its seat map.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VenueRequest {
    name: String,
    /// What else people call it, 10 names at most.
    #[serde(default)]
    nicknames: Vec<String>,
    /// Street and number, one line.
    address: String,
    #[schema(value_type = Object)]
    location: Location,
    /// `[{name, color}]`
    #[schema(value_type = Vec<Object>)]
    categories: Value,
    /// `[{name, rows: [{name, seats: [{seatId, number, category, x, y}]}]}]`
    #[schema(value_type = Vec<Object>)]
    sections: Value,
}

/// How the body is to be read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VenueQuery {
    /// `weir` (default) or `pretix`: the body is a pretix seating plan.
    format: Option<String>,
    /// With `pretix`: the venue's name; the plan's own where absent.
    name: Option<String>,
    /// With `pretix`: street and number.
    address: Option<String>,
    /// With `pretix`: the city.
    city: Option<String>,
}

/// A venue that was added.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VenueAnswer {
    #[schema(value_type = String)]
    venue_id: VenueId,
    name: String,
    /// How many seats it has.
    seats: usize,
    /// Whether it was not there before: false where an Idempotency-Key is used again.
    is_new: bool,
}

/// A venue that is there, without its seats.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VenueSummary {
    #[schema(value_type = String)]
    venue_id: VenueId,
    name: String,
    nicknames: Vec<String>,
    address: String,
    #[schema(value_type = Object)]
    location: Location,
    /// `[{name, color}]`
    #[schema(value_type = Vec<Object>)]
    categories: Vec<Category>,
    /// How many seats it has.
    seats: usize,
}

fn of_weir(venue_id: VenueId, body: Value) -> Result<Venue, Problem> {
    let request: VenueRequest = serde_json::from_value(body)
        .map_err(|error| Problem::invalid_request(format!("The body is not as needed: {error}.")))?;
    let map = json!({ "categories": request.categories, "sections": request.sections });
    let seat_map: SeatMap =
        serde_json::from_value(map).map_err(|error| Problem::invalid_venue(format!("The seat map: {error}.")))?;
    let VenueRequest { name, nicknames, address, location, .. } = request;
    Ok(Venue { venue_id, name, nicknames, address, location, seat_map })
}

fn of_pretix(venue_id: VenueId, body: &Value, query: VenueQuery) -> Result<Venue, Problem> {
    let seat_map =
        pretix::parse(body).map_err(|error| Problem::invalid_venue(format!("The seating plan: {error}.")))?;
    let own_name = body.get("name").and_then(Value::as_str).map(str::to_owned);
    let name = query.name.or(own_name).unwrap_or_default();
    let location = Location { city: query.city.unwrap_or_else(|| name.clone()), point: None };
    let address = query.address.unwrap_or_default();
    Ok(Venue { venue_id, name, nicknames: Vec::new(), address, location, seat_map })
}

/// Add a venue. With an Idempotency-Key, doing it twice is doing it once.
#[utoipa::path(
    post, path = "/v1/operator/venues", tag = "Operator", request_body = VenueRequest, params(VenueQuery),
    security(("operator" = [])),
    responses(
        (status = 201, description = "Added", body = VenueAnswer),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 413, description = "[body-too-large]"),
        (status = 422, description = "[invalid-venue]: duplicate seats and the like; [idempotency-key-reused]"),
    )
)]
pub(crate) async fn create_venue(
    State(app): State<Arc<App>>,
    operator: Operator,
    Query(query): Query<VenueQuery>,
    headers: HeaderMap,
    Body(body): Body<Value>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let venue_id = VenueId::from_bytes(command::derived_id(&app, &operator.name, &headers)?);
    let venue = match query.format.as_deref() {
        None | Some("weir") => of_weir(venue_id, body)?,
        Some("pretix") => of_pretix(venue_id, &body, query)?,
        Some(_) => return Err(Problem::invalid_request("format must be weir or pretix.")),
    };
    venue.check().map_err(|error| Problem::invalid_venue(format!("{error}.")))?;
    let there = app.parts.catalog.venue(&venue.venue_id).await?;
    let answer = VenueAnswer {
        venue_id: venue.venue_id.clone(),
        name: venue.name.clone(),
        seats: venue.seat_map.len(),
        is_new: !there.is_some_and(|there| *there == venue),
    };
    if answer.is_new {
        let key = venue.venue_id.to_string();
        let act = OperatorAct::PutVenue { venue: Box::new(venue) };
        super::events::reused(&headers, command::ask(&app, &operator, &key, act).await)?;
    }
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// A venue, without its seats.
#[utoipa::path(
    get, path = "/v1/operator/venues/{venueId}", tag = "Operator",
    params(("venueId" = String, Path, description = "The venue")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The venue", body = VenueSummary),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs a viewer's key"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_venue(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(venue): Id<VenueId>,
) -> Answer<Json<VenueSummary>> {
    operator.require(Role::Viewer)?;
    let venue = app.parts.catalog.venue(&venue).await?;
    let venue = venue.ok_or_else(|| Problem::not_found("There is no such venue."))?;
    Ok(Json(VenueSummary {
        venue_id: venue.venue_id.clone(),
        name: venue.name.clone(),
        nicknames: venue.nicknames.clone(),
        address: venue.address.clone(),
        location: venue.location.clone(),
        categories: venue.seat_map.categories().to_vec(),
        seats: venue.seat_map.len(),
    }))
}
