//! The public HTTP contract as a client sees it: what the demo's crowd and the verifier speak. Nothing of the server's
//! own types is used for answers, so that the contract itself is what is tried.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, header::HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{cli::OperatorAccess, failure::Failure};

pub(crate) mod answers;

/// The largest answer read, in bytes.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of an answer that is no problem document is shown, in characters.
const SHOWN_CHARACTERS: usize = 200;

/// A Weir somewhere, by the base addresses of its gateways.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    bases: Arc<[String]>,
    /// Requests go to the gateways in turn: whatever one of them gave out, the others must accept.
    turn: Arc<AtomicUsize>,
    /// Requests go to this gateway instead, and to the others only where it can't be connected to.
    own: Option<usize>,
}

/// What was asked, answered.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// As wanted.
    Ok(T),
    /// Refused, and why.
    Refused(Problem),
}

/// A refusal: RFC 9457's problem document and `Retry-After`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status} {slug}: {detail}")]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable name: `type` without `urn:weir:`.
    pub(crate) slug: String,
    /// What it means here.
    pub(crate) detail: String,
    /// When to come again.
    pub(crate) retry_after: Option<Duration>,
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{url} can't be reached: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} answered something that is not Weir's contract: {reason}")]
    Unreadable { url: String, reason: String },
    #[error("{url} refused: {problem}")]
    Refused { url: String, problem: Problem },
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// As the user, or the operator, of this token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// With a place token.
    pub(crate) fn place(self, token: &str) -> Self {
        self.header("weir-place", token.to_owned())
    }

    /// With an admission token.
    pub(crate) fn admission(self, token: &str) -> Self {
        self.header("weir-admission", token.to_owned())
    }

    /// So that doing it twice is doing it once.
    pub(crate) fn idempotency_key(self, key: String) -> Self {
        self.header("idempotency-key", key)
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Api {
    /// The Weir at `base`, such as `http://127.0.0.1:8080`, over at most `connections` kept-alive connections at rest.
    ///
    /// # Errors
    /// If the HTTP client can't be built.
    pub(crate) fn at(base: &str, connections: usize) -> anyhow::Result<Self> {
        Self::at_all(&[base.to_owned()], connections)
    }

    /// The same for several gateways of one Weir, at least one.
    ///
    /// # Errors
    /// As [`Api::at`].
    pub(crate) fn at_all(bases: &[String], connections: usize) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .pool_max_idle_per_host(connections)
            .build()?;
        let bases: Arc<[String]> = bases.iter().map(|base| base.trim_end_matches('/').to_owned()).collect();
        anyhow::ensure!(!bases.is_empty(), "no address of a gateway is named");
        Ok(Self { client, bases, turn: Arc::default(), own: None })
    }

    /// The base address, of several the first.
    pub(crate) fn base(&self) -> &str {
        &self.bases[0]
    }

    /// The same, for the client of this `number`: it stays at one gateway, as browsers behind a balancer do.
    pub(crate) fn staying(&self, number: usize) -> Self {
        Self { own: Some(number), ..self.clone() }
    }

    /// Asks.
    ///
    /// # Errors
    /// If there is no answer, or none that can be read.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, ApiError> {
        self.ask_located(call).await.map(|(answer, _)| answer)
    }

    /// The same, with the answer's `Location`.
    ///
    /// # Errors
    /// As [`Api::ask`].
    pub(crate) async fn ask_located<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<(Answer<T>, Option<String>), ApiError> {
        let (url, sent) = self.send(call).await;
        let unreachable = |error: reqwest::Error| ApiError::Unreachable {
            url: url.clone(),
            reason: booking_core::reason::with_causes(&error),
        };
        let mut response = sent.map_err(unreachable)?;
        let location = response.headers().get("location").and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let mut bytes = Vec::with_capacity(response.content_length().map_or(0, capacity));
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                let reason = format!("more than {MAX_ANSWER_BYTES} bytes");
                return Err(ApiError::Unreadable { url, reason });
            }
            bytes.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Ok((Answer::Refused(problem(status.as_u16(), retry_after, &bytes)), location));
        }
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        match serde_json::from_slice(text) {
            Ok(answer) => Ok((Answer::Ok(answer), location)),
            Err(error) => Err(ApiError::Unreadable { url, reason: error.to_string() }),
        }
    }

    /// Sends `call` to the gateway whose turn it is, or to the next that can be connected to.
    async fn send(&self, call: Call) -> (String, reqwest::Result<reqwest::Response>) {
        let first = self.own.unwrap_or_else(|| self.turn.fetch_add(1, Ordering::Relaxed));
        let mut tries = 0;
        loop {
            let url = format!("{}{}", self.bases[first.wrapping_add(tries) % self.bases.len()], call.path);
            tries += 1;
            let mut request = self.client.request(call.method.clone(), &url);
            for (name, value) in &call.headers {
                request = request.header(*name, value);
            }
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            match request.send().await {
                Err(error) if error.is_connect() && tries < self.bases.len() => {}
                sent => return (url, sent),
            }
        }
    }

    /// Asks for what is not refused.
    ///
    /// # Errors
    /// As [`Api::ask`], and if it is refused.
    pub(crate) async fn require<T: DeserializeOwned>(&self, call: Call) -> Result<T, ApiError> {
        let url = format!("{}{}", self.base(), call.path);
        match self.ask(call).await? {
            Answer::Ok(answer) => Ok(answer),
            Answer::Refused(problem) => Err(ApiError::Refused { url, problem }),
        }
    }
}

fn capacity(length: u64) -> usize {
    usize::try_from(length).unwrap_or(0).min(MAX_ANSWER_BYTES)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn problem(status: u16, retry_after: Option<Duration>, bytes: &[u8]) -> Problem {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name: &str| document[name].as_str();
    // Finer than the header, where the refusal says it.
    let in_ms = document["retryAfterMs"].as_u64().map(Duration::from_millis);
    let shown = || String::from_utf8_lossy(bytes).chars().take(SHOWN_CHARACTERS).collect();
    Problem {
        status,
        slug: text("type").map_or("", |kind| kind.strip_prefix("urn:weir:").unwrap_or(kind)).to_owned(),
        detail: text("detail").or(text("title")).map_or_else(shown, str::to_owned),
        retry_after: in_ms.or(retry_after),
    }
}

/// What `call` is answered, as an operator.
///
/// # Errors
/// If the gateway can't be reached, or refuses.
pub(crate) async fn operate<T: DeserializeOwned>(access: &OperatorAccess, call: Call) -> Result<T, Failure> {
    let api = Api::at(&access.at, 1)?;
    match api.ask(call.bearer(&access.operator_key)).await? {
        Answer::Ok(answer) => Ok(answer),
        Answer::Refused(problem) => Err(ApiError::Refused { url: access.at.clone(), problem }.into()),
    }
}
