//! Having an event in another hall.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    digest::Digest,
    id::{EventId, VenueId},
    message::OperatorAct,
    rehousing::{Rehouse, SeatNames},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operator, command};
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, nothing_here},
    request::{Body, Id},
};

/// Which hall, where seats go, and what was looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RehouseRequest {
    #[schema(value_type = String)]
    venue_id: VenueId,
    /// From a seat's id in the event's hall to one in the new, as the preview was asked.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    seats: SeatNames,
    /// As the preview answered.
    #[schema(value_type = String)]
    fingerprint: Digest,
    /// For those who have tickets, in 1 to 500 characters.
    reason: String,
}

/// An event's latest change of hall, and how far it got.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RehousedEvent {
    #[schema(value_type = String)]
    event_id: EventId,
    /// Which of the event's changes of hall, from 1.
    number: u32,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// The hall before.
    #[schema(value_type = String)]
    from_venue_id: VenueId,
    /// The hall since.
    #[schema(value_type = String)]
    venue_id: VenueId,
    reason: String,
    #[schema(value_type = String)]
    fingerprint: Digest,
    /// Bookings that are still to get their new seats.
    left: u64,
    /// Whether all have theirs, and seats of the new hall are sold.
    is_done: bool,
}

/// Have an event in another hall, as the preview showed. Every sold seat stays valid, in its new place; a ticket that was
/// printed before lets in as one that is printed now. Buyers whose seat has another id are told, all of them where the
/// hall has another name or address. Nothing of it is done while there are live holds, or obstacles, or where it would
/// come to something else than was looked at. Once it is begun it is done, within seconds; until then nothing is held.
/// Repeated: the same answer, with how many are left.
#[utoipa::path(
    post, path = "/v1/operator/events/{eventId}/hall", tag = "Operator", request_body = RehouseRequest,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "Begun, and perhaps done", body = RehousedEvent),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 404, description = "[not-found]"),
        (status = 409, description = "[plan-changed]: look at the preview again; [obstacles], with `obstacles` and `obstaclesInAll` as the preview has them; [seats-held], with how many `holds` and `until` when the last lasts: no new ones are made until two minutes after that, so that it can be repeated then; [called-off]; [event-over]"),
        (status = 413, description = "[body-too-large]"),
        (status = 422, description = "[invalid-setting]: there is no such venue; too many changes, or seats of all the halls together"),
        (status = 503, description = "[unavailable]: also while an earlier change is under way; safe to repeat"),
    )
)]
pub(crate) async fn rehouse(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    Body(request): Body<RehouseRequest>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let RehouseRequest { venue_id, seats, fingerprint, reason } = request;
    let wanted = Rehouse { venue_id, seats, fingerprint, reason };
    let act = OperatorAct::Rehouse { event: event.clone(), wanted };
    command::ask(&app, &operator, event.as_str(), act).await?;
    app.seats.look_again(&event);
    Ok(Json(view(&app, event).await?).into_response())
}

/// An event's latest change of hall, and how far it got.
#[utoipa::path(
    get, path = "/v1/operator/events/{eventId}/hall", tag = "Operator",
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The change", body = RehousedEvent),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: there is no such event, or it is in its first hall"),
    )
)]
pub(crate) async fn get_housing(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    Ok(Json(view(&app, event).await?).into_response())
}

async fn view(app: &App, event_id: EventId) -> Answer<RehousedEvent> {
    let housing = app.parts.ledger.housing(&event_id).await?.ok_or_else(nothing_here)?;
    let rehoused = housing.change.rehoused;
    Ok(RehousedEvent {
        event_id,
        number: rehoused.number,
        changed_at: rehoused.at,
        from_venue_id: rehoused.from,
        venue_id: rehoused.to,
        reason: rehoused.reason,
        fingerprint: rehoused.fingerprint,
        left: housing.left,
        is_done: housing.is_done,
    })
}
