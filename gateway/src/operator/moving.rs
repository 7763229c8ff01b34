//! Letting an event begin at another time.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{catalog::Move, id::EventId, message::OperatorAct, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operator, command};
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, nothing_here},
    request::{Body, Id},
};

/// When an event begins instead, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MoveRequest {
    /// In the future, and another time than now.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// For those who have tickets, in 1 to 500 characters.
    reason: String,
    /// Until when whoever had booked may give back in full. Without it: 14 days, at the latest until the new start.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    give_back_until: Option<Timestamp>,
}

/// An event's latest move, and how many of its bookings are told of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MovedEvent {
    #[schema(value_type = String)]
    event_id: EventId,
    /// Which of the event's moves, from 1.
    number: u32,
    #[schema(value_type = String, format = DateTime)]
    moved_at: Timestamp,
    /// When it was to begin before.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    reason: String,
    /// Until when whoever had booked may give back in full.
    #[schema(value_type = String, format = DateTime)]
    give_back_until: Timestamp,
    /// Bookings that were told: a `booking.moved` of each is on its way.
    told: u64,
    /// Bookings that are still to be told.
    left: u64,
}

/// Let an event begin at another time. Bookings stand; whoever had booked may give back in full for a while, whatever the
/// refund policy says, and is told. Every page and call goes by the new start within some seconds. Repeated: the same
/// answer, with how many were told since. An event may be moved again, up to 20 times.
#[utoipa::path(
    post, path = "/v1/operator/events/{eventId}/move", tag = "Operator", request_body = MoveRequest,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "Moved", body = MovedEvent),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 404, description = "[not-found]"),
        (status = 409, description = "[called-off]"),
        (status = 422, description = "[invalid-setting]: a start that is past, or the one it has; a time to give back in that ends after it; too many moves"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn move_event(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    Body(request): Body<MoveRequest>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let MoveRequest { starts_at, reason, give_back_until } = request;
    let act = OperatorAct::Move { event: event.clone(), wanted: Move { starts_at, reason, give_back_until } };
    command::ask(&app, &operator, event.as_str(), act).await?;
    app.seats.look_again(&event);
    Ok(Json(view(&app, event).await?).into_response())
}

/// An event's latest move, and how many of its bookings are told of it.
#[utoipa::path(
    get, path = "/v1/operator/events/{eventId}/move", tag = "Operator",
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The move", body = MovedEvent),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: there is no such event, or it was never moved"),
    )
)]
pub(crate) async fn get_move(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    Ok(Json(view(&app, event).await?).into_response())
}

async fn view(app: &App, event_id: EventId) -> Answer<MovedEvent> {
    let telling = app.parts.ledger.telling(&event_id).await?.ok_or_else(nothing_here)?;
    let moved = telling.moved;
    Ok(MovedEvent {
        event_id,
        number: moved.number,
        moved_at: moved.at,
        from: moved.from,
        starts_at: moved.to,
        reason: moved.reason,
        give_back_until: moved.give_back_until,
        told: telling.told,
        left: telling.left,
    })
}
