//! The finaliser: turns a hold and a payment into a booking, and cancels bookings. Authorise, then confirm the seats, then
//! capture; what can't be confirmed is given back, and what is cancelled is refunded.
//!
//! Before the provider is asked, `asked` is written to the trail of payment acts, and what ends it afterwards. So a
//! crash at any point leaves either nothing, or a payment without an end: [`Finaliser::step`] looks for those now and
//! then and brings each to its end (invariant 9): captured where the booking is confirmed with it, given back where the
//! booking can't be any more. As long as the hold lives, its buyer may still repeat.
//!
//! Confirmations are worked on side by side, each with its own pace; those whose payment is authorised are confirmed in
//! one verb, one batch after the other, and while a batch is confirmed, the money of those before it is taken. The lane is
//! noted as done up to the first that is not.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use booking_core::{
    booking::SeatChanges,
    id::BookingId,
    message::{BookingAct, BookingCommand},
    ports::{
        PortResult,
        log::{Entry, Lane, Topic},
    },
    time::Timestamp,
};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};

use crate::{
    Error, Gauges, Parts, Progress, Settings,
    alongside::alongside,
    lane::{GroupLane, message_of},
    settings::millis,
};

mod batches;
mod cancel;
mod confirm;
mod door;
mod finish;
mod money;
mod see_to;
mod settle;
mod told;
mod verdict;

use cancel::Untold;
pub(crate) use money::take;
use see_to::Decision;
use verdict::{Payment, Verdict};

/// The consumer group on `weir.bookings`.
const GROUP: &str = "finaliser";
/// The most that is kept for a hold table that can't be told.
const MAX_UNTOLD: usize = 10_000;

/// The finaliser of one lane of `weir.bookings`.
pub struct Finaliser {
    parts: Parts,
    settings: Settings,
    gauges: Arc<Gauges>,
    lane: Lane,
    bookings: GroupLane,
    /// The next entry to look at; what lies before it is done or in `unfinished`.
    next: Option<u64>,
    unfinished: BTreeSet<u64>,
    /// The bookings being worked on: one payment of a booking at a time.
    busy: HashSet<BookingId>,
    working: Working,
    /// What is to be confirmed next.
    judged: Vec<Judged>,
    /// Whether a batch is being confirmed: an event's bookings are, one batch after the other.
    is_confirming: bool,
    /// What was scanned at doors and is checked in next, one batch after the other.
    scans: door::Scans,
    is_checking_in: bool,
    settled_at: Option<Timestamp>,
    retries: settle::Retries,
    /// What the hold table is still to be told.
    untold: VecDeque<Untold>,
    /// What the provider told and is tried again.
    again: told::Again,
}

/// What is being done, all of it at once.
type Working = FuturesUnordered<BoxFuture<'static, Work>>;

/// A piece of work that was done.
enum Work {
    Judged(Box<Judged>),
    Confirmed(Vec<Judged>, Vec<SeatChanges>),
    Finished(PortResult<Vec<Finished>>),
    Cancelled(PortResult<Option<Untold>>, Finished),
    CheckedIn(PortResult<Vec<Finished>>),
}

/// A confirmation and what is to be done about it.
struct Judged {
    offset: u64,
    command: BookingCommand,
    payment: Payment,
    verdict: Verdict,
}

/// A command that was answered.
struct Finished {
    offset: u64,
    /// Of which booking it was the only one being worked on.
    booking: Option<BookingId>,
}

impl Finaliser {
    /// A finaliser of `lane`. Its first step looks for payments that a predecessor left without an end.
    pub fn new(parts: Parts, settings: Settings, gauges: Arc<Gauges>, lane: Lane) -> Self {
        let bookings = GroupLane::new(Arc::clone(&parts.log), GROUP, Topic::Bookings, lane);
        Self {
            parts,
            settings,
            gauges,
            lane,
            bookings,
            next: None,
            unfinished: BTreeSet::new(),
            busy: HashSet::new(),
            working: FuturesUnordered::new(),
            judged: Vec::new(),
            is_confirming: false,
            scans: door::Scans::default(),
            is_checking_in: false,
            settled_at: None,
            retries: settle::Retries::default(),
            untold: VecDeque::new(),
            again: told::Again::default(),
        }
    }

    /// Begins what came in, or waits for something to come in or to be answered by the provider; then confirms and
    /// answers what is ready.
    ///
    /// # Errors
    /// If the log fails: everything that is not finished is begun again. Where another port fails, whoever asked is
    /// told that it is worth repeating.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let stepped = self.try_step(now).await;
        if stepped.is_err() {
            self.next = None;
            self.unfinished.clear();
            self.busy.clear();
            self.working = FuturesUnordered::new();
            self.judged.clear();
            self.is_confirming = false;
            self.scans.clear();
            self.is_checking_in = false;
            self.again.clear();
        }
        stepped
    }

    async fn try_step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let (mut working, mut done) = (std::mem::take(&mut self.working), Vec::new());
        let settled = alongside(&mut working, &mut done, self.settle_if_due(now)).await;
        self.working = working;
        let mut finished = self.carry_on(&mut done, now).await?;
        self.begin_again(now);
        let begun = self.begin(now, Duration::from_millis(self.settings.patience_ms), &mut done).await?;
        // Whoever waited may be later than when the step began.
        let now = if self.settings.patience_ms == 0 { now } else { now.max(self.parts.clock.now()) };
        finished += self.carry_on(&mut done, now).await?;
        Ok(Progress::of(settled + begun + finished))
    }

    /// Goes on from what is done, as far as it gets without waiting. Answers how many confirmations are finished.
    async fn carry_on(&mut self, done: &mut Vec<Work>, now: Timestamp) -> Result<usize, Error> {
        let mut finished = 0;
        loop {
            while let Some(Some(work)) = self.working.next().now_or_never() {
                done.push(work);
            }
            for work in done.drain(..) {
                finished += self.go_on(work, now)?;
            }
            if !(self.confirm_next(now) | self.check_in_next()) {
                break;
            }
        }
        let done_to = self.unfinished.first().copied().or(self.next);
        if let Some(done_to) = done_to {
            self.bookings.done(done_to).await?;
            self.gauges.confirms_in_flight.set(self.unfinished.len() as u64);
        }
        Ok(finished)
    }

    /// What follows a piece of work. Answers how many confirmations are finished with it.
    fn go_on(&mut self, work: Work, now: Timestamp) -> PortResult<usize> {
        match work {
            Work::Judged(judged) if judged.is_to_be_repeated() => {
                self.put_off(*judged, now);
                Ok(0)
            }
            Work::Judged(judged) => {
                self.judged.push(*judged);
                Ok(0)
            }
            Work::Confirmed(judged, changes) => {
                self.is_confirming = false;
                let (again, judged): (Vec<_>, Vec<_>) = judged.into_iter().partition(Judged::is_to_be_repeated);
                for judged in again {
                    self.put_off(judged, now);
                }
                let (parts, gauges) = (self.parts.clone(), Arc::clone(&self.gauges));
                let finish = async move { finish::finish(&parts, &gauges, judged, &changes, now).await };
                self.working.push(finish.map(Work::Finished).boxed());
                Ok(0)
            }
            Work::Finished(finished) => Ok(self.finished(finished?)),
            Work::CheckedIn(finished) => {
                self.is_checking_in = false;
                Ok(self.finished(finished?))
            }
            Work::Cancelled(untold, finished) => {
                self.untold.extend(untold?);
                if self.untold.len() > MAX_UNTOLD {
                    // A rebuild of the table mends it.
                    tracing::error!(dropped = ?self.untold.pop_front(), "too much that the hold table did not hear");
                }
                Ok(self.finished(vec![finished]))
            }
        }
    }

    fn finished(&mut self, finished: Vec<Finished>) -> usize {
        for Finished { offset, booking } in &finished {
            self.unfinished.remove(offset);
            self.again.done(*offset);
            if let Some(booking) = booking {
                self.busy.remove(booking);
            }
        }
        finished.len()
    }

    /// Takes what came in and begins it, as far as there is room. Where nothing came, waits up to `patience` for it, or
    /// for the first piece of work that is done. Answers how many entries it took.
    async fn begin(&mut self, now: Timestamp, patience: Duration, done: &mut Vec<Work>) -> Result<usize, Error> {
        let from = match self.next {
            Some(next) => next,
            None => self.bookings.next().await?,
        };
        self.next = Some(from);
        let room = self.settings.confirms_in_flight.saturating_sub(self.unfinished.len());
        if room == 0 {
            if !patience.is_zero() {
                done.extend(self.working.next().await);
            }
            return Ok(0);
        }
        let entries = if self.working.is_empty() {
            self.bookings.read(from, room, patience).await?
        } else {
            let read = std::pin::pin!(self.bookings.read(from, room, patience));
            match select(read, self.working.next()).await {
                Either::Left((entries, _)) => entries?,
                Either::Right((work, _)) => {
                    done.extend(work);
                    Vec::new()
                }
            }
        };
        let now = if patience.is_zero() { now } else { now.max(self.parts.clock.now()) };
        let mut begun = 0;
        for entry in &entries {
            if !self.begin_entry(entry, now) {
                break;
            }
            self.next = Some(entry.offset + 1);
            begun += 1;
        }
        if begun == 0 && done.is_empty() && !entries.is_empty() && !patience.is_zero() {
            // The first of them waits for its booking: so does this step.
            done.extend(self.working.next().await);
        }
        Ok(begun)
    }

    /// False: its booking is being worked on; its turn comes after that.
    fn begin_entry(&mut self, entry: &Entry, now: Timestamp) -> bool {
        let Some(command) = message_of::<BookingCommand>(&Topic::Bookings, entry, &self.gauges) else { return true };
        if matches!(command.act, BookingAct::Hold { .. } | BookingAct::Extend | BookingAct::Release) {
            return true;
        }
        if command.deadline <= now {
            self.gauges.discarded_total.add(1);
            return true;
        }
        if matches!(command.act, BookingAct::CheckIn { .. }) {
            // The ledger says who is first, whatever else is done with the booking meanwhile.
            self.unfinished.insert(entry.offset);
            self.scans.push(entry.offset, command);
            return true;
        }
        if !self.busy.insert(command.booking.clone()) {
            return false;
        }
        self.unfinished.insert(entry.offset);
        let (parts, gauges, offset) = (self.parts.clone(), Arc::clone(&self.gauges), entry.offset);
        self.working.push(async move { work(&parts, &gauges, offset, command, now).await }.boxed());
        true
    }

    async fn settle_if_due(&mut self, now: Timestamp) -> usize {
        let every = millis(self.settings.settle_every_ms);
        if self.settled_at.is_some_and(|at| (0..every).contains(&now.millis_since(at))) {
            return 0;
        }
        while let Some(untold) = self.untold.front() {
            if cancel::tell(&self.parts, untold).await.is_err() {
                break;
            }
            self.untold.pop_front();
        }
        match settle::settle(&self.parts, &self.gauges, &self.settings, self.lane, &self.busy, &mut self.retries, now)
            .await
        {
            Ok(settled) => {
                self.settled_at = (!settled.has_more).then_some(now);
                settled.count
            }
            Err(error) => {
                tracing::warn!(%error, "payments without an end can't be looked for");
                0
            }
        }
    }
}

/// Begins what a command asks for; a confirmation goes on in a batch.
async fn work(parts: &Parts, gauges: &Gauges, offset: u64, command: BookingCommand, now: Timestamp) -> Work {
    let done = match &command.act {
        BookingAct::Confirm { transaction, amount, contact } => {
            let payment = Payment { transaction: transaction.clone(), amount: *amount, contact: contact.clone() };
            let verdict = verdict::judge(parts, gauges, &command, &payment, now).await;
            return Work::Judged(Box::new(Judged { offset, command, payment, verdict }));
        }
        BookingAct::Paid { transaction, amount } => {
            let payment = Payment { transaction: transaction.clone(), amount: amount.amount, contact: None };
            let verdict = told::judge(parts, gauges, &command, &payment, *amount, now).await;
            return Work::Judged(Box::new(Judged { offset, command, payment, verdict }));
        }
        BookingAct::Cancel { seats, refund } => {
            let untold = cancel::cancel(parts, gauges, &command, seats, *refund, now).await;
            return Work::Cancelled(untold, Finished { offset, booking: Some(command.booking) });
        }
        BookingAct::SeeTo { transaction, refund, resolved, actor, command: id } => {
            let decision = Decision {
                transaction: transaction.clone(),
                refund: *refund,
                resolved: resolved.clone(),
                actor: actor.clone(),
                command: id.clone(),
            };
            see_to::see_to(parts, &command, &decision, now).await
        }
        BookingAct::RevokeTicket { seat, why, actor, command: id } => {
            door::revoke(parts, &command, *seat, why.as_ref(), (actor, id), now).await
        }
        BookingAct::Hold { .. } | BookingAct::Extend | BookingAct::Release | BookingAct::CheckIn { .. } => Ok(()),
    };
    Work::Finished(done.map(|()| vec![Finished { offset, booking: Some(command.booking) }]))
}
