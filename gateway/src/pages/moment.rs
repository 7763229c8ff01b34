//! Times as a page shows them before its script puts them into the visitor's own zone.

/// `2030-06-20T19:30:00.000Z` as `2030-06-20 19:30 UTC`: no month's name, so no language. What is no such time is
/// shown as it came.
pub(super) fn in_utc(time: &str) -> String {
    let parts = time.split_once('T').and_then(|(date, rest)| Some((date, rest.get(..5)?)));
    match parts {
        Some((date, clock)) if time.ends_with('Z') => format!("{date} {clock} UTC"),
        _ => time.to_owned(),
    }
}
