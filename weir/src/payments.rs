//! `weir payments`: what a person has to see to about money, over the operators' API.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{self, Call},
    cli::{OperatorAccess, PaymentsCommand, StuckPayment},
    failure::Failure,
    output::say,
};

#[derive(Deserialize)]
struct Stuck {
    payments: Vec<Payment>,
}

/// A payment or refund that is stuck, as the API shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    booking_id: String,
    event_id: Option<String>,
    user_id: Option<String>,
    status: Option<String>,
    transaction_id: String,
    refund: u32,
    amount: i64,
    currency: String,
    since: String,
    reason: String,
}

/// Does what was asked for.
///
/// # Errors
/// If the gateway can't be reached, or refuses.
pub(crate) async fn run(command: &PaymentsCommand) -> Result<(), Failure> {
    match command {
        PaymentsCommand::Stuck { access } => stuck(access).await,
        PaymentsCommand::Repeat { access, payment } => {
            see_to(access, payment, json!({})).await?;
            say(format_args!("{}: the provider has done it now", payment.booking));
            Ok(())
        }
        PaymentsCommand::Resolve { access, payment, how } => {
            see_to(access, payment, json!({"resolved": how})).await?;
            say(format_args!("{}: noted as resolved", payment.booking));
            Ok(())
        }
    }
}

async fn stuck(access: &OperatorAccess) -> Result<(), Failure> {
    let found: Stuck = api::operate(access, Call::get("/v1/operator/payments/stuck")).await?;
    if found.payments.is_empty() {
        say("Nothing is stuck.");
        return Ok(());
    }
    for payment in &found.payments {
        let what = if payment.refund == 0 { "the payment".to_owned() } else { format!("refund {}", payment.refund) };
        let of = |id: &Option<String>| id.clone().unwrap_or_else(|| "unknown".to_owned());
        say(format_args!("{} {what} of {} {} in minor units", payment.booking_id, payment.amount, payment.currency));
        say(format_args!("  why      {}", payment.reason));
        say(format_args!("  since    {}", payment.since));
        say(format_args!("  booking  {}", of(&payment.status)));
        say(format_args!("  event    {}, user {}", of(&payment.event_id), of(&payment.user_id)));
        say(format_args!(
            "  to do    weir payments repeat|resolve {} --transaction {} --refund {}",
            payment.booking_id, payment.transaction_id, payment.refund
        ));
    }
    Ok(())
}

async fn see_to(access: &OperatorAccess, payment: &StuckPayment, mut wish: Value) -> Result<(), Failure> {
    wish["transactionId"] = json!(payment.transaction);
    wish["refund"] = json!(payment.refund);
    api::operate::<Value>(access, Call::post(format!("/v1/operator/payments/{}", payment.booking), wish)).await?;
    Ok(())
}
