//! Server-sent events: how they are written, and a body made of them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderValue, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde::Serialize;

use crate::app::App;

/// How long clients wait before they open a stream again, in milliseconds; in the last words before a drain.
const RETRY_MS: u64 = 1_000;
/// How long a stream with no changes to wait for stays silent, at most.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);

/// What says only that the stream is alive.
pub(crate) fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// The last words of a stream that the gateway ends.
fn goodbye() -> Bytes {
    Bytes::from(format!("retry: {RETRY_MS}\n: the gateway is stopping; come again\n\n"))
}

/// One event. `id`: what `Last-Event-ID` will say. `data` must be JSON, which has no line breaks.
pub(crate) fn event(name: &str, id: Option<u64>, data: &impl Serialize) -> Bytes {
    let mut out = Vec::with_capacity(768);
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(format!("\nid: {id}").as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut out, data).expect("an event is plain data with text keys");
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// What makes a stream's next piece; `None` ends it.
pub(crate) trait Source: Send + 'static {
    /// The next piece, whenever it comes. Dropped in the middle when the client goes or the gateway stops.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// A stream that is open, counted as long as it is.
struct Open(Arc<App>);

impl Open {
    fn new(app: Arc<App>) -> Self {
        app.metrics.streams.inc();
        Self(app)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.streams.dec();
    }
}

enum Stage<S> {
    Open(Box<S>, Open),
    Over,
}

/// The response whose body is what `source` makes, until the client goes or the gateway stops.
pub(crate) fn respond<S: Source>(app: &Arc<App>, source: S) -> Response {
    let start = Stage::Open(Box::new(source), Open::new(Arc::clone(app)));
    let pieces = stream::unfold(start, |stage| async move {
        let Stage::Open(mut source, open) = stage else { return None };
        let next = tokio::select! {
            next = source.next() => next,
            () = open.0.closing.cancelled() => return Some((goodbye(), Stage::Over)),
        };
        next.map(|piece| (piece, Stage::Open(source, open)))
    });
    let body = StreamBody::new(pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece))));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Asks proxies not to hold pieces back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What the client saw last, if it says so.
pub(crate) fn last_event_id(headers: &http::HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}
