//! Revoking a ticket, and making it good again.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::{Booking, ticket_id},
    id::{EventId, TicketId},
    message::{BookingAct, Outcome},
    seats::SeatIndex,
};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Operator, command};
use crate::{
    app::App,
    booking::{refusal, reserve},
    keys::Role,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Ids, RequestInfo},
};

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;
/// Bookings that are looked through at a time for a ticket.
const LOOKED_AT_ONCE: usize = 1_000;

/// Why a ticket is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeRequest {
    /// For the door and the audit trail, in 1 to 500 characters on one line.
    reason: String,
}

/// Revoke a ticket: it lets nobody in any more. Its seat stays booked, and nothing is paid back.
#[utoipa::path(
    post, path = "/v1/operator/events/{eventId}/tickets/{ticketId}/revoke", tag = "Operator",
    request_body = RevokeRequest,
    params(
        ("eventId" = String, Path, description = "The event"),
        ("ticketId" = String, Path, description = "The ticket"),
    ),
    security(("operator" = [])),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an operator's key"),
        (status = 404, description = "[not-found]: also where the seat was cancelled"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn revoke_ticket(
    State(app): State<Arc<App>>,
    operator: Operator,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    Ids(event, ticket): Ids<EventId, TicketId>,
    Body(request): Body<RevokeRequest>,
) -> Answer<Response> {
    operator.require(Role::Operator)?;
    let reason = request.reason.trim();
    if !(1..=MAX_REASON_CHARS).contains(&reason.chars().count()) || reason.contains(char::is_control) {
        let detail = format!("reason says why, in 1 to {MAX_REASON_CHARS} characters on one line.");
        return Err(Problem::invalid_request(detail));
    }
    change(&app, &operator, &info, &headers, &event, &ticket, Some(reason.to_owned())).await
}

/// Make a ticket good again that was revoked.
#[utoipa::path(
    delete, path = "/v1/operator/events/{eventId}/tickets/{ticketId}/revoke", tag = "Operator",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("ticketId" = String, Path, description = "The ticket"),
    ),
    security(("operator" = [])),
    responses(
        (status = 204, description = "It is good"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an operator's key"),
        (status = 404, description = "[not-found]: also where the seat was cancelled"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn restore_ticket(
    State(app): State<Arc<App>>,
    operator: Operator,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    Ids(event, ticket): Ids<EventId, TicketId>,
) -> Answer<Response> {
    operator.require(Role::Operator)?;
    change(&app, &operator, &info, &headers, &event, &ticket, None).await
}

async fn change(
    app: &App,
    operator: &Operator,
    info: &RequestInfo,
    headers: &HeaderMap,
    event: &EventId,
    ticket: &TicketId,
    why: Option<String>,
) -> Answer<Response> {
    let (booking, seat) = find(app, event, ticket).await?;
    let command = hex::encode(command::derived_id(app, &operator.name, headers)?);
    let act = BookingAct::RevokeTicket { seat, why, actor: operator.name.clone(), command };
    match reserve::ask(app, info, event, &booking.booking_id, &booking.user_id, act).await? {
        Outcome::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(reserve::unexpected(&other)),
    }
}

/// The booking and the seat of a ticket, as it was bought. A ticket's id is a digest of both, so the event's bookings are looked through:
/// some milliseconds for each ten thousand of them, for what a person does now and then.
async fn find(app: &App, event: &EventId, ticket: &TicketId) -> Result<(Booking, SeatIndex), Problem> {
    let mut since = 0;
    loop {
        let page = app.parts.ledger.door_bookings(event, since, LOOKED_AT_ONCE).await?;
        let Some(last) = page.last() else { return Err(nothing_here()) };
        since = last.version;
        for of in page {
            let is_it = |seat: &SeatIndex| ticket_id(&of.booking.booking_id, *seat) == *ticket;
            if let Some(seat) = of.booking.bought_seats().into_iter().find(is_it) {
                return Ok((of.booking, seat));
            }
        }
    }
}
