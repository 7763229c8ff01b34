//! Following one sale: its state log as it grows, and four times a second the lanes' ends and the desk.

use std::{sync::Arc, time::Duration};

use booking_core::{
    line::state::{LineState, Phase},
    ports::{
        PortResult,
        log::{Entry, Topic},
    },
    time::Timestamp,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{BEAT_SECONDS, PATIENCE, RETRY, Sale};
use crate::app::App;

/// How many state records are read at once.
const READ_AT_ONCE: usize = 1_000;
/// How often the lanes' ends and the desk are asked while a sale is live.
const LOOK: Duration = Duration::from_millis(250);
/// Looks between two ticks: one second's worth.
const LOOKS_A_TICK: u64 = 4;
/// How often a sale that is far from its lobby or over is looked at, in looks.
const RESTING_LOOKS: u64 = 20;
/// A sale is live from this long before its lobby, in milliseconds.
const BEFORE_LOBBY_MS: i64 = 10_000;
/// A sale is live until this long after its end, in milliseconds: holds and admissions run out in that time.
const AFTER_END_MS: i64 = 600_000;
/// How many changes of the desk are read at once.
const CHANGES_AT_ONCE: usize = 1_000;

/// Follows `sale` until `stop`.
pub(super) fn spawn(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken, sale: Arc<Sale>) {
    let (state_app, state_sale, state_stop) = (Arc::clone(app), Arc::clone(&sale), stop.clone());
    tasks.spawn(async move {
        tokio::select! { () = follow_state(&state_app, &state_sale) => {}, () = state_stop.cancelled() => {} }
    });
    let (app, stop) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move {
        tokio::select! { () = look(&app, &sale) => {}, () = stop.cancelled() => {} }
    });
}

/// What everybody is told at once when it changes.
#[derive(PartialEq, Eq)]
struct Steering {
    rate_per_minute: u32,
    max_active: u32,
    phase: Phase,
    is_paused: bool,
    is_drawn: bool,
}

impl Steering {
    fn of(line: &LineState, now: Timestamp) -> Self {
        Self {
            rate_per_minute: line.rate_per_minute(),
            max_active: line.max_active(),
            phase: line.phase(now),
            is_paused: line.is_paused(),
            is_drawn: !line.batches().is_empty(),
        }
    }
}

async fn follow_state(app: &App, sale: &Sale) {
    let topic = Topic::State(sale.event().clone());
    let mut from = 0;
    let mut first_end = None;
    loop {
        let read = async {
            if first_end.is_none() {
                first_end = Some(app.parts.log.ends(&topic).await?.first().copied().unwrap_or(0));
            }
            let patience = if first_end.is_some_and(|end| from < end) { Duration::ZERO } else { PATIENCE };
            if patience == PATIENCE {
                sale.set_folded();
            }
            app.parts.log.read(&topic, 0, from, READ_AT_ONCE, patience).await
        };
        match read.await {
            Ok(entries) => {
                match entries.last() {
                    Some(last) => from = last.offset + 1,
                    // A gap at the end of what was there at the start.
                    None => first_end = Some(from),
                }
                fold(sale, &entries, app.parts.clock.now());
            }
            Err(error) => {
                tracing::warn!(%error, event = %sale.event(), "the state log can't be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn fold(sale: &Sale, entries: &[Entry], now: Timestamp) {
    if entries.is_empty() {
        return;
    }
    let (before, after, served) = {
        let mut line = sale.line_mut();
        let before = Steering::of(&line, now);
        for entry in entries {
            if line.apply(&entry.payload).is_accepted() {
                sale.record_accepted(entry.offset);
            }
        }
        (before, Steering::of(&line, now), line.served())
    };
    sale.set_served(served);
    if before != after {
        sale.public.store(None);
        sale.beat(|pulse| pulse.urgent += 1);
    }
}

/// Looks at the lanes and the desk for ever.
async fn look(app: &App, sale: &Sale) {
    sale.folded().await;
    let mut timer = tokio::time::interval(LOOK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let beat_looks = BEAT_SECONDS * LOOKS_A_TICK;
    let mut seen = (0, 0, 0);
    let mut phase = sale.phase(app.parts.clock.now());
    for looks in 1_u64.. {
        timer.tick().await;
        let now = app.parts.clock.now();
        let now_phase = sale.phase(now);
        if now_phase != phase {
            phase = now_phase;
            sale.public.store(None);
            sale.beat(|pulse| pulse.urgent += 1);
        }
        if (is_live(sale, now) || looks % RESTING_LOOKS == 1)
            && let Err(error) = take_in(app, sale).await
        {
            tracing::warn!(%error, event = %sale.event(), "the line or the desk can't be read");
        }
        if looks % LOOKS_A_TICK == 0 {
            let found = (sale.line().version(), sale.joined(), sale.admissions().last_change());
            if found != seen {
                seen = found;
                sale.beat(|pulse| pulse.tick += 1);
            }
        }
        if looks % beat_looks == 0 {
            sale.beat(|pulse| pulse.beat += 1);
        }
    }
}

fn is_live(sale: &Sale, now: Timestamp) -> bool {
    let line = sale.line();
    line.policy().is_some_and(|policy| {
        now.millis_since(policy.lobby_opens_at) >= -BEFORE_LOBBY_MS
            && now.millis_since(policy.closes_at) <= AFTER_END_MS
    })
}

async fn take_in(app: &App, sale: &Sale) -> PortResult<()> {
    let Some(session_seconds) = sale.line().policy().map(|policy| policy.session_seconds) else { return Ok(()) };
    let ends = app.parts.log.ends(&Topic::Line(sale.event().clone())).await?;
    sale.set_joined(ends.iter().sum());
    loop {
        let after = sale.admissions().last_change();
        let changes = app.parts.desk.changes(sale.event(), after, CHANGES_AT_ONCE).await?;
        if changes.is_empty() {
            return Ok(());
        }
        let mut admissions = sale.admissions_mut();
        for change in &changes {
            admissions.apply(change, session_seconds);
        }
    }
}
