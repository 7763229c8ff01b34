//! Opening and steering a sale.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    digest::Digest,
    id::{EventId, SessionId},
    message::{OperatorAct, Outcome},
    sale::{MAX_ACTIVE, RATE_PER_MINUTE, SalePolicy, within},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operator, command, stats};
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Id},
    sales::{Sale, opened},
    sse::{self, Source},
};

/// How long this gateway may take to see what a worker has just written.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);
/// How often a stream of numbers has news.
const NEWS: Duration = Duration::from_secs(1);

/// A sale's settings.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes booking_core::sale::SalePolicy, which is what is read")]
pub(crate) struct Policy {
    /// When joining becomes possible.
    #[schema(format = DateTime)]
    lobby_opens_at: String,
    /// When the lobby is drawn and calling begins.
    #[schema(format = DateTime)]
    opens_at: String,
    /// When the line ends.
    #[schema(format = DateTime)]
    closes_at: String,
    /// Admissions a minute, 1 to 600,000.
    rate_per_minute: u32,
    /// The most admissions alive at once, 1 to 1,000,000.
    max_active: u32,
    /// How long a called visitor has to come in, 5 to 3,600 s. Default 120.
    turn_seconds: Option<u32>,
    /// How long an admission lives, 30 to 86,400 s. Default 600.
    session_seconds: Option<u32>,
    /// How long seats stay held, 10 to 7,200 s. Default 300.
    hold_seconds: Option<u32>,
    /// By how much a buyer may have a hold extended, once, 0 to 3,600 s. Default 0: not at all.
    extend_seconds: Option<u32>,
    /// The most seats of one admission, 1 to 100. Default 6.
    max_seats: Option<u32>,
    /// How long a batch stays open after the lobby, 100 to 60,000 ms. Default 1,000.
    batch_ms: Option<u32>,
    /// Whether a hold may leave a single empty seat. Default false.
    orphans_allowed: Option<bool>,
}

/// A sale as it was laid down.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SaleAnswer {
    #[schema(value_type = String)]
    event_id: EventId,
    /// The seed chain's first link: publish it before anybody joins.
    #[schema(value_type = String)]
    commitment: Digest,
    chain_length: u32,
    version: u64,
    #[serde(flatten)]
    #[schema(value_type = Policy)]
    policy: SalePolicy,
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SteerRequest {
    /// Admissions a minute, 1 to 600,000.
    #[serde(default)]
    rate_per_minute: Option<i64>,
    /// The most admissions alive at once, 1 to 1,000,000.
    #[serde(default)]
    max_active: Option<i64>,
    /// Whether calling and admitting rest.
    #[serde(default)]
    paused: Option<bool>,
}

/// Waits until this gateway has folded the sale up to `version`.
async fn seen(app: &App, event: &EventId, version: u64) -> Result<Arc<Sale>, Problem> {
    let looking = async {
        loop {
            if let Some(sale) = opened(app, event).filter(|sale| sale.line().version() >= version) {
                return sale;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let seen = tokio::time::timeout(SEEN_WITHIN, looking).await;
    seen.map_err(|_| Problem::unavailable("It is done, but not seen here yet; ask for the sale in a moment."))
}

fn etag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("a number is plain ASCII")
}

/// The version of an `If-Match`.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Problem::version_mismatch("If-Match names no version of this sale."))
}

/// A policy's numbers, held to their limits while they may still be negative or absurd.
fn policy_of(body: serde_json::Value) -> Result<SalePolicy, Problem> {
    if let Some(members) = body.as_object() {
        for (name, value) in members {
            let is_count = value.is_number() && value.as_u64().and_then(|count| u32::try_from(count).ok()).is_none();
            if is_count {
                let detail = format!("{name} is {value}, which is outside its limits.");
                return Err(Problem::invalid_setting(detail));
            }
        }
    }
    let policy: SalePolicy = serde_json::from_value(body)
        .map_err(|error| Problem::invalid_request(format!("The body is not as needed: {error}.")))?;
    policy.check().map_err(|error| Problem::invalid_setting(format!("{error}.")))?;
    Ok(policy)
}

/// Open a line for an event, or change its settings before its lobby opens.
#[utoipa::path(
    put, path = "/v1/operator/events/{eventId}/sale", tag = "Operator", request_body = Policy,
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The sale with its commitment", body = SaleAnswer),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 404, description = "[not-found]"),
        (status = 422, description = "[invalid-setting], with the limits"),
    )
)]
pub(crate) async fn put_sale(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    Body(body): Body<serde_json::Value>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let policy = policy_of(body)?;
    app.parts.catalog.event(&event).await?.ok_or_else(nothing_here)?;
    let act = OperatorAct::Configure { event: event.clone(), policy };
    let version = match command::ask(&app, &operator, event.as_str(), act).await? {
        Outcome::Steered { version } => version,
        _ => 1,
    };
    let sale = seen(&app, &event, version).await?;
    let answer = {
        let line = sale.line();
        let (policy, commitment) = line.policy().cloned().zip(line.commitment()).ok_or_else(nothing_here)?;
        SaleAnswer { event_id: event, commitment, chain_length: line.chain_length(), version: line.version(), policy }
    };
    Ok(([(header::ETAG, etag(answer.version))], Json(answer)).into_response())
}

/// Change the rate, the cap or the pause. Answered once it is in the state log.
#[utoipa::path(
    patch, path = "/v1/operator/events/{eventId}/sale", tag = "Operator", request_body = SteerRequest,
    params(
        ("eventId" = String, Path, description = "The event"),
        ("If-Match" = Option<String>, Header, description = "Only if nothing was steered since this version"),
    ),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The sale's numbers", body = stats::SaleStats),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an operator's key"),
        (status = 404, description = "[not-found]"),
        (status = 412, description = "[version-mismatch]"),
        (status = 422, description = "[invalid-setting], with the limits"),
    )
)]
pub(crate) async fn patch_sale(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    headers: HeaderMap,
    Body(request): Body<SteerRequest>,
) -> Answer<Response> {
    operator.require(Role::Operator)?;
    let limited = |name, value: Option<i64>, limits| {
        let held = value.map(|value| within(name, value, limits)).transpose();
        held.map_err(|error| Problem::invalid_setting(format!("{error}.")))
    };
    let rate_per_minute = limited("ratePerMinute", request.rate_per_minute, RATE_PER_MINUTE)?;
    let max_active = limited("maxActive", request.max_active, MAX_ACTIVE)?;
    if rate_per_minute.is_none() && max_active.is_none() && request.paused.is_none() {
        return Err(Problem::invalid_request("Send ratePerMinute, maxActive or paused."));
    }
    let if_version = if_match(&headers)?;
    opened(&app, &event).ok_or_else(nothing_here)?;
    let act =
        OperatorAct::Steer { event: event.clone(), rate_per_minute, max_active, paused: request.paused, if_version };
    let version = match command::ask(&app, &operator, event.as_str(), act).await? {
        Outcome::Steered { version } => version,
        _ => 0,
    };
    let sale = seen(&app, &event, version).await?;
    Ok(numbers(&stats::fresh(&app, &sale).await?))
}

fn numbers(stats: &stats::SaleStats) -> Response {
    let headers = [(header::ETAG, etag(stats.version)), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, Json(stats)).into_response()
}

/// The sale's numbers.
#[utoipa::path(
    get, path = "/v1/operator/events/{eventId}/sale", tag = "Operator",
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "The numbers, a second old at most", body = stats::SaleStats),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_sale(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    let sale = opened(&app, &event).ok_or_else(nothing_here)?;
    Ok(numbers(&*stats::shared(&app, &sale).await?))
}

struct SaleStream {
    app: Arc<App>,
    sale: Arc<Sale>,
    is_first: bool,
}

impl Source for SaleStream {
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::take(&mut self.is_first) {
            tokio::time::sleep(NEWS).await;
        }
        match stats::shared(&self.app, &self.sale).await {
            Ok(stats) => Some(sse::event("sale", Some(stats.version), &*stats)),
            // Something behind is not there just now; the stream lives on.
            Err(_) => Some(sse::comment()),
        }
    }
}

/// The sale's numbers as a stream: an event `sale` once a second.
#[utoipa::path(
    get, path = "/v1/operator/events/{eventId}/sale/stream", tag = "Operator",
    params(("eventId" = String, Path, description = "The event")),
    security(("operator" = [])),
    responses(
        (status = 200, description = "Server-sent events", body = stats::SaleStats, content_type = "text/event-stream"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn stream_sale(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    let sale = opened(&app, &event).ok_or_else(nothing_here)?;
    let source = SaleStream { app: Arc::clone(&app), sale, is_first: true };
    Ok(sse::respond(&app, source))
}

/// End an admission.
#[utoipa::path(
    post, path = "/v1/operator/events/{eventId}/admissions/{session}/revoke", tag = "Operator",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("session" = String, Path, description = "The admission: the `jti` of its token"),
    ),
    security(("operator" = [])),
    responses(
        (status = 204, description = "Ended"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an operator's key"),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    operator: Operator,
    path: axum::extract::Path<(String, String)>,
) -> Answer<Response> {
    operator.require(Role::Operator)?;
    let (event, session) = path.0;
    let event: EventId = event.parse().map_err(|_| nothing_here())?;
    let session: SessionId = session.parse().map_err(|_| nothing_here())?;
    opened(&app, &event).ok_or_else(nothing_here)?;
    let act = OperatorAct::Revoke { event: event.clone(), session };
    if let Outcome::Steered { version } = command::ask(&app, &operator, event.as_str(), act).await? {
        // Refused here from now on, not only soon.
        seen(&app, &event, version).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
