//! The sales this gateway knows, each folded from its state log and held in memory, so that a poll asks nobody.
//!
//! Architecture invariant: nothing here decides anything about a line; it only follows.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use booking_core::{
    id::EventId,
    ports::{PortResult, log::Topic},
};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::app::App;

mod follow;
mod presence;
mod pulse;
mod sale;

pub(crate) use presence::Admissions;
pub(crate) use pulse::{BEAT_SECONDS, Pulse};
pub(crate) use sale::{Held, Sale, opened};

/// The most sales a gateway follows: each costs some kilobytes and two tasks.
const MAX_SALES: usize = 10_000;
/// How many records of `weir.sales` are read at once.
const READ_AT_ONCE: usize = 1_000;
/// How long a read waits for something new.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause after a log that could not be read.
const RETRY: Duration = Duration::from_millis(250);

/// By event id, as text: a request's path finds it without making an id.
type Known = HashMap<Box<str>, Arc<Sale>>;

/// Every sale that this gateway knows.
#[derive(Default)]
pub(crate) struct Sales {
    known: ArcSwap<Known>,
    adding: tokio::sync::Mutex<()>,
    is_ready: AtomicBool,
    became_ready: Notify,
}

/// What a record of `weir.sales` must say; it says more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Announced {
    #[serde(alias = "event")]
    event_id: EventId,
}

impl Sales {
    /// The sales as they are known now. Cheap, and good for one request.
    pub(crate) fn known(&self) -> Guard<Arc<Known>> {
        self.known.load()
    }

    /// The sale of an event.
    pub(crate) fn get(&self, event: &str) -> Option<Arc<Sale>> {
        self.known.load().get(event).cloned()
    }

    /// Whether the state of every sale that was announced before the start is folded.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Waits until it is so.
    pub(crate) async fn ready(&self) {
        let mut became_ready = std::pin::pin!(self.became_ready.notified());
        // Before the look, so that nothing happens unnoticed in between.
        became_ready.as_mut().enable();
        if !self.is_ready() {
            became_ready.await;
        }
    }

    fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Release);
        self.became_ready.notify_waiters();
    }

    async fn add(&self, app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken, event: EventId) {
        let _one_at_a_time = self.adding.lock().await;
        if self.known.load().contains_key(event.as_str()) {
            return;
        }
        if self.known.load().len() >= MAX_SALES {
            tracing::error!(%event, "more than {MAX_SALES} sales: this one is not followed");
            return;
        }
        let sale = Arc::new(Sale::new(event.clone()));
        let mut known = Known::clone(&self.known.load());
        known.insert(event.as_str().into(), Arc::clone(&sale));
        self.known.store(Arc::new(known));
        follow::spawn(app, tasks, stop, sale);
    }
}

/// Follows `weir.sales` and every sale in it until `stop`.
pub(crate) async fn run(app: Arc<App>, tasks: TaskTracker, stop: CancellationToken) {
    let first = async {
        loop {
            match begin(&app, &tasks, &stop).await {
                Ok(next) => break next,
                Err(error) => {
                    tracing::warn!(%error, "the sales can't be read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    };
    let next = tokio::select! {
        next = first => next,
        () = stop.cancelled() => return,
    };
    for (lane, from) in (0_u16..).zip(next) {
        let (app, tasks_of_lane, stop) = (Arc::clone(&app), tasks.clone(), stop.clone());
        tasks.spawn(async move {
            let following = follow_lane(&app, &tasks_of_lane, &stop, lane, from);
            tokio::select! { () = following => {}, () = stop.cancelled() => {} }
        });
    }
    let ready = async {
        let known = app.sales.known.load_full();
        for sale in known.values() {
            sale.folded().await;
        }
        app.sales.set_ready();
    };
    tokio::select! { () = ready => {}, () = stop.cancelled() => {} }
}

/// Takes in every sale announced so far, and answers where each lane goes on.
async fn begin(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) -> PortResult<Vec<u64>> {
    let ends = app.parts.log.ends(&Topic::Sales).await?;
    for (lane, &end) in (0_u16..).zip(&ends) {
        let mut from = 0;
        while from < end {
            let entries = app.parts.log.read(&Topic::Sales, lane, from, READ_AT_ONCE, Duration::ZERO).await?;
            let Some(last) = entries.last() else { break };
            from = last.offset + 1;
            for entry in &entries {
                announce(app, tasks, stop, &entry.payload).await;
            }
        }
    }
    Ok(ends)
}

async fn follow_lane(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken, lane: u16, mut from: u64) {
    loop {
        match app.parts.log.read(&Topic::Sales, lane, from, READ_AT_ONCE, PATIENCE).await {
            Ok(entries) => {
                for entry in entries {
                    from = entry.offset + 1;
                    announce(app, tasks, stop, &entry.payload).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the sales can't be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn announce(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken, payload: &[u8]) {
    match serde_json::from_slice::<Announced>(payload) {
        Ok(announced) => app.sales.add(app, tasks, stop, announced.event_id).await,
        Err(error) => tracing::warn!(%error, "a record of weir.sales can't be read"),
    }
}
