//! One event's desk in memory, and how far its facts are on the disk.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use booking_core::{
    desk::{DeskFact, DeskState},
    id::EventId,
    ports::{PortError, PortResult},
};
use tokio::sync::{self, watch};

use super::{PORT, journal::Write, locked};
use crate::sqlite::{error::unavailable, queue::Reserved};

/// One event's desk.
pub(super) struct EventDesk {
    event: EventId,
    memory: Mutex<Memory>,
    progress: watch::Sender<Progress>,
    telling: sync::Mutex<()>,
    used: AtomicU64,
}

/// What is in memory.
#[derive(Default)]
struct Memory {
    /// `None` before it is told, and after a write failed.
    state: Option<DeskState>,
    /// Rises whenever the state is lost: what was decided on an older one is not written any more.
    life: u64,
    /// How many facts were decided: the number of the next one.
    decided: u64,
}

impl Memory {
    fn build_on(&self) -> BuildOn {
        BuildOn { life: self.life, facts: self.decided }
    }
}

/// How much is on the disk.
#[derive(Debug, Clone, Default)]
struct Progress {
    life: u64,
    written: u64,
    /// Why the life before ended.
    why: Option<PortError>,
}

impl Progress {
    /// Whether everything is on the disk that an answer builds on.
    fn holds(&self, build_on: BuildOn) -> bool {
        self.life == build_on.life && self.written >= build_on.facts
    }
}

/// What an answer builds on: so many facts of that life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BuildOn {
    life: u64,
    facts: u64,
}

/// A state that was told from the disk.
pub(super) struct Told {
    /// It.
    pub(super) state: DeskState,
    /// From how many facts.
    pub(super) facts: u64,
}

impl EventDesk {
    pub(super) fn new(event: EventId) -> Self {
        Self {
            event,
            memory: Mutex::default(),
            progress: watch::Sender::default(),
            telling: sync::Mutex::default(),
            used: AtomicU64::new(0),
        }
    }

    pub(super) fn event(&self) -> &EventId {
        &self.event
    }

    pub(super) fn used(&self, at: u64) {
        self.used.store(at, Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn is_told(&self) -> bool {
        locked(&self.memory).state.is_some()
    }

    /// Held by whoever tells the state from the disk.
    pub(super) async fn telling(&self) -> sync::MutexGuard<'_, ()> {
        self.telling.lock().await
    }

    /// Takes the state that was told.
    pub(super) fn told(&self, told: Told) {
        let mut memory = locked(&self.memory);
        memory.state = Some(told.state);
        memory.decided = told.facts;
        let life = memory.life;
        self.progress.send_modify(|progress| {
            progress.life = life;
            progress.written = told.facts;
        });
    }

    /// Decides by `verb` and hands its fact to the journal. Answers what the answer builds on, if on anything; `None`
    /// where there is no state.
    pub(super) fn decide<T>(
        self: &Arc<Self>,
        verb: impl FnOnce(&mut DeskState) -> (T, Option<DeskFact>),
        reserved: Reserved<'_, Write>,
    ) -> Option<(T, Option<BuildOn>)> {
        // Dropped after the lock: a write that was not taken ends this state, for which it locks it.
        let refused;
        let mut memory = locked(&self.memory);
        let (answer, fact) = verb(memory.state.as_mut()?);
        match fact {
            // The log holds it already, and it builds on nothing: its identity was unknown.
            Some(DeskFact::Placed { pinned: false, .. }) => return Some((answer, None)),
            Some(fact) => {
                let number = memory.decided;
                memory.decided += 1;
                refused = reserved.fill(Write::new(Arc::clone(self), memory.life, number, &fact));
            }
            None => refused = Ok(()),
        }
        let build_on = memory.build_on();
        drop(memory);
        drop(refused);
        Some((answer, Some(build_on)))
    }

    /// Looks at the state. Answers what the answer builds on; `None` where there is no state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut DeskState) -> T) -> Option<(T, BuildOn)> {
        let mut memory = locked(&self.memory);
        let answer = look(memory.state.as_mut()?);
        Some((answer, memory.build_on()))
    }

    /// Waits until everything is on the disk that an answer builds on.
    pub(super) async fn wait_for(&self, build_on: BuildOn) -> PortResult<()> {
        // Mostly it is so already, and then nobody needs to be told.
        if self.progress.borrow().holds(build_on) {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        let settled = progress
            .wait_for(|progress| progress.life != build_on.life || progress.holds(build_on))
            .await
            .map_err(|_| unavailable(PORT, "it is closed"))?;
        if settled.life == build_on.life {
            return Ok(());
        }
        Err(settled.why.clone().unwrap_or_else(|| unavailable(PORT, "a write failed")))
    }

    /// Whether facts of `life` are still to be written.
    pub(super) fn is_alive(&self, life: u64) -> bool {
        locked(&self.memory).life == life
    }

    /// Notes that everything of `life` before number `next` is on the disk.
    pub(super) fn written(&self, life: u64, next: u64) {
        self.progress.send_if_modified(|progress| {
            let is_news = progress.life == life && progress.written < next;
            if is_news {
                progress.written = next;
            }
            is_news
        });
    }

    /// Drops the state of `life`, because what it decided could not be written.
    pub(super) fn lose(&self, life: u64, why: &PortError) {
        let mut memory = locked(&self.memory);
        if memory.life != life {
            return;
        }
        memory.state = None;
        memory.life += 1;
        let life = memory.life;
        self.progress.send_modify(|progress| {
            progress.life = life;
            progress.why = Some(why.clone());
        });
    }
}
