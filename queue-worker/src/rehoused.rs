//! Events that go to another hall: their bookings are carried over and told, a bounded batch at a time. How far it got is
//! what the ledger says, so whoever comes after a crash goes on from there.

use booking_core::{
    booking::{Carry, HallChange, ToCarry},
    catalog::Rehoused,
    id::EventId,
    ports::{PortError, PortResult, catalog::Put},
    time::Timestamp,
};

use crate::{Gauges, Parts, keeper::trail, outward};

/// Writes down a change of hall that the ledger has begun, and lets the catalog follow. Twice is once.
///
/// # Errors
/// Also where the catalog can't follow, because it has no such event, or has it in another hall than the change begins
/// with. Then the change must not go on: once it has ended, seats are held in the new hall and chosen in the old one.
pub(crate) async fn settle(parts: &Parts, event: &EventId, change: &HallChange) -> PortResult<()> {
    parts.ledger.record_audit(&trail::rehousing(event, change)).await?;
    match parts.catalog.rehouse_event(event, &change.rehoused).await? {
        Put::Done => Ok(()),
        Put::Conflict => {
            let Rehoused { number, from, to, .. } = &change.rehoused;
            let reason = format!(
                "{event} is not there to go from {from} to {to} as its change of hall {number}, which has begun"
            );
            Err(PortError::Damaged { port: "catalog", reason })
        }
    }
}

/// Carries up to `max` bookings of an event over to its new hall, and ends its change after the last. Answers how many,
/// or 1 for the end.
pub(crate) async fn carry_some(parts: &Parts, gauges: &Gauges, max: usize, now: Timestamp) -> PortResult<usize> {
    let Some(ToCarry { event, change, bookings }) = parts.ledger.bookings_to_carry(max).await? else { return Ok(0) };
    settle(parts, &event, &change).await?;
    if bookings.is_empty() {
        fill_table(parts, &event, now).await;
        parts.ledger.end_rehousing(&event, change.rehoused.number).await?;
        tracing::info!(%event, hall = %change.rehoused.to, "the event is in its new hall");
        return Ok(1);
    }
    // What the catalog says may be a second old.
    let stands = parts.catalog.event(&event).await?.and_then(|stands| stands.rehoused(&change.rehoused));
    let new = match &stands {
        Some(stands) => parts.catalog.hall(stands).await?,
        None => None,
    };
    let Some((new, old)) = new.zip(parts.catalog.venue(&change.rehoused.from).await?) else {
        return Err(damaged(format!("{event} is going to a hall that the catalog does not know")));
    };
    let carries: Option<Vec<Carry>> = bookings.iter().map(|booking| change.carry(booking, &old, &new)).collect();
    let Some(carries) = carries else {
        return Err(damaged(format!("a sold seat of {event} has nowhere to go, which was ruled out before")));
    };
    let applied = parts.ledger.carry(&carries, now).await?;
    outward::publish_seats(&*parts.log, &applied.seats).await;
    let carried = applied.answers.iter().filter(|is_carried| **is_carried).count();
    gauges.carried_total.add(carried);
    Ok(carried)
}

/// Fills the hold table with the seats of the new hall, before anybody asks it for them.
async fn fill_table(parts: &Parts, event: &EventId, now: Timestamp) {
    let filled = async {
        let claims = parts.ledger.live_claims(event, now).await?;
        parts.holds.rebuild(event, &claims).await
    };
    if let Err(error) = filled.await {
        tracing::warn!(%error, %event, "the hold table is rebuilt when the ledger contradicts it");
    }
}

fn damaged(reason: String) -> PortError {
    PortError::Damaged { port: "ledger", reason }
}
