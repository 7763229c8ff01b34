//! The code to show at the door: the booking's address, as a picture.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{booking::BookingState, id::BookingId};
use http::header;

use super::{code, read, ticket};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::Id,
};

/// The code of a confirmed booking of yours, as SVG.
#[utoipa::path(
    get, path = "/v1/bookings/{bookingId}/qr.svg", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking")),
    security(("user" = [])),
    responses(
        (status = 200, description = "The picture", body = String, content_type = "image/svg+xml"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "[not-reserved]: it is not confirmed"),
    )
)]
pub(crate) async fn get_qr(
    State(app): State<Arc<App>>,
    User(user): User,
    Id(booking): Id<BookingId>,
) -> Answer<Response> {
    let booking = read::own(&app, &user, &booking).await?;
    if booking.state != BookingState::Confirmed {
        return Err(Problem::not_reserved("The booking is not confirmed."));
    }
    let text = format!("{}/v1/bookings/{}", app.settings.public_url, booking.booking_id);
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, ticket::CACHE)];
    Ok((headers, code::svg(&text)?).into_response())
}
