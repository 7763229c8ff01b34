//! Paying and confirming.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::BookingState,
    id::{BookingId, TransactionId},
    mail::Contact,
    message::{BookingAct, Outcome},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{read, refusal, reserve, view};
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::{Body, RequestInfo},
};

/// The longest name of a way to pay, in bytes.
const MAX_METHOD_BYTES: usize = 64;

/// Which booking, and what pays for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    #[schema(value_type = String)]
    booking_id: BookingId,
    payment_details: PaymentDetails,
    /// Where the buyer gets mail about it, where mail is sent at all.
    #[serde(default)]
    #[schema(value_type = Option<ContactDetails>)]
    contact: Option<Contact>,
}

/// Where a buyer is to be reached; used for mail about the booking and for nothing else.
#[derive(ToSchema)]
#[expect(dead_code, reason = "how the API's description writes a `Contact`")]
pub(crate) struct ContactDetails {
    /// An e-mail address, 254 bytes at most.
    #[schema(format = Email, max_length = 254)]
    email: String,
}

/// A payment at the provider. Card numbers never come here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PaymentDetails {
    /// How, in the provider's word.
    payment_method: String,
    /// The payment, as the provider named it.
    #[schema(value_type = String)]
    transaction_id: TransactionId,
    /// What the client believes it costs, in minor units.
    amount: i64,
}

/// Pay and confirm. Repeated: the same answer.
#[utoipa::path(
    post, path = "/v1/bookings/confirm", tag = "Booking", request_body = ConfirmRequest,
    security(("user" = [])),
    responses(
        (status = 200, description = "Confirmed, with tickets", body = super::view::BookingView),
        (status = 400, description = "[invalid-request]"),
        (status = 401, description = "[unauthorized]"),
        (status = 402, description = "[payment-declined]"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "[hold-expired]; [event-over]: the hold has run out, and the event has begun; [not-reserved]"),
        (status = 422, description = "[amount-mismatch]"),
        (status = 429, description = "[rate-limited]"),
        (status = 503, description = "[unavailable]; safe to repeat"),
    )
)]
pub(crate) async fn confirm(
    State(app): State<Arc<App>>,
    User(user): User,
    axum::Extension(info): axum::Extension<RequestInfo>,
    Body(request): Body<ConfirmRequest>,
) -> Answer<Response> {
    let details = request.payment_details;
    if details.payment_method.is_empty() || details.payment_method.len() > MAX_METHOD_BYTES {
        let detail = format!("paymentDetails.paymentMethod has 1 to {MAX_METHOD_BYTES} bytes.");
        return Err(Problem::invalid_request(detail));
    }
    let booking = read::own(&app, &user, &request.booking_id).await?;
    let act =
        BookingAct::Confirm { transaction: details.transaction_id, amount: details.amount, contact: request.contact };
    match reserve::ask(&app, &info, &booking.event_id, &booking.booking_id, &user, act).await? {
        Outcome::Booking(booking) if booking.state == BookingState::Confirmed => {
            Ok(Json(view::view(&app, &booking).await?).into_response())
        }
        Outcome::Refused(why) => Err(refusal::problem(why)),
        other => Err(reserve::unexpected(&other)),
    }
}
