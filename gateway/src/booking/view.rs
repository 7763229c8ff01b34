//! A booking as its owner is shown it.

use booking_core::{
    booking::{Booking, BookingState, PaymentStep, ticket_id},
    catalog::Event,
    id::{BookingId, EventId, TicketId},
    money::Currency,
    seats::{SeatId, SeatIndex},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::ticket;
use crate::{app::App, problem::Problem};

/// A booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BookingView {
    #[schema(value_type = String)]
    pub(crate) booking_id: BookingId,
    /// `reserved`, `confirmed`, `cancelled`, `expired` or `released`.
    #[schema(value_type = String)]
    pub(crate) status: BookingState,
    #[schema(value_type = String)]
    pub(crate) event_id: EventId,
    /// Its seats, by id, in the order asked.
    #[schema(value_type = Vec<String>)]
    pub(crate) seats: Vec<SeatId>,
    /// The same with everything about them.
    pub(crate) seat_details: Vec<BookedSeat>,
    /// Seats that were cancelled while others were kept, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub(crate) cancelled_seats: Vec<SeatId>,
    /// In minor units.
    pub(crate) total_amount: i64,
    #[schema(value_type = String)]
    pub(crate) currency: Currency,
    /// When the hold runs out, or ran out.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// By how many seconds the hold can be extended, once, while it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extendable_by_seconds: Option<u32>,
    /// One for each seat, once confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tickets: Option<Vec<Ticket>>,
    /// The address of a picture to show at the door, once confirmed; for the owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) qr_code: Option<String>,
    /// Where the event was moved since it was booked: from when to when, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) moved: Option<MovedView>,
    /// What cancelling would give back now, while it can be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancellation: Option<Cancellation>,
    /// What is given back for what was cancelled, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refund_amount: Option<i64>,
    /// How far that got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refund_status: Option<RefundStatus>,
}

/// A move of the event since it was booked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MovedView {
    /// When it was to begin when it was booked.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Why.
    reason: String,
    /// Until then a cancellation gives the whole price back, whatever the refund policy says.
    #[schema(value_type = String, format = DateTime)]
    give_back_until: Timestamp,
}

/// The moves of `event` since `booking` was made, as one, while there is something to know about it.
fn moved(event: &Event, booking: &Booking) -> Option<MovedView> {
    let moves = event.moves_since(booking.created_at);
    let (first, last) = (moves.first()?, moves.last()?);
    let give_back_until = event.give_back_until(booking.created_at)?;
    let view = MovedView { from: first.from, to: last.to, reason: last.reason.clone(), give_back_until };
    matches!(booking.state, BookingState::Held | BookingState::Confirmed).then_some(view)
}

/// What cancelling would give back now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cancellation {
    /// How much of a price, 0 to 100.
    percent: u8,
    /// For all seats that are left, in minor units.
    refund_amount: i64,
}

/// How far a refund got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RefundStatus {
    /// It is on its way.
    Pending,
    /// It was made.
    Refunded,
    /// The provider could not make it; the organiser sees to it.
    Delayed,
}

/// A seat of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BookedSeat {
    #[schema(value_type = String)]
    seat_id: SeatId,
    section: String,
    row: String,
    number: String,
    category: String,
    /// In minor units.
    price: i64,
    /// What cancelling this seat would give back now, in minor units, while it can be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<i64>,
}

/// A ticket: one seat of a confirmed booking.
#[expect(clippy::struct_field_names, reason = "the names are the public contract's")]
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    #[schema(value_type = String)]
    seat_id: SeatId,
    section: String,
    row: String,
    number: String,
    /// What a door reads: a JWT (`EdDSA`) that the public keys check, of the type `ticket+jwt`.
    token: String,
    /// The address of the same as a picture, for the owner alone; `.png` instead of `.svg` is one of pixels.
    qr_code: String,
}

/// Where the picture of a booking's code is.
pub(crate) fn qr_path(booking: &BookingId) -> String {
    format!("/v1/bookings/{booking}/qr.svg")
}

/// `booking` for its owner.
///
/// # Errors
/// [unavailable], where the catalog can't be read, or the event is going to another hall.
pub(crate) async fn view(app: &App, booking: &Booking) -> Result<BookingView, Problem> {
    let map = app.seats.of(app, &booking.event_id, [booking]).await?;
    let event = map.event();
    let seats = booking.seats.iter().filter_map(|index| Some((*index, map.venue.seat_map.seat(*index)?)));
    let seats: Vec<_> = seats.collect();
    let is_confirmed = booking.state == BookingState::Confirmed;
    let now = app.parts.clock.now();
    let refunds = (is_confirmed && !event.has_begun(now))
        .then(|| event.refunds(&map.venue.seat_map, &booking.bought_seats(), booking.created_at, now));
    let refund_of = |index: &SeatIndex| {
        refunds.as_ref()?.iter().find(|(seat, _)| *seat == booking.bought(*index)).map(|(_, amount)| *amount)
    };
    // A hold ends by its deadline, whether somebody has noted it yet or not.
    let is_run_out = booking.state == BookingState::Held && booking.expires_at <= now;
    Ok(BookingView {
        booking_id: booking.booking_id.clone(),
        status: if is_run_out { BookingState::Expired } else { booking.state },
        event_id: booking.event_id.clone(),
        seats: seats.iter().map(|(_, seat)| seat.seat_id.clone()).collect(),
        seat_details: seats
            .iter()
            .map(|(index, seat)| BookedSeat {
                seat_id: seat.seat_id.clone(),
                section: seat.section.to_string(),
                row: seat.row.to_string(),
                number: seat.number.to_string(),
                category: seat.category.to_string(),
                price: event.price(&map.venue.seat_map, booking.bought(*index)).map_or(0, |price| price.amount),
                refund: refund_of(index),
            })
            .collect(),
        cancelled_seats: {
            let cancelled = booking.cancelled_seats.iter().filter_map(|index| map.venue.seat_map.seat(*index));
            cancelled.map(|seat| seat.seat_id.clone()).collect()
        },
        total_amount: booking.total.amount,
        currency: booking.total.currency,
        expires_at: booking.expires_at,
        extendable_by_seconds: extendable_by_seconds(app, &event, booking, now),
        tickets: is_confirmed.then(|| {
            let ticket = |(index, seat): &(SeatIndex, &booking_core::seats::map::Seat)| {
                let ticket_id = ticket_id(&booking.booking_id, booking.bought(*index));
                Some(Ticket {
                    token: app.tickets.of(booking, *index, &seat.seat_id)?,
                    qr_code: ticket::path(&booking.booking_id, &ticket_id),
                    ticket_id,
                    seat_id: seat.seat_id.clone(),
                    section: seat.section.to_string(),
                    row: seat.row.to_string(),
                    number: seat.number.to_string(),
                })
            };
            seats.iter().filter_map(ticket).collect()
        }),
        qr_code: is_confirmed.then(|| qr_path(&booking.booking_id)),
        moved: moved(&event, booking),
        cancellation: refunds.as_ref().map(|refunds| Cancellation {
            percent: event.refund_percent(booking.created_at, now),
            refund_amount: refunds.iter().map(|(_, amount)| amount).sum(),
        }),
        refund_amount: booking.refund,
        refund_status: refund_status(app, booking).await?,
    })
}

/// By how much the hold of `booking` can be extended.
fn extendable_by_seconds(app: &App, event: &Event, booking: &Booking, now: Timestamp) -> Option<u32> {
    if booking.extended || !booking.is_live_hold(now) || event.has_begun(now) {
        return None;
    }
    let sale = app.sales.get(booking.event_id.as_str())?;
    let seconds = sale.line().policy()?.extend_seconds;
    (seconds > 0).then_some(seconds)
}

/// How far the refunds of `booking` got; `None` where nothing is given back.
async fn refund_status(app: &App, booking: &Booking) -> Result<Option<RefundStatus>, Problem> {
    if booking.refund.unwrap_or(0) == 0 {
        return Ok(None);
    }
    let acts = app.parts.ledger.payment_acts(&booking.booking_id).await?;
    let open = acts.iter().filter(|due| {
        due.step == PaymentStep::RefundDue && !acts.iter().any(|act| act.is_of_one_with(due) && act.step.is_end())
    });
    let is_stuck = |due: &booking_core::booking::PaymentAct| {
        acts.iter().any(|act| act.is_of_one_with(due) && act.step == PaymentStep::Stuck)
    };
    let statuses = open.map(|due| if is_stuck(due) { RefundStatus::Delayed } else { RefundStatus::Pending });
    Ok(Some(statuses.max_by_key(|status| *status == RefundStatus::Delayed).unwrap_or(RefundStatus::Refunded)))
}
