//! Sending an operator's command, and the ids that make a repeated one harmless.

use booking_core::{
    digest::Digest,
    message::{self, OperatorAct, OperatorCommand, Outcome},
    ports::log::Topic,
};
use http::{HeaderMap, HeaderValue};

use super::Operator;
use crate::{app::App, booking::refusal, commands, problem::Problem};

/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// Sixteen bytes for an id: made from `who` and the request's `Idempotency-Key`, or random where there is none.
///
/// # Errors
/// [invalid-request] where the key is too long or not plain text.
pub(crate) fn derived_id(app: &App, who: &str, headers: &HeaderMap) -> Result<[u8; 16], Problem> {
    let Some(key) = headers.get("idempotency-key").map(HeaderValue::to_str) else {
        return Ok(app.parts.entropy.id_bytes());
    };
    let key = key.ok().filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len())).ok_or_else(|| {
        Problem::invalid_request(format!("An Idempotency-Key has 1 to {MAX_KEY_BYTES} plain characters."))
    })?;
    let digest = Digest::of(&[b"weir/created/v1", who.as_bytes(), &[0], key.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    Ok(bytes)
}

/// Whether the request names an idempotency key.
pub(crate) fn has_key(headers: &HeaderMap) -> bool {
    headers.contains_key("idempotency-key")
}

/// Sends `act` under the log key `key` and answers what became of it; a refusal is a problem.
///
/// # Errors
/// As the workers refuse; [unavailable].
pub(crate) async fn ask(app: &App, operator: &Operator, key: &str, act: OperatorAct) -> Result<Outcome, Problem> {
    match try_ask(app, operator, key, act).await? {
        Outcome::Refused(why) => Err(refusal::problem(why)),
        done => Ok(done),
    }
}

/// The same; a refusal is an answer.
///
/// # Errors
/// [unavailable].
pub(crate) async fn try_ask(app: &App, operator: &Operator, key: &str, act: OperatorAct) -> Result<Outcome, Problem> {
    let id = hex::encode(app.parts.entropy.id_bytes());
    let asked = commands::ask(app, &Topic::Commands, key, |reply_to, deadline| {
        message::encode(&OperatorCommand {
            id,
            reply_to,
            deadline,
            actor: operator.name.clone(),
            key: key.to_owned(),
            act,
        })
    });
    asked.await
}
