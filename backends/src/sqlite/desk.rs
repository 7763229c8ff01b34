//! The desk: [`DeskState`] in memory, and its facts in one SQLite file.
//!
//! A verb decides in memory; what it decided is written down, in the order of the decisions, and nothing is answered
//! before everything that the answer builds on is on the disk. When a write fails, the event's state in memory is
//! dropped and told anew: from the line in the log (who stands where) and the facts.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use booking_core::{
    desk::{DeskFact, DeskState},
    id::{EventId, SessionId, UserId},
    line::Place,
    ports::{
        PortError, PortResult,
        desk::{Admit, AdmitRequest, Change, Counts, Desk, Ended, Standing},
    },
    time::Timestamp,
};
use futures_util::TryStreamExt as _;

use super::{
    SqliteLog,
    database::{Database, Schema},
    error::{from_json, unavailable},
    group::Scribe,
    queue::Queue,
};
use event::{EventDesk, Told};
use journal::{Journal, Write};

mod event;
mod journal;

const PORT: &str = "desk";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x5764_736B,
    steps: &[("desk", include_str!("../../migrations/sqlite/desk/0001_desk.sql"))],
};

/// The most facts that wait to be written; a verb that finds more is answered as unavailable.
const MAX_WAITING: usize = 65_536;
/// The most events whose desks are kept in memory; beyond them the one that was used longest ago is dropped, and told
/// anew when it is asked for again.
const MAX_EVENTS: usize = 1_024;

/// The desk. A clone is the same desk; when the last one is dropped, what waits is still written.
#[derive(Clone)]
pub struct SqliteDesk(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    scribe: Scribe<Write>,
    log: SqliteLog,
    events: Mutex<HashMap<EventId, Arc<EventDesk>>>,
    /// Counts uses, to know which desk was used longest ago.
    uses: AtomicU64,
}

impl SqliteDesk {
    /// Opens the desk in the file at `path`, made where it is missing; its folder must exist. `log` holds the lines,
    /// which tell who stands where. An event's desk is read when it is first asked for. Must be called on a Tokio
    /// runtime, which the writer then runs on.
    ///
    /// # Errors
    /// `Unavailable`: the folder or the file can't be written, the disk is full, another process has it, or a newer
    /// version wrote it. `Damaged`: the file is corrupt or no desk.
    pub async fn open(path: &Path, log: SqliteLog) -> PortResult<Self> {
        let (database, connection) = Database::open(path, &SCHEMA).await?;
        let database = Arc::new(database);
        let queue = Queue::new(PORT, MAX_WAITING);
        let scribe = Scribe::new(Arc::clone(&database), connection, queue, Journal);
        let (events, uses) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self(Arc::new(Shared { database, scribe, log, events, uses })))
    }

    /// Writes what waits, and ends: every later verb that decides something is refused.
    pub async fn close(&self) {
        self.0.scribe.close().await;
    }

    fn event(&self, event: &EventId) -> Arc<EventDesk> {
        let used = self.0.uses.fetch_add(1, Ordering::Relaxed);
        let mut events = locked(&self.0.events);
        if let Some(desk) = events.get(event) {
            desk.used(used);
            return Arc::clone(desk);
        }
        if events.len() >= MAX_EVENTS {
            // Nobody else holds it: no verb is under way on it, and none of its facts waits.
            let idle = events.iter().filter(|(_, desk)| Arc::strong_count(desk) == 1);
            let oldest = idle.min_by_key(|(_, desk)| desk.last_used()).map(|(event, _)| event.clone());
            oldest.and_then(|oldest| events.remove(&oldest));
        }
        let desk = Arc::new(EventDesk::new(event.clone()));
        desk.used(used);
        events.insert(event.clone(), Arc::clone(&desk));
        desk
    }

    /// Decides by `verb`, writes the fact it answers, and answers once everything is on the disk that the answer
    /// builds on.
    async fn decide<T>(
        &self,
        event: &EventId,
        verb: impl Fn(&mut DeskState) -> (T, Option<DeskFact>),
    ) -> PortResult<T> {
        let (desk, queue) = (self.event(event), self.0.scribe.queue());
        let mut decided = desk.decide(&verb, queue.reserve()?);
        if decided.is_none() {
            self.tell(&desk).await?;
            decided = desk.decide(&verb, queue.reserve()?);
        }
        let (answer, build_on) = decided.ok_or_else(lost)?;
        if let Some(build_on) = build_on {
            desk.wait_for(build_on).await?;
        }
        Ok(answer)
    }

    /// As [`Self::decide`], for what changes nothing.
    async fn look<T>(&self, event: &EventId, look: impl Fn(&mut DeskState) -> T) -> PortResult<T> {
        let desk = self.event(event);
        let mut looked = desk.look(&look);
        if looked.is_none() {
            self.tell(&desk).await?;
            looked = desk.look(&look);
        }
        let (answer, build_on) = looked.ok_or_else(lost)?;
        desk.wait_for(build_on).await?;
        Ok(answer)
    }

    /// Tells the state of an event's desk from the line and the facts.
    async fn tell(&self, desk: &EventDesk) -> PortResult<()> {
        // Whoever comes second finds it told.
        let _one_at_a_time = desk.telling().await;
        if desk.is_told() {
            return Ok(());
        }
        let mut state = DeskState::default();
        self.0
            .log
            .joins(desk.event(), |place, join| {
                state.restore_place(&join.user, place);
            })
            .await?;
        let facts = self.0.database.answer(self.replay(desk.event(), &mut state).await)?;
        desk.told(Told { state, facts });
        Ok(())
    }

    /// Replays the facts and answers how many there are.
    async fn replay(&self, event: &EventId, state: &mut DeskState) -> Result<u64, sqlx::Error> {
        let mut facts = 0;
        let mut rows = sqlx::query_scalar::<_, String>("SELECT fact FROM facts WHERE event_id = ?1 ORDER BY number")
            .bind(event.as_str())
            .fetch(self.0.database.readers());
        while let Some(fact) = rows.try_next().await? {
            state.replay(&from_json(&fact)?);
            facts += 1;
        }
        Ok(facts)
    }
}

#[async_trait]
impl Desk for SqliteDesk {
    async fn claim_place(
        &self,
        event: &EventId,
        user: &UserId,
        place: Place,
        instead_of: Option<Place>,
    ) -> PortResult<Place> {
        self.decide(event, |state| state.claim_place(user, place, instead_of)).await
    }

    async fn place_of(&self, event: &EventId, user: &UserId) -> PortResult<Option<Standing>> {
        self.look(event, |state| state.place_of(user)).await
    }

    async fn give_up(&self, event: &EventId, user: &UserId, now: Timestamp) -> PortResult<()> {
        self.decide(event, |state| ((), state.give_up(user, now))).await
    }

    async fn admit(&self, event: &EventId, request: &AdmitRequest, now: Timestamp) -> PortResult<Admit> {
        self.decide(event, |state| state.admit(request, now)).await
    }

    async fn finish(&self, event: &EventId, session: &SessionId, why: Ended, now: Timestamp) -> PortResult<()> {
        self.decide(event, |state| ((), state.finish(session, why, now))).await
    }

    async fn counts(&self, event: &EventId, from_rank: u64, now: Timestamp) -> PortResult<Counts> {
        self.look(event, |state| state.counts(from_rank, now)).await
    }

    async fn changes(&self, event: &EventId, after: u64, max: usize) -> PortResult<Vec<Change>> {
        self.look(event, |state| state.changes(after, max)).await
    }
}

fn lost() -> PortError {
    unavailable(PORT, "a write failed, and what was in memory with it")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No verb panics halfway through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
