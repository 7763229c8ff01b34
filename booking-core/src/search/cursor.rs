//! Where a page begins: behind an event that was found, wherever others have come in between since.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::attempt::Patience;
use crate::{id::EventId, time::Timestamp};

/// The event before the page, by what events are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// How far the search had gone: the next page goes no further.
    pub patience: Patience,
    /// What the event's words weigh.
    pub score: u32,
    /// When it begins.
    pub starts_at: Timestamp,
    /// Which one it is.
    pub event_id: EventId,
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not one that an answer had as nextCursor")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { patience, score, starts_at, event_id } = self;
        let text = format!("{}.{score}.{}.{event_id}", patience.number(), starts_at.as_millis());
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let read = || {
            let text = URL_SAFE_NO_PAD.decode(text).ok()?;
            let mut parts = std::str::from_utf8(&text).ok()?.splitn(4, '.');
            Some(Self {
                patience: Patience::of(parts.next()?.parse().ok()?)?,
                score: parts.next()?.parse().ok()?,
                starts_at: Timestamp::from_millis(parts.next()?.parse().ok()?),
                event_id: parts.next()?.parse().ok()?,
            })
        };
        read().ok_or(InvalidCursor)
    }
}
