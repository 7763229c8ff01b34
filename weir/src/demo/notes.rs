//! What a simulated visitor writes down, for the check afterwards.

use booking_core::{digest::Digest, time::Timestamp};

use crate::api::answers::PlaceView;

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With tickets.
    Booked,
    /// Not there when called.
    NoShow,
    /// Left by their own choice: while waiting, with seats held, or after a declined payment.
    Left,
    /// The sale ended, or no seats were left, before they had any.
    SoldOut,
    /// The place lapsed twice.
    Lapsed,
    /// An answer that the contract does not have, or nothing but refusals.
    Failed,
}

/// What a visitor wrote down, for the check afterwards.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Their entry in the draw.
    pub(super) entry: Option<Digest>,
    /// Batch, index and rank as shown.
    pub(super) drawn: Option<(u32, u64, u64)>,
    /// The lowest position shown.
    position: Option<u64>,
    /// Whether a position shown was higher than one before.
    pub(super) position_rose: bool,
    /// Whether entry, batch, index or rank changed once they were shown.
    pub(super) place_changed: bool,
    /// When the desk admitted them, and until when their session was surely alive.
    pub(super) admitted: Option<(Timestamp, Timestamp)>,
    /// The seats on their tickets.
    pub(super) tickets: Vec<String>,
    /// The booking that the tickets are of, and the access token that shows it.
    pub(super) booking: Option<(String, String)>,
    /// How many holds they got.
    pub(super) holds: u32,
    /// The longest time in which nothing but troubles of the server's came back, in milliseconds.
    pub(super) troubled_ms: u32,
    /// How long joining took, in microseconds.
    pub(super) join_us: Option<u32>,
    /// How long each try to reserve took, in microseconds.
    pub(super) reserve_us: Vec<u32>,
    /// How often seats they wanted were taken.
    pub(super) conflicts: u32,
    /// How often their payment was declined.
    pub(super) declined: u32,
}

impl Notes {
    /// Takes in a place view: what was shown once must stay, and a position must never rise.
    pub(super) fn read(&mut self, view: &PlaceView) {
        self.place_changed |= self.entry.is_some_and(|entry| entry != view.entry);
        self.entry = Some(view.entry);
        if let (Some(batch), Some(index), Some(rank)) = (view.batch, view.index, view.rank) {
            self.place_changed |= self.drawn.is_some_and(|drawn| drawn != (batch, index, rank));
            self.drawn = Some((batch, index, rank));
        }
        if let Some(position) = view.position {
            self.position_rose |= self.position.is_some_and(|lowest| position > lowest);
            self.position = Some(self.position.map_or(position, |lowest| lowest.min(position)));
        }
    }

    /// The session ended no sooner than `at`, when what ended it was sent.
    pub(super) fn session_alive_until(&mut self, at: Timestamp) {
        if let Some((_, until)) = &mut self.admitted {
            *until = (*until).min(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(rank: u64, position: u64) -> PlaceView {
        serde_json::from_value(json!({
            "placeToken": "token", "entry": "07".repeat(32), "state": "waiting", "batch": 0, "index": 3,
            "rank": rank, "position": position, "ahead": position, "turn": null, "pollAfterMs": 1_500,
        }))
        .unwrap()
    }

    #[test]
    fn a_position_that_falls_is_fine_and_one_that_rises_is_noted_for_good() {
        let mut notes = Notes::default();
        for position in [9, 9, 4] {
            notes.read(&view(8, position));
        }
        assert!(!notes.position_rose && !notes.place_changed);
        for position in [5, 3] {
            notes.read(&view(8, position));
        }
        assert!(notes.position_rose);
    }

    #[test]
    fn a_rank_that_changes_once_it_was_shown_is_noted() {
        let mut notes = Notes::default();
        notes.read(&view(8, 9));
        notes.read(&view(7, 8));
        assert!(notes.place_changed);
    }
}
