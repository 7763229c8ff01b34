//! What the payment provider tells of money that it has set aside: it pays for the booking it names, or goes back.

use booking_core::{
    booking::{Booking, BookingState},
    message::{BookingCommand, Outcome, Refusal},
    money::Money,
    ports::PortResult,
    time::Timestamp,
};

use super::{
    money,
    verdict::{Payment, Verdict, judge_for},
};
use crate::{Gauges, Parts, outward};

/// Finds out what is to be done about `amount`, which the provider has set aside for the command's booking.
pub(super) async fn judge(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    payment: &Payment,
    amount: Money,
    now: Timestamp,
) -> Verdict {
    let judged = try_judge_told(parts, gauges, command, payment, amount, now).await;
    judged.unwrap_or_else(|error| {
        tracing::error!(%error, booking = %command.booking, transaction = %payment.transaction,
            "what the provider told could not be looked into");
        Verdict::Answer(outward::unavailable(&error))
    })
}

async fn try_judge_told(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    payment: &Payment,
    amount: Money,
    now: Timestamp,
) -> PortResult<Verdict> {
    let booking = parts.ledger.booking(&command.booking).await?;
    let Some(booking) = booking.filter(|booking| booking.event_id == command.event) else {
        return Ok(Verdict::Answer(Outcome::Refused(Refusal::NotFound)));
    };
    match what_for(&booking, payment, amount) {
        // As its buyer would; what comes too late or second goes back like theirs.
        For::ItsSeats => judge_for(parts, gauges, booking, payment, now).await,
        For::WhatItPaid => Ok(Verdict::Answer(Outcome::Booking(Box::new(booking)))),
        For::Nothing => {
            // From here on nothing forgets it: no crash, and no port that fails.
            money::note_told(parts, &booking, &payment.transaction, amount, now).await?;
            Ok(Verdict::GiveBackTold(booking, amount))
        }
    }
}

/// What a payment is for.
enum For {
    /// The booking may be had for it.
    ItsSeats,
    /// The booking was had for it.
    WhatItPaid,
    /// Nothing that is to be had.
    Nothing,
}

fn what_for(booking: &Booking, payment: &Payment, amount: Money) -> For {
    match booking.state {
        BookingState::Confirmed if booking.transaction.as_ref() == Some(&payment.transaction) => For::ItsSeats,
        BookingState::Cancelled if booking.transaction.as_ref() == Some(&payment.transaction) => For::WhatItPaid,
        // A hold that ran out may still be had.
        BookingState::Held | BookingState::Expired if booking.total == amount => For::ItsSeats,
        _ => For::Nothing,
    }
}
