//! An event that begins at another time than it was sold for.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::time::Timestamp;

/// The most times that an event is moved.
pub const MAX_MOVES: usize = 20;
/// The longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 500;
/// How long whoever had booked may give back in full, unless the operator says until when: 14 days, in seconds.
pub const GIVE_BACK_SECONDS: u32 = 14 * 86_400;

/// For how long after a move, in milliseconds, a booking counts as made for the start before it: pages that were open may
/// still have shown that.
pub const KNOWN_AFTER_MS: i64 = 60_000;

/// A move of an event. Bookings stand; whoever had booked before it may give back in full for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// The command that did it, by its id: done twice, it is one move.
    pub command: String,
    /// Which of the event's moves, from 1.
    pub number: u32,
    /// When it was decided.
    pub at: Timestamp,
    /// When the event was to begin before.
    pub from: Timestamp,
    /// When it begins now.
    pub to: Timestamp,
    /// Why, for those who have tickets.
    pub reason: String,
    /// Until when whoever had booked gets the whole price back, whatever the refund policy says.
    pub give_back_until: Timestamp,
}

impl Moved {
    /// Whoever booked until then, this moment included, had booked for another time.
    pub fn booked_until(&self) -> Timestamp {
        self.at.plus_millis(KNOWN_AFTER_MS)
    }
}

/// What an operator wants of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// When the event is to begin.
    pub starts_at: Timestamp,
    /// Why, for those who have tickets.
    pub reason: String,
    /// Until when whoever had booked may give back in full. By default for [`GIVE_BACK_SECONDS`], at the latest until
    /// the new start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_back_until: Option<Timestamp>,
}

/// Why an event is not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMove {
    /// No reason, or too long a one.
    #[error("reason must say why, in 1 to {MAX_REASON_CHARS} characters")]
    Reason,
    /// It would begin in the past.
    #[error("startsAt must be in the future")]
    Past,
    /// It begins then already.
    #[error("the event begins at that time already")]
    Same,
    /// A time to give back in that is over, or goes on past the event.
    #[error("giveBackUntil must be in the future, and at the latest the new start")]
    GiveBackUntil,
    /// It was moved too often.
    #[error("an event can be moved at most {MAX_MOVES} times")]
    TooOften,
}

impl Event {
    /// The move that `wanted` becomes at `now`, by `command`.
    ///
    /// # Errors
    /// The first thing that is wrong about it.
    pub fn judge_move(&self, wanted: &Move, command: &str, now: Timestamp) -> Result<Moved, InvalidMove> {
        let reason = wanted.reason.trim();
        if !(1..=MAX_REASON_CHARS).contains(&reason.chars().count()) {
            return Err(InvalidMove::Reason);
        }
        if wanted.starts_at <= now {
            return Err(InvalidMove::Past);
        }
        if wanted.starts_at == self.starts_at {
            return Err(InvalidMove::Same);
        }
        if self.moves.len() >= MAX_MOVES {
            return Err(InvalidMove::TooOften);
        }
        let give_back_until = match wanted.give_back_until {
            Some(until) if until <= now || until > wanted.starts_at => return Err(InvalidMove::GiveBackUntil),
            Some(until) => until,
            None => now.plus_seconds(GIVE_BACK_SECONDS).min(wanted.starts_at),
        };
        Ok(Moved {
            command: command.to_owned(),
            number: u32::try_from(self.moves.len() + 1).unwrap_or(u32::MAX),
            at: now,
            from: self.starts_at,
            to: wanted.starts_at,
            reason: reason.to_owned(),
            give_back_until,
        })
    }

    /// Whether its latest move is what `wanted` asks for: a request that is repeated.
    pub fn is_moved_so(&self, wanted: &Move) -> bool {
        self.moves.last().is_some_and(|moved| {
            moved.to == wanted.starts_at
                && moved.reason == wanted.reason.trim()
                && wanted.give_back_until.is_none_or(|until| until == moved.give_back_until)
        })
    }

    /// The event after `moved`; as it is where it was moved so before. `None` where the move is of another start: somebody
    /// else moved it meanwhile.
    pub fn after(&self, moved: &Moved) -> Option<Self> {
        if self.moves.iter().any(|earlier| earlier.command == moved.command) {
            return Some(self.clone());
        }
        (self.starts_at == moved.from && self.moves.len() + 1 == moved.number as usize && self.moves.len() < MAX_MOVES)
            .then(|| {
                let mut after = Self { starts_at: moved.to, ..self.clone() };
                after.moves.push(moved.clone());
                after
            })
    }

    /// The moves since a booking was made at `booked_at`, oldest first.
    pub fn moves_since(&self, booked_at: Timestamp) -> &[Moved] {
        let first = self.moves.iter().position(|moved| booked_at <= moved.booked_until()).unwrap_or(self.moves.len());
        &self.moves[first..]
    }

    /// Until when a booking made at `booked_at` may be given back in full because the event was moved since. A later
    /// move takes back nothing that an earlier one allowed.
    pub fn give_back_until(&self, booked_at: Timestamp) -> Option<Timestamp> {
        self.moves_since(booked_at).iter().map(|moved| moved.give_back_until).max()
    }

    /// How much of a price is given back for a seat booked at `booked_at` and cancelled at `now`: 0 to 100.
    pub fn refund_percent(&self, booked_at: Timestamp, now: Timestamp) -> u8 {
        if self.is_given_back_in_full(booked_at, now) { 100 } else { self.refund_policy.percent(self.starts_at, now) }
    }

    pub(super) fn is_given_back_in_full(&self, booked_at: Timestamp, now: Timestamp) -> bool {
        now < self.starts_at && self.give_back_until(booked_at).is_some_and(|until| now < until)
    }
}
