//! What the ledger does for bookings, by itself: no log, no hold table, no payments.

use std::time::Duration;

use anyhow::{Result, ensure};
use backends::postgres::{PostgresDatabase, PostgresLedger};
use booking_core::{
    booking::{ClaimSeats, Claimed, ConfirmSeats, Confirmed, PaymentAct, PaymentStep},
    digest::Digest,
    id::{BookingId, SessionId},
    money::Money,
    ports::ledger::{Ledger as _, LedgerReader as _},
    seats::SeatIndex,
};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::{try_join, try_join_all, try_join3},
    stream,
};
use tokio::{sync::mpsc, time::Instant};

use super::{confirmations, rate_since, share};
use crate::{
    backlog::{BOOKINGS, Planned},
    stage::now,
    table::{Row, per_second},
};

/// The worker's own batches, by its defaults.
const HOLD_BATCH: usize = 512;
const CONFIRM_BATCH: usize = 1_024;
const OUTBOX_BATCH: usize = 1_024;
/// The first seat of those whose confirmation is measured whole, and of those that are confirmed one by one.
const BOOKING_SEATS: u32 = 20_000;
const SINGLE_SEATS: u32 = 40_000;
/// How many of those there are: they come to the same rate sooner.
const SINGLE: usize = 2_000;
/// How much faster than one transaction a booking.
pub(super) const LEAST_BATCHED: f64 = 4.0;

/// Bookings a second.
pub(super) struct Figures {
    pub(super) claims: f64,
    pub(super) confirmations: f64,
    /// With everything else that the ledger does for one: the looks before, each act of its payment, the outbox.
    whole: f64,
    /// The same, confirmed by a transaction each.
    singly: f64,
    /// A transaction a booking, of a booking system that does nothing else.
    pub(super) one_by_one: f64,
}

impl Figures {
    /// What batches are worth.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |other: &str, rate: f64| {
            share(
                format_args!(
                    "confirmations, all that the ledger does for them: {}, {other} {}",
                    per_second(self.whole),
                    per_second(rate)
                ),
                self.whole,
                rate,
                LEAST_BATCHED,
            )
        };
        vec![
            row("pgbench with one transaction a booking", self.one_by_one),
            row("the same with one transaction a booking", self.singly),
        ]
    }
}

/// Claims and then confirms as many bookings as the backlog has, of an event that nobody else knows, in `schema`, where
/// `database` is.
///
/// # Errors
/// If one is refused.
pub(super) async fn measure(database: PostgresDatabase, url: &str, schema: &str) -> Result<Figures> {
    let ledger = PostgresLedger::new(database);
    let (claims, bookings) = claim(&ledger, 10, 0, BOOKINGS).await?;
    let begun = Instant::now();
    for batch in bookings.chunks(CONFIRM_BATCH) {
        confirm(&ledger, batch).await?;
    }
    let confirmations = rate_since(begun, BOOKINGS);
    Ok(Figures {
        claims,
        confirmations,
        whole: whole(&ledger).await?,
        singly: singly(&ledger).await?,
        one_by_one: confirmations::one_by_one(url, schema).await?,
    })
}

/// Claims seats from `first` on for `count` bookings of a set that nobody else has. Answers how many a second, and the
/// bookings.
async fn claim(ledger: &PostgresLedger, set: usize, first: u32, count: usize) -> Result<(f64, Vec<Planned>)> {
    let bookings: Vec<_> = (0..count).map(|number| Planned::new(number + set * BOOKINGS)).collect();
    let claims: Vec<_> =
        bookings.iter().zip(first..).map(|(planned, seat)| of_seat(planned, seat)).collect::<Result<_>>()?;
    let begun = Instant::now();
    for batch in claims.chunks(HOLD_BATCH) {
        let done = ledger.claim_seats(batch, now()).await?;
        ensure!(done.answers.iter().all(|answer| matches!(answer, Claimed::Held(_))), "a claim was refused");
    }
    Ok((rate_since(begun, count), bookings))
}

async fn confirm(ledger: &PostgresLedger, bookings: &[Planned]) -> Result<()> {
    let done = ledger.confirm(&bookings.iter().map(ask).collect::<Vec<_>>(), now()).await?;
    ensure!(done.answers.iter().all(|answer| matches!(answer, Confirmed::Confirmed(_))), "one was refused");
    Ok(())
}

/// What comes before the seats are confirmed.
async fn look(ledger: &PostgresLedger, planned: &Planned) -> Result<()> {
    let booking = ledger.booking(&planned.booking).await?;
    ensure!(booking.is_some() && ledger.payment_acts(&planned.booking).await?.is_empty(), "not as it was held");
    record(ledger, planned, PaymentStep::Asked).await
}

/// Several buyers at once, each confirmed by a transaction of its own.
async fn singly(ledger: &PostgresLedger) -> Result<f64> {
    let (_, bookings) = claim(ledger, 30, SINGLE_SEATS, SINGLE).await?;
    publish(ledger).await?;
    let begun = Instant::now();
    let one = |planned| async move {
        look(ledger, planned).await?;
        confirm(ledger, std::slice::from_ref(planned)).await?;
        record(ledger, planned, PaymentStep::Captured).await
    };
    stream::iter(&bookings).map(one).buffer_unordered(confirmations::CLIENTS).try_collect::<()>().await?;
    publish(ledger).await?;
    Ok(rate_since(begun, SINGLE))
}

/// As the finaliser and the relay do it: while a batch is confirmed, the next is looked at, and what those before leave to
/// be done is done.
async fn whole(ledger: &PostgresLedger) -> Result<f64> {
    let (_, bookings) = claim(ledger, 20, BOOKING_SEATS, BOOKINGS).await?;
    publish(ledger).await?;
    let begun = Instant::now();
    let (looked, mut to_confirm) = mpsc::channel(1);
    let (confirmed, mut to_end) = mpsc::channel(1);
    let looking = async {
        for batch in bookings.chunks(CONFIRM_BATCH) {
            try_join_all(batch.iter().map(|planned| look(ledger, planned))).await?;
            ensure!(looked.send(batch).await.is_ok(), "nobody confirms");
        }
        drop(looked);
        anyhow::Ok(())
    };
    let confirming = async {
        while let Some(batch) = to_confirm.recv().await {
            confirm(ledger, batch).await?;
            ensure!(confirmed.send(batch).await.is_ok(), "nobody ends it");
        }
        drop(confirmed);
        anyhow::Ok(())
    };
    let ending = async {
        while let Some(batch) = to_end.recv().await {
            let captured = try_join_all(batch.iter().map(|planned| record(ledger, planned, PaymentStep::Captured)));
            try_join(captured, publish(ledger)).await?;
        }
        publish(ledger).await
    };
    try_join3(looking, confirming, ending).await?;
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

fn of_seat(planned: &Planned, seat: u32) -> Result<ClaimSeats> {
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
