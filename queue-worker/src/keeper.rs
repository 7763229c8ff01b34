//! The keeper of lines: it alone decides who is drawn and called, and it obeys the operators.
//!
//! A keeper serves one lane of `weir.commands` and keeps the line of every event that falls into it. It takes a line
//! over by an `owned` record with the next epoch, under a name that no other keeper has; as long as the state log names
//! it as the owner, its records count. Once another's name stands there it stops ([`Error::Superseded`]), and nothing
//! that it appended meanwhile counts for anybody (invariant 10).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use booking_core::{
    id::EventId,
    message::{OperatorCommand, SaleAnnounced},
    ports::log::{Entry, Lane, Topic, lane_of},
    sale::SalePolicy,
    time::Timestamp,
};
use futures_util::future::join_all;

use crate::{
    Error, Gauges, Parts, Progress, Settings,
    lane::{GroupLane, message_of},
    settings::millis,
};

mod commands;
mod joins;
mod line;
mod moving;
mod rehousing;
pub(crate) mod trail;

use line::{Line, TakenOver};

/// Commands taken at once.
const COMMANDS_AT_ONCE: usize = 16;
/// Records of `weir.sales` read at once.
const SALES_AT_ONCE: usize = 256;
/// The consumer group on `weir.commands`.
const GROUP: &str = "keeper";

/// The keeper of one lane's lines.
pub struct Keeper {
    parts: Parts,
    settings: Settings,
    gauges: Arc<Gauges>,
    lane: Lane,
    /// Its name in the state logs: the worker's, and digits that no other keeper has.
    owner: String,
    commands: GroupLane,
    /// Where it goes on in each lane of `weir.sales`.
    sales_next: Vec<u64>,
    /// The sales announced for events of this lane, as they were announced last.
    announced: BTreeMap<EventId, SalePolicy>,
    lines: BTreeMap<EventId, Line>,
    /// Announced lines that have ended: nothing is left to keep.
    ended: BTreeSet<EventId>,
    last_tick: Option<Timestamp>,
}

impl Keeper {
    /// A keeper of `lane` of `weir.commands`. It takes its lines over in its first step.
    pub fn new(parts: Parts, settings: Settings, gauges: Arc<Gauges>, lane: Lane) -> Self {
        let mut digits = [0; 8];
        parts.entropy.fill(&mut digits);
        let owner = format!("{}-{:016x}", settings.name, u64::from_be_bytes(digits));
        let commands = GroupLane::new(Arc::clone(&parts.log), GROUP, Topic::Commands, lane);
        Self {
            parts,
            settings,
            gauges,
            lane,
            owner,
            commands,
            sales_next: Vec::new(),
            announced: BTreeMap::new(),
            lines: BTreeMap::new(),
            ended: BTreeSet::new(),
            last_tick: None,
        }
    }

    /// Decides for every line whose time has come, then does the commands that wait, or waits for one until the next
    /// decision is due (but no longer than the settings' patience).
    ///
    /// # Errors
    /// [`Error::Superseded`] where another keeper has taken over: this one must not go on. Otherwise the first failure
    /// of a port; the other lines are kept all the same, and what failed is tried again by the next step.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let ticked = if self.is_tick_due(now) { self.tick(now).await } else { Ok(0) };
        if let Err(error @ Error::Superseded { .. }) = ticked {
            self.gauges.superseded_total.add(1);
            return Err(error);
        }
        let obeyed = self.obey_next(now).await;
        if let Err(Error::Superseded { .. }) = obeyed {
            self.gauges.superseded_total.add(1);
        }
        Ok(Progress::of(obeyed? + ticked?))
    }

    fn tick_ms(&self) -> i64 {
        millis(self.settings.tick_ms)
    }

    fn is_tick_due(&self, now: Timestamp) -> bool {
        // A clock that was set back must not stop the line.
        self.last_tick.is_none_or(|last| now < last || now.millis_since(last) >= self.tick_ms())
    }

    /// How long a read for commands may wait now.
    fn patience(&self) -> Duration {
        let patience = Duration::from_millis(self.settings.patience_ms);
        let Some(last) = self.last_tick.filter(|_| !patience.is_zero()) else { return Duration::ZERO };
        let next = last.plus_millis(self.tick_ms());
        // At least a moment, so that a slow tick does not turn the wait into a spin.
        next.until(self.parts.clock.now()).clamp(Duration::from_millis(1), patience)
    }

    async fn tick(&mut self, now: Timestamp) -> Result<usize, Error> {
        self.last_tick = Some(now);
        self.follow_sales().await?;
        let mut first_error = None;
        let missing: Vec<EventId> = self
            .announced
            .keys()
            .filter(|event| !self.lines.contains_key(*event) && !self.ended.contains(*event))
            .cloned()
            .collect();
        for event in missing {
            if let Err(error) = self.take_over(&event, now).await {
                keep_worse(&mut first_error, error);
            }
        }
        let (parts, gauges) = (&self.parts, &*self.gauges);
        let ticks = self.lines.values_mut().map(|line| line.tick(parts, gauges, now));
        let mut appended = 0;
        for ticked in join_all(ticks).await {
            match ticked {
                Ok(records) => appended += records,
                Err(error) => keep_worse(&mut first_error, error),
            }
        }
        let ended: Vec<EventId> =
            self.lines.iter().filter(|(_, line)| line.state().is_closed()).map(|(event, _)| event.clone()).collect();
        for event in ended {
            self.lines.remove(&event);
            self.ended.insert(event);
        }
        self.gauges.lines_kept.set(self.lines.len() as u64);
        first_error.map_or(Ok(appended), Err)
    }

    /// Learns which events have a sale.
    async fn follow_sales(&mut self) -> Result<(), Error> {
        let log = &*self.parts.log;
        if self.sales_next.is_empty() {
            self.sales_next = vec![0; log.lanes(&Topic::Sales).await?.into()];
        }
        let lanes = log.lanes(&Topic::Commands).await?;
        for (lane, next) in (0_u16..).zip(&mut self.sales_next) {
            loop {
                let entries = log.read(&Topic::Sales, lane, *next, SALES_AT_ONCE, Duration::ZERO).await?;
                let Some(last) = entries.last() else { break };
                *next = last.offset + 1;
                for entry in &entries {
                    let Some(sale) = message_of::<SaleAnnounced>(&Topic::Sales, entry, &self.gauges) else { continue };
                    if lane_of(sale.event_id.as_str(), lanes) == self.lane {
                        self.announced.insert(sale.event_id, sale.policy);
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes this keeper the one of `event`'s line. False: there is no line, or it has ended.
    async fn take_over(&mut self, event: &EventId, now: Timestamp) -> Result<bool, Error> {
        let line = Line::new(event.clone(), self.owner.clone(), &self.settings);
        match line.take_over(&*self.parts.log, now).await? {
            TakenOver::Kept(line) => {
                tracing::info!(%event, owner = self.owner, epoch = line.state().epoch(), "keeps the line");
                self.lines.insert(event.clone(), *line);
                Ok(true)
            }
            TakenOver::Ended => {
                self.ended.insert(event.clone());
                Ok(false)
            }
            TakenOver::NoLine => Ok(false),
        }
    }

    async fn obey_next(&mut self, now: Timestamp) -> Result<usize, Error> {
        let patience = self.patience();
        let entries = self.commands.take(COMMANDS_AT_ONCE, patience).await?;
        // Whoever waited may be later than when the step began.
        let now = if patience.is_zero() { now } else { now.max(self.parts.clock.now()) };
        let obeyed = entries.len();
        for entry in entries {
            self.obey_entry(&entry, now).await?;
            self.commands.done(entry.offset + 1).await?;
        }
        Ok(obeyed)
    }

    async fn obey_entry(&mut self, entry: &Entry, now: Timestamp) -> Result<(), Error> {
        let Some(command) = message_of::<OperatorCommand>(&Topic::Commands, entry, &self.gauges) else { return Ok(()) };
        self.obey(command, now).await
    }
}

/// Superseded outweighs whatever a port has to say; otherwise the first counts.
fn keep_worse(kept: &mut Option<Error>, error: Error) {
    if kept.is_none() || matches!(error, Error::Superseded { .. }) {
        *kept = Some(error);
    }
}
