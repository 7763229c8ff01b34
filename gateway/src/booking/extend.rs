//! More time for a hold, once.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    id::BookingId,
    message::{BookingAct, Outcome},
};

use super::{read, refusal, reserve, view};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::{Id, RequestInfo},
};

/// Extend a hold that has not run out, once, by the sale's `extendSeconds`. Repeated: the same answer. It needs no
/// admission: like paying, it is open to whoever has the hold, unless the operator ended the admission it was made under.
#[utoipa::path(
    post, path = "/v1/bookings/{bookingId}/extend", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking")),
    security(("user" = [])),
    responses(
        (status = 200, description = "Extended, now or before: `expiresAt` is the new end", body = view::BookingView),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[admission-required]: the operator ended the admission"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "[not-extendable]: this sale gives no more time; [hold-expired]; [not-reserved]; [event-over]"),
        (status = 429, description = "[rate-limited]"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn extend(
    State(app): State<Arc<App>>,
    User(user): User,
    axum::Extension(info): axum::Extension<RequestInfo>,
    Id(booking): Id<BookingId>,
) -> Answer<Response> {
    let booking = read::own(&app, &user, &booking).await?;
    let sale = app.sales.get(booking.event_id.as_str());
    if sale.is_some_and(|sale| sale.line().is_revoked(&booking.session)) {
        return Err(Problem::admission_required("The operator ended this admission."));
    }
    match reserve::ask(&app, &info, &booking.event_id, &booking.booking_id, &user, BookingAct::Extend).await? {
        Outcome::Booking(booking) => Ok(Json(view::view(&app, &booking).await?).into_response()),
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(reserve::unexpected(&other)),
    }
}
