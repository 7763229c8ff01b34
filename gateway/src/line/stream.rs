//! A visitor's live stream: woken by the sale's one broadcast, each stream only formats its own numbers.

use std::{
    hash::{DefaultHasher, Hasher as _},
    sync::Arc,
    time::Duration,
};

use axum::{extract::State, response::Response};
use booking_core::{
    id::EventId,
    line::{
        place::{PlaceState, PlaceView},
        place_token::PlaceToken,
    },
    time::Timestamp,
};
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;

use super::{text, token_of};
use crate::{
    app::App,
    problem::{Answer, nothing_here},
    request::{Counted, Id, RequestInfo},
    sales::{Pulse, Sale},
    sse::{self, Source},
};

/// How many places before their turn a stream watches every call, so that its visitor learns of it at once: this many
/// seconds' worth of the rate, and a few more.
const NEAR_SECONDS: u64 = 5;
const NEAR_AT_LEAST: u64 = 50;
/// The shortest wait for an edge of a turn.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// One visitor's stream. Small, because there is one for everybody who waits: what was said last is kept as a hash.
struct PlaceStream {
    app: Arc<App>,
    sale: Arc<Sale>,
    token: PlaceToken,
    pulse: watch::Receiver<Pulse>,
    /// The pulse that was answered last.
    seen: Pulse,
    /// Held only by those whose turn is near.
    served: Option<watch::Receiver<u64>>,
    said: Option<Said>,
    said_since_beat: bool,
}

/// What was said last.
struct Said {
    /// Of everything in it but the time and when to ask again.
    hash: u64,
    /// When it changes by the clock alone: the next edge of a turn.
    edge: Option<Timestamp>,
}

/// Why a stream woke.
enum Woken {
    Pulse,
    Called,
    Time,
    Over,
}

impl PlaceStream {
    /// Begins to watch every call once the visitor's turn is near, and stops after it.
    fn watch_calls(&mut self, view: &PlaceView) {
        let near = u64::from(view.rate_per_minute) * NEAR_SECONDS / 60 + NEAR_AT_LEAST;
        let is_near = view.state == PlaceState::Waiting && view.ahead.is_some_and(|ahead| ahead <= near);
        if is_near && self.served.is_none() {
            self.served = Some(self.sale.served());
        } else if !is_near {
            self.served = None;
        }
    }

    async fn woken(&mut self) -> Woken {
        let edge = self.said.as_ref().and_then(|said| said.edge);
        if self.served.is_some() || edge.is_some() {
            // Few are so near at a time: only they pay for the room.
            return Box::pin(self.woken_near(edge)).await;
        }
        if self.pulse.changed().await.is_ok() { Woken::Pulse } else { Woken::Over }
    }

    async fn woken_near(&mut self, edge: Option<Timestamp>) -> Woken {
        // While the sale is paused the edge moves along; never spin on one that has just passed.
        let edge = edge.map(|at| at.until(self.app.parts.clock.now()).max(SHORTEST_WAIT));
        let rank = self.token.rank;
        let called = async {
            match (&mut self.served, rank) {
                (Some(served), Some(rank)) => served.wait_for(|served| *served > rank).await.map(drop).is_ok(),
                _ => std::future::pending().await,
            }
        };
        let edge = async {
            match edge {
                Some(edge) => tokio::time::sleep(edge).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.pulse.changed() => if changed.is_ok() { Woken::Pulse } else { Woken::Over },
            true = called => Woken::Called,
            () = edge => Woken::Time,
        }
    }

    /// What to say now, if anything is new.
    fn say(&mut self, must: bool) -> Option<Bytes> {
        let app = &self.app;
        let text = app.keys.place.seal(&self.token);
        let view = self.sale.view(&app.keys.place, &self.token, &text, app.parts.clock.now());
        self.token.rank = view.rank;
        self.watch_calls(&view);
        let edge = match (view.state, &view.turn) {
            (PlaceState::Called, Some(turn)) => Some(turn.closes_at),
            (PlaceState::Lapsed, Some(turn)) => Some(turn.opens_at),
            _ => None,
        };
        let timeless = PlaceView { server_time: Timestamp::default(), poll_after_ms: 0, ..view.clone() };
        let hash = hash_of(&text::json(&timeless, &timeless.place_token));
        let is_new = self.said.as_ref().is_none_or(|said| said.hash != hash);
        self.said = Some(Said { hash, edge });
        if !is_new && !must {
            return None;
        }
        self.said_since_beat = true;
        Some(sse::event("place", None, &view))
    }
}

fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

impl Source for PlaceStream {
    async fn next(&mut self) -> Option<Bytes> {
        if self.said.is_none() {
            return self.say(true);
        }
        loop {
            match self.woken().await {
                Woken::Over => return None,
                Woken::Called | Woken::Time => {
                    if let Some(piece) = self.say(false) {
                        return Some(piece);
                    }
                }
                Woken::Pulse => {
                    let pulse = *self.pulse.borrow_and_update();
                    let before = std::mem::replace(&mut self.seen, pulse);
                    if (pulse.urgent != before.urgent || pulse.tick != before.tick)
                        && let Some(piece) = self.say(pulse.urgent != before.urgent)
                    {
                        return Some(piece);
                    }
                    if pulse.beat != before.beat && !std::mem::take(&mut self.said_since_beat) {
                        return Some(sse::comment());
                    }
                }
            }
        }
    }
}

/// Your place, live: an event `place` with the place view at once, then whenever it changes, at most once a second
/// unless the sale itself changes or you are called.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/line/stream", tag = "Line",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("Weir-Place" = String, Header, description = "The place token"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = super::view::PlaceView, content_type = "text/event-stream"),
        (status = 401, description = "[place-invalid]"),
        (status = 404, description = "[not-found]"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn stream_place(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    axum::Extension(info): axum::Extension<RequestInfo>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (token, _) = token_of(&app, &headers, &event)?;
    info.count(&app, Counted::User, app.limits.user_key(&token.user))?;
    let sale = app.sales.get(event.as_str()).ok_or_else(nothing_here)?;
    let mut pulse = sale.pulse();
    let seen = *pulse.borrow_and_update();
    let source = PlaceStream {
        app: Arc::clone(&app),
        sale,
        token,
        pulse,
        seen,
        served: None,
        said: None,
        said_since_beat: false,
    };
    Ok(sse::respond(&app, source))
}
