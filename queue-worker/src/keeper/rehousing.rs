//! Having an event in another hall. Once the ledger has begun it, it is done: the catalog follows, and the bookings are
//! carried over a batch at a time ([`crate::rehoused`]), whoever is there to do so.

use booking_core::{
    booking::{Begun, HallChange},
    id::EventId,
    message::{OperatorCommand, Outcome, Refusal},
    ports::PortResult,
    rehousing::{Rehouse, Rehousing},
    time::Timestamp,
};

use super::trail::Known;
use crate::{Parts, rehoused};

/// The most obstacles that a refusal lists.
const MAX_LISTED: usize = 1_000;
/// How often it is worked out anew where seats changed meanwhile.
const TRIES: usize = 3;

/// Has `event` in another hall, as `command` wants it.
pub(super) async fn rehouse(
    parts: &Parts,
    command: &OperatorCommand,
    (event, wanted): (&EventId, &Rehouse),
    known: Known,
    now: Timestamp,
) -> PortResult<Result<Outcome, Refusal>> {
    let ledger = &*parts.ledger;
    if known == Known::Finished {
        return Ok(Ok(Outcome::Done));
    }
    if ledger.called_off(event).await?.is_some() {
        return Ok(Err(Refusal::CalledOff));
    }
    for _ in 0..TRIES {
        if let Some(change) = ledger.housing(event).await?.map(|housing| housing.change)
            && is_so(&change, command, wanted)
        {
            rehoused::settle(parts, event, &change).await?;
            return Ok(Ok(Outcome::Done));
        }
        let (change, version) = match work_out(parts, command, (event, wanted), now).await? {
            Ok(worked_out) => worked_out,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match ledger.begin_rehousing(event, &change, version, now).await? {
            // The next look finds it.
            Begun::Begun | Begun::Changed => {}
            Begun::Another => return Ok(Err(Refusal::Rehousing)),
            Begun::Held { holds, until } => return Ok(Err(Refusal::SeatsHeld { holds, until })),
        }
    }
    Ok(Err(Refusal::Unavailable { detail: "the event's seats were changed by others meanwhile".to_owned() }))
}

/// Whether `change` is what the command asks for: by itself, or as a request that is repeated.
fn is_so(change: &HallChange, command: &OperatorCommand, wanted: &Rehouse) -> bool {
    let rehoused = &change.rehoused;
    rehoused.command == command.id
        || (rehoused.fingerprint, &rehoused.to, &change.seats) == (wanted.fingerprint, &wanted.venue_id, &wanted.seats)
}

/// What the command comes to, and the version of the seats that it was worked out by.
async fn work_out(
    parts: &Parts,
    command: &OperatorCommand,
    (event, wanted): (&EventId, &Rehouse),
    now: Timestamp,
) -> PortResult<Result<(HallChange, u64), Refusal>> {
    let (catalog, ledger) = (&*parts.catalog, &*parts.ledger);
    let Some(stands) = catalog.event(event).await? else { return Ok(Err(Refusal::NotFound)) };
    if stands.has_begun(now) {
        return Ok(Err(Refusal::EventOver));
    }
    let Some(old) = catalog.hall(&stands).await? else { return Ok(Err(Refusal::NotFound)) };
    let invalid = |detail: String| Ok(Err(Refusal::Invalid { detail }));
    let Some(new) = catalog.venue(&wanted.venue_id).await? else {
        return invalid(format!("there is no venue {}", wanted.venue_id));
    };
    let new = new.after(&old);
    // Before the claims: what changes in between makes it another version.
    let version = ledger.seat_states(event).await?.version;
    let claims = ledger.live_claims(event, now).await?;
    let rehoused = match stands.judge_rehousing(wanted, (&old.seat_map, &new.seat_map), &command.id, now) {
        Ok(rehoused) => rehoused,
        Err(why) => return invalid(why.to_string()),
    };
    let plan = Rehousing::plan(&stands, &old, &new, &wanted.seats, claims);
    if plan.fingerprint != wanted.fingerprint {
        return Ok(Err(Refusal::PlanChanged));
    }
    if !plan.is_possible() {
        let in_all = plan.obstacles.len();
        let obstacles = plan.obstacles.into_iter().take(MAX_LISTED).collect();
        return Ok(Err(Refusal::Obstacles { obstacles, in_all }));
    }
    let change = HallChange { rehoused, seats: wanted.seats.clone(), actor: command.actor.clone() };
    Ok(Ok((change, version)))
}
