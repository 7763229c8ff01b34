//! A visitor's poll: one MAC, a look at memory, one buffer.

use std::sync::Arc;

use axum::{extract::State, response::{IntoResponse, Response}};
use bytes::Bytes;
use http::HeaderMap;

use super::{place_token, text, view::PlaceView};
use crate::{app::App, limits::Left, problem::{Answer, Problem, nothing_here}, request::Id};

/// The view of the place whose token the headers hold, as JSON, and how much of the user's limit is left.
///
/// # Errors
/// [place-invalid], [not-found], [rate-limited].
pub(crate) fn poll(app: &App, event: &str, headers: &HeaderMap) -> Result<(Bytes, Left), Problem> {
    let (token, shown) = place_token(app, headers, event)?;
    let left = app.limits.requests.check(app.limits.user_key(&token.user))?;
    let known = app.sales.known();
    let sale = known.get(event).ok_or_else(nothing_here)?;
    let (view, resealed) = sale.view_with(&app.keys.place, &token, app.parts.clock.now());
    Ok((text::json(&view, resealed.as_deref().unwrap_or(shown)), left))
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
