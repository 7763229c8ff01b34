//! Who did what.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{booking::AuditEntry, id::EventId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Operator;
use crate::{
    app::App,
    keys::Role,
    problem::Answer,
    request::{Id, Query},
};

/// The most entries of a page, and how many without a wish.
const MAX_PAGE: usize = 200;
const PAGE: usize = 50;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Only entries before this number: the `next` of the page before.
    before: Option<u64>,
    /// How many, 200 at most. Default 50.
    limit: Option<usize>,
}

/// A page of the trail, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// `[{number, command, eventId, actor, at, action, before, after}]`
    #[schema(value_type = Vec<Object>)]
    entries: Vec<AuditEntry>,
    /// Ask on with `before` set to this; null at the end.
    next: Option<u64>,
}

/// The audit trail of an event, newest first.
#[utoipa::path(
    get, path = "/v1/operator/events/{eventId}/audit", tag = "Operator",
    params(("eventId" = String, Path, description = "The event"), AuditQuery),
    security(("operator" = [])),
    responses(
        (status = 200, description = "A page", body = AuditPage),
        (status = 401, description = "[unauthorized]"),
    )
)]
pub(crate) async fn get_audit(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(event): Id<EventId>,
    Query(query): Query<AuditQuery>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    let most = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    // One more than wanted tells whether there are more.
    let mut entries = app.parts.ledger.audit_trail(&event, query.before, most + 1).await?;
    let has_more = entries.len() > most;
    entries.truncate(most);
    let next = entries.last().filter(|_| has_more).map(|entry| entry.number);
    Ok(Json(AuditPage { entries, next }).into_response())
}
