//! Events that don't take place: every booking is cancelled and its whole price given back, a bounded batch at a time.
//! How far it got is what the ledger says, so whoever comes after a crash goes on from there.

use std::collections::BTreeMap;

use booking_core::{
    booking::{Booking, CancelSeats, Cancelled},
    holds::Settle,
    id::EventId,
    ports::PortResult,
    seats::SeatIndex,
    time::Timestamp,
};

use crate::{
    Gauges, Parts,
    hall::{Hall, Halls},
    outward,
};

/// Cancels up to `max` bookings of events that were called off. Answers how many. The money is due with it; the
/// finalisers give it back.
pub(crate) async fn cancel_some(parts: &Parts, gauges: &Gauges, max: usize, now: Timestamp) -> PortResult<usize> {
    let bookings = parts.ledger.bookings_called_off(max).await?;
    if bookings.is_empty() {
        return Ok(0);
    }
    let mut halls = Halls::default();
    let mut asks = Vec::with_capacity(bookings.len());
    for booking in &bookings {
        if let Some(hall) = halls.get(&*parts.catalog, &booking.event_id, now).await? {
            asks.push(whole(booking, &hall));
        }
    }
    let applied = parts.ledger.cancel(&asks, now).await?;
    let mut freed: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
    for answer in &applied.answers {
        if let Cancelled::Cancelled(booking) = answer {
            freed.entry(booking.event_id.clone()).or_default().push(Settle::Freed(booking.booking_id.clone()));
        }
    }
    for (event, settles) in freed {
        if let Err(error) = parts.holds.settle(&event, &settles).await {
            tracing::debug!(%error, %event, "nothing is sold of it any more, whatever the hold table says");
        }
    }
    outward::publish_seats(&*parts.log, &applied.seats).await;
    gauges.cancelled_total.add(applied.answers.len());
    Ok(applied.answers.len())
}

/// All the seats that `booking` has, each with its whole price.
fn whole(booking: &Booking, hall: &Hall) -> CancelSeats {
    let price = |seat: SeatIndex| (seat, hall.event.price(&hall.venue.seat_map, seat).map_or(0, |price| price.amount));
    CancelSeats {
        booking: booking.booking_id.clone(),
        user: booking.user_id.clone(),
        seats: booking.bought_seats().into_iter().map(price).collect(),
    }
}
