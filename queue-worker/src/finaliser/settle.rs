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

use super::money;
use crate::{Gauges, Parts, Settings, settings::millis};

/// Payments looked at in one go.
const AT_ONCE: usize = 1_000;
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

/// Settles the payments of `lane`'s events that began long enough ago and are not being worked on. Answers how many it
/// brought to an end.
pub(super) async fn settle(
    parts: &Parts,
    gauges: &Gauges,
    settings: &Settings,
    lane: Lane,
    busy: &HashSet<BookingId>,
    retries: &mut Retries,
    now: Timestamp,
) -> PortResult<usize> {
    gauges.stuck.set(parts.ledger.stuck_payments(AT_ONCE).await?.len() as u64);
    let until = now.plus_millis(-millis(settings.settle_after_ms));
    let unsettled = parts.ledger.unsettled_payments(until, AT_ONCE).await?;
    let still: HashSet<_> = unsettled.iter().map(money_of).collect();
    retries.0.retain(|money, _| still.contains(money));
    if unsettled.is_empty() {
        return Ok(0);
    }
    let lanes = parts.log.lanes(&Topic::Bookings).await?;
    let mut settled = 0;
    for act in unsettled.iter().filter(|act| !busy.contains(&act.booking)) {
        if !retries.is_due(act, now) {
            continue;
        }
        let Some(booking) = parts.ledger.booking(&act.booking).await? else { continue };
        if lane_of(booking.event_id.as_str(), lanes) != lane {
            continue;
        }
        match end(parts, gauges, &booking, act, now).await {
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
    Ok(settled)
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
    if booking.is_live_hold(now) {
        return Ok(false);
    }
    let given_back = money::give_back(parts, booking, &act.transaction, now).await?;
    gauges.voided_total.add(usize::from(given_back));
    Ok(true)
}
