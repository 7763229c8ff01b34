//! The hold pool: takes hold and release commands from the log, metered, and carries each batch through the hold table
//! and the ledger.
//!
//! The hold table turns away at once what would be refused anyway; what it grants goes to the ledger in one verb a
//! batch, and what the ledger refuses is undone in the table. The ledger alone decides (invariants 1 and 2): a table
//! that is lost, unreachable or contradicted is rebuilt from it, and until then the ledger is asked without it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use booking_core::{
    booking::{BookingState, Release, Released, SeatChanges},
    holds::Settle,
    id::EventId,
    message::{BookingAct, BookingCommand, Outcome, Refusal, ReplyTo},
    ports::log::{Lane, Topic},
    time::Timestamp,
};
use futures_util::future::join;

use crate::{
    Error, Gauges, Parts, Progress, Settings,
    fold::Folds,
    hall::Halls,
    lane::{GroupLane, message_of},
    outward,
};

mod choose;
mod hold;
mod tables;
mod throttle;

use hold::Hold;
use tables::Tables;
pub use throttle::Throttle;

/// The consumer group on `weir.bookings`.
const GROUP: &str = "hold-pool";
/// When to come again where the rate or the room is used up, in milliseconds.
const NO_ROOM_MS: u64 = 5;

/// The pool of one lane of `weir.bookings`.
pub struct Pool {
    parts: Parts,
    gauges: Arc<Gauges>,
    throttle: Arc<Throttle>,
    bookings: GroupLane,
    at_once: usize,
    patience: Duration,
    folds: Folds,
    halls: Halls,
    tables: Tables,
}

/// Commands of a batch that follow one another and are of one kind.
enum Run {
    Holds(Vec<(ReplyTo, Hold)>),
    Releases(Vec<(ReplyTo, EventId, Release)>),
}

impl Pool {
    /// A pool of `lane`. The `throttle` is shared by the pools of all lanes.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>, throttle: Arc<Throttle>, lane: Lane) -> Self {
        let bookings = GroupLane::new(Arc::clone(&parts.log), GROUP, Topic::Bookings, lane);
        Self {
            parts,
            gauges,
            throttle,
            bookings,
            at_once: settings.hold_batch,
            patience: Duration::from_millis(settings.patience_ms),
            folds: Folds::default(),
            halls: Halls::default(),
            tables: Tables::default(),
        }
    }

    /// Takes a batch of commands, as many as the throttle lets through, or waits for one.
    ///
    /// # Errors
    /// If the log fails. Where another port does, whoever asked is told that it is worth repeating.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let entries = self.bookings.take(self.at_once, self.patience).await?;
        // Whoever waited may be later than when the step began.
        let now = if self.patience.is_zero() { now } else { now.max(self.parts.clock.now()) };
        let Some(last) = entries.last() else {
            self.throttle.rested(now, &self.gauges);
            self.gauges.pool_waiting.set(0);
            return Ok(Progress::Idle);
        };
        let is_full = entries.len() >= self.at_once;
        let mut done_to = last.offset + 1;
        let mut commands = Vec::with_capacity(entries.len());
        for entry in &entries {
            let Some(command) = message_of::<BookingCommand>(&Topic::Bookings, entry, &self.gauges) else { continue };
            if matches!(command.act, BookingAct::Confirm { .. }) {
                continue;
            }
            if command.deadline <= now {
                self.gauges.discarded_total.add(1);
            } else {
                commands.push((entry.offset, command));
            }
        }
        let permit = self.throttle.take(commands.len(), now, &self.gauges);
        if let Some((first_left, _)) = commands.get(permit.count()) {
            done_to = *first_left;
            commands.truncate(permit.count());
        }
        let done = commands.len();
        for run in runs(commands.into_iter().map(|(_, command)| command)) {
            match run {
                Run::Holds(holds) => self.hold(holds, now).await?,
                Run::Releases(releases) => self.release(releases, now).await?,
            }
        }
        self.bookings.done(done_to).await?;
        if is_full {
            self.throttle.worked(done, now, &self.gauges);
            self.gauges.pool_waiting.set(self.bookings.waiting(done_to).await?);
        } else {
            self.throttle.rested(now, &self.gauges);
            self.gauges.pool_waiting.set(0);
        }
        Ok(if done_to <= last.offset { Progress::Later(NO_ROOM_MS) } else { Progress::Did(entries.len()) })
    }

    /// Holds, answers, and tells the screens.
    async fn hold(&mut self, holds: Vec<(ReplyTo, Hold)>, now: Timestamp) -> Result<(), Error> {
        let (reply_to, holds): (Vec<_>, Vec<_>) = holds.into_iter().unzip();
        let mut changes = Vec::new();
        let outcomes = self.hold_batch(&holds, now, &mut changes).await;
        let granted = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Booking(_))).count();
        self.gauges.holds_granted_total.add(granted);
        self.gauges.holds_refused_total.add(outcomes.len() - granted);
        self.answer(reply_to.into_iter().zip(outcomes).collect(), &changes).await
    }

    /// Gives back, answers, and tells the screens.
    async fn release(&mut self, releases: Vec<(ReplyTo, EventId, Release)>, now: Timestamp) -> Result<(), Error> {
        let batch: Vec<Release> = releases.iter().map(|(_, _, release)| release.clone()).collect();
        let mut freed: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
        let (outcomes, changes): (Vec<Outcome>, Vec<SeatChanges>) = match self.parts.ledger.release(&batch, now).await {
            Err(error) => (vec![outward::unavailable(&error); batch.len()], Vec::new()),
            Ok(applied) => {
                let outcomes = applied.answers.into_iter().zip(&releases).map(|(answer, (_, event, release))| {
                    let booking = match answer {
                        // An id is unguessable, but a booking of another event is none of this command's.
                        Released::Released(booking) | Released::NotHeld(booking) if booking.event_id != *event => {
                            return Outcome::Refused(Refusal::NotFound);
                        }
                        Released::Released(booking) => booking,
                        Released::NotHeld(_) => return Outcome::Refused(Refusal::NotReserved),
                        Released::Unknown => return Outcome::Refused(Refusal::NotFound),
                    };
                    if booking.state != BookingState::Confirmed {
                        freed.entry(event.clone()).or_default().push(Settle::Freed(release.booking.clone()));
                    }
                    Outcome::Booking(Box::new(booking))
                });
                (outcomes.collect(), applied.seats)
            }
        };
        for (event, settles) in freed {
            if let Err(error) = self.parts.holds.settle(&event, &settles).await {
                tracing::warn!(%error, %event, "the hold table did not hear of a release");
                self.tables.distrust(&event);
            }
        }
        self.gauges.releases_total.add(outcomes.len());
        let answers = releases.into_iter().map(|(to, _, _)| to).zip(outcomes).collect();
        self.answer(answers, &changes).await
    }

    async fn answer(&self, answers: Vec<(ReplyTo, Outcome)>, changes: &[SeatChanges]) -> Result<(), Error> {
        let log = &*self.parts.log;
        let (told, ()) = join(outward::reply(log, answers), outward::publish_seats(log, changes)).await;
        Ok(told?)
    }
}

/// Cuts a batch where holds and releases meet: they are done in the order they came.
fn runs(commands: impl Iterator<Item = BookingCommand>) -> Vec<Run> {
    let mut runs = Vec::new();
    for command in commands {
        let BookingCommand { reply_to, deadline, event, booking, user, act, .. } = command;
        match act {
            BookingAct::Hold { session, max_seats, wanted, fingerprint } => {
                let hold = Hold { event, booking, user, session, max_seats, wanted, fingerprint, deadline };
                match runs.last_mut() {
                    Some(Run::Holds(holds)) => holds.push((reply_to, hold)),
                    _ => runs.push(Run::Holds(vec![(reply_to, hold)])),
                }
            }
            BookingAct::Release => {
                let release = Release { booking, user };
                match runs.last_mut() {
                    Some(Run::Releases(releases)) => releases.push((reply_to, event, release)),
                    _ => runs.push(Run::Releases(vec![(reply_to, event, release)])),
                }
            }
            BookingAct::Confirm { .. } => {}
        }
    }
    runs
}
