//! The pages: what each is shown with, the forms that work without scripts, and the static files.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde_json::json;

use crate::{
    app::App,
    pages::Page,
    problem::{Answer, Problem, nothing_here},
    respond,
};

pub(crate) mod acts;
mod browse;
mod contexts;
mod machines;

pub(crate) use browse::browse;
pub(crate) use contexts::{door, draw, event, operator, sheets};
pub(crate) use machines::{SiteMap, robots, site_map};

/// What a page may do: load its own files, call its own API, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                                       form-action 'self'; frame-ancestors 'none'";

/// The headers of every page.
const SECURITY: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Whether a refusal of this request should be a page: a browser's, for people.
pub(crate) fn wants_page<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let is_api = path.starts_with("/v1/") || path.starts_with("/static/") || path.starts_with("/.well-known/");
    !is_api && matches!(*request.method(), Method::GET | Method::POST) && accepts_html(request.headers())
}

/// Whether these headers are a browser's that wants a page.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    accept.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

/// The language for these headers.
pub(crate) fn language<'a>(app: &'a App, accept_language: Option<&HeaderValue>) -> &'a str {
    app.pages.choose_language(accept_language.and_then(|value| value.to_str().ok()))
}

/// `problem` as a page; `None` where no page can be made of it.
pub(crate) fn problem_page(
    app: &App,
    problem: &Problem,
    accept_language: Option<&HeaderValue>,
) -> Option<http::Response<axum::body::Body>> {
    let lang = language(app, accept_language);
    let context = json!({
        "status": problem.status().as_u16(), "title": problem.title(), "detail": problem.detail(), "lang": lang,
    });
    let text = app.pages.render(Page::Problem, lang, context);
    let text = text.inspect_err(|error| tracing::error!(%error, "the problem page can't be rendered")).ok()?;
    Some((SECURITY, Html(text)).into_response())
}

/// A rendered page.
fn page(app: &App, page: Page, lang: &str, context: &serde_json::Value) -> Answer {
    let text = app.pages.render(page, lang, context).map_err(|error| {
        tracing::error!(%error, ?page, "a page can't be rendered");
        Problem::internal("The page can't be shown.")
    })?;
    let vary = [(header::VARY, HeaderValue::from_static("accept-language, cookie"))];
    Ok((SECURITY, vary, Html(text)).into_response())
}

/// The time a browser keeps a static file whose address names its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A static file.
pub(crate) async fn asset(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let asset = app.pages.asset(&name).ok_or_else(nothing_here)?;
    // Without its version the address may soon stand for something else.
    let cache = if query.is_some_and(|query| query.starts_with("v=")) { FOR_EVER } else { "public, no-cache" };
    let mut response = respond::cached(&headers, &asset.etag, cache, asset.bytes.clone());
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    }
    // An SVG opened by itself must not run anything either.
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    Ok(response)
}

/// Nothing is routed here.
pub(crate) async fn nothing() -> Problem {
    nothing_here()
}

/// The address is, but not with this method.
pub(crate) async fn wrong_method() -> Problem {
    Problem::method_not_allowed("This address knows other methods.")
}
