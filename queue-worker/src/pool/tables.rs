//! Which hold tables are trusted.

use std::collections::{HashMap, HashSet};

use booking_core::{holds::SeatClaim, id::EventId, ports::PortResult, seats::SeatIndex, time::Timestamp};

use crate::{Gauges, Parts};

/// The hold tables that this pool has rebuilt and that nothing has contradicted since. At most [`Self::MAX`]; with one
/// more, all are rebuilt again.
#[derive(Default)]
pub(super) struct Tables(HashSet<EventId>);

impl Tables {
    const MAX: usize = 1_000;

    /// Whether `event`'s table can be asked; it is rebuilt where that is needed. False: the ledger alone decides.
    pub(super) async fn open(&mut self, parts: &Parts, gauges: &Gauges, event: &EventId, now: Timestamp) -> bool {
        let opened = async {
            if parts.holds.is_ready(event).await? && self.0.contains(event) {
                return Ok(());
            }
            // Also a table that calls itself ready: whoever came before may have left in it what never got to the
            // ledger.
            let claims = parts.ledger.live_claims(event, now).await?;
            gauges.double_sold_total.add(doubled(&claims));
            parts.holds.rebuild(event, &claims).await?;
            gauges.rebuilt_total.add(1);
            if self.0.len() >= Self::MAX {
                self.0.clear();
            }
            self.0.insert(event.clone());
            PortResult::Ok(())
        };
        match opened.await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, %event, "the ledger decides without the hold table");
                self.distrust(event);
                false
            }
        }
    }

    /// The table is to be rebuilt before it is asked again: it said what the ledger does not, or did not hear
    /// something.
    pub(super) fn distrust(&mut self, event: &EventId) {
        self.0.remove(event);
    }
}

/// How many seats are in more than one claim: none, by invariant 1.
fn doubled(claims: &[SeatClaim]) -> usize {
    let mut owners: HashMap<SeatIndex, usize> = HashMap::new();
    for seat in claims.iter().flat_map(|claim| &claim.seats) {
        *owners.entry(*seat).or_default() += 1;
    }
    let doubled: Vec<_> = owners.iter().filter(|(_, owners)| **owners > 1).map(|(seat, _)| *seat).collect();
    if !doubled.is_empty() {
        tracing::error!(?doubled, "invariant 1 is broken: seats with two owners");
    }
    doubled.len()
}
