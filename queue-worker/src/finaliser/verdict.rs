//! What is to be done about a confirmation, found out together with the payment provider.

use booking_core::{
    booking::{Booking, BookingState, PaymentAct, PaymentStep, open_since},
    id::TransactionId,
    mail::Contact,
    message::{BookingCommand, Outcome, Refusal},
    money::Money,
    ports::{PortResult, payments::Authorisation},
    time::Timestamp,
};

use futures_util::future::join;

use super::money;
use crate::{Gauges, Parts, outward};

/// What a buyer offers.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) transaction: TransactionId,
    /// What the client believes it costs, in minor units.
    pub(super) amount: i64,
    /// Where the buyer is to be reached.
    pub(super) contact: Option<Contact>,
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
    /// So much is set aside that can't be for the booking, as the provider told: give it back.
    GiveBackTold(Booking, Money),
}

/// Finds out; a port that fails makes it worth repeating.
pub(super) async fn judge(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    payment: &Payment,
    now: Timestamp,
) -> Verdict {
    match try_judge(parts, gauges, command, payment, now).await {
        Ok(verdict) => verdict,
        Err(error) => Verdict::Answer(outward::unavailable(&error)),
    }
}

async fn try_judge(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    payment: &Payment,
    now: Timestamp,
) -> PortResult<Verdict> {
    let (booking, acts) =
        join(parts.ledger.booking(&command.booking), parts.ledger.payment_acts(&command.booking)).await;
    match booking?.filter(|booking| booking.user_id == command.user && booking.event_id == command.event) {
        Some(booking) => judge_for(parts, gauges, booking, &acts?, payment, now).await,
        None => Ok(Verdict::Answer(Outcome::Refused(Refusal::NotFound))),
    }
}

/// The same for a booking and the acts of its payments as they were just read. What comes to it meanwhile is known to the
/// ledger when it confirms.
pub(super) async fn judge_for(
    parts: &Parts,
    gauges: &Gauges,
    booking: Booking,
    acts: &[PaymentAct],
    payment: &Payment,
    now: Timestamp,
) -> PortResult<Verdict> {
    let refuse = |refusal| Ok(Verdict::Answer(Outcome::Refused(refusal)));
    match booking.state {
        BookingState::Confirmed => return Ok(Verdict::Confirmed(booking)),
        BookingState::Cancelled => return refuse(Refusal::NotReserved),
        // An expired hold may still be had: a payment that comes late takes seats that are free, until the event begins.
        BookingState::Held | BookingState::Expired | BookingState::Released => {}
    }
    let is_over = is_late_for_the_event(parts, &booking, now).await?;
    let was = |step| acts.iter().any(|act| act.transaction == payment.transaction && act.step == step);
    let is_open = open_since(money::of_payment(acts, &payment.transaction)).is_some();
    let expired = Outcome::Refused(if is_over { Refusal::EventOver } else { Refusal::HoldExpired });
    if was(PaymentStep::Declined) {
        return refuse(Refusal::PaymentDeclined { reason: "this payment was declined before".to_owned() });
    }
    // Once it is to be given back it must not pay for the seats after all, even if they are free again.
    let must_go_back = was(PaymentStep::VoidDue) || booking.state == BookingState::Released;
    if must_go_back {
        let outcome = if booking.is_live_hold(now) {
            Outcome::Refused(Refusal::PaymentDeclined { reason: "this payment is given back".to_owned() })
        } else {
            expired
        };
        return Ok(if is_open { Verdict::GiveBack(booking, outcome) } else { Verdict::Answer(outcome) });
    }
    if payment.amount != booking.total.amount {
        return refuse(Refusal::AmountMismatch { due: booking.total.amount, paid: payment.amount });
    }
    Ok(match authorise(parts, gauges, booking, payment, now).await? {
        // Asked for all the same, so that whatever was set aside goes back.
        Verdict::Paid(booking) if is_over => Verdict::GiveBack(booking, expired),
        verdict => verdict,
    })
}

/// Whether the hold has run out and its event has begun. A hold that lives is kept to its deadline, whatever begins
/// meanwhile.
async fn is_late_for_the_event(parts: &Parts, booking: &Booking, now: Timestamp) -> PortResult<bool> {
    if booking.is_live_hold(now) {
        return Ok(false);
    }
    let event = parts.catalog.event(&booking.event_id).await?;
    Ok(event.is_some_and(|event| event.has_begun(now)))
}

async fn authorise(
    parts: &Parts,
    gauges: &Gauges,
    booking: Booking,
    payment: &Payment,
    now: Timestamp,
) -> PortResult<Verdict> {
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
    let (asked, ()) = join(record(PaymentStep::Asked), remember(parts, gauges, &booking, payment, now)).await;
    asked?;
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

/// Notes where the buyer is to be reached. A seat is worth more than a letter: where that fails, the sale goes on.
async fn remember(parts: &Parts, gauges: &Gauges, booking: &Booking, payment: &Payment, now: Timestamp) {
    let Some((mail, contact)) = parts.mail.as_ref().zip(payment.contact.as_ref()) else { return };
    let noted = mail.mailroom.remember(&[(booking.booking_id.clone(), contact.clone())], now).await;
    if let Err(error) = noted {
        gauges.addresses_lost_total.add(1);
        tracing::error!(%error, booking = %booking.booking_id, "its buyer's address is not kept: no letters");
    }
}
