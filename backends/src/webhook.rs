//! Webhooks over HTTP, signed by [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks).

use std::{fmt, net::IpAddr, time::Duration};

use async_trait::async_trait;
use booking_core::{
    id::HookId,
    ports::hook::{Handed, Hook},
    reason::{one_line, with_causes},
    time::Timestamp,
};
use reqwest::{StatusCode, Url};
use standardwebhooks::Webhook;

use crate::Secret;

mod allowed;

pub use allowed::{Allowed, InvalidNetwork};

/// How long one try may take: the receiver should take it first and work on it then.
const PATIENCE: Duration = Duration::from_secs(15);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// What a signing secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// How many characters a secret has behind that: 24 to 64 bytes in base 64.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 32..=88;
/// The most secrets that sign at once: one, and the one that takes its place.
pub const MAX_SECRETS: usize = 2;

/// Why an endpoint can't be used, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(String);

/// An endpoint over HTTP. Redirects are not followed, no proxy is asked, and only addresses that are [`Allowed`] are
/// connected to, whatever its name resolves to.
pub struct HttpHook {
    url: Url,
    signing: Vec<Webhook>,
    client: reqwest::Client,
}

impl fmt::Debug for HttpHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl HttpHook {
    /// The endpoint at `url`, to which each of `secrets` signs.
    ///
    /// # Errors
    /// If the address is none that may be connected to, or a secret is none.
    pub fn new(url: &str, secrets: &[Secret], allowed: &Allowed) -> Result<Self, InvalidEndpoint> {
        let invalid = |why: String| InvalidEndpoint(why);
        let url = Url::parse(url).map_err(|error| invalid(format!("it is no address: {error}")))?;
        let address: Option<IpAddr> = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(address.into()),
            Some(url::Host::Ipv6(address)) => Some(address.into()),
            Some(url::Host::Domain(_)) => None,
            None => return Err(invalid("its address names no host".to_owned())),
        };
        if let Some(address) = address.filter(|address| !allowed.has(*address)) {
            return Err(invalid(format!("{address} is a private address; webhooks.allow can allow it")));
        }
        // What goes in the clear is only for where somebody said that they know the network.
        let may_be_clear = address.map_or_else(|| !allowed.is_public_only(), |address| allowed.names(address));
        match url.scheme() {
            "https" => {}
            "http" if may_be_clear => {}
            _ => return Err(invalid("its address must be https:".to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("its address has a login; the signature is what shows who sends".to_owned()));
        }
        if secrets.is_empty() || secrets.len() > MAX_SECRETS {
            return Err(invalid(format!("it needs a signing secret, and {MAX_SECRETS} at most")));
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(allowed.clone())
            .build()
            .map_err(|error| invalid(format!("no HTTPS client can be made: {error}")))?;
        Ok(Self { url, signing: secrets.iter().map(signing).collect::<Result<_, _>>()?, client })
    }

    fn signatures(&self, id: &HookId, seconds: i64, payload: &str) -> Result<String, standardwebhooks::WebhookError> {
        let signed = self.signing.iter().map(|signing| signing.sign(id.as_str(), seconds, payload.as_bytes()));
        Ok(signed.collect::<Result<Vec<_>, _>>()?.join(" "))
    }
}

fn signing(secret: &Secret) -> Result<Webhook, InvalidEndpoint> {
    let invalid = || InvalidEndpoint(format!("a signing secret is '{SECRET_PREFIX}' and 24 to 64 bytes in base 64"));
    let key = secret.reveal().strip_prefix(SECRET_PREFIX).ok_or_else(invalid)?;
    if !SECRET_CHARS.contains(&key.len()) {
        return Err(invalid());
    }
    Webhook::new(key).map_err(|_| invalid())
}

#[async_trait]
impl Hook for HttpHook {
    async fn hand(&self, id: &HookId, payload: &str, now: Timestamp) -> Handed {
        let seconds = now.as_millis().div_euclid(1_000);
        let signatures = match self.signatures(id, seconds, payload) {
            Ok(signatures) => signatures,
            Err(error) => return Handed::Later(one_line(&format!("it can't be signed: {error}"))),
        };
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signatures)
            .body(payload.to_owned());
        // What it answers beside the status nobody reads.
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Handed::Taken(answer.status().as_u16()),
            Ok(answer) if answer.status() == StatusCode::GONE => Handed::Gone,
            Ok(answer) if answer.status().is_redirection() => {
                Handed::Later(format!("it answered {}, and redirects are not followed", answer.status()))
            }
            Ok(answer) => Handed::Later(format!("it answered {}", answer.status())),
            Err(error) => Handed::Later(one_line(&with_causes(&error.without_url()))),
        }
    }
}

#[cfg(test)]
mod tests;
