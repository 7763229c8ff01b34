//! Calling an event off.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    id::EventId,
    message::{OperatorAct, Outcome, Refusal},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operator, command};
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Id},
};

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Why an event does not take place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CallOffRequest {
    /// For those who have tickets, in 1 to 500 characters.
    reason: String,
}

/// How far an event that was called off is cancelled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CalledOffView {
    #[schema(value_type = String)]
    event_id: EventId,
    #[schema(value_type = String, format = DateTime)]
    called_off_at: Timestamp,
    reason: String,
    /// Seats of bookings that are still to be cancelled. 0: all are; refunds may still be on their way.
    seats_left: u64,
    /// Refunds that are due and not made yet, those that are stuck included.
    refunds_left: u64,
}

/// Call an event off: nothing more is sold, its line rests, every booking is cancelled and its whole price given back,
/// some hundred at a time. It can't be undone. Repeated: the same answer, with what is left.
#[utoipa::path(
    post, path = "/v1/operator/events/{eventId}/call-off", tag = "Operator", request_body = CallOffRequest,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "Called off", body = CalledOffView),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 404, description = "[not-found]"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn call_off(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    Body(request): Body<CallOffRequest>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let reason = request.reason.trim().to_owned();
    if !(1..=MAX_REASON_CHARS).contains(&reason.chars().count()) {
        let detail = format!("reason says why, in 1 to {MAX_REASON_CHARS} characters.");
        return Err(Problem::invalid_request(detail));
    }
    command::ask(&app, &operator, event.as_str(), OperatorAct::CallOff { event: event.clone(), reason }).await?;
    // Nobody should be called to buy what is not sold. An event without a sale, or with one that is over, has no line.
    let (rate_per_minute, max_active, if_version) = (None, None, None);
    let rest = OperatorAct::Steer { event: event.clone(), rate_per_minute, max_active, paused: Some(true), if_version };
    match command::try_ask(&app, &operator, event.as_str(), rest).await? {
        Outcome::Refused(Refusal::NotFound | Refusal::SaleEnded) => {}
        Outcome::Refused(why) => return Err(crate::booking::refusal::problem(why)),
        _ => {}
    }
    Ok(Json(view(&app, event).await?).into_response())
}

/// How far an event that was called off is cancelled.
#[utoipa::path(
    get, path = "/v1/operator/events/{eventId}/call-off", tag = "Operator",
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "How far", body = CalledOffView),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: there is no such event, or it takes place"),
    )
)]
pub(crate) async fn get_called_off(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    Ok(Json(view(&app, event).await?).into_response())
}

async fn view(app: &App, event_id: EventId) -> Answer<CalledOffView> {
    let called_off = app.parts.ledger.called_off(&event_id).await?.ok_or_else(nothing_here)?;
    let totals = app.parts.ledger.totals(&event_id, app.parts.clock.now()).await?;
    let (called_off_at, reason) = (called_off.at, called_off.reason);
    let refunds_left = app.parts.ledger.refunds_left(&event_id).await?;
    Ok(CalledOffView { event_id, called_off_at, reason, seats_left: totals.booked, refunds_left })
}
