//! Payments for trying out: made by whoever asks, ending as asked. Only with the sandbox provider.

pub(crate) mod notices;
pub(crate) mod tell;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    id::{BookingId, TransactionId},
    money::{Currency, MAX_AMOUNT_MINOR, Money},
    ports::payments::{MAX_DELAY_MS, MAX_NOTICE_MS, MAX_NOTICES, PaymentStatus, SandboxOrder, SandboxOutcome},
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
    /// `approve` (default); `decline`; `timeout`: it is never answered; `timeoutAuthorised`: the same, and the money is set
    /// aside all the same; `refuseRefund`: approved, and what was taken can't be given back.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    outcome: SandboxOutcome,
    /// How much later the first try to set the money aside is answered, 0 to 60,000 ms. Default 0.
    #[serde(default)]
    #[schema(maximum = 60000)]
    delay_ms: u32,
    /// What `notices` are about.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    booking_id: Option<BookingId>,
    /// How long from now the sandbox tells, signed and unasked, that the money is set aside for `bookingId`: 4 times at
    /// most, each 0 to 600,000 ms. Default: not at all.
    #[serde(default)]
    #[schema(max_items = 4)]
    notices: Vec<u32>,
}

impl PaymentRequest {
    fn order(self) -> Result<SandboxOrder, Problem> {
        let problem = if !(0..=MAX_AMOUNT_MINOR).contains(&self.amount) {
            format!("amount must be 0 to {MAX_AMOUNT_MINOR} minor units.")
        } else if self.delay_ms > MAX_DELAY_MS {
            format!("delayMs must be 0 to {MAX_DELAY_MS}.")
        } else if self.notices.len() > MAX_NOTICES || self.notices.iter().any(|ms| *ms > MAX_NOTICE_MS) {
            format!("notices are {MAX_NOTICES} at most, each 0 to {MAX_NOTICE_MS} ms.")
        } else if self.notices.is_empty() == self.booking_id.is_some() {
            "bookingId is what notices are about: send both or neither.".to_owned()
        } else {
            let amount = Money { amount: self.amount, currency: self.currency };
            let Self { outcome, delay_ms, booking_id: booking, notices: notices_ms, .. } = self;
            return Ok(SandboxOrder { amount, outcome, delay_ms, booking, notices_ms });
        };
        Err(Problem::invalid_request(problem))
    }
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
    let order = request.order()?;
    let transaction_id = TransactionId::from_bytes(derived_id(&app, "sandbox", &headers)?);
    sandbox.order(&transaction_id, &order, app.parts.clock.now()).await?;
    let standing = sandbox.standing(&transaction_id).await?;
    let status = standing.map_or(PaymentStatus::Created, |standing| standing.status);
    Ok((StatusCode::CREATED, Json(Payment { transaction_id, status })).into_response())
}
