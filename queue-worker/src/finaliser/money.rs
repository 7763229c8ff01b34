//! Taking money for a booking that is confirmed, and giving back what can't be kept or is due for cancelled seats. All of
//! it may be repeated.

use booking_core::{
    booking::{Booking, PaymentAct, PaymentStep, open_since},
    desk::Ended,
    id::TransactionId,
    money::Money,
    ports::{
        PortResult,
        payments::{Refund, Refunded},
    },
    time::Timestamp,
};

use crate::{Gauges, Parts};

/// Sees that the money of a confirmed booking is taken.
pub(super) async fn see_taken(parts: &Parts, booking: &Booking, now: Timestamp) -> PortResult<()> {
    let Some(transaction) = &booking.transaction else { return Ok(()) };
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    if acts.iter().any(|act| act.transaction == *transaction && act.step == PaymentStep::Captured) {
        return Ok(());
    }
    take(parts, booking, now).await
}

/// Takes the money of a confirmed booking and ends its admission. The act is written last, so that whatever is cut off
/// before leaves a payment without an end, which is settled later.
pub(crate) async fn take(parts: &Parts, booking: &Booking, now: Timestamp) -> PortResult<()> {
    let Some(transaction) = &booking.transaction else { return Ok(()) };
    parts.payments.capture(&booking.booking_id, transaction).await?;
    parts.desk.finish(&booking.event_id, &booking.session, Ended::Booked, now).await?;
    record(parts, booking, transaction, PaymentStep::Captured, booking.total, now).await
}

/// Gives back what was set aside for a booking that it can't be for. False: there was nothing, or it was given back.
pub(super) async fn give_back(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    now: Timestamp,
) -> PortResult<bool> {
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    match open_since(of_payment(&acts, transaction)) {
        Some(began) => void(parts, booking, transaction, began.amount, now).await,
        None => Ok(false),
    }
}

/// Notes that the provider has set something aside for the booking that can't be for it.
pub(super) async fn note_told(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    amount: Money,
    now: Timestamp,
) -> PortResult<()> {
    record(parts, booking, transaction, PaymentStep::Asked, amount, now).await
}

/// Gives back what the trail says was set aside. False: it was given back, or is to be taken.
pub(super) async fn void(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    amount: Money,
    now: Timestamp,
) -> PortResult<bool> {
    record(parts, booking, transaction, PaymentStep::VoidDue, amount, now).await?;
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    let is_due = of_payment(&acts, transaction).any(|act| act.step == PaymentStep::VoidDue);
    if !is_due || open_since(of_payment(&acts, transaction)).is_none() {
        // Another finaliser has confirmed the booking with it a moment ago: it is to be taken, and will be. Or it was
        // given back.
        return Ok(false);
    }
    parts.payments.void(&booking.booking_id, transaction).await?;
    record(parts, booking, transaction, PaymentStep::Voided, amount, now).await?;
    Ok(true)
}

/// The acts about the payment itself, and not about its refunds.
pub(super) fn of_payment<'a>(
    acts: &'a [PaymentAct],
    transaction: &TransactionId,
) -> impl Iterator<Item = &'a PaymentAct> {
    acts.iter().filter(move |act| act.transaction == *transaction && act.refund == 0)
}

/// Gives back whatever is due for the seats of `booking` that were cancelled.
pub(super) async fn give_back_what_is_due(
    parts: &Parts,
    gauges: &Gauges,
    booking: &Booking,
    now: Timestamp,
) -> PortResult<()> {
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    let is_open = |due: &&PaymentAct| {
        let closes = |step: PaymentStep| step.is_end() || step == PaymentStep::Stuck;
        due.step == PaymentStep::RefundDue && !acts.iter().any(|act| act.is_of_one_with(due) && closes(act.step))
    };
    for due in acts.iter().filter(is_open) {
        refund_or_note(parts, gauges, booking, due, now).await?;
    }
    Ok(())
}

/// Refunds what is due. Where the provider refuses, a person has to see to it.
pub(super) async fn refund_or_note(
    parts: &Parts,
    gauges: &Gauges,
    booking: &Booking,
    due: &PaymentAct,
    now: Timestamp,
) -> PortResult<()> {
    match refund(parts, booking, due, now).await? {
        Refunded::Done => {
            gauges.refunded_total.add(1);
            Ok(())
        }
        Refunded::Refused(why) => stuck(parts, gauges, due, why, now).await,
    }
}

/// Refunds the money of `due`; what is to be refunded is seen taken first. The act is written last, as that of taking.
pub(super) async fn refund(parts: &Parts, booking: &Booking, due: &PaymentAct, now: Timestamp) -> PortResult<Refunded> {
    see_taken(parts, booking, now).await?;
    let PaymentAct { transaction, refund, amount, .. } = due.clone();
    let asked = Refund { booking: booking.booking_id.clone(), transaction, number: refund, amount };
    let answer = parts.payments.refund(&asked).await?;
    if answer == Refunded::Done {
        let done = PaymentAct { step: PaymentStep::Refunded, at: now, reason: None, ..due.clone() };
        parts.ledger.record_payment(&done).await?;
    }
    Ok(answer)
}

/// Notes that a person has to see to the money of `act`, and why.
pub(super) async fn stuck(
    parts: &Parts,
    gauges: &Gauges,
    act: &PaymentAct,
    why: String,
    now: Timestamp,
) -> PortResult<()> {
    tracing::error!(booking = %act.booking, transaction = %act.transaction, refund = act.refund, why, "a payment is stuck");
    gauges.stuck_total.add(1);
    parts
        .ledger
        .record_payment(&PaymentAct { step: PaymentStep::Stuck, at: now, reason: Some(why), ..act.clone() })
        .await
}

async fn record(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    step: PaymentStep,
    amount: Money,
    now: Timestamp,
) -> PortResult<()> {
    let act = PaymentAct {
        booking: booking.booking_id.clone(),
        transaction: transaction.clone(),
        refund: 0,
        step,
        reason: None,
        amount,
        at: now,
    };
    parts.ledger.record_payment(&act).await
}
