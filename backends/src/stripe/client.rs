//! Requests to Stripe: one at a time, tried again where that is safe and may help.
//!
//! Every request that changes something carries an idempotency key, so that a try whose answer got lost may be repeated.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::de::DeserializeOwned;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    settings::StripeSettings,
    wire::{self, Refusal},
};

/// The version of the API that all of this is written for.
const VERSION: &str = "2024-06-20";
/// The largest answer read, in bytes: a page of refunds has some hundred kilobytes at most.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Why there is no answer that helps.
#[derive(Debug)]
pub(super) enum Failure {
    /// Stripe understood, and refuses.
    Refused(Refusal),
    /// None came, or none that tells the outcome: it may be done or not.
    NoAnswer(String),
    /// One came that can't be read.
    Odd(String),
}

/// One request.
pub(super) struct Call {
    method: Method,
    path: String,
    /// The query of a GET, the body of a POST.
    form: String,
    idempotency_key: Option<String>,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, form: String::new(), idempotency_key: None }
    }

    pub(super) fn post(path: String, idempotency_key: String) -> Self {
        Self { method: Method::POST, idempotency_key: Some(idempotency_key), ..Self::get(path) }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.form = form_urlencoded::Serializer::new(self.form).append_pair(name, value).finish();
        self
    }
}

/// What one try came to.
enum Tried {
    Answered(Body),
    /// An answer that is no success, and whether it is worth another try, and when.
    Refused(Refusal, Again),
    Lost(String),
}

/// A success.
struct Body {
    bytes: Vec<u8>,
    /// It is what the same key was answered before, and not how things stand.
    is_replayed: bool,
}

struct Again {
    is_worth_it: bool,
    after: Option<Duration>,
}

/// The API; its clones share the connections.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    settings: Arc<StripeSettings>,
    permits: Arc<Semaphore>,
}

impl Client {
    pub(super) fn new(settings: StripeSettings) -> Result<Self, String> {
        // Refused where another part of the process has chosen already; either is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("no HTTPS client can be made: {error}"))?;
        let permits = Arc::new(Semaphore::new(settings.in_flight.min(Semaphore::MAX_PERMITS)));
        Ok(Self { http, settings: Arc::new(settings), permits })
    }

    pub(super) fn settings(&self) -> &StripeSettings {
        &self.settings
    }

    /// What Stripe answers, by `until` at the latest.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call, until: Instant) -> Result<T, Failure> {
        self.ask_marked(call, until).await.map(|(answer, _)| answer)
    }

    /// The same, and whether it is only what the same key was answered before.
    pub(super) async fn ask_marked<T: DeserializeOwned>(
        &self,
        call: &Call,
        until: Instant,
    ) -> Result<(T, bool), Failure> {
        let Body { bytes, is_replayed } = self.try_until(call, until).await?;
        Ok((wire::read(&bytes).map_err(Failure::Odd)?, is_replayed))
    }

    async fn try_until(&self, call: &Call, until: Instant) -> Result<Body, Failure> {
        let mut pause = self.settings.first_pause;
        for tried in 1.. {
            let try_until = until.min(Instant::now() + self.settings.try_timeout);
            let tried_once = match timeout_at(until, self.permits.acquire()).await {
                Err(_) => return Err(Failure::NoAnswer("too much is being asked of Stripe just now".to_owned())),
                Ok(_permit) => timeout_at(try_until, self.try_once(call)).await,
            };
            let (failure, again) = match tried_once {
                Ok(Tried::Answered(body)) => return Ok(body),
                Ok(Tried::Refused(refusal, again)) => (self.failure(refusal, &again), again),
                Ok(Tried::Lost(why)) => (Failure::NoAnswer(why), Again { is_worth_it: true, after: None }),
                Err(_) => {
                    let why = format!("no answer within {} ms", self.settings.try_timeout.as_millis());
                    (Failure::NoAnswer(why), Again { is_worth_it: true, after: None })
                }
            };
            // Half to one and a half of it: who were refused together must not come again together.
            let wait = again.after.unwrap_or_default().max(pause.mul_f64(rand::random_range(0.5..1.5)));
            if !again.is_worth_it || tried >= self.settings.tries || Instant::now() + wait >= until {
                return Err(failure);
            }
            tracing::debug!(path = call.path, tried, ?failure, "Stripe is asked again");
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
        Err(Failure::NoAnswer("it was not asked".to_owned()))
    }

    async fn try_once(&self, call: &Call) -> Tried {
        // Not with its address: an error is logged, and the address names the buyer's payment already elsewhere.
        match self.send(call).await.map_err(reqwest::Error::without_url) {
            Ok(Some(tried)) => tried,
            Ok(None) => Tried::Lost(format!("an answer of more than {MAX_ANSWER_BYTES} bytes")),
            Err(error) => {
                Tried::Lost(format!("Stripe can't be reached: {}", booking_core::reason::with_causes(&error)))
            }
        }
    }

    /// `None`: too large an answer.
    async fn send(&self, call: &Call) -> reqwest::Result<Option<Tried>> {
        let mut url = format!("{}{}", self.settings.api_base.trim_end_matches('/'), call.path);
        if call.method == Method::GET && !call.form.is_empty() {
            url = format!("{url}?{}", call.form);
        }
        let mut request = self.http.request(call.method.clone(), url);
        request = request.bearer_auth(self.settings.secret_key.reveal()).header("Stripe-Version", VERSION);
        if let Some(key) = &call.idempotency_key {
            request = request.header("Idempotency-Key", key);
            request = request.header("Content-Type", "application/x-www-form-urlencoded").body(call.form.clone());
        }
        let mut response = request.send().await?;
        let (status, again) = (response.status(), again(response.status(), response.headers()));
        let is_replayed = response.headers().get("idempotent-replayed").is_some_and(|said| said == "true");
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(if status.is_success() {
            Tried::Answered(Body { bytes, is_replayed })
        } else {
            Tried::Refused(Refusal::of(status.as_u16(), &bytes), again)
        }))
    }

    /// What a refusal means if it is the last word.
    fn failure(&self, refusal: Refusal, again: &Again) -> Failure {
        match refusal.status {
            // Not in Stripe's words: they repeat part of the key.
            401 => Failure::NoAnswer("Stripe refuses the secret key; mend it".to_owned()),
            403 => Failure::NoAnswer("the secret key may not do this at Stripe; give it the right to".to_owned()),
            status if again.is_worth_it || status >= 500 || !(400..500).contains(&status) => {
                Failure::NoAnswer(format!("Stripe can't answer just now: {refusal}"))
            }
            _ => Failure::Refused(refusal),
        }
    }
}

/// Whether an answer is worth another try. Stripe knows best where it says so.
fn again(status: StatusCode, headers: &HeaderMap) -> Again {
    let header = |name| headers.get(name).and_then(|value: &reqwest::header::HeaderValue| value.to_str().ok());
    let is_worth_it = match header("stripe-should-retry") {
        Some("true") => true,
        Some("false") => false,
        // 409: another request with the same key, or on the same object, is under way.
        _ => status.is_server_error() || matches!(status.as_u16(), 409 | 429),
    };
    let after = header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    Again { is_worth_it, after: after.map(|after| after.min(MAX_PAUSE)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripe_s_own_word_on_trying_again_counts_before_the_status() {
        let again = |status: u16, said: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert("stripe-should-retry", said.parse().unwrap());
            }
            super::again(StatusCode::from_u16(status).unwrap(), &headers).is_worth_it
        };
        for status in [409, 429, 500, 503] {
            assert!(again(status, None) && again(status, Some("?")) && !again(status, Some("false")), "{status}");
        }
        for status in [302, 400, 402, 404] {
            assert!(!again(status, None) && again(status, Some("true")), "{status}");
        }
    }
}
