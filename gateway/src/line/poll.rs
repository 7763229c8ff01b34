//! A visitor's poll: one MAC, a look at memory, one buffer.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::line::place_token::{MAX_TOKEN_CHARS, OpenedToken, PlaceToken};
use bytes::Bytes;
use http::HeaderMap;

use super::{invalid, no_token, place_text, text, view::PlaceView};
use crate::{
    app::App,
    limits::Left,
    problem::{Answer, Problem, nothing_here},
    request::Id,
    sales::Held,
};

/// The view of the place whose token the headers hold, as JSON, and how much of the user's limit is left.
///
/// # Errors
/// [place-invalid], [not-found], [rate-limited].
pub(crate) fn poll(app: &App, event: &str, headers: &HeaderMap) -> Result<(Bytes, Left), Problem> {
    let shown = place_text(headers, event).ok_or_else(no_token)?;
    let mut buffer = [0; MAX_TOKEN_CHARS];
    let token = app.keys.place.open_in(shown, &mut buffer).map_err(invalid)?;
    let known = app.sales.known();
    let sale = known.get(event).filter(|_| token.event == event).ok_or_else(nothing_here)?;
    let left = app.limits.requests.check(app.limits.key_of_user(token.user))?;
    let OpenedToken { place, entry, joined_at, rank, .. } = token;
    let view = sale.view_of(Held { place, entry, joined_at, rank }, app.parts.clock.now());
    if view.rank == rank {
        return Ok((text::json(&view, shown), left));
    }
    // The rank goes into the token, so that later polls need no draw.
    let resealed = PlaceToken { rank: view.rank, ..token.to_token().map_err(invalid)? };
    Ok((text::json(&view, &app.keys.place.seal(&resealed)), left))
}

/// Your place, as it is now. Shown with the place token that the join gave, or the one that the last answer gave.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/line/place", tag = "Line",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("Weir-Place" = String, Header, description = "The place token"),
    ),
    responses(
        (status = 200, description = "The place", body = PlaceView),
        (status = 401, description = "[place-invalid]"),
        (status = 404, description = "[not-found]"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn get_place(
    State(app): State<Arc<App>>,
    Id(event): Id<booking_core::id::EventId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (body, left) = poll(&app, event.as_str(), &headers)?;
    let mut response = ([(http::header::CONTENT_TYPE, "application/json")], body).into_response();
    app.limits.requests.write(response.headers_mut(), left);
    Ok(response)
}
