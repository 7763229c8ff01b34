//! Giving reserved seats back.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    id::BookingId,
    message::{BookingAct, Outcome},
};
use http::StatusCode;

use super::{read, refusal, reserve};
use crate::{
    app::App,
    identity::User,
    problem::Answer,
    request::{Id, RequestInfo},
};

/// Give reserved seats back; they are free at once.
#[utoipa::path(
    delete, path = "/v1/bookings/{bookingId}", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking")),
    security(("user" = [])),
    responses(
        (status = 204, description = "Given back"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "[not-reserved]"),
        (status = 429, description = "[rate-limited]"),
        (status = 503, description = "[unavailable]"),
    )
)]
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    User(user): User,
    axum::Extension(info): axum::Extension<RequestInfo>,
    Id(booking): Id<BookingId>,
) -> Answer<Response> {
    let booking = read::own(&app, &user, &booking).await?;
    let asked = reserve::ask(&app, &info, &booking.event_id, &booking.booking_id, &user, BookingAct::Release);
    match asked.await? {
        Outcome::Booking(_) | Outcome::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other @ (Outcome::Steered { .. } | Outcome::CheckedIn(_)) => Err(reserve::unexpected(&other)),
    }
}
