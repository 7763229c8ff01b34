//! The line as anybody may see it: worked out once a second or change, and shared.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::{id::EventId, line::state::Phase, time::Timestamp};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    problem::{Answer, nothing_here},
    request::Id,
    respond,
    sales::Sale,
};

/// How long a view is good, in milliseconds.
const FRESH_MS: i64 = 1_000;

/// The line, for everybody.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineView {
    #[schema(value_type = String)]
    pub(crate) event_id: EventId,
    /// `scheduled`, `lobby`, `open`, `paused`, `soldOut` or `closed`.
    #[schema(value_type = String)]
    pub(crate) phase: Phase,
    /// When joining becomes possible.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) lobby_opens_at: Option<Timestamp>,
    /// When the lobby is drawn and calling begins.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) opens_at: Option<Timestamp>,
    /// When the line ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) closes_at: Option<Timestamp>,
    /// How many have joined.
    pub(crate) joined: u64,
    /// How many have been called.
    pub(crate) served: u64,
    /// How many are not called yet.
    pub(crate) waiting: u64,
    pub(crate) rate_per_minute: u32,
    pub(crate) paused: bool,
    /// Seats that are neither held nor booked; null where that is not known.
    pub(crate) seats_left: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) server_time: Timestamp,
}

/// A view, ready to be sent.
pub(crate) struct PublicLine {
    made_at: Timestamp,
    etag: String,
    body: Bytes,
}

/// The view as it is at `now`.
pub(crate) async fn view(app: &App, sale: &Sale, now: Timestamp) -> LineView {
    let seats_left = app.seats.left(app, sale.event()).await;
    let line = sale.line();
    let (policy, joined, served) = (line.policy(), sale.joined(), line.served());
    LineView {
        event_id: sale.event().clone(),
        phase: line.phase(now),
        lobby_opens_at: policy.map(|policy| policy.lobby_opens_at),
        opens_at: policy.map(|policy| policy.opens_at),
        closes_at: policy.map(|policy| policy.closes_at),
        joined: joined.max(line.drawn()),
        served,
        waiting: joined.max(line.drawn()) - served,
        rate_per_minute: line.rate_per_minute(),
        paused: line.is_paused(),
        seats_left,
        server_time: now,
    }
}

async fn shared(app: &App, sale: &Sale) -> Arc<PublicLine> {
    let now = app.parts.clock.now();
    if let Some(made) = sale.public.load_full()
        && (0..FRESH_MS).contains(&now.millis_since(made.made_at))
    {
        return made;
    }
    let body = super::json(&view(app, sale, now).await, 512);
    let made = Arc::new(PublicLine { made_at: now, etag: respond::etag_of(&body), body });
    sale.public.store(Some(Arc::clone(&made)));
    made
}

/// The line, for everybody.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/line", tag = "Line",
    params(("eventId" = String, Path, description = "The event")),
    responses(
        (status = 200, description = "The line; good for a second", body = LineView),
        (status = 304, description = "As If-None-Match has it"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_line(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let sale = crate::sales::opened(&app, &event).ok_or_else(nothing_here)?;
    let made = shared(&app, &sale).await;
    Ok(respond::cached(&headers, &made.etag, "public, max-age=1", made.body.clone()))
}
