//! Setting things up over HTTP: one request at a time, and many at once.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::load::{Answer, Connection, request};

/// How many connections many requests are sent over.
const CONNECTIONS: usize = 64;

/// One connection that speaks JSON.
pub(crate) struct Client(Connection);

impl Client {
    /// Connects to `to`.
    ///
    /// # Errors
    /// If nobody listens.
    pub(crate) async fn open(to: SocketAddr) -> Result<Self> {
        Connection::open(to).await.map(Self)
    }

    /// Sends a request with `body` (`null`: none) and answers the answer's JSON.
    ///
    /// # Errors
    /// If the answer is a refusal or no JSON.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &Value,
    ) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.0.exchange_whole(&request(method, path, fields, &body)).await?;
        json(&answer).with_context(|| format!("{method} {path}"))
    }
}

/// The JSON of an answer that is no refusal.
///
/// # Errors
/// If it is one.
pub(crate) fn json(answer: &Answer) -> Result<Value> {
    ensure!(answer.status < 400, "refused with {}: {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

/// The text `name` of a JSON object.
///
/// # Errors
/// If it is not there.
pub(crate) fn text(value: &Value, name: &str) -> Result<String> {
    match &value[name] {
        Value::String(text) => Ok(text.clone()),
        _ => bail!("no text '{name}' in {value}"),
    }
}

/// Sends each of `requests` and answers the JSON of each answer, in their order.
///
/// # Errors
/// If one is refused.
pub(crate) async fn ask_each(to: SocketAddr, requests: Vec<Vec<u8>>) -> Result<Vec<Value>> {
    let mut tasks = JoinSet::new();
    let share = requests.len().div_ceil(CONNECTIONS).max(1);
    for (number, part) in requests.chunks(share).enumerate() {
        let part = part.to_vec();
        tasks.spawn(async move {
            let mut connection = Connection::open(to).await?;
            let mut answers = Vec::with_capacity(part.len());
            for request in part {
                answers.push(json(&connection.exchange_whole(&request).await?)?);
            }
            anyhow::Ok((number, answers))
        });
    }
    let mut parts = Vec::new();
    while let Some(part) = tasks.join_next().await {
        parts.push(part.context("a connection's task panicked")??);
    }
    parts.sort_by_key(|(number, _)| *number);
    Ok(parts.into_iter().flat_map(|(_, answers)| answers).collect())
}
