//! What an operator sets for the edge, each with its unit, its limits and its default.

use std::{net::SocketAddr, path::PathBuf};

use booking_core::webhook::EndpointName;
use serde::{Deserialize, Serialize};

/// The gateway's settings. A setting that is absent has its default; one that is unknown is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Where visitors connect. Default `127.0.0.1:8080`; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/live`, `/ready` and `/metrics` are served; never public. Default `127.0.0.1:8081`.
    pub admin_listen: SocketAddr,
    /// This gateway's name among the gateways, by which answers find it: 1 to 64 letters, digits, `-` or `_`.
    /// Empty (the default) makes one up at each start.
    pub name: String,
    /// Visitors' address of this site, such as `https://tickets.example.org`, and the `iss` of every token. Default
    /// `http://localhost:8080`.
    pub public_url: String,
    /// Whether cookies are sent over HTTPS only. Default: off, for trying out on one machine; set it wherever the
    /// public address is `https:`.
    pub secure_cookies: bool,
    /// Whether anybody may become a guest. Default: on.
    pub guests: bool,
    /// Whether payments of the sandbox can be made. Takes effect only with a sandbox provider. Default: on.
    pub sandbox: bool,
    /// The endpoints that are told of bookings, so that operators can look at what they were told. Default: none.
    pub webhooks: Vec<EndpointName>,
    /// Whether buyers get letters, and so are asked for their addresses. Default: off.
    pub mail: bool,
    /// The language of pages for whoever asks for none that is there. Default `en`.
    pub default_language: String,
    /// A folder whose `templates/`, `static/` and `locales/` replace what is built in. Default: none.
    pub pages_folder: Option<PathBuf>,
    /// Issuers outside whose access tokens are accepted, at most 16. Default: none.
    pub issuers: Vec<OutsideIssuer>,
    /// How many proxies of yours stand in front and add to `X-Forwarded-For`, 0 to 8. With 0 (the default) the header
    /// is not believed and the peer's own address counts.
    pub trusted_proxies: u8,

    /// Connections open at once, 16 to 1,000,000; one more is closed at once. Default 65,536.
    pub max_connections: usize,
    /// How long the headers of a request may take, 100 to 120,000 ms. Default 10,000.
    pub header_timeout_ms: u64,
    /// How long the body of a request may take, 100 to 120,000 ms. Default 10,000.
    pub body_timeout_ms: u64,
    /// How long a connection may stay open without a request, 1 to 3,600 s. Default 75.
    pub idle_timeout_seconds: u64,
    /// How long open requests may go on once the gateway stops, 0 to 600 s. Default 10.
    pub drain_seconds: u64,
    /// All headers of a request together, 8,192 to 1,048,576 bytes. Default 16,384.
    pub max_header_bytes: usize,
    /// Headers of a request, 8 to 1,000. Default 100.
    pub max_headers: usize,
    /// The body of a request, 1,024 to 1,048,576 bytes. Default 65,536.
    pub max_body_bytes: usize,
    /// The body of a request that adds a venue or names seats of one, 1,024 to 1,000,000 bytes: it travels through the log in one piece.
    /// Default 1,000,000.
    pub max_venue_bytes: usize,

    /// Requests a minute and user, polls and pages together, 1 to 1,000,000,000. Default 100.
    pub requests_per_minute: u32,
    /// Attempts to reserve seats a minute and user, 1 to 1,000,000,000. Default 5.
    pub reserves_per_minute: u32,
    /// Guests made a minute and address (IPv6: a /64), 1 to 1,000,000,000. Default 30.
    pub guests_per_minute: u32,
    /// Requests a minute and address of whoever shows no valid token, 1 to 1,000,000,000. Default 600.
    pub address_requests_per_minute: u32,
    /// Users and addresses remembered by each rate limit, 1,000 to 100,000,000 (some 64 bytes each). With more than
    /// that within a minute, the limit starts anew for everybody. Default 2,000,000.
    pub max_limited_keys: usize,

    /// How long an access token lives, 60 to 86,400 s. Default 900.
    pub access_token_seconds: u32,
    /// How long a refresh token lives, 600 to 31,536,000 s. Default 2,592,000 (30 days).
    pub refresh_token_seconds: u32,
    /// How long a request waits for a worker's answer before it is told to ask later, 50 to 30,000 ms. Default 1,500.
    pub reply_wait_ms: u64,
    /// After how long a worker discards a command that nobody waits for any more, 1,000 to 120,000 ms. Default 15,000.
    pub command_deadline_ms: u64,
    /// Commands waiting for an answer at once, 16 to 1,000,000; one more is refused with 503. Default 50,000.
    pub max_waiting_commands: usize,
}

/// An issuer outside whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideIssuer {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// What their `aud` must hold.
    pub audience: String,
    /// Where its public keys are: an `https:` (or, on a private network, `http:`) address, or the path of a file with
    /// a JWK set.
    pub jwks: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            name: String::new(),
            public_url: "http://localhost:8080".to_owned(),
            secure_cookies: false,
            guests: true,
            sandbox: true,
            webhooks: Vec::new(),
            mail: false,
            default_language: "en".to_owned(),
            pages_folder: None,
            issuers: Vec::new(),
            trusted_proxies: 0,
            max_connections: 65_536,
            header_timeout_ms: 10_000,
            body_timeout_ms: 10_000,
            idle_timeout_seconds: 75,
            drain_seconds: 10,
            max_header_bytes: 16_384,
            max_headers: 100,
            max_body_bytes: 65_536,
            max_venue_bytes: 1_000_000,
            requests_per_minute: 100,
            reserves_per_minute: 5,
            guests_per_minute: 30,
            address_requests_per_minute: 600,
            max_limited_keys: 2_000_000,
            access_token_seconds: 900,
            refresh_token_seconds: 2_592_000,
            reply_wait_ms: 1_500,
            command_deadline_ms: 15_000,
            max_waiting_commands: 50_000,
        }
    }
}

/// A setting outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// A number.
    #[error("{name} is {value}; it must be {min} to {max}")]
    OutOfRange {
        /// Which setting.
        name: &'static str,
        /// What it is.
        value: u64,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// A text.
    #[error("{name} must be {what}")]
    Unfit {
        /// Which setting.
        name: &'static str,
        /// What it must be.
        what: &'static str,
    },
}

impl Settings {
    /// Holds every setting to its limits.
    ///
    /// # Errors
    /// The first setting that is outside them.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        const RATE: (u64, u64) = (1, 1_000_000_000);
        let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let within = [
            ("issuers", size(self.issuers.len()), (0, 16)),
            ("trusted_proxies", self.trusted_proxies.into(), (0, 8)),
            ("max_connections", size(self.max_connections), (16, 1_000_000)),
            ("header_timeout_ms", self.header_timeout_ms, (100, 120_000)),
            ("body_timeout_ms", self.body_timeout_ms, (100, 120_000)),
            ("idle_timeout_seconds", self.idle_timeout_seconds, (1, 3_600)),
            ("drain_seconds", self.drain_seconds, (0, 600)),
            ("max_header_bytes", size(self.max_header_bytes), (8_192, 1_048_576)),
            ("max_headers", size(self.max_headers), (8, 1_000)),
            ("max_body_bytes", size(self.max_body_bytes), (1_024, 1_048_576)),
            ("max_venue_bytes", size(self.max_venue_bytes), (1_024, 1_000_000)),
            ("requests_per_minute", self.requests_per_minute.into(), RATE),
            ("reserves_per_minute", self.reserves_per_minute.into(), RATE),
            ("guests_per_minute", self.guests_per_minute.into(), RATE),
            ("address_requests_per_minute", self.address_requests_per_minute.into(), RATE),
            ("max_limited_keys", size(self.max_limited_keys), (1_000, 100_000_000)),
            ("access_token_seconds", self.access_token_seconds.into(), (60, 86_400)),
            ("refresh_token_seconds", self.refresh_token_seconds.into(), (600, 31_536_000)),
            ("reply_wait_ms", self.reply_wait_ms, (50, 30_000)),
            ("command_deadline_ms", self.command_deadline_ms, (1_000, 120_000)),
            ("max_waiting_commands", size(self.max_waiting_commands), (16, 1_000_000)),
        ];
        for (name, value, (min, max)) in within {
            if !(min..=max).contains(&value) {
                return Err(InvalidSetting::OutOfRange { name, value, min, max });
            }
        }
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if self.name.len() > 64 || !is_name(&self.name) {
            let what = "empty, or at most 64 letters, digits, '-' or '_'";
            return Err(InvalidSetting::Unfit { name: "name", what });
        }
        let is_web = self.public_url.starts_with("http://") || self.public_url.starts_with("https://");
        if !is_web || self.public_url.ends_with('/') || self.public_url.len() > 512 {
            let what = "an http: or https: address without a slash at its end, 512 bytes at most";
            return Err(InvalidSetting::Unfit { name: "public_url", what });
        }
        for issuer in &self.issuers {
            if issuer.issuer.is_empty() || issuer.audience.is_empty() || issuer.jwks.is_empty() {
                let what = "a list of issuers, each with its issuer, audience and jwks";
                return Err(InvalidSetting::Unfit { name: "issuers", what });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_limits() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(serde_json::from_str::<Settings>(r#"{"requests_per_minut": 3}"#).is_err());
    }

    #[test]
    fn a_rate_of_zero_is_refused_by_name() {
        let wrong = Settings { reserves_per_minute: 0, ..Settings::default() };
        assert!(wrong.check().unwrap_err().to_string().starts_with("reserves_per_minute is 0"));
    }
}
