//! Payments and refunds that a person has to see to.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::PaymentAct,
    id::{BookingId, EventId, TransactionId, UserId},
    message::{BookingAct, Outcome},
    money::Currency,
    time::Timestamp,
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operator, command};
use crate::{
    app::App,
    booking::{refusal, reserve},
    keys::Role,
    problem::{Answer, Problem, nothing_here},
    request::{Body, Id, RequestInfo},
};

/// The most that are shown.
const MAX_SHOWN: usize = 1_000;
/// The longest account of how something was resolved, in characters.
const MAX_HOW_CHARS: usize = 500;

/// Payments and refunds that are stuck.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StuckPayments {
    /// The longest stuck first; a thousand at most.
    payments: Vec<StuckPayment>,
}

/// A payment that could be neither taken nor given back, or a refund that could not be made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StuckPayment {
    #[schema(value_type = String)]
    booking_id: BookingId,
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// Where the booking stands.
    #[schema(value_type = Option<String>)]
    status: Option<booking_core::booking::BookingState>,
    #[schema(value_type = String)]
    transaction_id: TransactionId,
    /// Of which of the booking's refunds; 0: it is the payment itself.
    refund: u32,
    /// In minor units.
    amount: i64,
    #[schema(value_type = String)]
    currency: Currency,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// What the provider said.
    reason: String,
}

/// Which of a booking's payments, and what to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SeeToPayment {
    #[schema(value_type = String)]
    transaction_id: TransactionId,
    /// As it was shown.
    #[serde(default)]
    refund: u32,
    /// How it was resolved outside, for the audit trail. Without it the provider is asked once more.
    #[serde(default)]
    resolved: Option<String>,
}

/// Payments and refunds that a person has to see to.
#[utoipa::path(
    get, path = "/v1/operator/payments/stuck", tag = "Operator",
    security(("operator" = [])),
    responses(
        (status = 200, description = "They", body = StuckPayments),
        (status = 401, description = "[unauthorized]"),
    )
)]
pub(crate) async fn list_stuck(State(app): State<Arc<App>>, operator: Operator) -> Answer<Response> {
    operator.require(Role::Viewer)?;
    let mut payments = Vec::new();
    for act in app.parts.ledger.stuck_payments(MAX_SHOWN).await? {
        let booking = app.parts.ledger.booking(&act.booking).await?;
        let PaymentAct { booking: booking_id, transaction: transaction_id, refund, amount, at: since, reason, .. } =
            act;
        payments.push(StuckPayment {
            booking_id,
            event_id: booking.as_ref().map(|booking| booking.event_id.clone()),
            user_id: booking.as_ref().map(|booking| booking.user_id.clone()),
            status: booking.map(|booking| booking.state),
            transaction_id,
            refund,
            amount: amount.amount,
            currency: amount.currency,
            since,
            reason: reason.unwrap_or_default(),
        });
    }
    Ok(Json(StuckPayments { payments }).into_response())
}

/// See to a stuck payment or refund: ask the provider once more, or note how it was resolved outside. With an
/// Idempotency-Key, doing it twice is doing it once.
#[utoipa::path(
    post, path = "/v1/operator/payments/{bookingId}", tag = "Operator", request_body = SeeToPayment,
    params(("bookingId" = String, Path, description = "The booking")),
    security(("operator" = [])),
    responses(
        (status = 204, description = "It is settled"),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 403, description = "[forbidden]: needs an admin's key"),
        (status = 404, description = "[not-found]"),
        (status = 409, description = "[not-stuck]; [still-stuck], with the provider's words"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn see_to(
    State(app): State<Arc<App>>,
    operator: Operator,
    axum::Extension(info): axum::Extension<RequestInfo>,
    headers: HeaderMap,
    Id(booking): Id<BookingId>,
    Body(request): Body<SeeToPayment>,
) -> Answer<Response> {
    operator.require(Role::Admin)?;
    let is_text =
        |how: &String| (1..=MAX_HOW_CHARS).contains(&how.trim().chars().count()) && !how.contains(char::is_control);
    if request.resolved.as_ref().is_some_and(|how| !is_text(how)) {
        let detail = format!("resolved says how, in 1 to {MAX_HOW_CHARS} characters on one line.");
        return Err(Problem::invalid_request(detail));
    }
    let found = app.parts.ledger.booking(&booking).await?.ok_or_else(nothing_here)?;
    let act = BookingAct::SeeTo {
        transaction: request.transaction_id,
        refund: request.refund,
        resolved: request.resolved,
        actor: operator.name.clone(),
        command: hex::encode(command::derived_id(&app, &operator.name, &headers)?),
    };
    match reserve::ask(&app, &info, &found.event_id, &booking, &found.user_id, act).await? {
        Outcome::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(reserve::unexpected(&other)),
    }
}
