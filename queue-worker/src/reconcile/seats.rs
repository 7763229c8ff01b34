//! Whose the seats are: the ledger's two records and the hold table.

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{
    id::EventId,
    ports::PortResult,
    reconcile::{Difference, SeatDifference, compare_seats},
    time::Timestamp,
};

use super::Report;
use crate::{Gauges, Parts};

/// Events of one batch: each is read whole.
const AT_ONCE: usize = 8;
/// How much later an event is looked at again: a change that is under way is done by then.
const AGAIN_AFTER_MS: i64 = 3_000;
/// The most events that are looked at again in one run; the others are in the next.
const MAX_AGAIN: usize = 1_000;

/// A look over all events.
pub(super) struct SeatsLook {
    /// Those that began earlier don't count any more.
    from: Timestamp,
    after: Option<(Timestamp, EventId)>,
    is_through: bool,
    /// What the first look found, and when it was.
    first: BTreeMap<EventId, (Timestamp, BTreeSet<SeatDifference>)>,
}

/// What comes next.
pub(super) enum Next {
    More,
    /// In so many milliseconds.
    Wait(u64),
    Done,
}

impl SeatsLook {
    /// `from`: when an event must begin, or have begun; `None`: all.
    pub(super) fn new(from: Option<Timestamp>) -> Self {
        let from = from.unwrap_or(Timestamp::from_millis(0));
        Self { from, after: None, is_through: false, first: BTreeMap::new() }
    }

    pub(super) async fn step(
        &mut self,
        parts: &Parts,
        gauges: &Gauges,
        mends: bool,
        report: &mut Report,
        now: Timestamp,
    ) -> PortResult<Next> {
        if !self.is_through {
            let events = parts.catalog.events(self.from, self.after.clone(), AT_ONCE).await?;
            for event in &events {
                let found = look(parts, &event.event_id, now).await?;
                if !found.is_empty() && self.first.len() < MAX_AGAIN {
                    self.first.insert(event.event_id.clone(), (now, found));
                }
            }
            report.events += events.len();
            self.after = events.last().map(|event| (event.starts_at, event.event_id.clone())).or(self.after.take());
            self.is_through = events.len() < AT_ONCE;
            return Ok(Next::More);
        }
        let Some((event, (at, first))) = self.first.first_key_value() else { return Ok(Next::Done) };
        let wait = AGAIN_AFTER_MS - now.millis_since(*at);
        if wait > 0 {
            return Ok(Next::Wait(u64::try_from(wait).unwrap_or(0)));
        }
        let second = look(parts, event, now).await?;
        let both: Vec<SeatDifference> = first.intersection(&second).cloned().collect();
        let of_the_table = both.iter().any(SeatDifference::is_of_the_table);
        if of_the_table && mends {
            let claims = parts.ledger.live_claims(event, now).await?;
            parts.holds.rebuild(event, &claims).await?;
            gauges.rebuilt_total.add(1);
        }
        for difference in both {
            let is_mended = mends && difference.is_of_the_table();
            report.add(gauges, Difference::Seat(event.clone(), difference), is_mended);
        }
        let event = event.clone();
        self.first.remove(&event);
        Ok(Next::More)
    }
}

async fn look(parts: &Parts, event: &EventId, now: Timestamp) -> PortResult<BTreeSet<SeatDifference>> {
    let table = if parts.holds.is_ready(event).await? { Some(parts.holds.taken(event, now).await?) } else { None };
    let claims = parts.ledger.live_claims(event, now).await?;
    let owners = parts.ledger.seat_owners(event).await?;
    Ok(compare_seats(&claims, &owners, table.as_ref()))
}
