//! What a change of an event's hall would come to.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    digest::Digest,
    id::{BookingId, EventId, VenueId},
    rehousing::{Caution, Obstacle, Rehousing, SeatNames},
    seats::SeatId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Operator;
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Id},
};

/// The most of each kind that is listed; what there are in all is counted.
const MAX_LISTED: usize = 1_000;

/// Which hall, and where seats go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HallRequest {
    #[schema(value_type = String)]
    venue_id: VenueId,
    /// From a seat's id in the event's hall to one in the new. A seat that is not named keeps its id.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    seats: SeatNames,
}

/// What a change of hall would come to. Nothing is changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HallPreview {
    #[schema(value_type = String)]
    event_id: EventId,
    /// The event's hall.
    #[schema(value_type = String)]
    from_venue_id: VenueId,
    /// The one it would be in.
    #[schema(value_type = String)]
    venue_id: VenueId,
    /// Whether every sold seat would stay valid: there are no `obstacles`.
    is_possible: bool,
    /// Seats sold.
    sold: usize,
    /// Of those, seats that would keep their id, and seats that would have another.
    same_id: usize,
    other_id: usize,
    /// Seats of the new hall that would not be sold.
    unsold: usize,
    /// What stands in the way, up to 1,000.
    obstacles: Vec<Finding>,
    obstacles_in_all: usize,
    /// What is to be looked at and stands in nobody's way, up to 1,000.
    cautions: Vec<Finding>,
    cautions_in_all: usize,
    /// Live holds, up to 1,000.
    holds: Vec<LiveHold>,
    holds_in_all: usize,
    /// Names what was looked at, 64 hex digits: the halls, where each sold seat goes, whose it is, and what was found.
    #[schema(value_type = String)]
    fingerprint: Digest,
}

/// Something that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// `why` and what it is about: `sameHall`, `noPrice` (`category`), `unknownSeat` (`seat`), `noSuchSeat` (`seat`,
    /// `booking`, `to`), `twoOnOne` (`seat`, `booking`, `other`, `otherBooking`, `to`); as a caution `otherPrice` (`seat`,
    /// `booking`, `to`, `price`, `newPrice`), `apart` (`seat`, `other`, `booking`).
    #[serde(flatten)]
    #[schema(value_type = Object)]
    what: serde_json::Value,
    /// The same in words.
    detail: String,
}

/// A live hold.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveHold {
    #[schema(value_type = String)]
    booking_id: BookingId,
    /// Its seats, by id.
    #[schema(value_type = Vec<String>)]
    seats: Vec<SeatId>,
    /// When it runs out.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Look at what another hall would mean for an event: where each sold seat would go, what stands in the way (a seat that
/// the new hall does not have, two on one), and what is to be looked at (another price, neighbours that part). Nothing is
/// changed, whatever the answer.
#[utoipa::path(
    post, path = "/v1/operator/events/{eventId}/hall/preview", tag = "Operator", request_body = HallRequest,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "What it would come to", body = HallPreview),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an operator's key"),
        (status = 404, description = "[not-found]"),
        (status = 422, description = "[invalid-setting]: there is no such venue"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn preview_hall(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event_id): Id<EventId>,
    Body(request): Body<HallRequest>,
) -> Answer<Response> {
    operator.require(Role::Operator)?;
    let (catalog, ledger) = (&app.parts.catalog, &app.parts.ledger);
    let event = catalog.event(&event_id).await?.ok_or_else(nothing_here)?;
    let old = catalog.hall(&event).await?.ok_or_else(nothing_here)?;
    let new = catalog.venue(&request.venue_id).await?;
    let new = new.ok_or_else(|| Problem::invalid_setting(format!("There is no venue {}.", request.venue_id)))?;
    let new = new.after(&old);
    let claims = ledger.live_claims(&event_id, app.parts.clock.now()).await?;
    let sold = claims.iter().filter(|claim| claim.until.is_none()).map(|claim| claim.seats.len()).sum();
    let plan = Rehousing::plan(&event, &old, &new, &request.seats, claims);
    let name = |seat| old.seat_map.seat(seat).map(|seat| seat.seat_id.clone());
    let holds = plan.holds.iter().take(MAX_LISTED).map(|hold| LiveHold {
        booking_id: hold.booking.clone(),
        seats: hold.seats.iter().filter_map(|seat| name(*seat)).collect(),
        expires_at: hold.until,
    });
    let preview = HallPreview {
        event_id,
        from_venue_id: old.venue_id.clone(),
        venue_id: new.venue_id.clone(),
        is_possible: plan.is_possible(),
        sold,
        same_id: plan.same_id,
        other_id: plan.ways.len() - plan.same_id,
        unsold: new.seat_map.len() - plan.ways.len(),
        obstacles: plan.obstacles.iter().take(MAX_LISTED).map(Finding::obstacle).collect(),
        obstacles_in_all: plan.obstacles.len(),
        cautions: plan.cautions.iter().take(MAX_LISTED).map(Finding::caution).collect(),
        cautions_in_all: plan.cautions.len(),
        holds: holds.collect(),
        holds_in_all: plan.holds.len(),
        fingerprint: plan.fingerprint,
    };
    Ok(Json(preview).into_response())
}

impl Finding {
    pub(crate) fn obstacle(obstacle: &Obstacle) -> Self {
        Self { what: serde_json::json!(obstacle), detail: format!("{obstacle}.") }
    }

    fn caution(caution: &Caution) -> Self {
        Self { what: serde_json::json!(caution), detail: format!("{caution}.") }
    }
}
