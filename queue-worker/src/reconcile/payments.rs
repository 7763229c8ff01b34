//! Where the money is: the ledger's trail and the provider's books.

use booking_core::{
    booking::{Booking, PaymentAct, PaymentStep},
    id::{BookingId, TransactionId},
    ports::PortResult,
    reconcile::{Difference, PaymentDifference, compare_payment, payments_of},
    time::Timestamp,
};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};

use super::Report;
use crate::{Gauges, Parts, finaliser::take};

/// Bookings of one batch.
const AT_ONCE: usize = 256;
/// Payments that the provider is asked about at the same time.
const SIDE_BY_SIDE: usize = 16;

/// A look over all bookings' payments.
pub(super) struct PaymentsLook {
    /// Those that nothing happened to since don't count.
    since: Option<Timestamp>,
    after: Option<BookingId>,
    /// Bookings to be looked at first, whatever happened to them.
    again: Vec<BookingId>,
}

/// A payment that was compared.
struct Compared {
    booking: Booking,
    transaction: TransactionId,
    difference: Option<PaymentDifference>,
}

impl PaymentsLook {
    pub(super) fn new(since: Option<Timestamp>, again: Vec<BookingId>) -> Self {
        Self { since, after: None, again }
    }

    /// True: that was all.
    pub(super) async fn step(
        &mut self,
        parts: &Parts,
        gauges: &Gauges,
        mends: bool,
        report: &mut Report,
        now: Timestamp,
    ) -> PortResult<bool> {
        let (bookings, is_done) = self.next(parts).await?;
        let acts = try_join_all(bookings.iter().map(|booking| parts.ledger.payment_acts(&booking.booking_id))).await?;
        let is_due = |acts: &[PaymentAct]| {
            acts.last().is_some_and(|last| self.since.is_none_or(|since| last.at >= since || !self.again.is_empty()))
        };
        let due: Vec<_> = bookings.iter().zip(&acts).filter(|(_, acts)| is_due(acts)).collect();
        let asks = due.into_iter().flat_map(|(booking, acts)| {
            payments_of(acts).into_iter().map(move |transaction| compare(parts, booking, acts, transaction))
        });
        let asks: Vec<_> = asks.collect();
        let compared: Vec<Compared> = stream::iter(asks).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
        report.payments += compared.len();
        for Compared { booking, transaction, difference } in compared {
            let Some(difference) = difference else { continue };
            let is_mended =
                mends && difference.can_be_mended() && mend(parts, &booking, &transaction, difference, now).await;
            report.add(gauges, Difference::Payment(booking.booking_id, transaction, difference), is_mended);
        }
        self.again.clear();
        Ok(is_done)
    }

    /// The next bookings, and whether they are the last.
    async fn next(&mut self, parts: &Parts) -> PortResult<(Vec<Booking>, bool)> {
        if !self.again.is_empty() {
            let found = try_join_all(self.again.iter().map(|booking| parts.ledger.booking(booking))).await?;
            return Ok((found.into_iter().flatten().collect(), false));
        }
        let bookings = parts.ledger.all_bookings(self.after.as_ref(), AT_ONCE).await?;
        if let Some(last) = bookings.last() {
            self.after = Some(last.booking_id.clone());
        }
        let is_done = bookings.len() < AT_ONCE;
        Ok((bookings, is_done))
    }
}

/// Compares a payment as the provider has it now. What the trail changed meanwhile is left to the next run.
async fn compare(
    parts: &Parts,
    booking: &Booking,
    acts: &[PaymentAct],
    transaction: TransactionId,
) -> PortResult<Compared> {
    let standing = parts.payments.standing(&transaction).await?;
    let mut difference = compare_payment(booking, acts, &transaction, standing.as_ref());
    if difference.is_some() {
        let is_as_it_was = parts.ledger.booking(&booking.booking_id).await?.as_ref() == Some(booking)
            && parts.ledger.payment_acts(&booking.booking_id).await? == acts;
        difference = difference.filter(|_| is_as_it_was);
    }
    Ok(Compared { booking: booking.clone(), transaction, difference })
}

/// Does what is the one right answer. False: it could not be done now.
async fn mend(
    parts: &Parts,
    booking: &Booking,
    transaction: &TransactionId,
    difference: PaymentDifference,
    now: Timestamp,
) -> bool {
    let mended = async {
        if difference == PaymentDifference::NotTaken {
            return take(parts, booking, now).await;
        }
        parts.payments.void(&booking.booking_id, transaction).await?;
        let amount = booking.total;
        let (booking, transaction, step) = (booking.booking_id.clone(), transaction.clone(), PaymentStep::Voided);
        let act = PaymentAct { booking, transaction, refund: 0, step, amount, reason: None, at: now };
        parts.ledger.record_payment(&act).await
    };
    match mended.await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, booking = %booking.booking_id, "it can't be mended now");
            false
        }
    }
}
