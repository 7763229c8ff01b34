//! Names to go on with, as one types.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::search::{Suggestion, Term};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    line,
    problem::{Answer, Problem},
    request::Query,
    respond,
};

/// What was typed so far.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuggestQuery {
    term: String,
}

/// Names to go on with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suggestions {
    /// `[{text, kind}]`, 8 at most; kind `title`, `performer`, `venue` or `city`.
    #[schema(value_type = Vec<Object>)]
    suggestions: Arc<Vec<Suggestion>>,
}

/// Names of events to come, of who is on and of where, that begin as `term` does.
#[utoipa::path(
    get, path = "/v1/events/suggestions", tag = "Browse",
    params(("term" = String, Query, description = "What was typed so far, 200 characters at most")),
    responses(
        (status = 200, description = "The names; none where searching is not possible just now", body = Suggestions),
        (status = 304, description = "As If-None-Match has it"),
        (status = 400, description = "[invalid-search]"),
    )
)]
pub(crate) async fn suggest(
    State(app): State<Arc<App>>,
    Query(query): Query<SuggestQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let term = Term::read(&query.term).map_err(|refused| Problem::invalid_search(refused.to_string()))?;
    let suggestions = match term {
        Some(term) => app.searches.suggest(&app, &term, app.parts.clock.now()).await,
        None => Some(Arc::default()),
    };
    // That the index is away now is true for nobody who asks later.
    let kept = if suggestions.is_some() { "public, max-age=60, stale-while-revalidate=300" } else { "no-store" };
    let body = line::json(&Suggestions { suggestions: suggestions.unwrap_or_default() }, 512);
    let etag = respond::etag_of(&body);
    Ok(respond::cached(&headers, &etag, kept, body))
}
