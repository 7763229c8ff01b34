//! Giving up what was booked, against some of its price.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    id::BookingId,
    message::{BookingAct, Outcome},
    seats::{MAX_SEATS, SeatId},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{read, refusal, reserve, view};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::{BodyOrNone, Id, RequestInfo},
};

/// What to give up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// Which seats. Without it: the whole booking.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    seats: Option<Vec<SeatId>>,
    /// What you were told is given back for them, in minor units: where it is another amount by now, nothing is
    /// cancelled and you are told the new one.
    #[serde(default)]
    refund_amount: Option<i64>,
}

/// Cancel a confirmed booking, or some of its seats. They are free at once; what the event's refund policy gives back is
/// on its way. Repeated: the same answer. Without a body: the whole booking.
#[utoipa::path(
    post, path = "/v1/bookings/{bookingId}/cancel", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking")),
    request_body = Option<CancelRequest>,
    security(("user" = [])),
    responses(
        (status = 200, description = "Cancelled: `status` is `cancelled`, or `confirmed` where seats are left", body = view::BookingView),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "[not-confirmed]; [event-over]: it has begun; [ticket-used]: somebody was let in; [refund-changed] with `refundAmount`"),
        (status = 422, description = "[unknown-seat]: it never was the booking's; [duplicate-seat]"),
        (status = 429, description = "[rate-limited]"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    User(user): User,
    axum::Extension(info): axum::Extension<RequestInfo>,
    Id(booking): Id<BookingId>,
    BodyOrNone(request): BodyOrNone<CancelRequest>,
) -> Answer<Response> {
    if request.seats.as_ref().is_some_and(|seats| seats.is_empty() || seats.len() > MAX_SEATS) {
        return Err(Problem::invalid_request("Name the seats to cancel, or leave seats out to cancel all."));
    }
    let booking = read::own(&app, &user, &booking).await?;
    let act = BookingAct::Cancel { seats: request.seats.unwrap_or_default(), refund: request.refund_amount };
    match reserve::ask(&app, &info, &booking.event_id, &booking.booking_id, &user, act).await? {
        Outcome::Booking(booking) => Ok(Json(view::view(&app, &booking).await?).into_response()),
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(reserve::unexpected(&other)),
    }
}
