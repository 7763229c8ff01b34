//! `weir webhooks`: what became of webhooks, over the operators' API.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{self, Call},
    cli::{OperatorAccess, WebhooksCommand},
    failure::Failure,
    output::say,
};

#[derive(Deserialize)]
struct Page {
    endpoints: Vec<String>,
    deliveries: Vec<Delivery>,
}

/// A delivery as the API shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    endpoint: String,
    at: String,
    outcome: String,
    hook_id: Option<String>,
    r#type: Option<String>,
    booking_id: Option<String>,
    status: Option<u16>,
    reason: Option<String>,
    next_at: Option<String>,
    since: Option<String>,
    actor: Option<String>,
}

/// Does what was asked for.
///
/// # Errors
/// If the gateway can't be reached, or refuses.
pub(crate) async fn run(command: &WebhooksCommand) -> Result<(), Failure> {
    match command {
        WebhooksCommand::Deliveries { endpoint, access } => deliveries(access, endpoint.as_deref()).await,
        WebhooksCommand::Replay { endpoint, since, access } => {
            let call = Call::post(format!("/v1/operator/webhooks/{endpoint}/replay"), json!({ "since": since }));
            api::operate::<Value>(access, call).await?;
            say(format_args!("{endpoint}: what happened since {since} is sent again"));
            Ok(())
        }
    }
}

async fn deliveries(access: &OperatorAccess, endpoint: Option<&str>) -> Result<(), Failure> {
    let only = endpoint.map_or_else(String::new, |endpoint| format!("&endpoint={endpoint}"));
    let path = format!("/v1/operator/webhooks/deliveries?limit=200{only}");
    let page: Page = api::operate(access, Call::get(path)).await?;
    if page.endpoints.is_empty() {
        say("No endpoints are configured: webhooks.endpoints");
    }
    for delivery in &page.deliveries {
        let Delivery { endpoint, at, outcome, .. } = delivery;
        let of = [&delivery.hook_id, &delivery.r#type, &delivery.booking_id];
        let mut line =
            of.into_iter().flatten().fold(format!("{at} {endpoint} {outcome}"), |line, of| format!("{line} {of}"));
        if let Some(status) = delivery.status {
            line = format!("{line}: {status}");
        }
        if let Some(reason) = &delivery.reason {
            line = format!("{line}: {reason}");
        }
        if let Some(next_at) = &delivery.next_at {
            line = format!("{line}; again at {next_at}");
        }
        if let Some((since, actor)) = delivery.since.as_ref().zip(delivery.actor.as_ref()) {
            line = format!("{line} since {since}, asked for by {actor}");
        }
        say(line);
    }
    Ok(())
}
