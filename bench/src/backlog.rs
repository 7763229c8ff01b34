//! How fast holds and confirmations that have piled up are worked off.
//!
//! The commands are appended while `weir` is stopped; then it is started. The rate is read from the bookings' own
//! moments, so the start does not count.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use backends::sqlite::{SqliteLedger, SqliteSandbox};
use booking_core::{
    booking::{Booking, booking_id},
    digest::Digest,
    id::{BookingId, EventId, SessionId, TransactionId, UserId},
    message::{self, BookingAct, BookingCommand, ReplyTo, Wanted},
    money::Money,
    ports::{
        ledger::LedgerReader as _,
        log::{Log, Topic, lane_of},
        payments::{SandboxOutcome, SandboxPayments as _},
    },
    time::Timestamp,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    Options,
    client::Client,
    stage::{Sale, Stage, now, seat_id},
    table::{Row, per_second, progress},
};

/// Bookings of the backlog, one seat each.
pub(crate) const BOOKINGS: usize = 10_000;
/// Whom the commands are answered to.
pub(crate) const ASKER: &str = "bench";
/// Appends and payments under way at once.
pub(crate) const AT_ONCE: usize = 1_024;
/// How long a backlog may take: a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_mins(5);
/// How often the sale's numbers are asked for.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How long the commands stay good, in seconds.
const GOOD_FOR: u32 = 3_600;

/// Measures holds, then confirmations of the same bookings.
///
/// # Errors
/// If the backlog is not worked off.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let stage = Stage::new(options).await?;
    let weir = stage.start().await?;
    let event = stage.sale(weir.public, &Sale { seats: BOOKINGS, opens_in_ms: 500, ..Sale::default() }).await?;
    // Seats are sold once the sale is open.
    sleep(Duration::from_secs(2)).await;
    weir.stop().await?;
    let bookings: Vec<_> = (0..BOOKINGS).map(Planned::new).collect();

    progress(format_args!("backlog: {BOOKINGS} holds"));
    append(&stage, &event, &bookings, Planned::hold).await?;
    drain(&stage, &event, "held").await?;
    let made = read(&stage, &bookings).await?;
    let held = rate(made.iter().map(|booking| Some(booking.created_at)))?;

    progress(format_args!("backlog: {BOOKINGS} confirmations"));
    let due = made[0].total;
    pay(&stage.books(), &bookings, due).await?;
    append(&stage, &event, &bookings, |planned| planned.confirm(due.amount)).await?;
    drain(&stage, &event, "booked").await?;
    let made = read(&stage, &bookings).await?;
    let confirmed = rate(made.iter().map(|booking| booking.settled_at))?;
    Ok(vec![
        Row::plain(format_args!("holds from a backlog of {BOOKINGS}"), per_second(held)),
        Row::plain(format_args!("confirmations from a backlog of {BOOKINGS}"), per_second(confirmed)),
    ])
}

/// A booking to come.
pub(crate) struct Planned {
    number: usize,
    pub(crate) user: UserId,
    pub(crate) booking: BookingId,
    pub(crate) transaction: TransactionId,
}

impl Planned {
    pub(crate) fn new(number: usize) -> Self {
        let mut bytes = [0xb0; 16];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let user = UserId::from_bytes(bytes);
        Self { number, booking: booking_id(&user, "bench"), user, transaction: TransactionId::from_bytes(bytes) }
    }

    /// A hold of the seat of its number.
    pub(crate) fn hold(&self) -> BookingAct {
        self.hold_of(self.number)
    }

    /// A hold of seat number `seat`.
    pub(crate) fn hold_of(&self, seat: usize) -> BookingAct {
        let seat = seat_id(seat).parse().expect("a short plain text is a seat id");
        let name = self.booking.as_str();
        BookingAct::Hold {
            session: name.replace(BookingId::PREFIX, SessionId::PREFIX).parse().expect("the prefix fits"),
            max_seats: 4,
            wanted: Wanted::Seats(vec![seat]),
            fingerprint: Digest::of(&[name.as_bytes()]),
        }
    }

    /// The command to do `act`, answered under the booking's number.
    pub(crate) fn command(&self, event: &EventId, act: BookingAct) -> BookingCommand {
        BookingCommand {
            reply_to: ReplyTo { gateway: ASKER.to_owned(), correlation: self.number.to_string() },
            deadline: now().plus_seconds(GOOD_FOR),
            traceparent: None,
            event: event.clone(),
            booking: self.booking.clone(),
            user: self.user.clone(),
            act,
        }
    }

    /// The payment of `amount`.
    pub(crate) fn confirm(&self, amount: i64) -> BookingAct {
        BookingAct::Confirm { transaction: self.transaction.clone(), amount, contact: None }
    }
}

/// Appends a command for each booking, while `weir` is stopped.
async fn append(
    stage: &Stage,
    event: &EventId,
    bookings: &[Planned],
    act: impl Fn(&Planned) -> BookingAct,
) -> Result<()> {
    let log = stage.log().await?;
    append_to(&log, event, bookings, act).await?;
    log.close().await;
    Ok(())
}

/// Appends a command for each booking to `log`.
///
/// # Errors
/// If an append fails.
pub(crate) async fn append_to(
    log: &impl Log,
    event: &EventId,
    bookings: &[Planned],
    act: impl Fn(&Planned) -> BookingAct,
) -> Result<()> {
    let lane = lane_of(event.as_str(), log.lanes(&Topic::Bookings).await?);
    stream::iter(bookings)
        .map(|planned| {
            let command = message::encode(&planned.command(event, act(planned)));
            async move { log.append(&Topic::Bookings, lane, command).await }
        })
        .buffered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(())
}

/// Makes a payment for each booking in the sandbox's books, while `weir` is stopped.
///
/// # Errors
/// If the sandbox can't be opened, or refuses.
pub(crate) async fn pay(books: &Path, bookings: &[Planned], due: Money) -> Result<()> {
    let sandbox = SqliteSandbox::open(books).await?;
    stream::iter(bookings)
        .map(|planned| sandbox.create(&planned.transaction, due, SandboxOutcome::Approve))
        .buffered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    sandbox.close().await;
    Ok(())
}

/// Runs `weir` until the sale's number `name` is that of all seats.
async fn drain(stage: &Stage, event: &EventId, name: &str) -> Result<()> {
    let weir = stage.start().await?;
    let mut client = Client::open(weir.public).await?;
    let begun = Instant::now();
    let path = format!("/v1/operator/events/{event}/sale");
    loop {
        let sale = client.ask("GET", &path, &[("authorization", &stage.operator)], &Value::Null).await?;
        if sale[name] == BOOKINGS {
            break;
        }
        ensure!(begun.elapsed() < PATIENCE, "not worked off: {sale}");
        sleep(ASK_EVERY).await;
    }
    drop(client);
    weir.stop().await
}

/// The bookings as the ledger has them, while `weir` is stopped.
async fn read(stage: &Stage, bookings: &[Planned]) -> Result<Vec<Booking>> {
    let ledger = SqliteLedger::open(&stage.data().join("ledger.db")).await?;
    let mut made = Vec::with_capacity(bookings.len());
    for planned in bookings {
        made.push(ledger.booking(&planned.booking).await?.context("a booking is missing")?);
    }
    ledger.close().await;
    Ok(made)
}

/// How many a second, by the moments of the batches they were written in. The first batch only starts the clock.
fn rate(moments: impl Iterator<Item = Option<Timestamp>>) -> Result<f64> {
    let moments: Vec<_> = moments.collect::<Option<_>>().context("a booking is not settled")?;
    let (first, last) = (moments.iter().min().context("no bookings")?, moments.iter().max().context("no bookings")?);
    let after_first = moments.iter().filter(|moment| *moment > first).count();
    let ms = last.millis_since(*first);
    ensure!(ms > 0, "everything was written in one batch");
    Ok(after_first as f64 * 1_000.0 / ms as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_batch_only_starts_the_clock() {
        let moments = [5, 5, 5, 105, 105, 205, 205].map(|ms| Some(Timestamp::from_millis(ms)));
        let rate = rate(moments.into_iter()).unwrap();
        assert!((rate - 20.0).abs() < f64::EPSILON, "{rate}");
    }
}
