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

use super::{
    refusal,
    reserve::{LATE_MS, PendingAnswer},
    view,
};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem, nothing_here},
    request::{Id, Query},
};

/// The booking, if it is `user`'s.
///
/// # Errors
/// [not-found]: also for somebody else's.
pub(crate) async fn own(app: &App, user: &UserId, booking: &BookingId) -> Result<Booking, Problem> {
    let found = app.parts.ledger.booking(booking).await?;
    found.filter(|booking| booking.user_id == *user).ok_or_else(nothing_here)
}

/// What a `Location` of a pending reservation adds.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Asked {
    /// Of a reservation that was pending: until when a worker may be at it, in milliseconds since 1970.
    pending_until: Option<i64>,
}

impl Asked {
    /// Whether a worker may still be at it. Nobody gains by a false moment, and none lasts longer than a command.
    fn may_be_pending(&self, app: &App) -> bool {
        let now = app.parts.clock.now();
        let longest = i64::try_from(app.settings.command_deadline_ms).unwrap_or(i64::MAX).saturating_add(LATE_MS);
        self.pending_until.is_some_and(|until| (1..=longest).contains(&until.saturating_sub(now.as_millis())))
    }
}

/// A booking of yours.
#[utoipa::path(
    get, path = "/v1/bookings/{bookingId}", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking"), Asked),
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
    Query(asked): Query<Asked>,
) -> Answer<Response> {
    match own(&app, &user, &booking).await {
        Ok(found) => return Ok(Json(view::view(&app, &found).await?).into_response()),
        Err(problem) if problem.status() != http::StatusCode::NOT_FOUND => return Err(problem),
        Err(_) => {}
    }
    // Not in the ledger: still on its way there, or turned away.
    let sent = app.pending.get(&booking).filter(|sent| sent.user == user);
    let is_running = sent.as_ref().is_some_and(|sent| sent.is_running(app.parts.clock.now()));
    match sent.and_then(|sent| sent.outcome()) {
        Some(Outcome::Refused(why)) => Err(refusal::problem(why)),
        Some(Outcome::Booking(found)) => Ok(Json(view::view(&app, &found).await?).into_response()),
        None if is_running || asked.may_be_pending(&app) => {
            let answer = PendingAnswer { booking_id: booking, status: "pending" };
            Ok(([(http::header::RETRY_AFTER, "1")], Json(answer)).into_response())
        }
        _ => Err(nothing_here()),
    }
}
