//! Who is called next, and everything else that a line's keeper decides. Pure: the keeper's driver in `queue-worker`
//! gathers the inputs, appends what is decided here, and folds it like everybody else.
//!
//! Ranks are called in order and never skipped (invariant 5): calling is raising `served`, and by how much says the
//! [`Meter`].

use super::{
    draw::{self, Beacon},
    meter::{Meter, MeterInput},
    record::StateKind,
    state::{LineState, MAX_REVOKED, Phase, size_between},
};
use crate::{
    desk::Counts,
    digest::Digest,
    message::{OperatorAct, Refusal},
    sale::{self, MAX_ACTIVE, RATE_PER_MINUTE, SalePolicy},
    time::Timestamp,
};

/// What the driver sees, gathered for one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// When.
    pub now: Timestamp,
    /// Each lane's end: the offset after its last acknowledged join.
    pub lane_ends: Vec<u64>,
    /// How full the desk is. Asked with [`Self::counted_from`].
    pub counts: Counts,
    /// The rank that `counts.came_from_rank` counts from: [`LineState::first_open_rank`] when it was asked.
    pub counted_from: u64,
    /// Seats there are.
    pub seats: u64,
    /// Seats that are held.
    pub held: u64,
    /// Seats that are booked.
    pub booked: u64,
    /// Admissions alive that hold no seat.
    pub browsing: u64,
    /// How many holds the pool can take a second, where measured.
    pub holds_per_second: Option<u32>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Close a batch that ends here: work out its root from the entries, then append what [`close_batch`] makes of it.
    CloseBatch {
        /// The first offset of each lane that is not in it.
        ends: Vec<u64>,
    },
    /// Append this.
    Append(StateKind),
}

/// The most decisions of one step: one batch, sold out or reopened, one call.
pub const MAX_DECISIONS: usize = 3;

/// Decides one step; the driver takes one every 100 ms. A step's decisions are to be carried out in order, each on the
/// state that the one before left. Deciding again what could not be appended is safe.
pub fn decide(state: &LineState, inputs: &Inputs, meter: &mut Meter) -> Vec<Decision> {
    let mut decisions = Vec::with_capacity(MAX_DECISIONS);
    let Some(policy) = state.policy() else {
        return decisions;
    };
    let now = inputs.now;
    if state.is_closed() {
        return decisions;
    }
    if now >= policy.closes_at {
        decisions.push(Decision::Append(StateKind::Closed));
        return decisions;
    }
    if batch_is_due(state, policy, &inputs.lane_ends, meter.last_step(), now) {
        decisions.push(Decision::CloseBatch { ends: inputs.lane_ends.clone() });
    }
    let all_booked = inputs.seats > 0 && inputs.booked >= inputs.seats;
    match (all_booked, state.is_sold_out()) {
        (true, false) => decisions.push(Decision::Append(StateKind::SoldOut)),
        (false, true) => decisions.push(Decision::Append(StateKind::Reopened)),
        _ => {}
    }
    let calls = calls_due(state, inputs, meter, now, all_booked);
    if calls > 0 {
        decisions.push(Decision::Append(StateKind::Served { up_to: state.served() + calls }));
    }
    decisions
}

/// Batch 0 closes at the opening, whoever is in it; a later one at the first step of a new stretch of `batchMs`, if any
/// lane grew.
fn batch_is_due(
    state: &LineState,
    policy: &SalePolicy,
    lane_ends: &[u64],
    last_step: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let closed = state.last_ends();
    let fits = lane_ends.len() == closed.len() && lane_ends.iter().zip(&*closed).all(|(end, closed)| end >= closed);
    if now < policy.opens_at || !fits || state.batches().len() >= state.chain_length() as usize {
        return false;
    }
    let Some(last) = state.batches().last() else {
        return true;
    };
    let stretch = |at: Timestamp| at.millis_since(policy.opens_at).div_euclid(policy.batch_ms.into());
    // Not 'later than the last batch': a clock that was set back would close no batch until it has caught up.
    stretch(last_step.unwrap_or(last.closed_at)) != stretch(now) && *lane_ends != *closed
}

fn calls_due(state: &LineState, inputs: &Inputs, meter: &mut Meter, now: Timestamp, all_booked: bool) -> u64 {
    let counts = &inputs.counts;
    meter.learn(inputs.counted_from, counts.came.saturating_sub(counts.came_from_rank));
    let called_and_open = state.served().saturating_sub(inputs.counted_from);
    meter.call(&MeterInput {
        now,
        rate_per_minute: state.rate_per_minute(),
        max_active: state.max_active(),
        paused: state.phase(now) != Phase::Open || all_booked,
        active: counts.active,
        pending: called_and_open.saturating_sub(counts.came_from_rank),
        not_admitted: counts.came.saturating_sub(counts.admitted),
        browsing: inputs.browsing,
        seats_left: inputs.seats.saturating_sub(inputs.held).saturating_sub(inputs.booked),
        holds_per_second: inputs.holds_per_second,
        waiting: state.waiting(),
    })
}

/// The record of a batch that ends at `ends` (as [`Decision::CloseBatch`] said), whose entries have the Merkle root
/// `root`; `reveal` is the seed chain's link for it. Offsets without a join count as [`super::entry::NO_ENTRY`].
pub fn close_batch(state: &LineState, ends: &[u64], root: Digest, reveal: Digest) -> StateKind {
    let beacon = Beacon::default();
    let start = state.last_ends();
    StateKind::BatchClosed {
        batch: u32::try_from(state.batches().len()).unwrap_or(u32::MAX),
        size: size_between(&start, ends),
        before: state.drawn(),
        start: start.to_vec(),
        end: ends.to_vec(),
        seed: draw::seed(&reveal, &root, beacon.as_bytes()),
        root,
        reveal,
        beacon,
    }
}

/// What a new line lays down beside its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The keeper, by its name.
    pub owner: String,
    /// The seed chain's first link.
    pub commitment: Digest,
    /// How many links follow it.
    pub chain_length: u32,
    /// How many lanes the line has.
    pub lanes: u16,
}

/// The first record of a line, for a [`OperatorAct::Configure`] on a state that has none.
///
/// # Errors
/// [`Refusal::Invalid`] if the policy is outside its limits, or the sale would have ended already.
pub fn open(state: &LineState, policy: &SalePolicy, opening: Opening, now: Timestamp) -> Result<StateKind, Refusal> {
    check_policy(policy, now)?;
    let Opening { owner, commitment, chain_length, lanes } = opening;
    let event_id = state.event().clone();
    Ok(StateKind::Opened { owner, event_id, commitment, chain_length, lanes, policy: policy.clone() })
}

/// The records that do what an operator wants of this line: none where it is as they want it already, several where
/// they want several things.
///
/// # Errors
/// [`Refusal::NotFound`] where there is no line (to open one, see [`open`]) or the act is none of a line's;
/// [`Refusal::VersionMismatch`] where a setting changed since the version they name; [`Refusal::Invalid`], saying
/// what and why, for a value outside its limits, new settings after the lobby opened, and anything after the end.
pub fn steer(state: &LineState, act: &OperatorAct, now: Timestamp) -> Result<Vec<StateKind>, Refusal> {
    let Some(policy) = state.policy() else {
        return Err(Refusal::NotFound);
    };
    let now = now.max(state.last_at());
    match act {
        OperatorAct::Configure { policy: wanted, .. } => {
            if wanted == policy && !rates_were_steered(state, policy) {
                return Ok(Vec::new());
            }
            if now >= policy.lobby_opens_at {
                return invalid(
                    "the lobby has opened: the sale's settings are fixed now, only rate, cap and pause can be steered",
                );
            }
            check_policy(wanted, now)?;
            Ok(vec![StateKind::PolicyChanged { policy: wanted.clone() }])
        }
        OperatorAct::Steer { rate_per_minute, max_active, paused, if_version, .. } => {
            if if_version.is_some_and(|seen| seen < state.steered_version() || seen > state.version()) {
                return Err(Refusal::VersionMismatch { version: state.version() });
            }
            let rate_per_minute = within("ratePerMinute", *rate_per_minute, RATE_PER_MINUTE)?;
            let max_active = within("maxActive", *max_active, MAX_ACTIVE)?;
            let mut records = Vec::new();
            if let Some(rate_per_minute) = rate_per_minute.filter(|&wanted| wanted != state.rate_per_minute()) {
                records.push(StateKind::RateSet { rate_per_minute });
            }
            if let Some(max_active) = max_active.filter(|&wanted| wanted != state.max_active()) {
                records.push(StateKind::CapSet { max_active });
            }
            if let Some(paused) = paused.filter(|&wanted| wanted != state.is_paused()) {
                records.push(if paused { StateKind::Paused } else { StateKind::Resumed });
            }
            unless_closed(state, now, records)
        }
        OperatorAct::Revoke { session, .. } => {
            if state.is_revoked(session) {
                return Ok(Vec::new());
            }
            if state.revoked_count() >= MAX_REVOKED {
                return invalid(&format!("{MAX_REVOKED} admissions are revoked already, and no more can be"));
            }
            // After closesAt the line still takes a revocation until it says `closed`: admissions outlive the line.
            if state.is_closed() {
                return invalid("the sale has ended");
            }
            Ok(vec![StateKind::Revoked { session: session.clone() }])
        }
        OperatorAct::PutVenue { .. }
        | OperatorAct::PutEvent { .. }
        | OperatorAct::CallOff { .. }
        | OperatorAct::Move { .. }
        | OperatorAct::Rehouse { .. } => Err(Refusal::NotFound),
    }
}

fn rates_were_steered(state: &LineState, policy: &SalePolicy) -> bool {
    state.rate_per_minute() != policy.rate_per_minute || state.max_active() != policy.max_active
}

fn unless_closed(state: &LineState, now: Timestamp, records: Vec<StateKind>) -> Result<Vec<StateKind>, Refusal> {
    if !records.is_empty() && state.phase(now) == Phase::Closed {
        return invalid("the sale has ended");
    }
    Ok(records)
}

fn check_policy(policy: &SalePolicy, now: Timestamp) -> Result<(), Refusal> {
    policy.check().map_err(|why| Refusal::Invalid { detail: why.to_string() })?;
    if policy.closes_at <= now {
        return invalid("closesAt has passed already");
    }
    Ok(())
}

fn within(field: &'static str, value: Option<u32>, limits: (u32, u32)) -> Result<Option<u32>, Refusal> {
    let checked = value.map(|value| sale::within(field, value.into(), limits)).transpose();
    checked.map_err(|why| Refusal::Invalid { detail: why.to_string() })
}

fn invalid<T>(detail: &str) -> Result<T, Refusal> {
    Err(Refusal::Invalid { detail: detail.to_owned() })
}

#[cfg(test)]
mod tests;
