//! Responses that caches understand.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest::{SHA256, digest};

/// The entity tag of `body`, with its quotes.
pub(crate) fn etag_of(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&digest(&SHA256, body).as_ref()[..12]))
}

/// Whether the tags of an `If-None-Match` or `If-Match` hold `etag`. A weak tag counts as its strong one: what is
/// compressed on the way is the same to us.
pub(crate) fn matches(header: &HeaderValue, etag: &str) -> bool {
    let Ok(tags) = header.to_str() else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// A JSON answer with a tag; 304 where the client has it already.
pub(crate) fn cached(headers: &HeaderMap, etag: &str, cache_control: &'static str, body: Bytes) -> Response {
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| matches(known, etag));
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(body) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(etag).expect("a tag is plain ASCII"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_gets_an_empty_answer() {
        let mut headers = HeaderMap::new();
        let fresh = cached(&headers, "\"a\"", "no-cache", Bytes::from_static(b"{}"));
        assert_eq!(fresh.status(), StatusCode::OK);
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"b\", W/\"a\""));
        let known = cached(&headers, "\"a\"", "no-cache", Bytes::from_static(b"{}"));
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    }
}
