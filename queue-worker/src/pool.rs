//! The hold pool: takes hold, extension and release commands from the log, metered, and carries each batch through the hold table
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
    ports::{
        PortResult,
        log::{Lane, Topic},
    },
    time::Timestamp,
};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesOrdered};

use crate::{
    Error, Gauges, Parts, Progress, Settings,
    alongside::alongside,
    fold::Folds,
    hall::Halls,
    lane::{GroupLane, message_of},
    outward,
};

mod answers;
mod choose;
mod extend;
mod hold;
mod known;
mod tables;
mod throttle;

use answers::Answers;
use extend::Extension;
use hold::Hold;
use tables::Tables;
use throttle::Permit;
pub use throttle::Throttle;

/// The consumer group on `weir.bookings`.
const GROUP: &str = "hold-pool";
/// When to come again where the rate or the room is used up, in milliseconds.
const NO_ROOM_MS: u64 = 5;
/// The most batches of one step.
const BATCHES: usize = 16;
/// The most batches whose answers are on their way while the next is decided.
const MAX_TELLING: usize = 3;

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

/// Batches whose answers are on their way.
type Telling = FuturesOrdered<BoxFuture<'static, PortResult<Told>>>;

/// A batch that is decided, and not yet answered.
struct Batch {
    entries: usize,
    /// Where the next begins.
    next: u64,
    /// Whether there may be more.
    is_full: bool,
    /// Whether the throttle kept some of it back.
    is_cut: bool,
    answers: Answers,
    told: Told,
}

/// A batch that is answered.
struct Told {
    next: u64,
    is_full: bool,
    decided_at: Timestamp,
    permit: Permit,
}

/// Commands of a batch that follow one another and are of one kind.
enum Run {
    Holds(Vec<(ReplyTo, Hold)>),
    Extensions(Vec<(ReplyTo, Extension)>),
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

    /// Takes commands, as many as the throttle lets through, or waits for one. Where there are more than a batch, each
    /// is decided while the answers to those before are on their way.
    ///
    /// # Errors
    /// If the log fails. Where another port does, whoever asked is told that it is worth repeating.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let mut next = self.bookings.next().await?;
        let mut patience = self.patience;
        let mut telling = Telling::new();
        let (mut taken, mut is_full, mut is_cut) = (0, false, false);
        for batches in 1..=BATCHES {
            let mut told = Vec::new();
            let batch = alongside(&mut telling, &mut told, self.decide(next, patience, now)).await;
            for told in told {
                self.told(told?).await?;
            }
            let batch = batch?;
            (next, taken, is_full, is_cut) = (batch.next, taken + batch.entries, batch.is_full, batch.is_cut);
            let parts = self.parts.clone();
            telling.push_back(async move { batch.answers.tell(&parts).await.map(|()| batch.told) }.boxed());
            let room = if batches == BATCHES || !is_full || is_cut { 0 } else { MAX_TELLING };
            while telling.len() > room {
                if let Some(told) = telling.next().await {
                    self.told(told?).await?;
                }
            }
            if room == 0 {
                break;
            }
            patience = Duration::ZERO;
        }
        self.gauges.pool_waiting.set(if is_full { self.bookings.waiting(next).await? } else { 0 });
        Ok(if is_cut { Progress::Later(NO_ROOM_MS) } else { Progress::of(taken) })
    }

    /// Notes that a batch is done.
    async fn told(&mut self, Told { next, is_full, decided_at, permit }: Told) -> Result<(), Error> {
        let count = permit.count();
        drop(permit);
        if is_full {
            self.throttle.worked(count, decided_at, &self.gauges);
        } else {
            self.throttle.rested(decided_at, &self.gauges);
        }
        self.bookings.done(next).await?;
        Ok(())
    }

    /// Decides the commands from `from` on, up to a batch.
    async fn decide(&mut self, from: u64, patience: Duration, now: Timestamp) -> Result<Batch, Error> {
        let entries = self.bookings.read(from, self.at_once, patience).await?;
        // Whoever waited may be later than when the step began.
        let now = if self.patience.is_zero() { now } else { now.max(self.parts.clock.now()) };
        let mut next = entries.last().map_or(from, |last| last.offset + 1);
        let mut commands = Vec::with_capacity(entries.len());
        for entry in &entries {
            let Some(command) = message_of::<BookingCommand>(&Topic::Bookings, entry, &self.gauges) else { continue };
            if !matches!(command.act, BookingAct::Hold { .. } | BookingAct::Extend | BookingAct::Release) {
                continue;
            }
            if command.deadline <= now {
                self.gauges.discarded_total.add(1);
            } else {
                commands.push((entry.offset, command));
            }
        }
        let permit = self.throttle.take(commands.len(), now, &self.gauges);
        let first_left = commands.get(permit.count()).map(|(offset, _)| *offset);
        if let Some(first_left) = first_left {
            next = first_left;
            commands.truncate(permit.count());
        }
        let mut answers = Answers::default();
        for run in runs(commands.into_iter().map(|(_, command)| command)) {
            match run {
                Run::Holds(holds) => self.hold(holds, now, &mut answers).await,
                Run::Extensions(extensions) => self.extend(extensions, now, &mut answers).await,
                Run::Releases(releases) => self.release(releases, now, &mut answers).await,
            }
        }
        let (entries, is_full) = (entries.len(), entries.len() >= self.at_once);
        let told = Told { next, is_full, decided_at: now, permit };
        Ok(Batch { entries, next, is_full, is_cut: first_left.is_some(), answers, told })
    }

    /// Holds.
    async fn hold(&mut self, holds: Vec<(ReplyTo, Hold)>, now: Timestamp, answers: &mut Answers) {
        let (reply_to, holds): (Vec<_>, Vec<_>) = holds.into_iter().unzip();
        let decided = self.hold_batch(&holds, now, &mut answers.changes).await;
        let granted = decided.iter().filter(|decided| matches!(decided.outcome, Outcome::Booking(_))).count();
        self.gauges.holds_granted_total.add(granted);
        self.gauges.holds_refused_total.add(decided.len() - granted);
        for ((to, hold), decided) in reply_to.into_iter().zip(holds).zip(decided) {
            answers.add(to, decided.outcome, decided.unless_known.then_some(hold));
        }
    }

    /// Gives back.
    async fn release(&mut self, releases: Vec<(ReplyTo, EventId, Release)>, now: Timestamp, answers: &mut Answers) {
        let batch: Vec<Release> = releases.iter().map(|(_, _, release)| release.clone()).collect();
        let mut freed: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
        let (outcomes, mut changes): (Vec<Outcome>, Vec<SeatChanges>) =
            match self.parts.ledger.release(&batch, now).await {
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
        answers.changes.append(&mut changes);
        for ((to, _, _), outcome) in releases.into_iter().zip(outcomes) {
            answers.add(to, outcome, None);
        }
    }
}

/// Cuts a batch where holds, extensions and releases meet: they are done in the order they came.
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
            BookingAct::Extend => {
                let extension = Extension { event, booking, user };
                match runs.last_mut() {
                    Some(Run::Extensions(extensions)) => extensions.push((reply_to, extension)),
                    _ => runs.push(Run::Extensions(vec![(reply_to, extension)])),
                }
            }
            BookingAct::Release => {
                let release = Release { booking, user };
                match runs.last_mut() {
                    Some(Run::Releases(releases)) => releases.push((reply_to, event, release)),
                    _ => runs.push(Run::Releases(vec![(reply_to, event, release)])),
                }
            }
            BookingAct::Confirm { .. }
            | BookingAct::Paid { .. }
            | BookingAct::Cancel { .. }
            | BookingAct::SeeTo { .. }
            | BookingAct::CheckIn { .. }
            | BookingAct::RevokeTicket { .. } => {}
        }
    }
    runs
}
