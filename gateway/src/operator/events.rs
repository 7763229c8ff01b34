//! Adding events, and the list of them.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    catalog::Event,
    id::{EventId, VenueId},
    line::state::Phase,
    message::{OperatorAct, Outcome},
    money::Currency,
    refund::RefundPolicy,
    time::Timestamp,
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operator, command};
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, Problem},
    request::Body,
};

/// Events that began longer ago than this are not listed, in milliseconds: thirty days.
const LISTED_MS: i64 = 30 * 86_400_000;
/// The most events listed.
const MAX_LISTED: usize = 500;

/// An event to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventRequest {
    title: String,
    #[serde(default)]
    description: String,
    /// Who is on, 20 at most.
    #[serde(default)]
    performers: Vec<String>,
    /// What kind of event it is, in a word or two: `Concert`, `Theatre`.
    #[serde(default)]
    category: Option<String>,
    /// The language it is in, as a BCP 47 tag: `en`, `de-AT`.
    #[serde(default)]
    language: Option<String>,
    /// A picture's address.
    #[serde(default)]
    thumbnail: Option<String>,
    #[schema(value_type = String)]
    venue_id: VenueId,
    /// When it begins. From then on nothing is sold.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    #[schema(value_type = String)]
    currency: Currency,
    /// The price of a seat in each category of the venue, in minor units.
    prices: BTreeMap<String, i64>,
    /// What is given back for cancelled seats, the longest notice first: `[{"overHours": 24, "percent": 100},
    /// {"fromHours": 12, "percent": 50}]`, which is also what holds where there is none.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    refund_policy: RefundPolicy,
}

/// An event that was added.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAdded {
    #[schema(value_type = String)]
    event_id: EventId,
    /// Whether it was not there before: false where an Idempotency-Key is used again.
    is_new: bool,
}

/// The events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventList {
    events: Vec<ListedEvent>,
}

/// An event in the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedEvent {
    #[schema(value_type = String)]
    event_id: EventId,
    title: String,
    #[schema(value_type = String)]
    venue_id: VenueId,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// What its sale is doing, where it has one.
    #[schema(value_type = Option<String>)]
    phase: Option<Phase>,
}

/// The answer to a creation, where a conflict under an idempotency key means that the key was used for something else.
pub(super) fn reused(headers: &HeaderMap, asked: Result<Outcome, Problem>) -> Result<Outcome, Problem> {
    asked.map_err(|problem| {
        if problem.slug() == "conflict" && command::has_key(headers) {
            Problem::idempotency_key_reused("This Idempotency-Key was used for something else.")
        } else {
            problem
        }
    })
}

/// Add an event. With an Idempotency-Key, doing it twice is doing it once.
#[utoipa::path(
    post, path = "/v1/operator/events", tag = "Operator", request_body = EventRequest,
    security(("operator" = [])),
    responses(
        (status = 201, description = "Added", body = EventAdded),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 422, description = "[invalid-setting]; [idempotency-key-reused]"),
    )
)]
pub(crate) async fn create_event(
    State(app): State<Arc<App>>,
    operator: Operator,
    headers: HeaderMap,
    Body(request): Body<EventRequest>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let event_id = EventId::from_bytes(command::derived_id(&app, &operator.name, &headers)?);
    let event = Event {
        event_id: event_id.clone(),
        title: request.title,
        description: request.description,
        performers: request.performers,
        category: request.category,
        language: request.language,
        thumbnail: request.thumbnail,
        venue_id: request.venue_id,
        starts_at: request.starts_at,
        currency: request.currency,
        prices: request.prices,
        refund_policy: request.refund_policy,
        moves: Vec::new(),
        halls: Vec::new(),
    };
    let venue = app.parts.catalog.venue(&event.venue_id).await?;
    let venue = venue.ok_or_else(|| Problem::invalid_setting(format!("There is no venue {}.", event.venue_id)))?;
    event.check(&venue).map_err(|error| Problem::invalid_setting(format!("{error}.")))?;
    let there = app.parts.catalog.event(&event_id).await?;
    let is_new = !there.is_some_and(|there| there.was_added_as(&event));
    if is_new {
        let act = OperatorAct::PutEvent { event: Box::new(event) };
        reused(&headers, command::ask(&app, &operator, event_id.as_str(), act).await)?;
    }
    Ok((StatusCode::CREATED, Json(EventAdded { event_id, is_new })).into_response())
}

/// The events of the last thirty days and those to come, soonest first.
#[utoipa::path(
    get, path = "/v1/operator/events", tag = "Operator",
    security(("operator" = [])),
    responses(
        (status = 200, description = "The events", body = EventList),
        (status = 401, description = "[unauthorized]"),
    )
)]
pub(crate) async fn list_events(State(app): State<Arc<App>>, operator: Operator) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    let now = app.parts.clock.now();
    let found = app.parts.catalog.events(now.plus_millis(-LISTED_MS), None, MAX_LISTED).await?;
    let listed = |event: &Arc<Event>| ListedEvent {
        event_id: event.event_id.clone(),
        title: event.title.clone(),
        venue_id: event.venue_id.clone(),
        starts_at: event.starts_at,
        phase: crate::sales::opened(&app, &event.event_id).map(|sale| sale.phase(now)),
    };
    Ok(Json(EventList { events: found.iter().map(listed).collect() }).into_response())
}
