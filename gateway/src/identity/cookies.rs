//! The cookies of a page's session. None can be read by a script.

use booking_core::id::EventId;
use http::{HeaderMap, HeaderValue, header};

/// The access token.
pub(crate) const SESSION: &str = "weir_session";
/// The refresh token; sent to the pages' own addresses only.
pub(crate) const REFRESH: &str = "weir_refresh";
/// Cookie headers beyond this many bytes are not looked at.
const MAX_COOKIE_BYTES: usize = 16_384;

/// The name of the cookie with the place token of `event`.
pub(crate) fn place(event: &EventId) -> String {
    format!("weir_place_{event}")
}

/// The value of the cookie `name`.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter(|line| line.len() <= MAX_COOKIE_BYTES);
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name && !value.is_empty()).then_some(value))
}

/// The value of the cookie with the place token of `event`, without making its name anew.
pub(crate) fn read_place<'a>(headers: &'a HeaderMap, event: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter(|line| line.len() <= MAX_COOKIE_BYTES);
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("weir_place_")?.split_once('='))
        .find_map(|(found, value)| (found == event && !value.is_empty()).then_some(value))
}

/// A `Set-Cookie` line. `seconds` 0 removes the cookie.
pub(crate) fn set(name: &str, value: &str, path: &str, seconds: u32, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let line = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&line).expect("tokens and ids are plain ASCII without semicolons")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_of_the_exact_name_is_read() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xweir_session=no; weir_session=yes"));
        headers.append(header::COOKIE, HeaderValue::from_static("weir_place_evt_12=far; weir_place_evt_1=near"));
        assert_eq!(read(&headers, SESSION), Some("yes"));
        assert_eq!(read(&headers, REFRESH), None);
        assert_eq!(read_place(&headers, "evt_1"), Some("near"));
    }
}
