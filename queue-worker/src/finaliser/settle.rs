//! Bringing payments to their end that nobody finished: after a crash, or where the provider gave no answer.

use std::collections::HashSet;

use booking_core::{
    booking::{Booking, BookingState, PaymentAct},
    holds::Settle,
    id::BookingId,
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

/// Settles the payments of `lane`'s events that were asked for long enough ago and are not being worked on. Answers how
/// many it brought to an end.
pub(super) async fn settle(
    parts: &Parts,
    gauges: &Gauges,
    settings: &Settings,
    lane: Lane,
    busy: &HashSet<BookingId>,
    now: Timestamp,
) -> PortResult<usize> {
    let until = now.plus_millis(-millis(settings.settle_after_ms));
    let unsettled = parts.ledger.unsettled_payments(until, AT_ONCE).await?;
    if unsettled.is_empty() {
        return Ok(0);
    }
    let lanes = parts.log.lanes(&Topic::Bookings).await?;
    let mut settled = 0;
    for act in unsettled.iter().filter(|act| !busy.contains(&act.booking)) {
        let Some(booking) = parts.ledger.booking(&act.booking).await? else { continue };
        if lane_of(booking.event_id.as_str(), lanes) != lane {
            continue;
        }
        match end(parts, gauges, &booking, act, now).await {
            Ok(ended) => settled += usize::from(ended),
            Err(error) => {
                tracing::warn!(%error, booking = %act.booking, transaction = %act.transaction, "still not settled");
            }
        }
    }
    Ok(settled)
}

/// False: there is still time for the buyer to repeat.
async fn end(parts: &Parts, gauges: &Gauges, booking: &Booking, act: &PaymentAct, now: Timestamp) -> PortResult<bool> {
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
