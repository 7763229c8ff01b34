//! Waiting for replicas: what was answered should survive the loss of a primary.
//!
//! `WAIT` holds up its whole connection, so those who wrote through the same connection to the same slot wait together:
//! one `WAIT` at a time, and it counts for all that was written before it began.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::cluster_routing::Slot;
use tokio::time::Instant;

use super::cluster::Home;

/// For how long a slot does without its replicas after a wait in vain.
const DO_WITHOUT: Duration = Duration::from_secs(2);

/// Who waits for replicas, by connection and slot.
pub(super) struct Replicas {
    wanted: u32,
    timeout: Duration,
    /// At most one for each connection and slot that was ever written to.
    groups: Mutex<HashMap<(usize, Slot), Arc<Group>>>,
}

#[derive(Default)]
struct Group {
    /// How many waits have begun.
    begun: AtomicU64,
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    /// The last wait that ended; they are numbered from 1.
    ended: u64,
    without_until: Option<Instant>,
}

impl Replicas {
    pub(super) fn new(wanted: u32, timeout: Duration) -> Self {
        Self { wanted, timeout, groups: Mutex::default() }
    }

    /// Waits until `wanted` replicas have what was written through `home`, or in vain.
    pub(super) async fn wait(&self, home: &mut Home) {
        if self.wanted == 0 {
            return;
        }
        let group = {
            let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(groups.entry((home.turn, home.slot)).or_default())
        };
        let begun_before = group.begun.load(Ordering::Acquire);
        let mut turn = group.turn.lock().await;
        if turn.ended > begun_before || turn.without_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let number = group.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let timeout_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        let have = redis::cmd("WAIT").arg(self.wanted).arg(timeout_ms).query_async::<u32>(home).await;
        turn.without_until = match have {
            Ok(have) if have >= self.wanted => None,
            Ok(have) => {
                tracing::warn!(have, wanted = self.wanted, "Redis replicas lag behind; going on without them");
                Some(Instant::now() + DO_WITHOUT)
            }
            Err(error) => {
                tracing::warn!(%error, "Redis does not tell whether its replicas follow; going on without them");
                Some(Instant::now() + DO_WITHOUT)
            }
        };
        turn.ended = number;
    }
}
