//! Taking money for a booking that is confirmed, and giving back what can't be kept. Both may be repeated.

use booking_core::{
    booking::{Booking, PaymentAct, PaymentStep},
    desk::Ended,
    id::TransactionId,
    ports::PortResult,
    time::Timestamp,
};

use crate::Parts;

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
pub(super) async fn take(parts: &Parts, booking: &Booking, now: Timestamp) -> PortResult<()> {
    let Some(transaction) = &booking.transaction else { return Ok(()) };
    parts.payments.capture(&booking.booking_id, transaction).await?;
    parts.desk.finish(&booking.event_id, &booking.session, Ended::Booked, now).await?;
    record(parts, booking, transaction, PaymentStep::Captured, now).await
}

/// Gives back what was set aside for a booking that it can't be for. False: there was nothing, or it was given back.
pub(super) async fn give_back(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    now: Timestamp,
) -> PortResult<bool> {
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    let of_it = || acts.iter().filter(|act| act.transaction == *transaction);
    if of_it().any(|act| act.step.is_end()) || !of_it().any(|act| act.step == PaymentStep::Asked) {
        return Ok(false);
    }
    record(parts, booking, transaction, PaymentStep::VoidDue, now).await?;
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    if !acts.iter().any(|act| act.transaction == *transaction && act.step == PaymentStep::VoidDue) {
        // Another finaliser has confirmed the booking with it a moment ago: it is to be taken, and will be.
        return Ok(false);
    }
    parts.payments.void(&booking.booking_id, transaction).await?;
    record(parts, booking, transaction, PaymentStep::Voided, now).await?;
    Ok(true)
}

async fn record(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    step: PaymentStep,
    now: Timestamp,
) -> PortResult<()> {
    let act = PaymentAct {
        booking: booking.booking_id.clone(),
        transaction: transaction.clone(),
        step,
        amount: booking.total,
        at: now,
    };
    parts.ledger.record_payment(&act).await
}
