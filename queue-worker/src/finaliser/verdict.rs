//! What is to be done about a confirmation, found out together with the payment provider.

use booking_core::{
    booking::{Booking, BookingState, PaymentAct, PaymentStep},
    id::TransactionId,
    message::{BookingCommand, Outcome, Refusal},
    ports::{PortResult, payments::Authorisation},
    time::Timestamp,
};

use crate::{Parts, outward};

/// What a buyer offers.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) transaction: TransactionId,
    /// What the client believes it costs, in minor units.
    pub(super) amount: i64,
}

/// What is to be done.
pub(super) enum Verdict {
    /// Answer this; no money is set aside.
    Answer(Outcome),
    /// The money is set aside: confirm the seats.
    Paid(Booking),
    /// The booking was confirmed with it a moment ago: take the money.
    ConfirmedNow(Booking),
    /// The booking is confirmed; see that its money is taken.
    Confirmed(Booking),
    /// The money must not be kept: give it back, and answer this.
    GiveBack(Booking, Outcome),
}

/// Finds out; a port that fails makes it worth repeating.
pub(super) async fn judge(parts: &Parts, command: &BookingCommand, payment: &Payment, now: Timestamp) -> Verdict {
    match try_judge(parts, command, payment, now).await {
        Ok(verdict) => verdict,
        Err(error) => Verdict::Answer(outward::unavailable(&error)),
    }
}

async fn try_judge(parts: &Parts, command: &BookingCommand, payment: &Payment, now: Timestamp) -> PortResult<Verdict> {
    let refuse = |refusal| Ok(Verdict::Answer(Outcome::Refused(refusal)));
    let booking = parts.ledger.booking(&command.booking).await?;
    let Some(booking) = booking.filter(|booking| booking.user_id == command.user && booking.event_id == command.event)
    else {
        return refuse(Refusal::NotFound);
    };
    match booking.state {
        BookingState::Confirmed => return Ok(Verdict::Confirmed(booking)),
        BookingState::Cancelled => return refuse(Refusal::NotReserved),
        // An expired hold may still be had: a payment that comes late takes seats that are free.
        BookingState::Held | BookingState::Expired | BookingState::Released => {}
    }
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    let was = |step| acts.iter().any(|act| act.transaction == payment.transaction && act.step == step);
    let is_open =
        was(PaymentStep::Asked) && !acts.iter().any(|act| act.transaction == payment.transaction && act.step.is_end());
    let expired = Outcome::Refused(Refusal::HoldExpired);
    if was(PaymentStep::Declined) {
        return refuse(Refusal::PaymentDeclined { reason: "this payment was declined before".to_owned() });
    }
    // Once it is to be given back it must not pay for the seats after all, even if they are free again.
    let must_go_back = was(PaymentStep::VoidDue) || booking.state == BookingState::Released;
    if must_go_back {
        return Ok(if is_open { Verdict::GiveBack(booking, expired) } else { Verdict::Answer(expired) });
    }
    if payment.amount != booking.total.amount {
        return refuse(Refusal::AmountMismatch { due: booking.total.amount, paid: payment.amount });
    }
    authorise(parts, booking, payment, now).await
}

async fn authorise(parts: &Parts, booking: Booking, payment: &Payment, now: Timestamp) -> PortResult<Verdict> {
    let record = async |step| {
        let act = PaymentAct {
            booking: booking.booking_id.clone(),
            transaction: payment.transaction.clone(),
            refund: 0,
            step,
            reason: None,
            amount: booking.total,
            at: now,
        };
        parts.ledger.record_payment(&act).await
    };
    record(PaymentStep::Asked).await?;
    let answer = parts.payments.authorise(&booking.booking_id, &payment.transaction, booking.total).await?;
    let refusal = match answer {
        // That it is set aside is written with the confirmation; until then the trail says that it may be.
        Authorisation::Approved => return Ok(Verdict::Paid(booking)),
        Authorisation::Declined(reason) => Refusal::PaymentDeclined { reason },
        Authorisation::AmountMismatch(has) if has.currency == booking.total.currency => {
            Refusal::AmountMismatch { due: booking.total.amount, paid: has.amount }
        }
        Authorisation::AmountMismatch(has) => Refusal::PaymentDeclined {
            reason: format!("it is in {}, and the booking costs {}", has.currency, booking.total.currency),
        },
    };
    record(PaymentStep::Declined).await?;
    Ok(Verdict::Answer(Outcome::Refused(refusal)))
}
