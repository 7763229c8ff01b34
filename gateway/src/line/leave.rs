//! Giving a place up.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    desk::Ended,
    id::EventId,
    line::{place::Presence, place_token::PlaceToken},
};
use http::{HeaderMap, StatusCode};

use super::{PLACE_HEADER, token_of};
use crate::{
    app::App,
    identity::PAGE_HEADER,
    problem::{Answer, Problem, nothing_here},
    request::{Counted, Id, RequestInfo},
};

/// Gives up the place of `token`, if it is the one its owner stands at.
///
/// # Errors
/// [not-found], [unavailable].
pub(crate) async fn leave(app: &App, token: &PlaceToken) -> Result<(), Problem> {
    let sale = app.sales.get(token.event.as_str()).ok_or_else(nothing_here)?;
    let standing = app.parts.desk.place_of(&token.event, &token.user).await?.ok_or_else(nothing_here)?;
    if standing.place != token.place {
        // An older token of theirs: that place is over already.
        return Ok(());
    }
    if standing.ended.is_none() {
        app.parts.desk.give_up(&token.event, &token.user, app.parts.clock.now()).await?;
        sale.admissions_mut().note(token.place, Presence::Over(Some(Ended::GivenUp)));
    }
    Ok(())
}

/// Give your place up. You may join anew, at the end of the line.
#[utoipa::path(
    delete, path = "/v1/events/{eventId}/line/place", tag = "Line",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("Weir-Place" = String, Header, description = "The place token"),
    ),
    responses(
        (status = 204, description = "Given up"),
        (status = 401, description = "[place-invalid]"),
        (status = 404, description = "[not-found]"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn delete_place(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    axum::Extension(info): axum::Extension<RequestInfo>,
    headers: HeaderMap,
) -> Answer<Response> {
    if !headers.contains_key(PLACE_HEADER) && !headers.contains_key(PAGE_HEADER) {
        return Err(Problem::place_invalid("Send the place token in the header Weir-Place."));
    }
    let (token, _) = token_of(&app, &headers, &event)?;
    info.count(&app, Counted::User, app.limits.user_key(&token.user))?;
    leave(&app, &token).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
