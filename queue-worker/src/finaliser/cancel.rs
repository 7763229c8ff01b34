//! Giving up seats that are booked: they are free at once, and the money for them goes back.

use booking_core::{
    booking::{Booking, BookingState, CancelSeats, Cancelled, SeatChanges, seats_called},
    holds::Settle,
    id::EventId,
    message::{BookingCommand, Outcome, Refusal},
    ports::PortResult,
    seats::{SeatId, SeatIndex, SeatMap},
    time::Timestamp,
};
use futures_util::future::join;

use super::money;
use crate::{Gauges, Parts, outward};

/// What a cancellation came to.
enum Decided {
    /// The booking whose seats were given up, now or by a try before, and what live maps should show.
    Cancelled(Box<Booking>, Vec<SeatChanges>),
    Refused(Refusal),
}

/// Something that the hold table did not hear.
pub(super) type Untold = (EventId, Settle);

/// Cancels `seats` of a booking, all of them where none is named; answers, and sees that the money is given back.
/// Answers what the hold table is still to be told: until then it keeps the seats from being sold again.
///
/// # Errors
/// If the log fails.
pub(super) async fn cancel(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    seats: &[SeatId],
    told: Option<i64>,
    now: Timestamp,
) -> PortResult<Option<Untold>> {
    let answer = async |outcome| outward::reply(&*parts.log, vec![(command.reply_to.clone(), outcome)]).await;
    let (booking, changes) = match decide(parts, command, seats, told, now).await {
        Ok(Decided::Cancelled(booking, changes)) => (booking, changes),
        Ok(Decided::Refused(refusal)) => return answer(Outcome::Refused(refusal)).await.map(|()| None),
        Err(error) => return answer(outward::unavailable(&error)).await.map(|()| None),
    };
    gauges.cancelled_total.add(usize::from(!changes.is_empty()));
    // The buyer need not wait for the provider: that money is due is in the ledger. And all of it once more where it was
    // cancelled before: whoever did that may have died in the middle.
    let afterwards = async {
        let ((), untold) = join(outward::publish_seats(&*parts.log, &changes), free(parts, &booking)).await;
        if let Err(error) = money::give_back_what_is_due(parts, gauges, &booking, now).await {
            gauges.unsettled_total.add(1);
            tracing::warn!(%error, booking = %booking.booking_id, "its refund is to be settled later");
        }
        untold
    };
    let (untold, answered) = join(afterwards, answer(Outcome::Booking(booking.clone()))).await;
    answered.map(|()| untold)
}

async fn decide(
    parts: &Parts,
    command: &BookingCommand,
    seats: &[SeatId],
    told: Option<i64>,
    now: Timestamp,
) -> PortResult<Decided> {
    let booking = parts.ledger.booking(&command.booking).await?;
    let Some(booking) = booking.filter(|booking| booking.user_id == command.user && booking.event_id == command.event)
    else {
        return Ok(Decided::Refused(Refusal::NotFound));
    };
    match booking.state {
        BookingState::Confirmed | BookingState::Cancelled => {}
        BookingState::Held | BookingState::Expired | BookingState::Released => {
            return Ok(Decided::Refused(Refusal::NotConfirmed));
        }
    }
    let Some(event) = parts.catalog.event(&booking.event_id).await? else {
        return Ok(Decided::Refused(Refusal::NotFound));
    };
    let Some(venue) = parts.catalog.hall(&event).await? else {
        return Ok(Decided::Refused(Refusal::NotFound));
    };
    if !booking.is_known_to(&venue.seat_map) {
        return Ok(Decided::Refused(Refusal::Rehousing));
    }
    let named = match named(&booking, &venue.seat_map, seats) {
        Ok(named) => named,
        Err(refusal) => return Ok(Decided::Refused(refusal)),
    };
    let is_left = |seat: &SeatIndex| booking.state == BookingState::Confirmed && booking.seats.contains(seat);
    let left: Vec<SeatIndex> = named.into_iter().filter(is_left).collect();
    if left.is_empty() {
        // A cancellation that is repeated.
        return Ok(Decided::Cancelled(Box::new(booking), Vec::new()));
    }
    if event.has_begun(now) {
        return Ok(Decided::Refused(Refusal::EventOver));
    }
    // As they were bought: that is what they cost, wherever they are by now.
    let left: Vec<SeatIndex> = left.into_iter().map(|seat| booking.bought(seat)).collect();
    let refunds = event.refunds(&venue.seat_map, &left, booking.created_at, now);
    let refund = refunds.iter().map(|(_, amount)| amount).sum();
    if told.is_some_and(|told| told != refund) {
        return Ok(Decided::Refused(Refusal::RefundChanged { refund }));
    }
    let ask = CancelSeats { booking: command.booking.clone(), user: command.user.clone(), seats: refunds };
    let mut applied = parts.ledger.cancel(&[ask], now).await?;
    Ok(match applied.answers.pop() {
        Some(Cancelled::Cancelled(booking)) => Decided::Cancelled(Box::new(booking), applied.seats),
        Some(Cancelled::Used(_)) => Decided::Refused(Refusal::TicketUsed),
        Some(Cancelled::NotConfirmed(_)) => Decided::Refused(Refusal::NotConfirmed),
        Some(Cancelled::Unknown) | None => Decided::Refused(Refusal::NotFound),
    })
}

/// The seats named, which are or were the booking's; without a name, all it has.
fn named(booking: &Booking, map: &SeatMap, seats: &[SeatId]) -> Result<Vec<SeatIndex>, Refusal> {
    if seats.is_empty() {
        return Ok(booking.seats.clone());
    }
    let mut named = Vec::with_capacity(seats.len());
    for id in seats {
        let is_its_own = |at: &SeatIndex| booking.seats.contains(at) || booking.cancelled_seats.contains(at);
        let index = seats_called(map, id).find(is_its_own);
        let index = index.ok_or_else(|| Refusal::UnknownSeat { name: id.to_string() })?;
        if named.contains(&index) {
            return Err(Refusal::DuplicateSeat { name: id.to_string() });
        }
        named.push(index);
    }
    Ok(named)
}

/// Tells the hold table which seats the booking gave up; answers what it did not hear.
async fn free(parts: &Parts, booking: &Booking) -> Option<Untold> {
    let id = booking.booking_id.clone();
    let settle = if booking.state == BookingState::Confirmed {
        Settle::Kept(id, booking.seats.clone())
    } else {
        Settle::Freed(id)
    };
    let untold = (booking.event_id.clone(), settle);
    tell(parts, &untold).await.err().map(|error| {
        tracing::warn!(%error, event = %booking.event_id, "the hold table did not hear of a cancellation yet");
        untold
    })
}

/// Tells the hold table.
pub(super) async fn tell(parts: &Parts, (event, settle): &Untold) -> PortResult<()> {
    parts.holds.settle(event, std::slice::from_ref(settle)).await
}
