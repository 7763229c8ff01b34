//! Bringing payments and refunds to their end that nobody finished: after a crash, or where the provider gave no answer.

use std::collections::{HashMap, HashSet};

use booking_core::{
    booking::{Booking, BookingState, PaymentAct, PaymentStep},
    holds::Settle,
    id::{BookingId, TransactionId},
    ports::{
        PortResult,
        log::{Lane, Topic, lane_of},
    },
    time::Timestamp,
};

use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::money;
use crate::{Gauges, Parts, Settings, settings::millis};

/// Payments looked at in one go.
const AT_ONCE: usize = 1_000;
/// Of those, how many are being settled at the same time.
const SIDE_BY_SIDE: usize = 32;
/// The most doublings of the pause between tries.
const MAX_DOUBLINGS: u32 = 10;

/// What failed to be settled, and when it is tried again: after twice the pause each time. No longer than what is
/// unsettled, and so never more than [`AT_ONCE`].
#[derive(Debug, Default)]
pub(super) struct Retries(HashMap<(BookingId, TransactionId, u32), Retry>);

#[derive(Debug, Clone, Copy)]
struct Retry {
    failures: u32,
    not_before: Timestamp,
}

impl Retries {
    fn is_due(&self, act: &PaymentAct, now: Timestamp) -> bool {
        self.0.get(&money_of(act)).is_none_or(|retry| retry.not_before <= now)
    }

    fn failed(&mut self, act: &PaymentAct, pause_ms: i64, now: Timestamp) {
        let retry = self.0.entry(money_of(act)).or_insert(Retry { failures: 0, not_before: now });
        retry.not_before = now.plus_millis(pause_ms << retry.failures.min(MAX_DOUBLINGS));
        retry.failures += 1;
    }
}

fn money_of(act: &PaymentAct) -> (BookingId, TransactionId, u32) {
    (act.booking.clone(), act.transaction.clone(), act.refund)
}

/// What a look at unsettled payments came to.
pub(super) struct Settled {
    /// How many were brought to an end.
    pub(super) count: usize,
    /// Whether there are more than were looked at: those that wait should not wait for the next look.
    pub(super) has_more: bool,
}

/// Settles the payments of `lane`'s events that began long enough ago and are not being worked on.
pub(super) async fn settle(
    parts: &Parts,
    gauges: &Gauges,
    settings: &Settings,
    lane: Lane,
    busy: &HashSet<BookingId>,
    retries: &mut Retries,
    now: Timestamp,
) -> PortResult<Settled> {
    gauges.stuck.set(parts.ledger.stuck_payments(AT_ONCE).await?.len() as u64);
    let until = now.plus_millis(-millis(settings.settle_after_ms));
    let unsettled = parts.ledger.unsettled_payments(until, AT_ONCE).await?;
    let still: HashSet<_> = unsettled.iter().map(money_of).collect();
    retries.0.retain(|money, _| still.contains(money));
    if unsettled.is_empty() {
        return Ok(Settled { count: 0, has_more: false });
    }
    let lanes = parts.log.lanes(&Topic::Bookings).await?;
    let is_due = |act: &&PaymentAct| !busy.contains(&act.booking) && retries.is_due(act, now);
    let due: Vec<&PaymentAct> = unsettled.iter().filter(is_due).collect();
    let ends: Vec<_> = due.into_iter().map(|act| end_of_lane(parts, gauges, (lane, lanes), act, now).boxed()).collect();
    let mut ends = stream::iter(ends).buffer_unordered(SIDE_BY_SIDE);
    let mut settled = 0;
    while let Some((act, ended)) = ends.next().await {
        match ended {
            Ok(ended) => settled += usize::from(ended),
            Err(error) if now.millis_since(act.at) >= millis(settings.stuck_after_ms) => {
                money::stuck(parts, gauges, act, error.to_string(), now).await?;
            }
            Err(error) => {
                tracing::warn!(%error, booking = %act.booking, transaction = %act.transaction, "still not settled");
                retries.failed(act, millis(settings.settle_every_ms), now);
            }
        }
    }
    Ok(Settled { count: settled, has_more: settled > 0 && unsettled.len() == AT_ONCE })
}

/// Brings a payment to its end where its event is of this one of so many lanes.
async fn end_of_lane<'a>(
    parts: &Parts,
    gauges: &Gauges,
    (lane, lanes): (Lane, Lane),
    act: &'a PaymentAct,
    now: Timestamp,
) -> (&'a PaymentAct, PortResult<bool>) {
    let ended = async {
        let booking = parts.ledger.booking(&act.booking).await?;
        match booking.filter(|booking| lane_of(booking.event_id.as_str(), lanes) == lane) {
            Some(booking) => end(parts, gauges, &booking, act, now).await,
            None => Ok(false),
        }
    };
    (act, ended.await)
}

/// Whether the payment is to be given back, whatever its hold becomes.
async fn must_go_back(parts: &Parts, began: &PaymentAct) -> PortResult<bool> {
    let acts = parts.ledger.payment_acts(&began.booking).await?;
    Ok(acts.iter().any(|act| act.is_of_one_with(began) && act.step == PaymentStep::VoidDue))
}

/// False: there is still time for the buyer to repeat.
async fn end(parts: &Parts, gauges: &Gauges, booking: &Booking, act: &PaymentAct, now: Timestamp) -> PortResult<bool> {
    if act.step == PaymentStep::RefundDue {
        money::refund_or_note(parts, gauges, booking, act, now).await?;
        return Ok(true);
    }
    let pays = booking.transaction.as_ref() == Some(&act.transaction);
    if pays && matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled) {
        money::see_taken(parts, booking, now).await?;
        if booking.state == BookingState::Confirmed {
            parts.holds.settle(&booking.event_id, &[Settle::Booked(booking.booking_id.clone())]).await?;
        }
        return Ok(true);
    }
    if booking.is_live_hold(now) && !must_go_back(parts, act).await? {
        return Ok(false);
    }
    let given_back = money::give_back(parts, booking, &act.transaction, now).await?;
    gauges.voided_total.add(usize::from(given_back));
    Ok(true)
}
