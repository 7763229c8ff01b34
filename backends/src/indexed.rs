//! What an index keeps of an event, and what a change makes of it: the same for every index.

use booking_core::search::{Change, Document, SeatsLeft, What};

/// What is kept of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) event_id: String,
    pub(crate) version: u64,
    /// Its seats' version, and how many are left, where that was noted.
    pub(crate) seats: Option<(u64, u64)>,
    /// `None`: it is gone.
    pub(crate) document: Option<Document>,
}

impl Row {
    /// What `change` makes of what stands; `None`: it is no news.
    pub(crate) fn after(before: Option<&Self>, change: &Change) -> Option<Self> {
        if before.is_some_and(|row| row.version >= change.version) {
            return None;
        }
        let document = match &change.what {
            What::Is(document) => Some(document.as_ref().clone()),
            What::Gone => None,
        };
        let seats = before.and_then(|row| row.seats);
        Some(Self { event_id: change.event_id.to_string(), version: change.version, seats, document })
    }

    /// What `noted` makes of what stands, and whether the event has no seats left any more, or some again; `None`: it is
    /// no news.
    pub(crate) fn noted(&self, noted: &SeatsLeft) -> Option<(Self, bool)> {
        if self.document.is_none() || self.seats.is_some_and(|(version, _)| version >= noted.version) {
            return None;
        }
        let turned = self.seats.is_none_or(|(_, before)| before > 0) != (noted.left > 0);
        Some((Self { seats: Some((noted.version, noted.left)), ..self.clone() }, turned))
    }
}
