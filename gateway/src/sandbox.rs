//! Payments for trying out: made by whoever asks, ending as asked. Only with the sandbox provider.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    id::TransactionId,
    money::{Currency, MAX_AMOUNT_MINOR, Money},
    ports::payments::{PaymentStatus, SandboxOutcome},
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    operator::command::derived_id,
    problem::{Answer, Problem, nothing_here},
    request::Body,
};

/// A payment to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PaymentRequest {
    /// In minor units.
    amount: i64,
    #[schema(value_type = String)]
    currency: Currency,
    /// `approve` (default), `decline` or `timeout`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    outcome: SandboxOutcome,
}

/// A payment that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    #[schema(value_type = String)]
    transaction_id: TransactionId,
    /// `created`, or where an earlier one stands.
    #[schema(value_type = String)]
    status: PaymentStatus,
}

/// Make a payment that ends as asked. Only with the sandbox provider.
#[utoipa::path(
    post, path = "/v1/sandbox/payments", tag = "Sandbox", request_body = PaymentRequest,
    responses(
        (status = 201, description = "Made", body = Payment),
        (status = 400, description = "[invalid-request]"),
        (status = 404, description = "[not-found]: there is no sandbox here"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn create_payment(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(request): Body<PaymentRequest>,
) -> Answer<Response> {
    let sandbox = app.parts.sandbox.as_ref().filter(|_| app.settings.sandbox).ok_or_else(nothing_here)?;
    if !(0..=MAX_AMOUNT_MINOR).contains(&request.amount) {
        return Err(Problem::invalid_request(format!("amount must be 0 to {MAX_AMOUNT_MINOR} minor units.")));
    }
    let transaction_id = TransactionId::from_bytes(derived_id(&app, "sandbox", &headers)?);
    let amount = Money { amount: request.amount, currency: request.currency };
    sandbox.create(&transaction_id, amount, request.outcome).await?;
    let standing = sandbox.standing(&transaction_id).await?;
    let status = standing.map_or(PaymentStatus::Created, |standing| standing.status);
    Ok((StatusCode::CREATED, Json(Payment { transaction_id, status })).into_response())
}
