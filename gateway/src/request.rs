//! What the gateway knows of a request besides its headers, and the reading of bodies.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::{app::App, limits::Left, problem::Problem};

/// The longest `traceparent` passed on, in bytes: a W3C version 00 has 55.
const MAX_TRACEPARENT_BYTES: usize = 128;

/// Under which limit a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Requests of a user.
    User,
    /// Attempts of a user to reserve seats.
    Reserves,
    /// Guests of an address.
    Guests,
    /// Requests of an address without a valid token.
    Address,
}

/// A request's origin, and how its limits stand. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct RequestInfo {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: IpAddr,
    traceparent: Option<String>,
    counted: Mutex<Option<(Counted, Option<Left>)>>,
}

impl Default for RequestInfo {
    fn default() -> Self {
        Self::new(Ipv4Addr::UNSPECIFIED.into(), None)
    }
}

impl RequestInfo {
    fn new(address: IpAddr, traceparent: Option<String>) -> Self {
        Self { inner: Arc::new(Inner { address, traceparent, counted: Mutex::new(None) }) }
    }

    /// What is known of a request with these `headers` from `peer`.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted_proxies: u8) -> Self {
        let trace = headers.get("traceparent").and_then(|value| value.to_str().ok());
        let trace = trace.filter(|text| text.len() <= MAX_TRACEPARENT_BYTES).map(str::to_owned);
        Self::new(client_address(peer, headers, trusted_proxies), trace)
    }

    /// The visitor's address.
    pub(crate) fn address(&self) -> IpAddr {
        self.inner.address
    }

    /// The W3C trace context that the client sent.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.inner.traceparent.as_deref()
    }

    /// Counts the request under `counted` for `key`.
    ///
    /// # Errors
    /// [rate-limited].
    pub(crate) fn count(&self, app: &App, counted: Counted, key: u64) -> Result<(), Problem> {
        let checked = limit(app, counted).check(key);
        let left = checked.as_ref().ok().copied();
        *self.counted() = Some((counted, left));
        checked.map(drop)
    }

    /// Says in the headers how the limit stands that the request was counted under last.
    pub(crate) fn write(&self, app: &App, headers: &mut HeaderMap) {
        match *self.counted() {
            Some((counted, Some(left))) => limit(app, counted).write(headers, left),
            Some((counted, None)) => limit(app, counted).write_none(headers),
            None => {}
        }
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Option<(Counted, Option<Left>)>> {
        self.inner.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn limit(app: &App, counted: Counted) -> &crate::limits::Limit {
    match counted {
        Counted::User => &app.limits.requests,
        Counted::Reserves => &app.limits.reserves,
        Counted::Guests => &app.limits.guests,
        Counted::Address => &app.limits.addresses,
    }
}

/// The address that the outermost trusted proxy saw: each proxy adds the one it saw at the end of `X-Forwarded-For`,
/// and whatever stands before those may be made up.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: u8) -> IpAddr {
    if trusted_proxies == 0 {
        return peer;
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let seen = lines.iter().rev().flat_map(|line| line.rsplit(','));
    seen.take(trusted_proxies.into()).filter_map(|text| text.trim().parse().ok()).last().unwrap_or(peer)
}

/// A JSON body that must be exactly what is asked for. The service in front has held it to its size and time.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE) {
            let is_json = kind.to_str().is_ok_and(|kind| {
                let essence = kind.split(';').next().unwrap_or("").trim();
                essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
            });
            if !is_json {
                return Err(Problem::invalid_request("Send the body as application/json."));
            }
        }
        let bytes =
            Bytes::from_request(request, app).await.map_err(|_| Problem::invalid_request("The body can't be read."))?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A JSON body, or without one what is so by default.
pub(crate) struct BodyOrNone<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for BodyOrNone<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let is_empty = http_body::Body::size_hint(request.body()).exact() == Some(0);
        if is_empty {
            return Ok(Self(T::default()));
        }
        Body::from_request(request, app).await.map(|Body(body)| Self(body))
    }
}

/// Reads a JSON body.
///
/// # Errors
/// [invalid-request], naming what is wrong and where.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::invalid_request(format!("The body is not as needed: {error}.")))
}

/// The query of a request, as `T`; what can't be read is [invalid-request].
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut http::request::Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::try_from_uri(&head.uri) {
            Ok(query) => Ok(Self(query.0)),
            Err(error) => Err(Problem::invalid_request(format!("The query is not as needed: {}.", error.body_text()))),
        }
    }
}

/// An id in the address. One that is not well formed names nothing: [not-found].
pub(crate) struct Id<T>(pub(crate) T);

impl<T, S> axum::extract::FromRequestParts<S> for Id<T>
where
    T: std::str::FromStr + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(head: &mut http::request::Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::RawPathParams::from_request_parts(head, state).await;
        let path = path.map_err(|_| crate::problem::nothing_here())?;
        let (_, text) = path.iter().next().ok_or_else(crate::problem::nothing_here)?;
        text.parse().map(Self).map_err(|_| crate::problem::nothing_here())
    }
}

/// Two ids in the address, as [`Id`].
pub(crate) struct Ids<A, B>(pub(crate) A, pub(crate) B);

impl<A, B, S> axum::extract::FromRequestParts<S> for Ids<A, B>
where
    A: std::str::FromStr + Send,
    B: std::str::FromStr + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(head: &mut http::request::Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::RawPathParams::from_request_parts(head, state).await;
        let path = path.map_err(|_| crate::problem::nothing_here())?;
        let mut texts = path.iter().map(|(_, text)| text);
        let (first, second) =
            (texts.next().and_then(|id| id.parse().ok()), texts.next().and_then(|id| id.parse().ok()));
        first.zip(second).map(|(first, second)| Self(first, second)).ok_or_else(crate::problem::nothing_here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_is_believed_only_as_far_as_the_proxies_are_ours() {
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6, 203.0.113.9".parse().unwrap());
        headers.append("x-forwarded-for", "10.0.0.2".parse().unwrap());
        let seen = |proxies| client_address(peer, &headers, proxies).to_string();
        assert_eq!(seen(0), "10.0.0.1");
        assert_eq!(seen(1), "10.0.0.2");
        assert_eq!(seen(2), "203.0.113.9");
    }
}
