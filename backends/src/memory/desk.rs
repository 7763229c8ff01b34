//! The desk in memory: the rule's own state behind a lock, an event apart from the other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    desk::DeskState,
    id::{EventId, SessionId, UserId},
    line::Place,
    ports::{
        PortResult,
        desk::{Admit, AdmitRequest, Change, Counts, Desk, Ended, Standing},
    },
    time::Timestamp,
};

use super::locked;

/// A desk in memory; its clones share it. It grows with the events and their places, like [`DeskState`].
#[derive(Debug, Clone, Default)]
pub struct MemoryDesk(Arc<Mutex<HashMap<EventId, Arc<Mutex<DeskState>>>>>);

impl MemoryDesk {
    fn with<T>(&self, event: &EventId, act: impl FnOnce(&mut DeskState) -> T) -> T {
        let desk = locked(&self.0).entry(event.clone()).or_default().clone();
        act(&mut locked(&desk))
    }
}

#[async_trait]
impl Desk for MemoryDesk {
    async fn claim_place(
        &self,
        event: &EventId,
        user: &UserId,
        place: Place,
        instead_of: Option<Place>,
    ) -> PortResult<Place> {
        Ok(self.with(event, |desk| desk.claim_place(user, place, instead_of).0))
    }

    async fn place_of(&self, event: &EventId, user: &UserId) -> PortResult<Option<Standing>> {
        Ok(self.with(event, |desk| desk.place_of(user)))
    }

    async fn give_up(&self, event: &EventId, user: &UserId, now: Timestamp) -> PortResult<()> {
        self.with(event, |desk| desk.give_up(user, now));
        Ok(())
    }

    async fn admit(&self, event: &EventId, request: &AdmitRequest, now: Timestamp) -> PortResult<Admit> {
        Ok(self.with(event, |desk| desk.admit(request, now).0))
    }

    async fn finish(&self, event: &EventId, session: &SessionId, why: Ended, now: Timestamp) -> PortResult<()> {
        self.with(event, |desk| desk.finish(session, why, now));
        Ok(())
    }

    async fn counts(&self, event: &EventId, from_rank: u64, now: Timestamp) -> PortResult<Counts> {
        Ok(self.with(event, |desk| desk.counts(from_rank, now)))
    }

    async fn changes(&self, event: &EventId, after: u64, max: usize) -> PortResult<Vec<Change>> {
        Ok(self.with(event, |desk| desk.changes(after, max)))
    }
}
