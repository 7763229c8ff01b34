//! The reconciler: compares ledger, hold tables, the provider's books and the outbox, names each difference, and mends
//! what has one right answer ([`booking_core::reconcile`]).
//!
//! A run goes over the events, looks at those that showed a difference once more a few seconds later, and then over the
//! bookings; a bounded number of each at a time. It reads, so that a sale can go on beside it; whatever is cut off is
//! looked at again in the next run.

use std::sync::Arc;

use booking_core::{
    id::BookingId,
    reconcile::{Difference, SeatDifference},
    time::Timestamp,
};

use crate::{Error, Gauges, Parts, Progress, Settings, settings::millis};

mod payments;
mod seats;

use payments::PaymentsLook;
use seats::SeatsLook;

/// The pause between two batches, so that a sale beside it is not held up.
const PAUSE_MS: u64 = 50;
/// The most differences that a report names; the others are counted.
pub const MAX_NAMED: usize = 1_000;
/// How long an outbox row may wait before it counts as a difference.
const PUBLISHED_AFTER_MS: i64 = 60_000;
/// How far back the first run of a worker looks at payments, and how much a run overlaps the one before.
const FIRST_LOOK_MS: i64 = 24 * 3_600_000;
const OVERLAP_MS: i64 = 600_000;

/// A difference, and whether it was mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What does not agree.
    pub difference: Difference,
    /// Whether it does now.
    pub is_mended: bool,
}

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Events whose seats were compared.
    pub events: usize,
    /// Payments that were compared.
    pub payments: usize,
    /// What did not agree, up to [`MAX_NAMED`].
    pub found: Vec<Found>,
    /// How many did not, named or not.
    pub differences: usize,
}

impl Report {
    fn add(&mut self, gauges: &Gauges, difference: Difference, is_mended: bool) {
        gauges.differences_total.add(1);
        if is_mended {
            gauges.mended_total.add(1);
            tracing::warn!(%difference, "mended");
        } else {
            tracing::error!(%difference, "to be seen to");
        }
        self.differences += 1;
        if self.found.len() < MAX_NAMED {
            self.found.push(Found { difference, is_mended });
        }
    }

    fn left(&self) -> impl Iterator<Item = &Difference> {
        self.found.iter().filter(|found| !found.is_mended).map(|found| &found.difference)
    }

    /// Bookings about whose payments something is left.
    fn unreconciled(&self) -> Vec<BookingId> {
        let of_payment = |difference: &Difference| match difference {
            Difference::Payment(booking, ..) => Some(booking.clone()),
            Difference::Seat(..) | Difference::Unpublished { .. } => None,
        };
        self.left().filter_map(of_payment).collect()
    }
}

/// How long after its start a worker runs for the first time, unless it runs more often than that: what it finds waiting
/// after a crash comes first.
const FIRST_RUN_AFTER_MS: i64 = 60_000;

/// Compares, again and again or once. One for all events; more than one do no harm.
pub struct Reconciler {
    parts: Parts,
    gauges: Arc<Gauges>,
    /// `None`: one run, over everything there ever was.
    every_ms: Option<i64>,
    mends: bool,
    /// When it was first asked to.
    begun: Option<Timestamp>,
    run: Option<Run>,
    last: Option<(Timestamp, Report)>,
}

/// What a run does now.
enum Stage {
    Seats(SeatsLook),
    Payments(PaymentsLook),
}

struct Run {
    began: Timestamp,
    stage: Stage,
    report: Report,
}

impl Reconciler {
    /// A reconciler that mends, every [`Settings::reconcile_every_ms`], what was touched since the run before.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>) -> Self {
        let every_ms = Some(millis(settings.reconcile_every_ms));
        Self { parts, gauges, every_ms, mends: true, begun: None, run: None, last: None }
    }

    /// One run over everything there ever was; `mends`: whether it mends what it can.
    pub fn once(parts: Parts, gauges: Arc<Gauges>, mends: bool) -> Self {
        Self { parts, gauges, every_ms: None, mends, begun: None, run: None, last: None }
    }

    /// What the last run came to that got to its end.
    pub fn report(&self) -> Option<&Report> {
        self.last.as_ref().map(|(_, report)| report)
    }

    /// Compares a batch. Idle: there is nothing to do until the next run is due.
    ///
    /// # Errors
    /// If a port fails; the batch is taken again.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        if !self.is_due(now) {
            return Ok(Progress::Idle);
        }
        let run = self.run.get_or_insert_with(|| {
            let events_from = self.every_ms.map(|_| now.plus_millis(-FIRST_LOOK_MS));
            Run { began: now, stage: Stage::Seats(SeatsLook::new(events_from)), report: Report::default() }
        });
        let is_done = match &mut run.stage {
            Stage::Seats(look) => match look.step(&self.parts, &self.gauges, self.mends, &mut run.report, now).await? {
                seats::Next::More => return Ok(Progress::Later(PAUSE_MS)),
                seats::Next::Wait(ms) => return Ok(Progress::Later(ms)),
                seats::Next::Done => {
                    let again = self.last.as_ref().map_or_else(Vec::new, |(_, report)| report.unreconciled());
                    let since = self.every_ms.map(|_| match &self.last {
                        Some((began, _)) => began.plus_millis(-OVERLAP_MS),
                        None => run.began.plus_millis(-FIRST_LOOK_MS),
                    });
                    run.stage = Stage::Payments(PaymentsLook::new(since, again));
                    false
                }
            },
            Stage::Payments(look) => look.step(&self.parts, &self.gauges, self.mends, &mut run.report, now).await?,
        };
        if !is_done {
            return Ok(Progress::Later(PAUSE_MS));
        }
        let oldest = self.parts.ledger.outbox(1).await?.first().map(|row| now.millis_since(row.at));
        if let Some(ms) = oldest.filter(|ms| *ms >= PUBLISHED_AFTER_MS) {
            run.report.add(&self.gauges, Difference::Unpublished { ms }, false);
        }
        let stuck = self.parts.ledger.stuck_payments(MAX_NAMED).await?.len();
        if let Some(run) = self.run.take() {
            self.end(run, stuck);
        }
        Ok(Progress::Did(1))
    }

    fn is_due(&mut self, now: Timestamp) -> bool {
        let begun = *self.begun.get_or_insert(now);
        match (&self.run, &self.last, self.every_ms) {
            (Some(_), ..) | (None, None, None) => true,
            (None, None, Some(every_ms)) => now.millis_since(begun) >= every_ms.min(FIRST_RUN_AFTER_MS),
            (None, Some(_), None) => false,
            (None, Some((began, _)), Some(every_ms)) => !(0..every_ms).contains(&now.millis_since(*began)),
        }
    }

    fn end(&mut self, Run { began, report, .. }: Run, stuck: usize) {
        let before: Vec<&Difference> = self.last.iter().flat_map(|(_, report)| report.left()).collect();
        let doubled = report.left().filter(|difference| {
            matches!(difference, Difference::Seat(_, SeatDifference::DoubleSold { .. })) && !before.contains(difference)
        });
        self.gauges.double_sold_total.add(doubled.count());
        self.gauges.unreconciled_payments.set((report.unreconciled().len() + stuck) as u64);
        self.gauges.reconciled_total.add(1);
        if report.differences == 0 {
            tracing::debug!(events = report.events, payments = report.payments, "everything agrees");
        }
        self.last = Some((began, report));
    }
}
