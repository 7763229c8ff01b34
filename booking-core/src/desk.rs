//! The desk's rule: one place and one admission an identity, at most the rate, at most the cap (invariants 6 and 7).
//!
//! Pure: a backend holds a [`DeskState`] (or decides the same in its own words) and keeps what it decides.

use serde::{Deserialize, Serialize};

use crate::{
    id::{SessionId, UserId},
    line::Place,
    time::Timestamp,
};

mod came;
mod fact;
#[cfg(test)]
mod properties;
mod rate;
mod state;

pub use fact::{DeskFact, Identity};
pub use state::DeskState;

/// Why an admission ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// Its booking is confirmed.
    Booked,
    /// Its owner gave the place up.
    GivenUp,
    /// An operator revoked it.
    Revoked,
}

/// Where an identity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The place.
    pub place: Place,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
}

/// A called visitor at the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitRequest {
    /// Who.
    pub user: UserId,
    /// Their place.
    pub place: Place,
    /// Its rank, drawn.
    pub rank: u64,
    /// The session to open, if one is opened: made by the caller, unpredictable.
    pub session: SessionId,
    /// Admissions a minute.
    pub rate_per_minute: u32,
    /// The most sessions alive at once.
    pub max_active: u32,
    /// How long a session lives.
    pub session_seconds: u32,
}

/// What the desk answers a called visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admit {
    /// In; the same answer as long as the admission lives.
    Admitted {
        /// The session.
        session: SessionId,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// Not now: the rate or the cap is used up. They stay first; come again no sooner than in this many milliseconds.
    Full {
        /// At least 1.
        retry_after_ms: u64,
    },
    /// This identity stands at another place, or at none.
    NotTheirPlace,
    /// The admission of this place is over; `None`: it ran out of time.
    Over(Option<Ended>),
}

/// How full the desk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Sessions alive.
    pub active: u64,
    /// Admissions ever.
    pub admitted: u64,
    /// Places whose owner came to the desk after being called, admitted or not yet.
    pub came: u64,
    /// Of those, the ones at or above the rank asked about.
    pub came_from_rank: u64,
    /// Places given up.
    pub left: u64,
}

/// A change at the desk, as gateways follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its number: 1, 2, 3 … in this event.
    pub number: u64,
    /// Whose.
    pub place: Place,
    /// What.
    pub what: ChangeKind,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// Admitted until this moment.
    Admitted(Timestamp),
    /// Its admission, or its place before any, ended.
    Ended(Ended),
}
