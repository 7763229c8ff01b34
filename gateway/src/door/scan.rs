//! Scanning tickets. The signature is checked here; who is first is the ledger's affair, many scans at a time.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::{CheckIn, CheckedIn, GateEntry, seats_called, ticket_id},
    id::{BookingId, EventId, TicketId, UserId},
    message::{BookingAct, Outcome},
    seats::{Seat, SeatId},
    time::Timestamp,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    booking::{refusal, reserve},
    browse::live::LiveMap,
    operator::Operator,
    problem::{Answer, Problem},
    request::{Body, Id, RequestInfo},
};

/// The longest name of a gate and the longest id of a scan, in characters.
const MAX_NAME_CHARS: usize = 64;
/// The most scans of a batch.
const MAX_SCANS: usize = 1_000;
/// The longest body of a batch, in bytes.
pub(crate) const MAX_BATCH_BYTES: usize = 1_000_000;
/// In whose name a gateway sends scans: of a scan, the ticket counts, not who sent it.
const DOOR: &str = "user_door";

/// Whether this is the address of a batch, whose body may be larger.
pub(crate) fn is_batch(path: &str) -> bool {
    path.starts_with("/v1/events/") && path.ends_with("/door/scans/batch")
}

/// A ticket that was scanned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScanRequest {
    /// What the code says.
    token: String,
    /// At which gate, 1 to 64 characters.
    gate: String,
    /// An id for this scan that the gate never uses again, 1 to 64 characters, such as a UUID: sent again, the scan has
    /// the answer it had. Without it, a scan that is repeated is another one.
    #[serde(default)]
    scan_id: Option<String>,
    /// When, if not now; a time to come counts as now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// What a door kept while it was cut off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// In the order they were made, 1000 at most.
    scans: Vec<ScanRequest>,
}

/// What a door does with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ScanResult {
    /// Let them in.
    In,
    /// Somebody was let in with it before.
    Again,
    /// The seat was cancelled, or the event called off.
    Cancelled,
    /// It was revoked.
    Revoked,
    /// It is no ticket of ours.
    Unknown,
    /// It is for another event.
    OtherEvent,
}

/// A scan's answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScanAnswer {
    result: ScanResult,
    /// As it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ticket_id: Option<TicketId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    seat: Option<SeatId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// Of `again`: when somebody was let in with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    first_at: Option<Timestamp>,
    /// Of `again`: at which gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_gate: Option<String>,
    /// Of `revoked`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A batch's answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    /// One each, in the same order.
    results: Vec<ScanAnswer>,
}

/// A scan whose ticket is genuine and of this event, or its answer.
enum Looked {
    Answered(Box<ScanAnswer>),
    Asks(Box<ScanAnswer>, CheckIn),
}

impl ScanAnswer {
    fn without_seat(result: ScanResult, scan_id: Option<String>) -> Self {
        Self {
            result,
            scan_id,
            ticket_id: None,
            seat: None,
            section: None,
            row: None,
            number: None,
            category: None,
            first_at: None,
            first_gate: None,
            reason: None,
        }
    }

    /// The same, with where to sit.
    fn at(self, seat: &Seat) -> Self {
        Self {
            seat: Some(seat.seat_id.clone()),
            section: Some(seat.section.to_string()),
            row: Some(seat.row.to_string()),
            number: Some(seat.number.to_string()),
            category: Some(seat.category.to_string()),
            ..self
        }
    }

    fn with(mut self, judged: CheckedIn) -> Self {
        self.result = match judged {
            CheckedIn::In => ScanResult::In,
            CheckedIn::Again { at, gate } => {
                (self.first_at, self.first_gate) = (Some(at), Some(gate));
                ScanResult::Again
            }
            CheckedIn::Cancelled => ScanResult::Cancelled,
            CheckedIn::Revoked { why } => {
                self.reason = Some(why);
                ScanResult::Revoked
            }
            CheckedIn::Unknown => ScanResult::Unknown,
        };
        self
    }
}

/// Scan a ticket. Any result is 200: a door shows it.
#[utoipa::path(
    post, path = "/v1/events/{eventId}/door/scans", tag = "Door", request_body = ScanRequest,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "What to do", body = ScanAnswer),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs a key of the role door, operator or admin"),
        (status = 404, description = "[not-found]"),
        (status = 503, description = "[unavailable]; safe to repeat with the same scanId"),
    )
)]
pub(crate) async fn scan(
    State(app): State<Arc<App>>,
    operator: Operator,
    Extension(info): Extension<RequestInfo>,
    Id(event): Id<EventId>,
    Body(request): Body<ScanRequest>,
) -> Answer<Response> {
    operator.require_door()?;
    let mut results = check(&app, &info, &event, vec![request]).await?;
    let result = results.pop().ok_or_else(|| Problem::internal("A scan has no answer."))?;
    Ok(Json(result).into_response())
}

/// Send what a door scanned while it was cut off, each with its own time and id. Where somebody was let in at another
/// gate first, it says when and where.
#[utoipa::path(
    post, path = "/v1/events/{eventId}/door/scans/batch", tag = "Door", request_body = BatchRequest,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "One answer each", body = BatchAnswer),
        (status = 400, description = "[invalid-request]: also where there are more than 1000"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs a key of the role door, operator or admin"),
        (status = 404, description = "[not-found]"),
        (status = 413, description = "[body-too-large]"),
        (status = 503, description = "[unavailable]; safe to repeat with the same ids"),
    )
)]
pub(crate) async fn scan_batch(
    State(app): State<Arc<App>>,
    operator: Operator,
    Extension(info): Extension<RequestInfo>,
    Id(event): Id<EventId>,
    Body(request): Body<BatchRequest>,
) -> Answer<Response> {
    operator.require_door()?;
    if request.scans.len() > MAX_SCANS {
        return Err(Problem::invalid_request(format!("A batch has at most {MAX_SCANS} scans.")));
    }
    let results = check(&app, &info, &event, request.scans).await?;
    Ok(Json(BatchAnswer { results }).into_response())
}

async fn check(
    app: &App,
    info: &RequestInfo,
    event: &EventId,
    requests: Vec<ScanRequest>,
) -> Result<Vec<ScanAnswer>, Problem> {
    let map = app.seats.get(app, event).await?;
    let is_name = |name: &str| {
        (1..=MAX_NAME_CHARS).contains(&name.trim().chars().count())
            && name.len() <= 4 * MAX_NAME_CHARS
            && !name.contains(char::is_control)
    };
    let fits = |request: &ScanRequest| is_name(&request.gate) && request.scan_id.as_deref().is_none_or(is_name);
    if let Some(at) = requests.iter().position(|request| !fits(request)) {
        let detail = format!("Scan {at}: gate and scanId are 1 to {MAX_NAME_CHARS} characters on one line.");
        return Err(Problem::invalid_request(detail));
    }
    let looked: Vec<Looked> = requests.into_iter().map(|request| look(app, &map, event, request)).collect();
    let asks = looked.iter().filter_map(|looked| if let Looked::Asks(_, ask) = looked { Some(ask) } else { None });
    let asks: Vec<CheckIn> = asks.cloned().collect();
    let places = places(app, &map, &asks).await?;
    let mut judged = ask(app, info, event, asks).await?.into_iter();
    let mut places = places.into_iter();
    let answer = |looked| match looked {
        Looked::Answered(answer) => Ok(*answer),
        Looked::Asks(answer, _) => {
            let judged = judged.next().ok_or_else(|| Problem::internal("A worker answered fewer scans than asked."))?;
            let answer = answer.with(judged);
            Ok(match places.next().flatten() {
                Some(seat) => answer.at(seat),
                None => answer,
            })
        }
    };
    looked.into_iter().map(answer).collect()
}

/// What the token alone says.
fn look(app: &App, map: &LiveMap, event: &EventId, request: ScanRequest) -> Looked {
    let ScanRequest { token, gate, scan_id, at } = request;
    let without = |result| Looked::Answered(Box::new(ScanAnswer::without_seat(result, scan_id.clone())));
    let Some(claims) = app.tickets.open(token.trim()) else { return without(ScanResult::Unknown) };
    if !claims.is_for(event) {
        return without(ScanResult::OtherEvent);
    }
    // A ticket is named by what was bought, which may be a seat of a hall that the event was in before.
    let seats = &map.venue.seat_map;
    let bought = claims.num.into_iter().chain(seats_called(seats, &claims.seat));
    let index = bought.into_iter().find(|index| ticket_id(&claims.bkg, *index) == claims.sub);
    let Some((index, seat)) = index.and_then(|index| Some((index, seats.seat(index)?))) else {
        return without(ScanResult::Unknown);
    };
    let now = app.parts.clock.now();
    let scan = scan_id.clone().unwrap_or_else(|| hex::encode(app.parts.entropy.id_bytes()));
    let entry = GateEntry { gate: gate.trim().to_owned(), scan, at: at.map_or(now, |at| at.min(now)) };
    let answer = ScanAnswer { ticket_id: Some(claims.sub), ..ScanAnswer::without_seat(ScanResult::Unknown, scan_id) };
    let answer = answer.at(seat);
    Looked::Asks(Box::new(answer), CheckIn { booking: claims.bkg, seat: index, entry })
}

/// Where to sit with each of the tickets, where that is another seat than was bought.
async fn places<'a>(app: &App, map: &'a LiveMap, asks: &[CheckIn]) -> Result<Vec<Option<&'a Seat>>, Problem> {
    if map.event().halls.is_empty() {
        return Ok(vec![None; asks.len()]);
    }
    let place = async |ask: &CheckIn| {
        let booking = app.parts.ledger.booking(&ask.booking).await?;
        let seat = booking.and_then(|booking| booking.seat_bought_as(ask.seat));
        Ok(seat.and_then(|seat| map.venue.seat_map.seat(seat)))
    };
    join_all(asks.iter().map(place)).await.into_iter().collect()
}

/// What the ledger says. Nothing is sent where there is nothing to ask.
async fn ask(app: &App, info: &RequestInfo, event: &EventId, scans: Vec<CheckIn>) -> Result<Vec<CheckedIn>, Problem> {
    let Some(booking) = scans.first().map(|scan: &CheckIn| scan.booking.clone()) else { return Ok(Vec::new()) };
    let booking: BookingId = booking;
    let user: UserId = DOOR.parse().map_err(|_| Problem::internal("The door has no name."))?;
    match reserve::ask(app, info, event, &booking, &user, BookingAct::CheckIn { scans }).await? {
        Outcome::CheckedIn(judged) => Ok(judged),
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(reserve::unexpected(&other)),
    }
}
