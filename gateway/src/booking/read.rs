//! A booking's state.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::Booking,
    id::{BookingId, UserId},
    message::Outcome,
};

use super::{refusal, reserve::PendingAnswer, view};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem, nothing_here},
    request::Id,
};

/// The booking, if it is `user`'s.
///
/// # Errors
/// [not-found]: also for somebody else's.
pub(crate) async fn own(app: &App, user: &UserId, booking: &BookingId) -> Result<Booking, Problem> {
    let found = app.parts.ledger.booking(booking).await?;
    found.filter(|booking| booking.user_id == *user).ok_or_else(nothing_here)
}

/// A booking of yours.
#[utoipa::path(
    get, path = "/v1/bookings/{bookingId}", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking")),
    security(("user" = [])),
    responses(
        (status = 200, description = "The booking; or its id with the status `pending`", body = super::view::BookingView),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "Of a reservation that was pending: why it was refused"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn get_booking(
    State(app): State<Arc<App>>,
    User(user): User,
    Id(booking): Id<BookingId>,
) -> Answer<Response> {
    match own(&app, &user, &booking).await {
        Ok(found) => return Ok(Json(view::view(&app, &found).await?).into_response()),
        Err(problem) if problem.status() != http::StatusCode::NOT_FOUND => return Err(problem),
        Err(_) => {}
    }
    // Not in the ledger: still on its way there, or turned away.
    let sent = app.pending.get(&booking).filter(|sent| sent.user == user).ok_or_else(nothing_here)?;
    match sent.outcome() {
        Some(Outcome::Refused(why)) => Err(refusal::problem(why)),
        None if sent.is_running(app.parts.clock.now()) => {
            let answer = PendingAnswer { booking_id: booking, status: "pending" };
            Ok(([(http::header::RETRY_AFTER, "1")], Json(answer)).into_response())
        }
        Some(Outcome::Booking(found)) => Ok(Json(view::view(&app, &found).await?).into_response()),
        _ => Err(nothing_here()),
    }
}
