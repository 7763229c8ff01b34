//! One line and its keeper's hand on it.

use booking_core::{
    booking::Totals,
    desk::Counts,
    id::EventId,
    line::{
        draw::SeedChain,
        keeper::{Decision, Inputs, close_batch, decide},
        meter::Meter,
        record::StateKind,
        state::{Applied, LineState},
    },
    ports::{PortError, log::Log},
    time::Timestamp,
};

use super::joins::Joins;
use crate::{Error, Gauges, Parts, Settings, fold::Fold, hall::Halls};

/// Tries to become a line's keeper, where records of others come in between.
const TAKE_OVER_TRIES: usize = 16;
/// How often the ledger is asked for its sums, in milliseconds.
const TOTALS_EVERY_MS: i64 = 250;

/// A line that a keeper keeps, or is about to.
pub(super) struct Line {
    fold: Fold,
    owner: String,
    joins: Joins,
    meter: Meter,
    /// Worked out when the first batch closes.
    chain: Option<SeedChain>,
    seats: Option<u64>,
    totals: Totals,
    totals_at: Option<Timestamp>,
    /// What the desk said last, and from which rank it counted.
    counted: (u64, Counts),
    /// Whether the desk and the ledger answered the last time.
    reachable: bool,
}

/// What became of taking a line over.
pub(super) enum TakenOver {
    /// It is kept.
    Kept(Box<Line>),
    /// It has ended: there is nothing to keep.
    Ended,
    /// There is none.
    NoLine,
}

impl Line {
    pub(super) fn new(event: EventId, owner: String, settings: &Settings) -> Self {
        Self {
            fold: Fold::new(event.clone()),
            owner,
            joins: Joins::new(event, settings.max_open_entries),
            meter: Meter::new(),
            chain: None,
            seats: None,
            totals: Totals::default(),
            totals_at: None,
            counted: (0, Counts::default()),
            reachable: true,
        }
    }

    pub(super) fn state(&self) -> &LineState {
        &self.fold.state
    }

    /// Has its event's seats counted anew.
    pub(super) fn count_again(&mut self) {
        self.seats = None;
    }

    pub(super) fn keep_chain(&mut self, chain: SeedChain) {
        self.chain = Some(chain);
    }

    fn is_mine(&self) -> bool {
        self.state().owner() == self.owner
    }

    fn superseded(&self) -> Error {
        Error::Superseded { event: self.state().event().clone() }
    }

    /// Reads the state log to its end.
    pub(super) async fn read(&mut self, log: &dyn Log) -> Result<(), Error> {
        Ok(self.fold.follow(log).await?)
    }

    /// Becomes the line's keeper: only if its own record is the one that counts.
    pub(super) async fn take_over(mut self, log: &dyn Log, now: Timestamp) -> Result<TakenOver, Error> {
        for _ in 0..TAKE_OVER_TRIES {
            self.read(log).await?;
            if self.state().policy().is_none() {
                return Ok(TakenOver::NoLine);
            }
            if self.state().is_closed() {
                return Ok(TakenOver::Ended);
            }
            if self.is_mine() {
                return Ok(TakenOver::Kept(Box::new(self)));
            }
            let owned = self.state().next(StateKind::Owned { owner: self.owner.clone() }, now);
            let offset = log.append(self.fold.topic(), 0, owned.text()).await?;
            self.fold.follow_to(log, offset).await?;
        }
        Err(self.superseded())
    }

    /// Reads on, and makes sure that the line is still this keeper's.
    pub(super) async fn refresh(&mut self, log: &dyn Log) -> Result<(), Error> {
        self.read(log).await?;
        if self.is_mine() { Ok(()) } else { Err(self.superseded()) }
    }

    /// Appends one record and reads the log to it. False: an earlier record of this keeper, whose outcome had been
    /// unknown, stands in its place, so that there is to be decided anew.
    pub(super) async fn append(&mut self, log: &dyn Log, kind: StateKind, now: Timestamp) -> Result<bool, Error> {
        let version = self.state().version();
        let record = self.state().next(kind, now);
        let offset = log.append(self.fold.topic(), 0, record.text()).await?;
        let why = match self.fold.follow_to(log, offset).await? {
            Applied::Accepted => return Ok(true),
            Applied::Ignored(why) => why,
        };
        if !self.is_mine() {
            return Err(self.superseded());
        }
        if self.state().version() == version {
            let reason = format!("{} did not take its keeper's own record: {why}", self.fold.topic());
            return Err(PortError::Damaged { port: "log", reason }.into());
        }
        Ok(false)
    }

    /// Decides once and carries it out. Answers how many records it appended.
    pub(super) async fn tick(&mut self, parts: &Parts, gauges: &Gauges, now: Timestamp) -> Result<usize, Error> {
        let log = &*parts.log;
        self.refresh(log).await?;
        let Some(opens_at) = self.state().policy().map(|policy| policy.opens_at) else { return Ok(0) };
        if self.state().is_closed() {
            return Ok(0);
        }
        let lane_ends = log.ends(self.joins.topic()).await?;
        self.joins.begin(&self.state().last_ends());
        self.joins.follow(log, &lane_ends).await?;
        if now < opens_at {
            return Ok(0);
        }
        let inputs = self.inputs(parts, gauges, lane_ends, now).await?;
        let mut appended = 0;
        for decision in decide(&self.fold.state, &inputs, &mut self.meter) {
            let kind = match decision {
                Decision::Append(kind) => kind,
                Decision::CloseBatch { ends } => self.draw(parts, &ends).await?,
            };
            let called_before = self.state().served();
            let is_batch = matches!(kind, StateKind::BatchClosed { .. });
            if !self.append(log, kind, now).await? {
                break;
            }
            appended += 1;
            gauges.batches_total.add(usize::from(is_batch));
            gauges.called_total.add(usize::try_from(self.state().served() - called_before).unwrap_or(0));
        }
        Ok(appended)
    }

    /// The record that closes the open batch at `ends`.
    async fn draw(&mut self, parts: &Parts, ends: &[u64]) -> Result<StateKind, Error> {
        let root = self.joins.root(&*parts.log, &self.state().last_ends(), ends).await?;
        if self.chain.is_none() {
            let event = self.state().event();
            let chain = load_chain(parts, event, self.state().chain_length()).await?;
            if Some(chain.commitment()) != self.state().commitment() {
                let reason = format!("the seed chain kept for {event} is not the one that was promised");
                return Err(PortError::Damaged { port: "ledger", reason }.into());
            }
            self.chain = Some(chain);
        }
        let batch = u32::try_from(self.state().batches().len()).unwrap_or(u32::MAX);
        let reveal = self.chain.as_ref().and_then(|chain| chain.reveal(batch));
        let reveal = reveal.expect("no batch closes once the chain is spent");
        Ok(close_batch(self.state(), ends, root, reveal))
    }

    async fn inputs(
        &mut self,
        parts: &Parts,
        gauges: &Gauges,
        lane_ends: Vec<u64>,
        now: Timestamp,
    ) -> Result<Inputs, Error> {
        let event = self.state().event().clone();
        let seats = if let Some(seats) = self.seats {
            seats
        } else {
            let hall = Halls::default().get(&*parts.catalog, &event, now).await?;
            let seats = hall.map_or(0, |hall| hall.venue.seat_map.len() as u64);
            self.seats = Some(seats).filter(|seats| *seats > 0);
            seats
        };
        // The line goes on without the ledger and the desk: with their last word, and calling nobody without the desk.
        let mut reachable = true;
        if self.totals_at.is_none_or(|at| !(0..TOTALS_EVERY_MS).contains(&now.millis_since(at))) {
            match parts.ledger.totals(&event, now).await {
                Ok(totals) => (self.totals, self.totals_at) = (totals, Some(now)),
                Err(error) => reachable = self.unreachable(&error),
            }
        }
        let from = self.state().first_open_rank(now);
        let mut desk_is_silent = false;
        match parts.desk.counts(&event, from, now).await {
            Ok(counts) => self.counted = (from, counts),
            Err(error) => {
                desk_is_silent = true;
                reachable = self.unreachable(&error);
            }
        }
        self.reachable = reachable;
        let (counted_from, mut counts) = self.counted;
        if desk_is_silent {
            counts.active = self.state().max_active().into();
        }
        Ok(Inputs {
            now,
            lane_ends,
            counts,
            counted_from,
            seats,
            held: self.totals.held,
            booked: self.totals.booked,
            browsing: counts.active.saturating_sub(self.totals.holding_sessions),
            holds_per_second: u32::try_from(gauges.pool_per_second.get()).ok().filter(|holds| *holds > 0),
        })
    }

    /// Says so once, not ten times a second.
    fn unreachable(&self, error: &PortError) -> bool {
        if self.reachable {
            tracing::warn!(event = %self.state().event(), %error, "the line goes on with what was known before");
        }
        false
    }
}

/// The seed chain of `event`: the one whose end the ledger keeps, or keeps from now on.
pub(super) async fn load_chain(parts: &Parts, event: &EventId, length: u32) -> Result<SeedChain, Error> {
    let mut candidate = booking_core::digest::Digest::ZERO;
    parts.entropy.fill(&mut candidate.0);
    let end = parts.ledger.chain_end(event, candidate).await?;
    Ok(SeedChain::from_end(end, length))
}
