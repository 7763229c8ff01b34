//! Rate limits: how many requests a user or an address may make a minute, by GCRA.
//!
//! What is remembered is bounded: a sweep forgets who has been quiet, and a store past its cap starts anew.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
};

use arc_swap::ArcSwap;
use booking_core::id::UserId;
use bytes::Bytes;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{problem::Problem, settings::Settings};

/// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit` (the same draft).
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Header values made beforehand, for limits up to this.
const MAX_PREPARED: u32 = 4_096;
/// The window that every limit is over, in seconds.
const WINDOW_SECONDS: u64 = 60;
/// How often stores are swept, in seconds.
pub(crate) const SWEEP_SECONDS: u64 = 10;

type Keyed = RateLimiter<u64, DashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// One limit, for many keys.
pub(crate) struct Limit {
    name: &'static str,
    per_minute: NonZeroU32,
    max_keys: usize,
    clock: DefaultClock,
    keyed: ArcSwap<Keyed>,
    policy: HeaderValue,
    prepared: Vec<HeaderValue>,
}

/// How much of a limit is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left(u32);

impl Limit {
    fn new(name: &'static str, per_minute: u32, max_keys: usize) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        let text = format!("\"{name}\";q={per_minute};w={WINDOW_SECONDS}");
        let policy = forever(text.into_bytes());
        let count = if per_minute.get() <= MAX_PREPARED { per_minute.get() + 1 } else { 0 };
        let prepared = (0..count).map(|left| forever(left_text(name, per_minute, left))).collect();
        Self {
            name,
            per_minute,
            max_keys,
            clock: DefaultClock::default(),
            keyed: ArcSwap::from_pointee(keyed(per_minute)),
            policy,
            prepared,
        }
    }

    /// Counts one request of `key`.
    ///
    /// # Errors
    /// [rate-limited], with when to come again.
    pub(crate) fn check(&self, key: u64) -> Result<Left, Problem> {
        match self.keyed.load().check_key(&key) {
            Ok(state) => Ok(Left(state.remaining_burst_capacity().min(self.per_minute.get()))),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let detail = format!("No more than {} a minute; come again in {} s.", self.per_minute, seconds.max(1));
                Err(Problem::rate_limited(detail).retry_after(seconds).with("limit", self.name))
            }
        }
    }

    /// Says in the headers how much is left.
    pub(crate) fn write(&self, headers: &mut HeaderMap, left: Left) {
        let value = match self.prepared.get(left.0 as usize) {
            Some(value) => value.clone(),
            None => HeaderValue::from_maybe_shared(Bytes::from(left_text(self.name, self.per_minute, left.0)))
                .expect("a limit's name is plain ASCII"),
        };
        headers.insert(POLICY, self.policy.clone());
        headers.insert(LIMIT, value);
    }

    /// Says in the headers that nothing is left.
    pub(crate) fn write_none(&self, headers: &mut HeaderMap) {
        self.write(headers, Left(0));
    }

    fn sweep(&self) {
        let store = self.keyed.load();
        store.retain_recent();
        if store.len() > self.max_keys {
            tracing::warn!(
                limit = self.name,
                keys = store.len(),
                "a rate limit remembers too many keys and starts anew"
            );
            self.keyed.store(keyed(self.per_minute).into());
        } else {
            store.shrink_to_fit();
        }
    }
}

fn keyed(per_minute: NonZeroU32) -> Keyed {
    RateLimiter::dashmap(Quota::per_minute(per_minute)).with_middleware()
}

/// A header value that is never freed: a few kilobytes a process. Cloning it touches no counter, which all cores would
/// otherwise write to with every request.
fn forever(text: Vec<u8>) -> HeaderValue {
    let text = String::from_utf8(text).expect("a limit's name is plain ASCII");
    HeaderValue::from_static(text.leak())
}

/// Written without `format!`, because a limit too large to be prepared for is met by every request.
fn left_text(name: &str, per_minute: NonZeroU32, left: u32) -> Vec<u8> {
    let used = u64::from(per_minute.get().saturating_sub(left));
    let full_again = (used * WINDOW_SECONDS).div_ceil(per_minute.get().into());
    let mut text = Vec::with_capacity(48);
    text.push(b'"');
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\";r=");
    push_number(&mut text, left.into());
    text.extend_from_slice(b";t=");
    push_number(&mut text, full_again);
    text
}

/// Writes `value` in decimal digits.
pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    // The largest number has 20 digits.
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] += u8::try_from(value % 10).expect("a remainder of ten is one digit");
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Every limit of the gateway.
pub(crate) struct Limits {
    hash: RandomState,
    /// Requests of a user.
    pub(crate) requests: Limit,
    /// Attempts of a user to reserve seats.
    pub(crate) reserves: Limit,
    /// Guests made by an address.
    pub(crate) guests: Limit,
    /// Requests of an address without a valid token.
    pub(crate) addresses: Limit,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        let limit = |name, per_minute| Limit::new(name, per_minute, settings.max_limited_keys);
        Self {
            hash: RandomState::new(),
            requests: limit("default", settings.requests_per_minute),
            reserves: limit("reserve", settings.reserves_per_minute),
            guests: limit("guests", settings.guests_per_minute),
            addresses: limit("address", settings.address_requests_per_minute),
        }
    }

    /// What a user is counted under.
    pub(crate) fn user_key(&self, user: &UserId) -> u64 {
        self.key_of_user(user.as_str())
    }

    /// The same by the user's id as text.
    pub(crate) fn key_of_user(&self, user: &str) -> u64 {
        self.hash.hash_one(user)
    }

    /// What an address is counted under: IPv4 whole, IPv6 by its /64.
    pub(crate) fn address_key(&self, address: IpAddr) -> u64 {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.hash.hash_one(v4),
            IpAddr::V6(v6) => self.hash.hash_one(&v6.octets()[..8]),
        }
    }

    /// Forgets who has been quiet.
    pub(crate) fn sweep(&self) {
        for limit in [&self.requests, &self.reserves, &self.guests, &self.addresses] {
            limit.sweep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32) -> Limits {
        Limits::new(&Settings { requests_per_minute: requests, ..Settings::default() })
    }

    #[test]
    fn the_headers_count_down_and_then_the_refusal_says_when_to_come_again() {
        let limits = limits(2);
        let mut headers = HeaderMap::new();
        let left = limits.requests.check(1).unwrap();
        limits.requests.write(&mut headers, left);
        assert_eq!(headers[POLICY], "\"default\";q=2;w=60");
        assert_eq!(headers[LIMIT], "\"default\";r=1;t=30");
        limits.requests.check(1).unwrap();
        let refused = limits.requests.check(1).unwrap_err();
        assert_eq!(refused.slug(), "rate-limited");
        assert!(limits.requests.check(2).is_ok(), "another key has a limit of its own");
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let limits = limits(2);
        let key = |text: &str| limits.address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
