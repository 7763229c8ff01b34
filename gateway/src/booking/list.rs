//! A user's bookings.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::id::BookingId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{self, BookingView};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::Query,
};

/// The most bookings of a page, and how many without a wish.
const MAX_PAGE: usize = 100;
const PAGE: usize = 20;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100. Default 20.
    page_size: Option<usize>,
}

/// A page of bookings, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookingPage {
    bookings: Vec<BookingView>,
    /// Ask on with `cursor` set to this; null at the end.
    next: Option<String>,
}

/// Your bookings, newest first, whatever became of them.
#[utoipa::path(
    get, path = "/v1/bookings", tag = "Booking",
    params(ListQuery),
    security(("user" = [])),
    responses(
        (status = 200, description = "A page", body = BookingPage),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn list_bookings(
    State(app): State<Arc<App>>,
    User(user): User,
    Query(query): Query<ListQuery>,
) -> Answer<Response> {
    let most = query.page_size.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&most) {
        return Err(Problem::invalid_request(format!("pageSize is 1 to {MAX_PAGE}.")));
    }
    let before: Option<BookingId> = match query.cursor.as_deref().map(str::parse).transpose() {
        Ok(before) => before,
        Err(_) => return Err(Problem::invalid_request("cursor is the next of the page before.")),
    };
    // One more than wanted tells whether there are more.
    let mut found = app.parts.ledger.bookings_of(&user, before.as_ref(), most + 1).await?;
    let has_more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| has_more).map(|last| last.booking_id.to_string());
    let mut bookings = Vec::with_capacity(found.len());
    for booking in &found {
        bookings.push(view::view(&app, booking).await?);
    }
    Ok(Json(BookingPage { bookings, next }).into_response())
}
