//! The line's calls: joining, polling, streaming, claiming, leaving, and the public record of the draw.

use booking_core::{
    id::EventId,
    line::place_token::{InvalidPlaceToken, PlaceToken},
};
use bytes::Bytes;
use http::HeaderMap;

use crate::{
    app::App,
    identity::cookies,
    problem::{Problem, nothing_here},
};

pub(crate) mod admission;
pub(crate) mod claim;
pub(crate) mod draw;
pub(crate) mod join;
pub(crate) mod leave;
pub(crate) mod poll;
pub(crate) mod public;
pub(crate) mod stream;
pub(crate) mod text;
pub(crate) mod view;

/// The header that a place token travels in.
pub(crate) const PLACE_HEADER: &str = "weir-place";

/// The text of the place token in these headers: of the header, or of the event's cookie.
pub(crate) fn place_text<'a>(headers: &'a HeaderMap, event: &str) -> Option<&'a str> {
    match headers.get(PLACE_HEADER) {
        Some(value) => value.to_str().ok(),
        None => cookies::read_place(headers, event),
    }
}

fn no_token() -> Problem {
    Problem::place_invalid("Send the place token in the header Weir-Place.")
}

fn invalid(why: InvalidPlaceToken) -> Problem {
    Problem::place_invalid(format!("{why}."))
}

/// The place token in these headers, for `event`.
///
/// # Errors
/// [place-invalid] where there is none, or none of ours; [not-found] where it is of another event.
pub(crate) fn place_token<'a>(
    app: &App,
    headers: &'a HeaderMap,
    event: &str,
) -> Result<(PlaceToken, &'a str), Problem> {
    let text = place_text(headers, event).ok_or_else(no_token)?;
    let token = app.keys.place.open(text).map_err(invalid)?;
    if token.event.as_str() != event {
        return Err(nothing_here());
    }
    Ok((token, text))
}

/// The same for an event's id.
pub(crate) fn token_of(app: &App, headers: &HeaderMap, event: &EventId) -> Result<(PlaceToken, String), Problem> {
    place_token(app, headers, event.as_str()).map(|(token, text)| (token, text.to_owned()))
}

/// A value as JSON in one piece of about `capacity` bytes.
pub(crate) fn json(value: &impl serde::Serialize, capacity: usize) -> Bytes {
    let mut out = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut out, value).expect("answers are plain data with text keys");
    out.into()
}
