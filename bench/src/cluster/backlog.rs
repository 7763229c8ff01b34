//! How fast a worker works off what has piled up, against its parts by themselves.

use anyhow::{Result, bail, ensure};
use backends::postgres::PostgresSandbox;
use booking_core::{
    message::{Outcome, Reply},
    money::Money,
    ports::payments::{SandboxOutcome, SandboxPayments as _},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Installation, Servers, confirmations, contested, granted, replies::Replies, share};
use crate::{
    Options,
    backlog::{AT_ONCE, BOOKINGS, Planned, append_to},
    stage::Sale,
    table::{Row, per_second, progress},
};

/// Holds of a seat that somebody has.
const CONTESTED: usize = 20_000;
/// The seat that everybody wants; the first booking has it.
pub(super) const WANTED: usize = 0;
/// The least share of each part's own rate.
const LEAST: f64 = 0.5;
/// How much faster than one transaction a booking.
const LEAST_BATCHED: f64 = 4.0;

/// Measures granted holds, contested ones, and confirmations.
///
/// # Errors
/// If the backlog is not worked off, or not as it should.
pub(super) async fn measure(options: &Options, servers: &Servers) -> Result<Vec<Row>> {
    let installation = Installation::new(options, servers).await?;
    let (gateway, worker) = (installation.gateway().await?, installation.worker().await?);
    let event =
        installation.open_sale(&gateway, &Sale { seats: BOOKINGS, opens_in_ms: 500, ..Sale::default() }).await?;
    let log = installation.log().await?;
    let mut replies = Replies::from_now(&log).await?;
    let bookings: Vec<_> = (0..BOOKINGS).map(Planned::new).collect();

    progress(format_args!("cluster: a backlog of {BOOKINGS} holds"));
    worker.stop().await?;
    append_to(&log, &event, &bookings, Planned::hold).await?;
    let worker = installation.worker().await?;
    let held = replies.take(BOOKINGS).await?;
    ensure!(held.replies.iter().all(is_done), "a hold was refused");

    progress(format_args!("cluster: a backlog of {CONTESTED} holds of one seat"));
    worker.stop().await?;
    let rivals: Vec<_> = (BOOKINGS..BOOKINGS + CONTESTED).map(Planned::new).collect();
    append_to(&log, &event, &rivals, |rival| rival.hold_of(WANTED)).await?;
    let worker = installation.worker().await?;
    let contested = replies.take(CONTESTED).await?;
    ensure!(!contested.replies.iter().any(is_done), "a seat was held twice");
    let late = Planned::new(BOOKINGS + CONTESTED);
    let script = contested::seen(servers, async {
        append_to(&log, &event, std::slice::from_ref(&late), |late| late.hold_of(WANTED)).await?;
        replies.take_one().await
    })
    .await?;

    progress(format_args!("cluster: a backlog of {BOOKINGS} confirmations"));
    let due = due(&held.replies)?;
    pay(&PostgresSandbox::new(installation.database().await?), &bookings, due).await?;
    worker.stop().await?;
    append_to(&log, &event, &bookings, |booking| booking.confirm(due.amount)).await?;
    let worker = installation.worker().await?;
    let confirmed = replies.take(BOOKINGS).await?;
    ensure!(confirmed.replies.iter().all(is_done), "a confirmation was refused");
    worker.stop().await?;
    gateway.stop().await?;

    progress(format_args!("cluster: the same scripts and statements by themselves"));
    let ceiling = script.rate().await?;
    let statements = granted::by_themselves(&installation).await?;
    let one_by_one = confirmations::one_by_one(servers, &installation.name).await?;
    Ok(vec![
        share(
            format_args!(
                "contested holds from a backlog of {CONTESTED}: Weir {}, redis-benchmark {}",
                per_second(contested.rate),
                per_second(ceiling)
            ),
            contested.rate,
            ceiling,
            LEAST,
        ),
        share(
            format_args!(
                "granted holds from a backlog of {BOOKINGS}: Weir {}, the batched statement {}",
                per_second(held.rate),
                per_second(statements.claims)
            ),
            held.rate,
            statements.claims,
            LEAST,
        ),
        share(
            format_args!(
                "confirmations from a backlog of {BOOKINGS}: Weir {}, the batched statement {}",
                per_second(confirmed.rate),
                per_second(statements.confirmations)
            ),
            confirmed.rate,
            statements.confirmations,
            LEAST,
        ),
        share(
            format_args!(
                "the same: Weir {}, pgbench with one transaction a booking {}",
                per_second(confirmed.rate),
                per_second(one_by_one)
            ),
            confirmed.rate,
            one_by_one,
            LEAST_BATCHED,
        ),
    ])
}

fn is_done(reply: &Reply) -> bool {
    matches!(reply.outcome, Outcome::Booking(_))
}

/// What each of the bookings costs.
fn due(replies: &[Reply]) -> Result<Money> {
    match replies.first().map(|reply| &reply.outcome) {
        Some(Outcome::Booking(booking)) => Ok(booking.total),
        other => bail!("no booking: {other:?}"),
    }
}

/// Makes a payment for each booking.
async fn pay(sandbox: &PostgresSandbox, bookings: &[Planned], due: Money) -> Result<()> {
    stream::iter(bookings)
        .map(|planned| sandbox.create(&planned.transaction, due, SandboxOutcome::Approve))
        .buffered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok(())
}
