//! What a door has to know in advance, so that it can go on alone for a while; and how full the house is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::{BookingState, DoorBooking, ticket_id},
    id::{EventId, TicketId},
    seats::{SeatId, SeatIndex},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    browse::live::LiveMap,
    operator::Operator,
    problem::Answer,
    request::{Id, Query},
};

/// Bookings of a page; all the tickets of one are on one page.
const PAGE: usize = 500;

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TicketsQuery {
    /// The `version` of the page before, or of the last one that you have: only what changed since. Without it:
    /// everything.
    #[serde(default, alias = "after")]
    since: u64,
}

/// Whether a ticket lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TicketStatus {
    /// It lets in.
    Out,
    /// Somebody was let in with it.
    In,
    /// It was revoked.
    Revoked,
    /// Its seat was cancelled.
    Cancelled,
}

/// A ticket, as a door has to know it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoorTicket {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    #[schema(value_type = String)]
    seat: SeatId,
    status: TicketStatus,
    /// When somebody was let in with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// At which gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
    /// Why it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A page of tickets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketsPage {
    tickets: Vec<DoorTicket>,
    /// Ask on with `since` set to this, now or later.
    version: u64,
    /// Whether there is more by now.
    has_more: bool,
}

/// How full the house is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DoorView {
    /// Seats booked.
    sold: u64,
    /// Tickets that somebody was let in with.
    #[serde(rename = "in")]
    inside: u64,
    /// Tickets that were revoked.
    revoked: u64,
    /// By gate, in the order of their names.
    #[serde(rename = "byGate")]
    by_gate: Vec<GateView>,
}

/// A gate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateView {
    gate: String,
    #[serde(rename = "in")]
    inside: u64,
}

/// The tickets of an event, in pages, and then what changed since: who was let in, what was sold, cancelled or revoked.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/door/tickets", tag = "Door",
    params(("eventId" = String, Path, description = "The event"), TicketsQuery),
    security(("operator" = [])),
    responses(
        (status = 200, description = "A page", body = TicketsPage),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs a key of the role door, operator or admin"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn list_tickets(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    Query(query): Query<TicketsQuery>,
) -> Answer<Response> {
    operator.require_door()?;
    app.seats.get(&app, &event).await?;
    // One more than wanted tells whether there are more.
    let mut bookings = app.parts.ledger.door_bookings(&event, query.since, PAGE + 1).await?;
    let has_more = bookings.len() > PAGE;
    bookings.truncate(PAGE);
    let map = app.seats.of(&app, &event, bookings.iter().map(|of| &of.booking)).await?;
    let version = bookings.last().map_or(query.since, |last| last.version);
    let tickets = bookings.iter().flat_map(|booking| tickets(&map, booking)).collect();
    Ok(Json(TicketsPage { tickets, version, has_more }).into_response())
}

/// The tickets that a booking has and had.
fn tickets<'a>(map: &'a LiveMap, of: &'a DoorBooking) -> impl Iterator<Item = DoorTicket> + 'a {
    let is_booked = of.booking.state == BookingState::Confirmed;
    let ticket = move |(index, is_its_own): (SeatIndex, bool)| {
        let bought = of.booking.bought(index);
        let mark = of.marks.iter().find(|(seat, _)| *seat == bought).map(|(_, mark)| mark);
        let entry = mark.and_then(|mark| mark.entry.as_ref());
        let reason = mark.and_then(|mark| mark.revoked.clone());
        let status = match (is_its_own, &reason, entry) {
            (false, ..) => TicketStatus::Cancelled,
            (true, Some(_), _) => TicketStatus::Revoked,
            (true, None, Some(_)) => TicketStatus::In,
            (true, None, None) => TicketStatus::Out,
        };
        Some(DoorTicket {
            ticket_id: ticket_id(&of.booking.booking_id, bought),
            seat: map.venue.seat_map.seat(index)?.seat_id.clone(),
            status,
            at: entry.map(|entry| entry.at),
            gate: entry.map(|entry| entry.gate.clone()),
            reason,
        })
    };
    let seats = of.booking.seats.iter().map(move |seat| (*seat, is_booked));
    seats.chain(of.booking.cancelled_seats.iter().map(|seat| (*seat, false))).filter_map(ticket)
}

/// How many were let in.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/door", tag = "Door",
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The counts", body = DoorView),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs a key of the role door, operator or admin"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_counts(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    operator.require_door()?;
    app.seats.get(&app, &event).await?;
    let totals = app.parts.ledger.totals(&event, app.parts.clock.now()).await?;
    let counts = app.parts.ledger.door_counts(&event).await?;
    let inside = counts.by_gate.iter().map(|(_, inside)| inside).sum();
    let by_gate = counts.by_gate.into_iter().map(|(gate, inside)| GateView { gate, inside }).collect();
    Ok(Json(DoorView { sold: totals.booked, inside, revoked: counts.revoked, by_gate }).into_response())
}
