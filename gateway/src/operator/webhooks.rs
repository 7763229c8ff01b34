//! What became of webhooks, and sending some again.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    message,
    ports::log::Topic,
    time::Timestamp,
    webhook::{Delivery, DeliveryRecord, EndpointName},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Operator;
use crate::{
    app::App,
    keys::Role,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Id, Query},
};

/// The most deliveries of a page, and how many without a wish.
const MAX_PAGE: usize = 200;
const PAGE: usize = 50;
/// The most records looked at for one page.
const LOOKED_AT: u64 = 5_000;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// Only of this endpoint.
    #[param(value_type = Option<String>)]
    endpoint: Option<EndpointName>,
    /// Only those before this number: the `next` of the page before.
    before: Option<u64>,
    /// How many, 200 at most. Default 50.
    limit: Option<usize>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveriesPage {
    /// The endpoints that there are, by name.
    #[schema(value_type = Vec<String>)]
    endpoints: Vec<EndpointName>,
    /// `[{endpoint, at, outcome, …}]`. Where `outcome` is `taken`, `failed` or `givenUp`, with `hookId`, `type` and
    /// `bookingId`, and why not. The others are `began`, `gone` and `replay`.
    #[schema(value_type = Vec<Object>)]
    deliveries: Vec<DeliveryRecord>,
    /// Ask on with `before` set to this; null at the end.
    next: Option<u64>,
}

/// Since when webhooks are to be sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// What happened from then on is sent again, with the ids that it had.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// What is being sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayView {
    #[schema(value_type = String)]
    endpoint: EndpointName,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// What became of webhooks, newest first.
#[utoipa::path(
    get, path = "/v1/operator/webhooks/deliveries", tag = "Operator", params(DeliveriesQuery),
    security(("operator" = [])),
    responses(
        (status = 200, description = "A page", body = DeliveriesPage),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
    )
)]
pub(crate) async fn list_deliveries(
    State(app): State<Arc<App>>,
    operator: Operator,
    Query(query): Query<DeliveriesQuery>,
) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_request(format!("limit is 1 to {MAX_PAGE}.")));
    }
    let log = &*app.parts.log;
    let end = log.ends(&Topic::Deliveries).await?.first().copied().unwrap_or(0);
    let before = query.before.unwrap_or(end).min(end);
    let from = before.saturating_sub(LOOKED_AT);
    let mut found: Vec<(u64, DeliveryRecord)> = Vec::new();
    let mut next = from;
    while next < before {
        let page = log.read(&Topic::Deliveries, 0, next, PAGE * 10, Duration::ZERO).await?;
        let Some(last) = page.last() else { break };
        next = last.offset + 1;
        for entry in page.iter().filter(|entry| entry.offset < before) {
            let Ok(record) = message::decode::<DeliveryRecord>(&entry.payload) else { continue };
            if query.endpoint.as_ref().is_none_or(|endpoint| *endpoint == record.endpoint) {
                found.push((entry.offset, record));
            }
        }
    }
    let shown = found.split_off(found.len().saturating_sub(limit));
    // Where the page is full, the next one begins before what it shows; else before what was looked at.
    let behind = if found.is_empty() { from } else { shown.first().map_or(from, |(offset, _)| *offset) };
    let page = DeliveriesPage {
        endpoints: app.settings.webhooks.clone(),
        deliveries: shown.into_iter().rev().map(|(_, record)| record).collect(),
        next: Some(behind).filter(|behind| *behind > 0),
    };
    Ok(Json(page).into_response())
}

/// Send an endpoint everything again that happened since a moment, in order, with the same ids. The wish stands among
/// the deliveries.
#[utoipa::path(
    post, path = "/v1/operator/webhooks/{endpoint}/replay", tag = "Operator", request_body = ReplayRequest,
    params(("endpoint" = String, Path, description = "The endpoint's name")),
    security(("operator" = [])),
    responses(
        (status = 202, description = "It is sent again, within seconds if the endpoint takes it", body = ReplayView),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 404, description = "[not-found]"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    operator: Operator,
    Id(endpoint): Id<EndpointName>,
    Body(request): Body<ReplayRequest>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    if !app.settings.webhooks.contains(&endpoint) {
        return Err(nothing_here());
    }
    let (since, actor) = (request.since, operator.name.clone());
    let what = Delivery::Replay { since, actor };
    let record = DeliveryRecord { endpoint: endpoint.clone(), at: app.parts.clock.now(), what };
    app.parts.log.append(&Topic::Deliveries, 0, message::encode(&record)).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayView { endpoint, since })).into_response())
}
