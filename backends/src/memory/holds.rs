//! The hold table in memory: what an embedded Weir turns collisions away with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    holds::HoldTable,
    id::EventId,
    ports::{
        PortResult,
        holds::{Grant, Holds, SeatClaim, Settle, Want},
    },
    seats::SeatSet,
    time::Timestamp,
};

use super::locked;

/// Hold tables in memory, one an event; its clones share them. Whoever makes one rebuilds it from the ledger first.
#[derive(Debug, Clone, Default)]
pub struct MemoryHolds(Arc<Mutex<HashMap<EventId, Arc<Mutex<HoldTable>>>>>);

impl MemoryHolds {
    /// Loses every table, as a restart of what holds them would: none is ready until it is rebuilt.
    pub fn lose(&self) {
        for table in locked(&self.0).values() {
            *locked(table) = HoldTable::default();
        }
    }

    fn with<T>(&self, event: &EventId, act: impl FnOnce(&mut HoldTable) -> T) -> T {
        let table = locked(&self.0).entry(event.clone()).or_default().clone();
        act(&mut locked(&table))
    }
}

#[async_trait]
impl Holds for MemoryHolds {
    async fn is_ready(&self, event: &EventId) -> PortResult<bool> {
        Ok(self.with(event, |table| table.is_ready()))
    }

    async fn rebuild(&self, event: &EventId, claims: &[SeatClaim]) -> PortResult<()> {
        self.with(event, |table| table.rebuild(claims));
        Ok(())
    }

    async fn hold(&self, event: &EventId, wants: &[Want], now: Timestamp) -> PortResult<Vec<Grant>> {
        Ok(self.with(event, |table| wants.iter().map(|want| table.hold(want, now)).collect()))
    }

    async fn settle(&self, event: &EventId, settles: &[Settle]) -> PortResult<()> {
        self.with(event, |table| settles.iter().for_each(|settle| table.settle(settle)));
        Ok(())
    }

    async fn taken(&self, event: &EventId, now: Timestamp) -> PortResult<SeatSet> {
        Ok(self.with(event, |table| table.taken(now)))
    }
}

#[cfg(test)]
mod tests {
    use booking_core::{id::BookingId, seats::SeatIndex};

    use super::*;

    #[tokio::test]
    async fn a_lost_table_grants_nothing_until_it_is_rebuilt() {
        let (holds, event): (_, EventId) = (MemoryHolds::default(), "evt_1".parse().unwrap());
        let booking: BookingId = "booking_1".parse().unwrap();
        let want = Want { booking, seats: vec![SeatIndex(1)], until: Timestamp::from_millis(1_000) };
        let now = Timestamp::from_millis(0);
        holds.rebuild(&event, &[]).await.unwrap();
        assert_eq!(holds.hold(&event, std::slice::from_ref(&want), now).await.unwrap(), [Grant::Granted]);
        holds.clone().lose();
        assert!(!holds.is_ready(&event).await.unwrap());
        assert_eq!(holds.hold(&event, std::slice::from_ref(&want), now).await.unwrap(), [Grant::NotReady]);
        holds.rebuild(&event, &[]).await.unwrap();
        assert_eq!(holds.hold(&event, &[want], now).await.unwrap(), [Grant::Granted]);
    }
}
