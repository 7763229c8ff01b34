//! The provider's notices: a buyer who paid and then was cut off gets the seats all the same.
//!
//! A notice becomes a command beside the buyer's own confirmation, so that both, twice, and in any order, end in the same
//! booking. What the booking can't be had for is given back.

use std::sync::Arc;

use axum::extract::State;
use booking_core::{
    booking::Booking,
    message::{self, BookingAct, BookingCommand},
    ports::{
        log::Topic,
        payments::{Notice, PaymentNotices},
    },
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{
    app::App,
    commands,
    problem::{Answer, Problem, nothing_here},
    request::{Counted, RequestInfo},
};

/// Where notices are sent.
pub(crate) const PATH: &str = "/v1/payments/notices";

/// For how long a worker may still act on a notice, in seconds. Nobody waits for it, and while it is not acted on the
/// buyer's money is set aside for nothing: so for longer than the workers are ever away.
const LIVES_SECONDS: u32 = 3_600;

/// Tell what became of a payment. For the payment provider, which signs what it sends.
#[utoipa::path(
    post, path = "/v1/payments/notices", tag = "Booking",
    request_body(content = Object, description = "As the provider sends it", content_type = "application/json"),
    responses(
        (status = 200, description = "Taken note of, or of no interest"),
        (status = 400, description = "[invalid-request]: not signed by the provider, or not of this time"),
        (status = 404, description = "[not-found]: the provider sends none here"),
        (status = 413, description = "[body-too-large]"),
        (status = 429, description = "[rate-limited]: too much that was not signed"),
        (status = 503, description = "[unavailable]; to be sent again"),
    )
)]
pub(crate) async fn take_notice(
    State(app): State<Arc<App>>,
    axum::Extension(info): axum::Extension<RequestInfo>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<StatusCode> {
    let sandbox = app.parts.sandbox.as_ref().filter(|_| app.settings.sandbox);
    let notices: &dyn PaymentNotices = match (&app.parts.notices, sandbox) {
        (Some(notices), _) => &**notices,
        (None, Some(_)) => &app.sandbox_notices,
        (None, None) => return Err(nothing_here()),
    };
    let signature = headers.get(notices.signature_header()).and_then(|value| value.to_str().ok());
    take_signed(&app, &info, notices, signature.unwrap_or_default(), &body).await?;
    Ok(StatusCode::OK)
}

/// Takes what `notices` says was sent by the provider.
pub(crate) async fn take_signed(
    app: &App,
    info: &RequestInfo,
    notices: &dyn PaymentNotices,
    signature: &str,
    body: &[u8],
) -> Result<(), Problem> {
    match notices.read(signature, body, app.parts.clock.now()) {
        Ok(Some(notice)) => take(app, info, notice).await,
        Ok(None) => Ok(()),
        Err(refused) => {
            info.count(app, Counted::Address, app.limits.address_key(info.address()))?;
            tracing::warn!(%refused, "a notice of a payment is refused");
            Err(Problem::invalid_request(format!("This is no notice: {refused}.")))
        }
    }
}

/// Leaves it to the worker what becomes of the money. Where there is no such booking, nothing is done: the provider would
/// only send it again.
async fn take(app: &App, info: &RequestInfo, notice: Notice) -> Result<(), Problem> {
    let Some(booking) = app.parts.ledger.booking(&notice.booking).await? else {
        tracing::warn!(booking = %notice.booking, transaction = %notice.transaction, "paid for no booking of ours");
        return Ok(());
    };
    // Told again: it is confirmed with it, or was.
    if booking.ends_session() && booking.transaction.as_ref() == Some(&notice.transaction) {
        return Ok(());
    }
    pass_on(app, info, booking, notice).await
}

/// In the log, and not waited for.
async fn pass_on(app: &App, info: &RequestInfo, booking: Booking, notice: Notice) -> Result<(), Problem> {
    let key = booking.event_id.clone();
    let deadline = app.parts.clock.now().plus_seconds(LIVES_SECONDS);
    let sent = commands::send(app, &Topic::Bookings, key.as_str(), |reply_to, _| {
        message::encode(&BookingCommand {
            reply_to,
            deadline,
            traceparent: info.traceparent().map(str::to_owned),
            event: booking.event_id,
            booking: booking.booking_id,
            user: booking.user_id,
            act: BookingAct::Paid { transaction: notice.transaction, amount: notice.amount },
        })
    });
    sent.await.map(drop)
}
