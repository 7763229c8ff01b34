//! Events that begin at another time: each booking made before is told once, a bounded batch at a time. How far it got
//! is what the ledger says, so whoever comes after a crash goes on from there.

use booking_core::{ports::PortResult, time::Timestamp};

use crate::{Gauges, Parts};

/// Tells up to `max` bookings of events that were moved. Answers how many.
pub(crate) async fn tell_some(parts: &Parts, gauges: &Gauges, max: usize, now: Timestamp) -> PortResult<usize> {
    let told = parts.ledger.tell_moved(max, now).await?;
    gauges.told_total.add(told);
    Ok(told)
}
