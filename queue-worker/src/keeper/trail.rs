//! What the audit trail says of a command: it is written before the first deed, so that a keeper that comes after a
//! crash knows what was begun.

use booking_core::{
    booking::{AuditEntry, HallChange},
    catalog::Moved,
    digest::Digest,
    id::EventId,
    line::state::LineState,
    message::{OperatorAct, OperatorCommand},
    ports::{PortResult, ledger::Ledger},
    time::Timestamp,
};
use serde_json::{Value, json};

/// How far back a command is looked for. A command is delivered again soon, or not at all.
const LOOK_BACK: usize = 256;

/// How far a command got before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing was done about it.
    New,
    /// It is the last one that was begun, and perhaps not finished: finishing it twice is finishing it once.
    Begun,
    /// Others came after it, so it was finished. Doing it again could undo theirs.
    Finished,
}

/// What the trail of `event` knows of the command `id`.
pub(super) async fn look_up(ledger: &dyn Ledger, event: &EventId, id: &str) -> PortResult<Known> {
    let trail = ledger.audit_trail(event, None, LOOK_BACK).await?;
    Ok(match trail.iter().position(|entry| entry.command == id) {
        None => Known::New,
        Some(0) => Known::Begun,
        Some(_) => Known::Finished,
    })
}

/// Whose trail tells of `act`. A venue has no event: its trail stands under `evt_` and the venue's id.
pub(super) fn trail_of(act: &OperatorAct) -> EventId {
    match act {
        OperatorAct::PutVenue { venue } => {
            let id = venue.venue_id.as_str();
            let plain = format!("{}{id}", EventId::PREFIX).parse();
            plain.unwrap_or_else(|_| {
                let digest = Digest::of(&[id.as_bytes()]);
                EventId::from_bytes(*digest.0.first_chunk().expect("a digest has 32 bytes"))
            })
        }
        OperatorAct::PutEvent { event } => event.event_id.clone(),
        OperatorAct::Configure { event, .. }
        | OperatorAct::Steer { event, .. }
        | OperatorAct::CallOff { event, .. }
        | OperatorAct::Move { event, .. }
        | OperatorAct::Rehouse { event, .. }
        | OperatorAct::Revoke { event, .. } => event.clone(),
    }
}

/// The row that says what `command` is about to change on `state`.
pub(super) fn row(command: &OperatorCommand, state: Option<&LineState>, now: Timestamp) -> AuditEntry {
    entry(command, change(&command.act, state), now)
}

/// The row that says how `command` is about to move an event.
pub(super) fn moving(command: &OperatorCommand, moved: &Moved, now: Timestamp) -> AuditEntry {
    let (before, reason, until) = (json!({ "startsAt": moved.from }), &moved.reason, moved.give_back_until);
    let after = json!({ "startsAt": moved.to, "reason": reason, "giveBackUntil": until });
    entry(command, ("move", before, after), now)
}

/// The row that says how an event went to another hall: the same whoever writes it, and whenever.
pub(crate) fn rehousing(event: &EventId, change: &HallChange) -> AuditEntry {
    let HallChange { rehoused, seats, actor } = change;
    let (fingerprint, reason) = (&rehoused.fingerprint, &rehoused.reason);
    AuditEntry {
        number: 0,
        command: rehoused.command.clone(),
        event_id: event.clone(),
        actor: actor.clone(),
        at: rehoused.at,
        action: "rehouse".to_owned(),
        before: json!({ "venueId": rehoused.from }),
        after: json!({ "venueId": rehoused.to, "seats": seats, "reason": reason, "fingerprint": fingerprint }),
    }
}

fn entry(
    command: &OperatorCommand,
    (action, before, after): (&'static str, Value, Value),
    now: Timestamp,
) -> AuditEntry {
    AuditEntry {
        number: 0,
        command: command.id.clone(),
        event_id: trail_of(&command.act),
        actor: command.actor.clone(),
        at: now,
        action: action.to_owned(),
        before,
        after,
    }
}

fn change(act: &OperatorAct, state: Option<&LineState>) -> (&'static str, Value, Value) {
    let state = state.filter(|state| state.policy().is_some());
    match act {
        OperatorAct::PutVenue { venue } => {
            let seats = venue.seat_map.len();
            ("putVenue", Value::Null, json!({ "venueId": venue.venue_id, "name": venue.name, "seats": seats }))
        }
        OperatorAct::PutEvent { event } => ("putEvent", Value::Null, json!(event)),
        OperatorAct::Configure { policy, .. } => {
            let before = state.map_or(Value::Null, |state| json!(state.policy()));
            ("configure", before, json!(policy))
        }
        OperatorAct::Steer { rate_per_minute, max_active, paused, .. } => {
            let Some(state) = state else { return ("steer", Value::Null, Value::Null) };
            let settings = |rate: u32, cap: u32, paused: bool| json!({ "ratePerMinute": rate, "maxActive": cap, "paused": paused });
            let (rate, cap, rests) = (state.rate_per_minute(), state.max_active(), state.is_paused());
            let after = settings(rate_per_minute.unwrap_or(rate), max_active.unwrap_or(cap), paused.unwrap_or(rests));
            ("steer", settings(rate, cap, rests), after)
        }
        OperatorAct::CallOff { reason, .. } => ("callOff", Value::Null, json!({ "reason": reason })),
        OperatorAct::Move { wanted, .. } => ("move", Value::Null, json!(wanted)),
        OperatorAct::Rehouse { wanted, .. } => ("rehouse", Value::Null, json!(wanted)),
        OperatorAct::Revoke { session, .. } => {
            let session = |revoked: bool| json!({ "session": session, "revoked": revoked });
            ("revoke", session(false), session(true))
        }
    }
}
