//! Reserving seats: a command to the hold pool, answered within the time a request waits, or asked for later.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    admission::AdmissionClaims,
    booking::booking_id,
    digest::Digest,
    id::{BookingId, EventId, UserId},
    message::{self, BookingAct, BookingCommand, Outcome, Wanted},
    ports::log::Topic,
    seats::SeatId,
    time::Timestamp,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{pending::Reservation, refusal, view};
use crate::{
    app::App,
    commands::{self, Sent},
    identity::User,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Counted, RequestInfo},
};

/// The header that an admission token travels in.
const ADMISSION_HEADER: &str = "weir-admission";
/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// The most seats that can be named at once: no admission allows more.
const MAX_SEATS: usize = 100;

/// Which seats: `seats`, or `bestAvailable`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReserveRequest {
    #[schema(value_type = String)]
    event_id: EventId,
    /// These seats, by id.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    seats: Option<Vec<SeatId>>,
    /// As good seats as there are.
    #[serde(default)]
    best_available: Option<BestAvailable>,
}

/// How many seats, and of which category.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BestAvailable {
    /// How many, side by side where that can be.
    count: u32,
    /// Of this category only.
    #[serde(default)]
    category: Option<String>,
}

/// A booking whose answer is not there yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingAnswer {
    #[schema(value_type = String)]
    pub(crate) booking_id: BookingId,
    /// `pending`
    pub(crate) status: &'static str,
}

impl ReserveRequest {
    /// What is wanted, held to what `admission` allows.
    fn wanted(self, admission: &AdmissionClaims) -> Result<Wanted, Problem> {
        let too_many = || {
            let detail = format!("This admission allows {} seats.", admission.seats);
            Problem::too_many_seats(detail).with("maxSeats", admission.seats)
        };
        match (self.seats, self.best_available) {
            (Some(seats), None) => {
                if seats.is_empty() {
                    return Err(Problem::invalid_request("Name at least one seat."));
                }
                if seats.len() > MAX_SEATS || seats.len() > admission.seats as usize {
                    return Err(too_many());
                }
                let mut seen = std::collections::HashSet::new();
                if let Some(twice) = seats.iter().find(|seat| !seen.insert(*seat)) {
                    let detail = format!("Seat '{twice}' is named twice.");
                    return Err(Problem::duplicate_seat(detail).with("seat", twice.as_str()));
                }
                Ok(Wanted::Seats(seats))
            }
            (None, Some(best)) => {
                if best.count == 0 {
                    return Err(Problem::invalid_request("bestAvailable.count must be at least 1."));
                }
                if best.count > admission.seats {
                    return Err(too_many());
                }
                Ok(Wanted::BestAvailable { count: best.count, category: best.category })
            }
            _ => Err(Problem::invalid_request("Send either seats or bestAvailable.")),
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let key = headers.get("idempotency-key").map(HeaderValue::to_str);
    match key {
        None => Err(Problem::idempotency_key_missing("Send an Idempotency-Key, so that a repeated request is one.")),
        Some(Ok(key)) if (1..=MAX_KEY_BYTES).contains(&key.len()) => Ok(key),
        Some(_) => {
            Err(Problem::invalid_request(format!("An Idempotency-Key has 1 to {MAX_KEY_BYTES} plain characters.")))
        }
    }
}

fn admission(app: &App, headers: &HeaderMap, event: &EventId, user: &UserId) -> Result<AdmissionClaims, Problem> {
    let token = headers.get(ADMISSION_HEADER).and_then(|value| value.to_str().ok());
    let token =
        token.ok_or_else(|| Problem::admission_required("Send the admission token in the header Weir-Admission."))?;
    let claims = app.admission.open(token, event, user, app.parts.clock.now())?;
    let sale = app.sales.get(event.as_str()).ok_or_else(nothing_here)?;
    if sale.line().is_revoked(&claims.jti) {
        return Err(Problem::admission_required("The operator ended this admission."));
    }
    Ok(claims)
}

/// Reserve seats: all of them, or none.
#[utoipa::path(
    post, path = "/v1/bookings/reserve", tag = "Booking", request_body = ReserveRequest,
    params(
        ("Weir-Admission" = String, Header, description = "The admission token"),
        ("Idempotency-Key" = String, Header, description = "The same for a repeated request"),
    ),
    security(("user" = [])),
    responses(
        (status = 201, description = "Reserved", body = super::view::BookingView),
        (status = 202, description = "Not answered yet; ask at Location", body = PendingAnswer),
        (status = 400, description = "[invalid-request], [idempotency-key-missing]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[admission-required]"),
        (status = 409, description = "[seats-unavailable] with unavailable; [orphan-seat]; [sale-ended]; [event-over]; \
                                      [request-in-progress]"),
        (status = 413, description = "[body-too-large]"),
        (status = 422, description = "[too-many-seats], [unknown-seat], [duplicate-seat], [idempotency-key-reused]"),
        (status = 429, description = "[rate-limited]"),
        (status = 503, description = "[unavailable]"),
    )
)]
pub(crate) async fn reserve(
    State(app): State<Arc<App>>,
    User(user): User,
    axum::Extension(info): axum::Extension<RequestInfo>,
    headers: HeaderMap,
    Body(request): Body<ReserveRequest>,
) -> Answer<Response> {
    info.count(&app, Counted::Reserves, app.limits.user_key(&user))?;
    let key = idempotency_key(&headers)?;
    let event = request.event_id.clone();
    let claims = admission(&app, &headers, &event, &user)?;
    let wanted = request.wanted(&claims)?;
    let booking = booking_id(&user, key);

    let now = app.parts.clock.now();
    let deadline = now.plus_millis(i64::try_from(app.settings.command_deadline_ms).unwrap_or(i64::MAX));
    let fingerprint = fingerprint(&event, &wanted);
    let reservation = app.pending.begin(&booking, &user, fingerprint, deadline, now)?;
    let act = BookingAct::Hold { session: claims.jti, max_seats: claims.seats, fingerprint, wanted };
    let sent = send(&app, &info, &event, &booking, &user, act).await;
    let mut sent = sent.inspect_err(|_| app.pending.forget(&booking))?;
    if let Some(outcome) = sent.within(Duration::from_millis(app.settings.reply_wait_ms)).await {
        reservation.finish(outcome.clone());
        reserved(&app, &user, outcome).await
    } else {
        tokio::spawn(await_late(sent, reservation));
        Ok(pending(booking, deadline))
    }
}

/// How much later than its deadline a hold may still be done by a worker that began in time, in milliseconds.
pub(crate) const LATE_MS: i64 = 3_000;

/// Keeps waiting for an answer that a request did not wait for. Ends with the answer, or with the sweep of commands.
async fn await_late(sent: Sent, reservation: Arc<Reservation>) {
    if let Some(outcome) = sent.finally().await {
        reservation.finish(outcome);
    }
}

/// 202: not answered yet. The address tells every gateway how long a worker may be at it; only this one knows otherwise.
fn pending(booking_id: BookingId, deadline: Timestamp) -> Response {
    let until = deadline.plus_millis(LATE_MS).as_millis();
    let location = HeaderValue::from_str(&format!("/v1/bookings/{booking_id}?pendingUntil={until}"));
    let location = location.expect("an id is plain ASCII");
    let answer = Json(PendingAnswer { booking_id, status: "pending" });
    let mut response = (StatusCode::ACCEPTED, answer).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

async fn reserved(app: &App, user: &UserId, outcome: Outcome) -> Answer<Response> {
    match outcome {
        Outcome::Booking(booking) if booking.user_id == *user => {
            let location = HeaderValue::from_str(&format!("/v1/bookings/{}", booking.booking_id));
            let mut response = (StatusCode::CREATED, Json(view::view(app, &booking).await?)).into_response();
            response.headers_mut().insert(header::LOCATION, location.expect("an id is plain ASCII"));
            Ok(response)
        }
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(unexpected(&other)),
    }
}

/// A worker's answer to something else than was asked.
pub(crate) fn unexpected(outcome: &Outcome) -> Problem {
    tracing::error!(?outcome, "a worker answered what was not asked");
    Problem::internal("A worker answered what was not asked.")
}

/// SHA-256 of what the request means: the same key with another meaning is refused.
fn fingerprint(event: &EventId, wanted: &Wanted) -> Digest {
    Digest::of(&[b"weir/reserve/v1", &message::encode(&(event, wanted))])
}

/// Sends a command about a booking.
pub(crate) async fn send(
    app: &App,
    info: &RequestInfo,
    event: &EventId,
    booking: &BookingId,
    user: &UserId,
    act: BookingAct,
) -> Result<Sent, Problem> {
    commands::send(app, &Topic::Bookings, event.as_str(), |reply_to, deadline| {
        message::encode(&BookingCommand {
            reply_to,
            deadline,
            traceparent: info.traceparent().map(str::to_owned),
            event: event.clone(),
            booking: booking.clone(),
            user: user.clone(),
            act,
        })
    })
    .await
}

/// The same, and waits for the answer as long as a worker may take.
pub(crate) async fn ask(
    app: &App,
    info: &RequestInfo,
    event: &EventId,
    booking: &BookingId,
    user: &UserId,
    act: BookingAct,
) -> Result<Outcome, Problem> {
    let mut sent = send(app, info, event, booking, user, act).await?;
    let answer = sent.within(Duration::from_millis(app.settings.command_deadline_ms)).await;
    answer.ok_or_else(|| Problem::unavailable("No worker has answered yet; it is safe to try again."))
}
