//! Who has been to the desk, as this gateway has followed it.

use std::collections::HashMap;

use booking_core::{
    desk::{Change, ChangeKind, Ended},
    line::{Place, place::Presence},
    time::Timestamp,
};

/// Seconds that the count of admissions looks back over.
const WINDOW_SECONDS: i64 = 60;
/// A slot for each second of the window and some to spare.
const SLOTS: usize = 64;

/// Places that have been admitted or given up, by place: at most one entry for each of the line.
#[derive(Debug)]
pub(crate) struct Admissions {
    places: HashMap<Place, Presence>,
    last_change: u64,
    /// Admissions of each of the last seconds: the second, and how many.
    seconds: [(i64, u64); SLOTS],
}

impl Default for Admissions {
    fn default() -> Self {
        Self { places: HashMap::new(), last_change: 0, seconds: [(0, 0); SLOTS] }
    }
}

impl Admissions {
    /// What the desk knows of a place.
    pub(crate) fn of(&self, place: Place) -> Presence {
        self.places.get(&place).copied().unwrap_or_default()
    }

    /// The number of the last change taken in.
    pub(crate) fn last_change(&self) -> u64 {
        self.last_change
    }

    /// Takes in a change. `session_seconds`: how long admissions of this sale live.
    pub(crate) fn apply(&mut self, change: &Change, session_seconds: u32) {
        self.last_change = self.last_change.max(change.number);
        match change.what {
            ChangeKind::Admitted(until) => {
                let since = until.as_seconds() - i64::from(session_seconds);
                let slot = &mut self.seconds[usize::try_from(since.rem_euclid(64)).unwrap_or(0)];
                if slot.0 != since {
                    *slot = (since, 0);
                }
                slot.1 += 1;
                self.note(change.place, Presence::Admitted(until));
            }
            ChangeKind::Ended(why) => self.note(change.place, Presence::Over(Some(why))),
        }
    }

    /// Notes what this gateway has just done itself, until the desk's own word comes.
    pub(crate) fn note(&mut self, place: Place, presence: Presence) {
        let over = matches!(self.places.get(&place), Some(Presence::Over(Some(Ended::Booked | Ended::Revoked))));
        if !over {
            self.places.insert(place, presence);
        }
    }

    /// Admissions in the minute before `now`.
    pub(crate) fn in_last_minute(&self, now: Timestamp) -> u64 {
        let now = now.as_seconds();
        let recent = self.seconds.iter().filter(|(at, _)| *at > now - WINDOW_SECONDS && *at <= now + 2);
        recent.map(|(_, count)| count).sum()
    }
}
