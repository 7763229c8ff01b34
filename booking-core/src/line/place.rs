//! What a visitor is shown of their place, worked out from memory alone.

use serde::{Deserialize, Serialize};

use super::{
    Place,
    state::{LineState, Phase, Ranked, Turn},
};
use crate::{desk::Ended, digest::Digest, id::EventId, time::Timestamp};

/// Where a place stands, for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PlaceState {
    /// Before the opening.
    Lobby,
    /// Its batch is not drawn yet.
    Drawing,
    /// Drawn, not called.
    Waiting,
    /// May come in now.
    Called,
    /// Is in.
    Admitted,
    /// Missed a turn; with a `turn` still to come, or over.
    Lapsed,
    /// Given up.
    Left,
    /// Over: booked, revoked, the admission ran out, or the line has ended.
    Ended,
}

/// What the desk knows of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Never admitted.
    #[default]
    Absent,
    /// Admitted until then.
    Admitted(Timestamp),
    /// Over; `None`: the admission ran out of time.
    Over(Option<Ended>),
}

impl Presence {
    /// The same at `now`: an admission whose time has passed is over.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Admitted(until) if now >= until => Self::Over(None),
            other => other,
        }
    }
}

/// What is known of a place besides the line's state.
#[derive(Debug, Clone)]
pub struct PlaceFacts {
    /// The token to go on with, as text.
    pub token: String,
    /// The place.
    pub place: Place,
    /// Its public entry.
    pub entry: Digest,
    /// When it was taken.
    pub joined_at: Timestamp,
    /// Where it came out of the draw, if it was drawn.
    pub ranked: Option<Ranked>,
    /// What the desk knows.
    pub presence: Presence,
    /// How many have joined altogether, about: spreads the polls around the opening.
    pub crowd: u64,
}

/// How long it may take to be called: at least and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Eta {
    /// At least, in seconds.
    pub low_seconds: u64,
    /// At most, as things go, in seconds.
    pub high_seconds: u64,
}

/// A window in which to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnView {
    /// From when.
    pub opens_at: Timestamp,
    /// Until when.
    pub closes_at: Timestamp,
    /// Whether there is none after it.
    pub last: bool,
}

/// A place as its owner is shown it: `api.md`'s place view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceView {
    /// Of which event.
    pub event_id: EventId,
    /// The token to show from now on.
    pub place_token: String,
    /// The public entry, by which anyone can follow this place through the draw.
    pub entry: Digest,
    /// Where it stands.
    pub state: PlaceState,
    /// Its batch, once drawn.
    pub batch: Option<u32>,
    /// Its index in the batch, once drawn.
    pub index: Option<u64>,
    /// Its number in the calling order, from 0, once drawn.
    pub rank: Option<u64>,
    /// Its number among those not called, from 1; never rises (invariant 4).
    pub position: Option<u64>,
    /// How many are to be called before it.
    pub ahead: Option<u64>,
    /// How many have joined this line, about.
    pub joined: u64,
    /// When the place was taken.
    pub joined_at: Timestamp,
    /// How long it may take; `None` where that is not known.
    pub eta: Option<Eta>,
    /// The window that is open, or the one to come after a lapse.
    pub turn: Option<TurnView>,
    /// Whether the place is over and its owner may take a new one, at the end of the line.
    pub may_rejoin: bool,
    /// When to ask again, in milliseconds.
    pub poll_after_ms: u64,
    /// What the sale is doing.
    pub phase: Phase,
    /// Whether calling rests.
    pub paused: bool,
    /// Admissions a minute.
    pub rate_per_minute: u32,
    /// How many have been called.
    pub served: u64,
    /// When this was worked out.
    pub server_time: Timestamp,
}

/// Works out what the owner of a place is shown at `now`.
pub fn view(state: &LineState, facts: &PlaceFacts, now: Timestamp) -> PlaceView {
    let phase = state.phase(now);
    let rank = facts.ranked.map(|ranked| ranked.rank);
    let ahead = rank.map(|rank| rank.saturating_sub(state.served()));
    let (place_state, turn) = stand(state, phase, rank, facts.presence.at(now), now);
    let eta = ahead.filter(|_| place_state == PlaceState::Waiting).and_then(|ahead| eta(state, phase, ahead, now));
    PlaceView {
        event_id: state.event().clone(),
        place_token: facts.token.clone(),
        entry: facts.entry,
        state: place_state,
        batch: facts.ranked.map(|ranked| ranked.batch),
        index: facts.ranked.map(|ranked| ranked.index),
        rank,
        position: rank.map(|rank| (rank + 1).saturating_sub(state.served()).max(1)),
        ahead,
        joined: facts.crowd.max(state.drawn()),
        joined_at: facts.joined_at,
        eta,
        turn,
        may_rejoin: may_rejoin(state, rank, facts.presence, now),
        poll_after_ms: poll_after_ms(state, facts, place_state, turn, ahead, now),
        phase,
        paused: state.is_paused(),
        rate_per_minute: state.rate_per_minute(),
        served: state.served(),
        server_time: now,
    }
}

/// Whether a place is over in a way that lets its owner join anew: given up, lapsed twice, or admitted until the time
/// ran out. Whoever booked, or was revoked, keeps the place that ended.
pub fn may_rejoin(state: &LineState, rank: Option<u64>, presence: Presence, now: Timestamp) -> bool {
    let over = match presence.at(now) {
        Presence::Over(None | Some(Ended::GivenUp)) => true,
        Presence::Over(Some(Ended::Booked | Ended::Revoked)) | Presence::Admitted(_) => false,
        Presence::Absent => rank.is_some_and(|rank| state.turn_at_desk(rank, now) == Turn::Over),
    };
    over && state.phase(now) != Phase::Closed
}

fn stand(
    state: &LineState,
    phase: Phase,
    rank: Option<u64>,
    presence: Presence,
    now: Timestamp,
) -> (PlaceState, Option<TurnView>) {
    let turn = match (presence, rank) {
        // Whoever is in stays in to the end of the admission, even past the end of the line.
        (Presence::Admitted(_), _) => return (PlaceState::Admitted, None),
        (Presence::Over(Some(Ended::GivenUp)), _) => return (PlaceState::Left, None),
        (Presence::Over(_), _) => return (PlaceState::Ended, None),
        (Presence::Absent, _) if phase == Phase::Closed => return (PlaceState::Ended, None),
        (Presence::Absent, None) if matches!(phase, Phase::Scheduled | Phase::Lobby) => {
            return (PlaceState::Lobby, None);
        }
        (Presence::Absent, None) => return (PlaceState::Drawing, None),
        (Presence::Absent, Some(rank)) => state.turn(rank, now),
    };
    match turn {
        Turn::NotYet => (PlaceState::Waiting, None),
        Turn::Open { opens_at, closes_at, last } => (PlaceState::Called, Some(TurnView { opens_at, closes_at, last })),
        Turn::Between { opens_at, closes_at } => {
            (PlaceState::Lapsed, Some(TurnView { opens_at, closes_at, last: true }))
        }
        Turn::Over => (PlaceState::Lapsed, None),
    }
}

/// The stretch of the line's clock that tells how fast it really goes, in milliseconds.
const ETA_WINDOW_MS: i64 = 120_000;
/// Before this much calling, how fast it really goes is not known.
const ETA_KNOWN_AFTER_MS: i64 = 15_000;

/// How long `ahead` people take: between the rate that the operator set and the one seen lately, whichever is the
/// faster and the slower, and a margin to both sides.
fn eta(state: &LineState, phase: Phase, ahead: u64, now: Timestamp) -> Option<Eta> {
    if phase != Phase::Open {
        return None;
    }
    let set = u128::from(state.rate_per_minute().max(1));
    let (fast, slow) = match state.calling_for_ms(now) {
        Some(for_ms) if for_ms >= ETA_KNOWN_AFTER_MS => {
            let window_ms = for_ms.min(ETA_WINDOW_MS);
            let called = u128::from(state.called_within(window_ms, now));
            let seen = called * 60_000 / u128::try_from(window_ms).unwrap_or(1).max(1);
            // While nobody is called for want of room, the end is not in sight: say ten times as long, not for ever.
            (set.max(seen), set.min(seen).max(set.div_ceil(10)))
        }
        _ => (set, set),
    };
    let ahead_minutes = u128::from(ahead) * 60;
    let low = ahead_minutes * 85 / (fast * 100);
    let high = (ahead_minutes * 130).div_ceil(slow * 100) + 2;
    Some(Eta { low_seconds: round_down(low), high_seconds: round_up(high) })
}

/// The grain of a time shown to people, in seconds: finer would only flicker.
fn grain(seconds: u128) -> u128 {
    match seconds {
        0..60 => 5,
        60..600 => 30,
        600..3_600 => 60,
        _ => 300,
    }
}

fn round_down(seconds: u128) -> u64 {
    u64::try_from(seconds - seconds % grain(seconds)).unwrap_or(u64::MAX)
}

fn round_up(seconds: u128) -> u64 {
    u64::try_from(seconds.next_multiple_of(grain(seconds))).unwrap_or(u64::MAX)
}

/// The least and the most that a visitor waits between two polls, before half of it is left to the lot; milliseconds.
const POLL_MS: (u64, u64) = (2_000, 30_000);
/// How long after the opening the draw is there, in milliseconds.
const DRAWN_AFTER_MS: u64 = 500;
/// How many polls a second a crowd that waits for one moment is spread to.
const CROWD_POLLS_PER_SECOND: u64 = 10_000;

fn poll_after_ms(
    state: &LineState,
    facts: &PlaceFacts,
    place_state: PlaceState,
    turn: Option<TurnView>,
    ahead: Option<u64>,
    now: Timestamp,
) -> u64 {
    let until = |at: Timestamp| u64::try_from(at.millis_since(now)).unwrap_or(0);
    let (least, most) = POLL_MS;
    let crowd_ms = (facts.crowd.saturating_mul(1_000) / CROWD_POLLS_PER_SECOND).clamp(least, most);
    let base = match place_state {
        PlaceState::Lobby => {
            let opens_in = state.policy().map_or(most, |policy| until(policy.opens_at));
            // The last poll before the opening names a moment after it, each visitor's another.
            if opens_in <= most {
                return opens_in + DRAWN_AFTER_MS + spread(crowd_ms, facts);
            }
            (opens_in / 4).min(most)
        }
        PlaceState::Drawing => crowd_ms,
        PlaceState::Waiting => {
            let ahead_ms = u128::from(ahead.unwrap_or(0)) * 60_000 / u128::from(state.rate_per_minute().max(1));
            u64::try_from(ahead_ms / 10).unwrap_or(most)
        }
        PlaceState::Lapsed => turn.map_or(most, |turn| until(turn.opens_at)),
        PlaceState::Called => least,
        PlaceState::Admitted => 10_000,
        PlaceState::Left | PlaceState::Ended => most,
    };
    let base = base.clamp(least, most);
    // Half of it for certain, the other half by lot: waves run apart.
    base / 2 + spread(base / 2, facts)
}

/// A number from 0 to `width` that is this visitor's own.
fn spread(width: u64, facts: &PlaceFacts) -> u64 {
    let lot = facts.entry.0.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    (u64::from(lot) * width.min(u64::from(u32::MAX))) >> 32
}

#[cfg(test)]
mod tests;
