//! The ledger's batches by themselves: no log, no hold table, no payments.

use std::time::Duration;

use anyhow::{Result, ensure};
use backends::postgres::PostgresLedger;
use booking_core::{
    booking::{ClaimSeats, Claimed, ConfirmSeats, Confirmed},
    digest::Digest,
    id::{BookingId, SessionId},
    money::Money,
    ports::ledger::Ledger as _,
    seats::SeatIndex,
};
use tokio::time::Instant;

use super::{Installation, rate_since};
use crate::{
    backlog::{BOOKINGS, Planned},
    stage::now,
};

/// The worker's own batches, by its defaults.
const HOLD_BATCH: usize = 512;
const CONFIRM_BATCH: usize = 1_024;

/// Bookings a second.
pub(super) struct Statements {
    pub(super) claims: f64,
    pub(super) confirmations: f64,
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
    let asks: Vec<_> = bookings
        .iter()
        .map(|planned| ConfirmSeats {
            booking: planned.booking.clone(),
            user: planned.user.clone(),
            transaction: planned.transaction.clone(),
        })
        .collect();
    let begun = Instant::now();
    for batch in asks.chunks(CONFIRM_BATCH) {
        let done = ledger.confirm(batch, now()).await?;
        ensure!(done.answers.iter().all(|answer| matches!(answer, Confirmed::Confirmed(_))), "one was refused");
    }
    Ok(Statements { claims: claimed, confirmations: rate_since(begun, BOOKINGS) })
}

fn claim(planned: &Planned, seat: u32) -> Result<ClaimSeats> {
    let hour = i64::try_from(Duration::from_hours(1).as_millis())?;
    Ok(ClaimSeats {
        booking: planned.booking.clone(),
        event: "evt_alone".parse()?,
        user: planned.user.clone(),
        session: planned.booking.as_str().replace(BookingId::PREFIX, SessionId::PREFIX).parse()?,
        seats: vec![SeatIndex(seat)],
        total: Money { amount: 4_500, currency: "EUR".parse()? },
        until: now().plus_millis(hour),
        max_seats: 4,
        fingerprint: Digest::ZERO,
    })
}
