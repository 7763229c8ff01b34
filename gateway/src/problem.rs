//! Refusals: problem+json (RFC 9457) with a stable `type`, `urn:weir:<slug>`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use booking_core::ports::PortError;

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
    retry_after_seconds: Option<u64>,
    more: Map<String, Value>,
}

/// What a handler answers.
pub(crate) type Answer<T = Response> = Result<T, Problem>;

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

/// Every refusal with a status and a title of its own: slug, status, title.
macro_rules! problems {
    ($($name:ident: $status:ident, $slug:literal, $title:literal;)*) => {
        impl Problem {
            $(
                #[doc = concat!("[", $slug, "]: ", $title, ".")]
                pub(crate) fn $name(detail: impl Into<String>) -> Self {
                    Self::new(StatusCode::$status, $slug, $title, detail.into())
                }
            )*
        }

        /// Every slug that this gateway answers with.
        #[cfg(test)]
        pub(crate) const SLUGS: &[&str] = &[$($slug),*];
    };
}

problems! {
    invalid_request: BAD_REQUEST, "invalid-request", "The request can't be read";
    invalid_search: BAD_REQUEST, "invalid-search", "This can't be searched for";
    idempotency_key_missing: BAD_REQUEST, "idempotency-key-missing", "An Idempotency-Key is needed";
    unauthorized: UNAUTHORIZED, "unauthorized", "Who is asking is not known";
    place_invalid: UNAUTHORIZED, "place-invalid", "The place token is not valid";
    payment_declined: PAYMENT_REQUIRED, "payment-declined", "The payment was declined";
    forbidden: FORBIDDEN, "forbidden", "This is not allowed";
    admission_required: FORBIDDEN, "admission-required", "An admission is needed";
    not_found: NOT_FOUND, "not-found", "There is no such thing";
    method_not_allowed: METHOD_NOT_ALLOWED, "method-not-allowed", "This address does not know the method";
    body_timeout: REQUEST_TIMEOUT, "body-timeout", "The body took too long";
    line_not_open: CONFLICT, "line-not-open", "The line is not open yet";
    line_closed: CONFLICT, "line-closed", "The line has ended";
    not_called: CONFLICT, "not-called", "It is not your turn yet";
    desk_full: CONFLICT, "desk-full", "There is no room just now";
    turn_lapsed: CONFLICT, "turn-lapsed", "The turn has passed";
    place_over: CONFLICT, "place-over", "This place is over";
    sold_out: CONFLICT, "sold-out", "Everything is sold";
    seats_unavailable: CONFLICT, "seats-unavailable", "Some of the seats are taken";
    orphan_seat: CONFLICT, "orphan-seat", "A single seat would be left";
    sale_ended: CONFLICT, "sale-ended", "The sale has ended";
    event_over: CONFLICT, "event-over", "The event is over";
    called_off: CONFLICT, "called-off", "The event was called off";
    plan_changed: CONFLICT, "plan-changed", "It would come to something else by now";
    obstacles: CONFLICT, "obstacles", "Not every sold seat would stay valid";
    seats_held: CONFLICT, "seats-held", "There are live holds";
    not_extendable: CONFLICT, "not-extendable", "Holds of this sale can't be extended";
    hold_expired: CONFLICT, "hold-expired", "The hold has run out";
    not_reserved: CONFLICT, "not-reserved", "The booking is no longer reserved";
    not_confirmed: CONFLICT, "not-confirmed", "The booking is not confirmed";
    ticket_used: CONFLICT, "ticket-used", "Somebody was let in with a ticket of these seats";
    refund_changed: CONFLICT, "refund-changed", "Another amount would be given back";
    not_stuck: CONFLICT, "not-stuck", "Nothing is stuck there";
    still_stuck: CONFLICT, "still-stuck", "The payment is still stuck";
    request_in_progress: CONFLICT, "request-in-progress", "The same request is still running";
    conflict: CONFLICT, "conflict", "This is taken by something else";
    version_mismatch: PRECONDITION_FAILED, "version-mismatch", "It has changed since";
    body_too_large: PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
    too_many_seats: UNPROCESSABLE_ENTITY, "too-many-seats", "These are more seats than allowed";
    unknown_seat: UNPROCESSABLE_ENTITY, "unknown-seat", "There is no such seat";
    duplicate_seat: UNPROCESSABLE_ENTITY, "duplicate-seat", "A seat is named twice";
    idempotency_key_reused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used already";
    amount_mismatch: UNPROCESSABLE_ENTITY, "amount-mismatch", "The amount is not what the booking costs";
    invalid_setting: UNPROCESSABLE_ENTITY, "invalid-setting", "A setting is outside its limits";
    invalid_venue: UNPROCESSABLE_ENTITY, "invalid-venue", "The venue can't be used";
    rate_limited: TOO_MANY_REQUESTS, "rate-limited", "Too many requests";
    internal: INTERNAL_SERVER_ERROR, "internal", "Something went wrong here";
    unavailable: SERVICE_UNAVAILABLE, "unavailable", "This can't be done just now";
}

/// What a client waits before it repeats what was unavailable, in seconds.
const UNAVAILABLE_RETRY_SECONDS: u64 = 2;

impl Problem {
    fn new(status: StatusCode, slug: &'static str, title: &'static str, detail: String) -> Self {
        let retry_after_seconds = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(UNAVAILABLE_RETRY_SECONDS);
        Self { inner: Box::new(Inner { status, slug, title, detail, retry_after_seconds, more: Map::new() }) }
    }

    /// The same, to be repeated after this many seconds (at least one).
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.inner.retry_after_seconds = Some(seconds.max(1));
        self
    }

    /// The same with one more member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.inner.more.insert(name.to_owned(), value.into());
        self
    }

    /// Its HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.inner.status
    }

    /// Its slug.
    pub(crate) fn slug(&self) -> &'static str {
        self.inner.slug
    }

    /// What it is, in a few words.
    pub(crate) fn title(&self) -> &'static str {
        self.inner.title
    }

    /// What happened, and what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.inner.detail
    }

    /// The body.
    pub(crate) fn json(&self) -> Bytes {
        let inner = &*self.inner;
        let wire = Wire {
            kind: format!("urn:weir:{}", inner.slug),
            title: inner.title,
            status: inner.status.as_u16(),
            detail: &inner.detail,
            more: &inner.more,
        };
        serde_json::to_vec(&wire).expect("a problem is plain data with text keys").into()
    }

    /// The response, with whatever body type is wanted.
    pub(crate) fn response<B: From<Bytes>>(self) -> http::Response<B> {
        let mut response = http::Response::new(B::from(self.json()));
        *response.status_mut() = self.inner.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.inner.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.inner.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Kept beside the response, so that a page can be made of it for a browser.
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response()
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Unavailable { port, reason } => {
                tracing::warn!(port, reason, "unavailable");
                Self::unavailable(format!("The {port} can't be reached just now; try again."))
            }
            PortError::Damaged { port, reason } => {
                tracing::error!(port, reason, "damaged");
                Self::internal("Weir found something it can't read; the operator has to look at it.")
            }
        }
    }
}

/// A refusal for something that is unknown, or somebody else's: the two are told apart by nobody.
pub(crate) fn nothing_here() -> Problem {
    Problem::not_found("There is nothing at this address, or nothing of yours.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_stable_type_and_when_to_come_again() {
        let problem = Problem::desk_full("Full.").retry_after(0).with("more", 7);
        let response: http::Response<axum::body::Body> = problem.clone().response();
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let body: Value = serde_json::from_slice(&problem.json()).unwrap();
        assert_eq!(body["type"], "urn:weir:desk-full");
        assert_eq!(body["status"], 409);
        assert_eq!(body["more"], 7);
    }

    #[test]
    fn no_slug_is_used_twice() {
        let mut seen = std::collections::HashSet::new();
        assert!(SLUGS.iter().all(|slug| seen.insert(slug)));
    }
}
