//! What each page is shown with.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::id::{BookingId, EventId};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{accepts_html, language, machines, page};
use crate::{
    app::App,
    browse::{details::latest_move, live::LiveMap},
    identity::cookies,
    line::{self, public},
    pages::Page,
    problem::{Answer, Problem},
    request::{Id, Ids},
    sales::opened,
};

/// How often a page without a script loads itself again, in seconds: at least, at most.
const POLL_SECONDS: (u64, u64) = (3, 30);

pub(super) fn accept_language(headers: &HeaderMap) -> Option<&http::HeaderValue> {
    headers.get(http::header::ACCEPT_LANGUAGE)
}

/// The event's live map, and what pages show of the event.
async fn described(app: &App, event: &EventId) -> Result<(Arc<LiveMap>, Value), Problem> {
    let map = app.seats.get(app, event).await?;
    let event = map.event();
    let context = json!({
        "eventId": event.event_id,
        "title": event.title,
        "description": event.description,
        "startsAt": event.starts_at,
        "moved": latest_move(&event),
        "currency": event.currency,
        "venue": { "name": map.venue.name, "address": map.venue.address },
    });
    Ok((map, context))
}

/// The place of whoever holds the event's cookie; null without one that is good.
fn place(app: &App, event: &EventId, headers: &HeaderMap) -> (Value, Option<u64>) {
    let Some(text) = cookies::read_place(headers, event.as_str()) else { return (Value::Null, None) };
    let Some(sale) = opened(app, event) else { return (Value::Null, None) };
    match app.keys.place.open(text) {
        Ok(token) if token.event == *event => {
            let view = sale.view(&app.keys.place, &token, text, app.parts.clock.now());
            let poll_after_ms = view.poll_after_ms;
            (serde_json::to_value(view).unwrap_or(Value::Null), Some(poll_after_ms))
        }
        _ => (Value::Null, None),
    }
}

/// The event's page, with what went wrong, if something did.
pub(super) async fn event_page(
    app: &Arc<App>,
    event: &EventId,
    headers: &HeaderMap,
    problem: Option<&Problem>,
) -> Answer<Response> {
    let lang = language(app, accept_language(headers));
    let now = app.parts.clock.now();
    let (map, description) = described(app, event).await?;
    let sale = match opened(app, event) {
        Some(sale) => serde_json::to_value(public::view(app, &sale, now).await).unwrap_or(Value::Null),
        None => Value::Null,
    };
    let (place, poll_after_ms) = place(app, event, headers);
    let (least, most) = POLL_SECONDS;
    let context = json!({
        "event": description,
        "structured": machines::event(app, &map),
        "sale": sale,
        "place": place,
        "serverTime": now,
        "pollAfterSeconds": poll_after_ms.map_or(most / 2, |ms| ms.div_ceil(1_000).clamp(least, most)),
        "lang": lang,
        "problem": problem.map(|problem| json!({ "title": problem.title(), "detail": problem.detail() })),
        "sandbox": app.parts.sandbox.is_some() && app.settings.sandbox,
        "mail": app.settings.mail,
    });
    page(app, Page::Event, lang, &context)
}

/// `/e/{eventId}`
pub(crate) async fn event(State(app): State<Arc<App>>, Id(event): Id<EventId>, headers: HeaderMap) -> Answer {
    event_page(&app, &event, &headers, None).await
}

/// `/e/{eventId}/draw`
pub(crate) async fn draw(State(app): State<Arc<App>>, Id(event): Id<EventId>, headers: HeaderMap) -> Answer {
    let lang = language(&app, accept_language(&headers));
    let (_, description) = described(&app, &event).await?;
    let (place, _) = place(&app, &event, &headers);
    page(&app, Page::Draw, lang, &json!({ "event": description, "place": place, "lang": lang }))
}

/// `/e/{eventId}/tickets/{bookingId}`: the sheets to print. The script asks for the booking, as its owner.
pub(crate) async fn sheets(
    State(app): State<Arc<App>>,
    Ids(event, booking): Ids<EventId, BookingId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let lang = language(&app, accept_language(&headers));
    let (_, description) = described(&app, &event).await?;
    page(&app, Page::Sheets, lang, &json!({ "event": description, "bookingId": booking, "lang": lang }))
}

/// `/e/{eventId}/door`: the one page that may use the camera.
pub(crate) async fn door(State(app): State<Arc<App>>, Id(event): Id<EventId>, headers: HeaderMap) -> Answer<Response> {
    let lang = language(&app, accept_language(&headers));
    let (_, description) = described(&app, &event).await?;
    let mut response = page(&app, Page::Door, lang, &json!({ "event": description, "lang": lang }))?;
    let policy = HeaderValue::from_static("camera=(self), geolocation=(), microphone=(), payment=()");
    response.headers_mut().insert("permissions-policy", policy);
    Ok(response)
}

/// `/operator`
pub(crate) async fn operator(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    let lang = language(&app, accept_language(&headers));
    page(&app, Page::Operator, lang, &json!({ "lang": lang }))
}

/// Whether the caller is a form without a script.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    accepts_html(headers)
}

/// The place token of the event's cookie.
pub(super) fn place_text<'a>(headers: &'a HeaderMap, event: &EventId) -> Option<&'a str> {
    line::place_text(headers, event.as_str())
}
