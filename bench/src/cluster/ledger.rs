//! The ledger's batches by themselves: no log, no hold table, no payments.

use std::time::Duration;

use anyhow::{Result, ensure};
use backends::postgres::PostgresLedger;
use booking_core::{
    booking::{ClaimSeats, Claimed, ConfirmSeats, Confirmed, PaymentAct, PaymentStep},
    digest::Digest,
    id::{BookingId, SessionId},
    money::Money,
    ports::ledger::{Ledger as _, LedgerReader as _},
    seats::SeatIndex,
};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::{Installation, rate_since};
use crate::{
    backlog::{BOOKINGS, Planned},
    stage::now,
};

/// The worker's own batches, by its defaults.
const HOLD_BATCH: usize = 512;
const CONFIRM_BATCH: usize = 1_024;
const OUTBOX_BATCH: usize = 1_024;
/// The first seat of those whose confirmation is measured whole.
const BOOKING_SEATS: u32 = 20_000;

/// Bookings a second.
pub(super) struct Statements {
    pub(super) claims: f64,
    pub(super) confirmations: f64,
    /// With everything else that the ledger does for one: the looks before, each act of its payment, the outbox.
    pub(super) whole_confirmations: f64,
}

/// Claims and then confirms as many bookings as the backlog has, of an event that nobody else knows.
///
/// # Errors
/// If one is refused.
pub(super) async fn by_themselves(installation: &Installation) -> Result<Statements> {
    let ledger = PostgresLedger::new(installation.database().await?);
    // Others than those of the backlog.
    let bookings: Vec<_> = (0..BOOKINGS).map(|number| Planned::new(number + 10 * BOOKINGS)).collect();
    let claims: Vec<_> = bookings.iter().zip(0..).map(|(planned, seat)| claim(planned, seat)).collect::<Result<_>>()?;
    let begun = Instant::now();
    for batch in claims.chunks(HOLD_BATCH) {
        let done = ledger.claim_seats(batch, now()).await?;
        ensure!(done.answers.iter().all(|answer| matches!(answer, Claimed::Held(_))), "a claim was refused");
    }
    let claimed = rate_since(begun, BOOKINGS);
    let asks: Vec<_> = bookings.iter().map(ask).collect();
    let begun = Instant::now();
    for batch in asks.chunks(CONFIRM_BATCH) {
        let done = ledger.confirm(batch, now()).await?;
        ensure!(done.answers.iter().all(|answer| matches!(answer, Confirmed::Confirmed(_))), "one was refused");
    }
    let confirmed = rate_since(begun, BOOKINGS);
    Ok(Statements { claims: claimed, confirmations: confirmed, whole_confirmations: whole(&ledger).await? })
}

/// As the finaliser and the relay do it; one batch after the other, and no two parts of the work at once.
async fn whole(ledger: &PostgresLedger) -> Result<f64> {
    let bookings: Vec<_> = (0..BOOKINGS).map(|number| Planned::new(number + 20 * BOOKINGS)).collect();
    let claims: Vec<_> =
        bookings.iter().zip(BOOKING_SEATS..).map(|(planned, seat)| claim(planned, seat)).collect::<Result<_>>()?;
    for batch in claims.chunks(HOLD_BATCH) {
        ledger.claim_seats(batch, now()).await?;
    }
    publish(ledger).await?;
    let begun = Instant::now();
    for batch in bookings.chunks(CONFIRM_BATCH) {
        let looks = batch.iter().map(|planned| async {
            let booking = ledger.booking(&planned.booking).await?;
            ensure!(booking.is_some() && ledger.payment_acts(&planned.booking).await?.is_empty(), "not as it was held");
            record(ledger, planned, PaymentStep::Asked).await
        });
        try_join_all(looks).await?;
        let done = ledger.confirm(&batch.iter().map(ask).collect::<Vec<_>>(), now()).await?;
        ensure!(done.answers.iter().all(|answer| matches!(answer, Confirmed::Confirmed(_))), "one was refused");
        try_join_all(batch.iter().map(|planned| record(ledger, planned, PaymentStep::Captured))).await?;
        publish(ledger).await?;
    }
    Ok(rate_since(begun, BOOKINGS))
}

async fn record(ledger: &PostgresLedger, planned: &Planned, step: PaymentStep) -> Result<()> {
    let (booking, transaction, amount) = (planned.booking.clone(), planned.transaction.clone(), price()?);
    let act = PaymentAct { booking, transaction, refund: 0, step, amount, reason: None, at: now() };
    Ok(ledger.record_payment(&act).await?)
}

async fn publish(ledger: &PostgresLedger) -> Result<()> {
    loop {
        let rows = ledger.outbox(OUTBOX_BATCH).await?;
        if rows.is_empty() {
            return Ok(());
        }
        ledger.outbox_published(&rows.iter().map(|row| row.number).collect::<Vec<_>>()).await?;
    }
}

fn ask(planned: &Planned) -> ConfirmSeats {
    ConfirmSeats {
        booking: planned.booking.clone(),
        user: planned.user.clone(),
        transaction: planned.transaction.clone(),
    }
}

fn price() -> Result<Money> {
    Ok(Money { amount: 4_500, currency: "EUR".parse()? })
}

fn claim(planned: &Planned, seat: u32) -> Result<ClaimSeats> {
    let hour = i64::try_from(Duration::from_hours(1).as_millis())?;
    Ok(ClaimSeats {
        booking: planned.booking.clone(),
        event: "evt_alone".parse()?,
        user: planned.user.clone(),
        session: planned.booking.as_str().replace(BookingId::PREFIX, SessionId::PREFIX).parse()?,
        seats: vec![SeatIndex(seat)],
        total: price()?,
        until: now().plus_millis(hour),
        max_seats: 4,
        fingerprint: Digest::ZERO,
    })
}
