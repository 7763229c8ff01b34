//! The live map's calls.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::id::EventId;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;

use super::live::{LiveMap, Snapshot};
use crate::{
    app::App,
    line,
    problem::Answer,
    request::Id,
    respond,
    sse::{self, SILENCE, Source},
};

/// The live map alone, small: one letter a seat, in seat order.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/seats", tag = "Browse",
    params(("eventId" = String, Path, description = "The event")),
    responses(
        (status = 200, description = "The map", body = Snapshot),
        (status = 304, description = "As If-None-Match has it"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_seats(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let map = app.seats.get(&app, &event).await?;
    let etag = format!("\"s{}\"", map.version());
    let is_known = headers.get(http::header::IF_NONE_MATCH).is_some_and(|known| respond::matches(known, &etag));
    let snapshot = if is_known { None } else { Some(map.snapshot()) };
    // The tag is of the very map that is sent.
    let etag = snapshot.as_ref().map_or(etag, |snapshot| format!("\"s{}\"", snapshot.version));
    let body = snapshot.map_or_else(Bytes::new, |snapshot| line::json(&snapshot, snapshot.statuses.len() + 64));
    Ok(respond::cached(&headers, &etag, "public, no-cache", body))
}

struct SeatStream {
    map: Arc<LiveMap>,
    changed: watch::Receiver<u64>,
    /// The version that the client has; `None`: none yet.
    has: Option<u64>,
    pieces: std::vec::IntoIter<Bytes>,
}

impl Source for SeatStream {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.next() {
                return Some(piece);
            }
            let version = *self.changed.borrow_and_update();
            if self.map.is_over() {
                return None;
            }
            match self.has.map(|has| self.map.after(has)) {
                Some(Some((pieces, has))) if has != version || !pieces.is_empty() => {
                    self.has = Some(has);
                    self.pieces = pieces.into_iter();
                    if !self.pieces.as_slice().is_empty() {
                        continue;
                    }
                }
                Some(Some(_)) => {}
                Some(None) | None => {
                    let snapshot = self.map.snapshot();
                    self.has = Some(snapshot.version);
                    return Some(sse::event("snapshot", Some(snapshot.version), &snapshot));
                }
            }
            match tokio::time::timeout(SILENCE, self.changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(sse::comment()),
            }
        }
    }
}

/// The live map as a stream: `snapshot`, then `delta`s. With `Last-Event-ID` it goes on where it broke off.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/seats/stream", tag = "Browse",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The version seen last"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = Snapshot, content_type = "text/event-stream"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn stream_seats(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let map = app.seats.get(&app, &event).await?;
    let source =
        SeatStream { changed: map.watch(), has: sse::last_event_id(&headers), map, pieces: Vec::new().into_iter() };
    Ok(sse::respond(&app, source))
}
