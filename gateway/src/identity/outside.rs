//! Outside issuers' access tokens, verified by their published keys.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use booking_core::{digest::Digest, id::UserId, time::Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use moka::future::Cache;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{problem::Problem, settings::OutsideIssuer};

/// A key set is read anew at most this often, whoever asks with whatever key id.
const MIN_REFRESH: Duration = Duration::from_secs(30);
/// A key set older than this is read anew before it is trusted.
const MAX_AGE: Duration = Duration::from_mins(10);
/// How long reading a key set may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest key set, in bytes.
const MAX_JWKS_BYTES: usize = 256 * 1_024;
/// Verified tokens remembered: verifying RSA anew for each request would cost a tenth of a millisecond.
const MAX_REMEMBERED: u64 = 100_000;
/// How far an issuer's clock may be ahead, in seconds.
const CLOCK_LEEWAY_SECONDS: i64 = 5;

/// The outside issuers.
pub(crate) struct Outside {
    issuers: Vec<Issuer>,
    verified: Cache<Digest, Verified>,
    http: OnceLock<Option<reqwest::Client>>,
}

struct Issuer {
    settings: OutsideIssuer,
    keys: ArcSwap<KeySet>,
    refresh: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct KeySet {
    keys: Option<JwkSet>,
    read_at: Option<Instant>,
}

#[derive(Clone)]
struct Verified {
    user: UserId,
    exp: i64,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

impl Outside {
    pub(crate) fn new(issuers: &[OutsideIssuer]) -> Self {
        let issuer = |settings: &OutsideIssuer| Issuer {
            settings: settings.clone(),
            keys: ArcSwap::default(),
            refresh: Mutex::new(None),
        };
        Self {
            issuers: issuers.iter().map(issuer).collect(),
            verified: Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(MAX_AGE).build(),
            http: OnceLock::new(),
        }
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// [unauthorized]; [unavailable] where the issuer's keys can't be read.
    pub(crate) async fn verify(&self, token: &str, now: Timestamp) -> Result<UserId, Problem> {
        let invalid = || Problem::unauthorized("The access token is not valid.");
        if self.issuers.is_empty() {
            return Err(invalid());
        }
        let name = Digest::of(&[token.as_bytes()]);
        let known = if let Some(known) = self.verified.get(&name).await {
            known
        } else {
            let verified = self.verify_anew(token, now).await?;
            self.verified.insert(name, verified.clone()).await;
            verified
        };
        if known.exp <= now.as_seconds() {
            return Err(Problem::unauthorized("The access token has expired."));
        }
        Ok(known.user)
    }

    async fn verify_anew(&self, token: &str, now: Timestamp) -> Result<Verified, Problem> {
        let invalid = || Problem::unauthorized("The access token is not valid.");
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        let is_access_type = match header.typ.as_deref() {
            None => true,
            Some(typ) => ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)),
        };
        if !is_access_type || !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
            return Err(invalid());
        }
        let kid = header.kid.ok_or_else(invalid)?;
        let claimed: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| invalid())?;
        let issuer = self.issuers.iter().find(|known| known.settings.issuer == claimed.iss).ok_or_else(invalid)?;
        let key = self.key(issuer, &kid).await?.ok_or_else(invalid)?;

        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.set_audience(&[&issuer.settings.audience]);
        validation.set_issuer(&[&issuer.settings.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| invalid())?.claims;
        if claims.nbf.is_some_and(|from| from > now.as_seconds() + CLOCK_LEEWAY_SECONDS) {
            return Err(invalid());
        }
        Ok(Verified { user: user_of(&claims.iss, &claims.sub), exp: claims.exp })
    }

    /// The issuer's key of this name; its set is read anew where it is old, or does not hold the name.
    async fn key(&self, issuer: &Issuer, kid: &str) -> Result<Option<DecodingKey>, Problem> {
        let find = |set: &KeySet| {
            let jwk = set.keys.as_ref()?.find(kid)?;
            DecodingKey::from_jwk(jwk).ok()
        };
        let set = issuer.keys.load_full();
        let is_fresh = set.read_at.is_some_and(|at| at.elapsed() < MAX_AGE);
        if is_fresh && let Some(key) = find(&set) {
            return Ok(Some(key));
        }
        let mut last = issuer.refresh.lock().await;
        if last.is_none_or(|at| at.elapsed() >= MIN_REFRESH) {
            *last = Some(Instant::now());
            match self.read(&issuer.settings.jwks).await {
                Ok(keys) => issuer.keys.store(Arc::new(KeySet { keys: Some(keys), read_at: Some(Instant::now()) })),
                Err(reason) => {
                    tracing::warn!(issuer = issuer.settings.issuer, reason, "an issuer's keys can't be read");
                }
            }
        }
        let set = issuer.keys.load_full();
        if set.keys.is_none() {
            return Err(Problem::unavailable("The issuer's keys can't be read just now; try again."));
        }
        Ok(find(&set))
    }

    async fn read(&self, from: &str) -> Result<JwkSet, String> {
        let bytes = if from.starts_with("https:") || from.starts_with("http:") {
            self.fetch(from).await?
        } else {
            tokio::fs::read(from).await.map_err(|error| error.to_string())?
        };
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }

    async fn fetch(&self, address: &str) -> Result<Vec<u8>, String> {
        let client = self.http.get_or_init(|| {
            // Refused where another part of the process has chosen already; either is fine.
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::builder().timeout(FETCH_TIMEOUT).build().ok()
        });
        let client = client.as_ref().ok_or("no HTTPS client can be made")?;
        let answer = client.get(address).send().await.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
            if bytes.len() + chunk.len() > MAX_JWKS_BYTES {
                return Err(format!("it is larger than {MAX_JWKS_BYTES} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// Our id for an outside issuer's subject: the same on every gateway.
fn user_of(issuer: &str, subject: &str) -> UserId {
    let digest = Digest::of(&[issuer.as_bytes(), b"|", subject.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    UserId::from_bytes(bytes)
}
