//! What all simulated visitors share: the sale they came for, and what they have done so far, counted.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use booking_core::{ports::clock::Clock as _, time::Timestamp};

use super::seats::Hall;
use crate::{api::Api, system::SystemClock};

/// How many different unexpected answers are written down.
const MAX_WRITTEN_DOWN: usize = 20;

/// The sale, as the crowd knows it.
pub(super) struct World {
    pub(super) api: Api,
    /// The event's id.
    pub(super) event: String,
    /// How long an admission lives.
    pub(super) session_seconds: u32,
    /// The seats.
    pub(super) hall: Hall,
    /// How many seats the crowd leaves to whoever joins by hand.
    pub(super) seats_to_leave: u64,
    /// Whether visitors send each request to another gateway.
    pub(super) roams: bool,
    /// What happened so far.
    pub(super) tally: Tally,
    written_down: Mutex<BTreeMap<String, u64>>,
}

/// Counts for the progress bars.
#[derive(Debug, Default)]
pub(super) struct Tally {
    joined: AtomicU64,
    through: AtomicU64,
    admitted: AtomicU64,
    seats_booked: AtomicU64,
    bookings: AtomicU64,
    conflicts: AtomicU64,
    declined: AtomicU64,
    refused: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) joined: u64,
    /// Visits that are over.
    pub(super) through: u64,
    pub(super) admitted: u64,
    pub(super) seats_booked: u64,
    pub(super) bookings: u64,
    pub(super) conflicts: u64,
    pub(super) declined: u64,
    /// Answers that had to be repeated.
    pub(super) refused: u64,
}

impl Tally {
    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }
    pub(super) fn through(&self) {
        self.through.fetch_add(1, Relaxed);
    }
    pub(super) fn admitted(&self) {
        self.admitted.fetch_add(1, Relaxed);
    }
    pub(super) fn booked(&self, seats: usize) {
        self.bookings.fetch_add(1, Relaxed);
        self.seats_booked.fetch_add(seats as u64, Relaxed);
    }
    pub(super) fn conflict(&self) {
        self.conflicts.fetch_add(1, Relaxed);
    }
    pub(super) fn declined(&self) {
        self.declined.fetch_add(1, Relaxed);
    }
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            joined: self.joined.load(Relaxed),
            through: self.through.load(Relaxed),
            admitted: self.admitted.load(Relaxed),
            seats_booked: self.seats_booked.load(Relaxed),
            bookings: self.bookings.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            declined: self.declined.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }
}

impl World {
    pub(super) fn new(api: Api, event: String, session_seconds: u32, hall: Hall) -> Self {
        let (tally, written_down) = (Tally::default(), Mutex::default());
        Self { api, event, session_seconds, hall, seats_to_leave: 0, roams: false, tally, written_down }
    }

    /// A path of the event.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v1/events/{}{rest}", self.event)
    }

    /// The wall clock; the crowd sits on the server's machine.
    pub(super) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// Whether the crowd still wants seats, or leaves the last ones to others.
    pub(super) fn wants_more(&self) -> bool {
        let booked = self.tally.seats_booked.load(Relaxed);
        self.seats_to_leave == 0 || booked + self.seats_to_leave < self.hall.len() as u64
    }

    /// Keeps an answer that nobody expected.
    pub(super) fn write_down(&self, text: String) {
        let mut written = self.written_down.lock().expect("nobody panics while writing down");
        if written.len() < MAX_WRITTEN_DOWN || written.contains_key(&text) {
            *written.entry(text).or_default() += 1;
        }
    }

    /// What was written down, with how often.
    pub(super) fn written_down(&self) -> Vec<(String, u64)> {
        let written = self.written_down.lock().expect("nobody panics while writing down");
        written.iter().map(|(text, times)| (text.clone(), *times)).collect()
    }
}
