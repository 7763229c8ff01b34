//! The code to show at the door: the booking's address, as a picture.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{booking::BookingState, id::BookingId};
use http::header;
use qrcode::{EcLevel, QrCode, render::svg};

use super::read;
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::Id,
};

/// The picture's sides, at least, in pixels.
const SIDE: u32 = 240;

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
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|_| Problem::internal("The code can't be drawn."))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build();
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "private, max-age=3600")];
    Ok((headers, picture).into_response())
}
