//! The finaliser: turns a hold and a payment into a booking. Authorise, then confirm the seats, then capture; what
//! can't be confirmed is given back.
//!
//! Before the provider is asked, `asked` is written to the trail of payment acts, and what ends it afterwards. So a
//! crash at any point leaves either nothing, or a payment without an end: [`Finaliser::step`] looks for those now and
//! then and brings each to its end (invariant 9): captured where the booking is confirmed with it, given back where the
//! booking can't be any more. As long as the hold lives, its buyer may still repeat.
//!
//! Confirmations are worked on side by side, each with its own pace; those whose payment is authorised are confirmed in
//! one verb. The lane is noted as done up to the first that is not.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use booking_core::{
    booking::{Booking, ConfirmSeats, Confirmed, SeatChanges},
    holds::Settle,
    id::{BookingId, EventId},
    message::{BookingAct, BookingCommand, Outcome, Refusal},
    ports::log::{Entry, Lane, Topic},
    time::Timestamp,
};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Either, join, join_all, select},
    stream::FuturesUnordered,
};

use crate::{
    Error, Gauges, Parts, Progress, Settings,
    lane::{GroupLane, message_of},
    outward,
    settings::millis,
};

mod money;
mod settle;
mod verdict;

use verdict::{Payment, Verdict};

/// The consumer group on `weir.bookings`.
const GROUP: &str = "finaliser";

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
    judging: Judging,
    /// What became ready while the step did something else.
    judged: Vec<Judged>,
    settled_at: Option<Timestamp>,
}

/// Confirmations being worked on.
type Judging = FuturesUnordered<BoxFuture<'static, Judged>>;

/// A confirmation and what is to be done about it.
struct Judged {
    offset: u64,
    command: BookingCommand,
    payment: Payment,
    verdict: Verdict,
}

/// Awaits `work` while what is being judged goes on. A confirmation that nobody polls may hold, or be next in line
/// for, the very connection that `work` waits for.
async fn alongside<T>(judging: &mut Judging, judged: &mut Vec<Judged>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    poll_fn(|context| {
        while let Poll::Ready(Some(ready)) = judging.poll_next_unpin(context) {
            judged.push(ready);
        }
        work.as_mut().poll(context)
    })
    .await
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
            judging: FuturesUnordered::new(),
            judged: Vec::new(),
            settled_at: None,
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
            self.judging = FuturesUnordered::new();
            self.judged.clear();
        }
        stepped
    }

    async fn try_step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let (mut judging, mut judged) = (std::mem::take(&mut self.judging), std::mem::take(&mut self.judged));
        let settled = alongside(&mut judging, &mut judged, self.settle_if_due(now)).await;
        (self.judging, self.judged) = (judging, judged);
        let (begun, mut ready) = self.begin(now).await?;
        // Whoever waited may be later than when the step began.
        let now = if self.settings.patience_ms == 0 { now } else { now.max(self.parts.clock.now()) };
        while let Some(Some(judged)) = self.judging.next().now_or_never() {
            ready.push(judged);
        }
        let finished = ready.len();
        let (mut judging, mut judged) = (std::mem::take(&mut self.judging), Vec::new());
        let told = alongside(&mut judging, &mut judged, self.finish(ready, now)).await;
        (self.judging, self.judged) = (judging, judged);
        told?;
        let done_to = match (self.unfinished.first(), self.next) {
            (Some(first), _) => *first,
            (None, Some(next)) => next,
            (None, None) => return Ok(Progress::of(settled)),
        };
        self.bookings.done(done_to).await?;
        self.gauges.confirms_in_flight.set(self.unfinished.len() as u64);
        Ok(Progress::of(settled + begun + finished))
    }

    /// Takes what came in and begins it, as far as there is room. Where nothing came, waits for it, or for the first
    /// that is ready. Answers how many entries it took, and what was ready.
    async fn begin(&mut self, now: Timestamp) -> Result<(usize, Vec<Judged>), Error> {
        let from = match self.next {
            Some(next) => next,
            None => self.bookings.next().await?,
        };
        self.next = Some(from);
        let room = self.settings.confirms_in_flight.saturating_sub(self.unfinished.len());
        let mut ready = std::mem::take(&mut self.judged);
        let patience = Duration::from_millis(if ready.is_empty() { self.settings.patience_ms } else { 0 });
        if room == 0 {
            if !patience.is_zero() {
                ready.extend(self.judging.next().await);
            }
            return Ok((0, ready));
        }
        let entries = if self.judging.is_empty() {
            self.bookings.read(from, room, patience).await?
        } else {
            let read = std::pin::pin!(self.bookings.read(from, room, patience));
            match select(read, self.judging.next()).await {
                Either::Left((entries, _)) => entries?,
                Either::Right((judged, _)) => {
                    ready.extend(judged);
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
        if begun == 0 && ready.is_empty() && !entries.is_empty() && !patience.is_zero() {
            // The first of them waits for its booking: so does this step.
            ready.extend(self.judging.next().await);
        }
        Ok((begun, ready))
    }

    /// False: its booking is being worked on; its turn comes after that.
    fn begin_entry(&mut self, entry: &Entry, now: Timestamp) -> bool {
        let Some(command) = message_of::<BookingCommand>(&Topic::Bookings, entry, &self.gauges) else { return true };
        let BookingAct::Confirm { transaction, amount } = &command.act else { return true };
        if command.deadline <= now {
            self.gauges.discarded_total.add(1);
            return true;
        }
        if !self.busy.insert(command.booking.clone()) {
            return false;
        }
        self.unfinished.insert(entry.offset);
        let (parts, offset) = (self.parts.clone(), entry.offset);
        let payment = Payment { transaction: transaction.clone(), amount: *amount };
        self.judging.push(
            async move {
                let verdict = verdict::judge(&parts, &command, &payment, now).await;
                Judged { offset, command, payment, verdict }
            }
            .boxed(),
        );
        true
    }

    /// Confirms what is paid, takes or gives back the money, answers, and tells the screens.
    async fn finish(&mut self, ready: Vec<Judged>, now: Timestamp) -> Result<(), Error> {
        if ready.is_empty() {
            return Ok(());
        }
        let (judged, changes) = self.confirm(ready, now).await;
        let mut booked: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
        let mut after = Vec::with_capacity(judged.len());
        let mut answers = Vec::with_capacity(judged.len());
        for Judged { offset, command, payment, verdict } in judged {
            let (outcome, aftermath) = match verdict {
                Verdict::Answer(outcome) => (outcome, None),
                Verdict::GiveBack(booking, outcome) => (outcome, Some((booking, false))),
                Verdict::Paid(booking) | Verdict::Confirmed(booking) => {
                    let settle = Settle::Booked(booking.booking_id.clone());
                    booked.entry(booking.event_id.clone()).or_default().push(settle);
                    let is_its_own = booking.transaction.as_ref() == Some(&payment.transaction);
                    (Outcome::Booking(Box::new(booking.clone())), Some((booking, is_its_own)))
                }
            };
            if matches!(outcome, Outcome::Refused(Refusal::PaymentDeclined { .. })) {
                self.gauges.declined_total.add(1);
            }
            if let Some((booking, is_its_own)) = aftermath {
                after.push((booking, payment, is_its_own));
            }
            answers.push((offset, command.booking, command.reply_to, outcome));
        }
        let (parts, gauges) = (&self.parts, &*self.gauges);
        join_all(after.iter().map(|(booking, payment, is_its_own)| async move {
            let done = if *is_its_own {
                money::take(parts, booking, now).await
            } else {
                money::give_back(parts, booking, &payment.transaction, now)
                    .await
                    .map(|given_back| gauges.voided_total.add(usize::from(given_back)))
            };
            if let Err(error) = done {
                gauges.unsettled_total.add(1);
                tracing::warn!(%error, booking = %booking.booking_id, "its payment is to be settled later");
            }
        }))
        .await;
        for (event, settles) in booked {
            if let Err(error) = self.parts.holds.settle(&event, &settles).await {
                tracing::warn!(%error, %event, "the hold table did not hear of bookings; the ledger knows them");
            }
        }
        let mut replies = Vec::with_capacity(answers.len());
        let mut finished = Vec::with_capacity(answers.len());
        for (offset, booking, reply_to, outcome) in answers {
            replies.push((reply_to, outcome));
            finished.push((offset, booking));
        }
        let log = &*self.parts.log;
        let (told, ()) = join(outward::reply(log, replies), outward::publish_seats(log, &changes)).await;
        told?;
        for (offset, booking) in finished {
            self.unfinished.remove(&offset);
            self.busy.remove(&booking);
        }
        Ok(())
    }

    /// Confirms, in one verb, the seats of everything whose payment is authorised.
    async fn confirm(&mut self, mut ready: Vec<Judged>, now: Timestamp) -> (Vec<Judged>, Vec<SeatChanges>) {
        let paid: Vec<usize> = (0..ready.len()).filter(|at| matches!(ready[*at].verdict, Verdict::Paid(_))).collect();
        if paid.is_empty() {
            return (ready, Vec::new());
        }
        let asks: Vec<ConfirmSeats> = paid
            .iter()
            .map(|at| ConfirmSeats {
                booking: ready[*at].command.booking.clone(),
                user: ready[*at].command.user.clone(),
                transaction: ready[*at].payment.transaction.clone(),
            })
            .collect();
        let applied = match self.parts.ledger.confirm(&asks, now).await {
            Ok(applied) => applied,
            Err(error) => {
                // Perhaps confirmed, perhaps not: whoever repeats learns it, and the payment is settled in any case.
                for at in paid {
                    ready[at].verdict = Verdict::Answer(outward::unavailable(&error));
                }
                return (ready, Vec::new());
            }
        };
        for (at, answer) in paid.into_iter().zip(applied.answers) {
            let judged = &mut ready[at];
            let Verdict::Paid(held) = &judged.verdict else { continue };
            judged.verdict = match answer {
                Confirmed::Confirmed(booking) => {
                    self.gauges.confirmed_total.add(1);
                    Verdict::Confirmed(booking)
                }
                Confirmed::Gone(booking) => Verdict::GiveBack(booking, Outcome::Refused(Refusal::HoldExpired)),
                Confirmed::Unknown => {
                    let booking: Booking = held.clone();
                    Verdict::GiveBack(booking, Outcome::Refused(Refusal::NotFound))
                }
            };
        }
        (ready, applied.seats)
    }

    async fn settle_if_due(&mut self, now: Timestamp) -> usize {
        let every = millis(self.settings.settle_every_ms);
        if self.settled_at.is_some_and(|at| (0..every).contains(&now.millis_since(at))) {
            return 0;
        }
        match settle::settle(&self.parts, &self.gauges, &self.settings, self.lane, &self.busy, now).await {
            Ok(settled) => {
                self.settled_at = Some(now);
                settled
            }
            Err(error) => {
                tracing::warn!(%error, "payments without an end can't be looked for");
                0
            }
        }
    }
}
