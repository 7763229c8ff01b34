//! How fast a worker works off what has piled up, against its parts by themselves.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use booking_core::{
    message::{Outcome, Reply},
    money::Money,
};

use super::{
    Installation, Servers, contested,
    ledger::{self, LEAST_BATCHED},
    paced,
    replies::Replies,
    share,
};
use crate::{
    Options,
    backlog::{BOOKINGS, Planned, append_to, pay},
    stage::Sale,
    table::{Row, per_second, progress},
};

/// Holds of a seat that somebody has.
const CONTESTED: usize = 20_000;
/// The seat that everybody wants; the first booking has it.
pub(super) const WANTED: usize = 0;
/// Bookings that are confirmed at a pace.
const PACED: usize = 1_000;
/// Bookings that are confirmed by a crowd, each buyer's after the one before is answered: what saturates the machine.
/// Commands that come one by one are an append each, which cost the brokers alone several times what they do together.
const CROWDED: usize = 1_000;
const ALL: usize = BOOKINGS + CROWDED + 2 * PACED;
/// Two paces, as shares of what saturates the machine: with one it has hardly any time left, with the other it has.
const BUSY_PACE: f64 = 0.5;
const PACE: f64 = 0.1;
/// How long 99 of 100 of them may take, in milliseconds.
const MOST_MS: f64 = 50.0;
/// Where Linux has files in memory.
const MEMORY: &str = "/dev/shm";
/// The least share of each part's own rate.
const LEAST: f64 = 0.5;

/// Measures granted holds, contested ones, and confirmations: of a backlog, and as they come.
///
/// # Errors
/// If the backlog is not worked off, or not as it should.
pub(super) async fn measure(options: &Options, servers: &Servers) -> Result<Vec<Row>> {
    let installation = Installation::new(options, servers).await?;
    let (gateway, worker) = (installation.gateway().await?, installation.worker().await?);
    let event = installation.open_sale(&gateway, &Sale { seats: ALL, opens_in_ms: 500, ..Sale::default() }).await?;
    let log = installation.log().await?;
    let mut replies = Replies::from_now(&log).await?;
    let all: Vec<_> = (0..ALL).map(Planned::new).collect();
    let (bookings, single) = all.split_at(BOOKINGS);
    let (crowded, paced) = single.split_at(CROWDED);
    let (busy, calm) = paced.split_at(PACED);

    progress(format_args!("cluster: a backlog of {BOOKINGS} holds"));
    worker.stop().await?;
    append_to(&log, &event, bookings, Planned::hold).await?;
    let worker = installation.worker().await?;
    let held = replies.take(BOOKINGS).await?;
    ensure!(held.replies.iter().all(is_done), "a hold was refused");

    progress(format_args!("cluster: a backlog of {CONTESTED} holds of one seat"));
    worker.stop().await?;
    let rivals: Vec<_> = (ALL..ALL + CONTESTED).map(Planned::new).collect();
    append_to(&log, &event, &rivals, |rival| rival.hold_of(WANTED)).await?;
    let worker = installation.worker().await?;
    let contested = replies.take(CONTESTED).await?;
    ensure!(!contested.replies.iter().any(is_done), "a seat was held twice");
    let late = Planned::new(ALL + CONTESTED);
    let script = contested::seen(servers, async {
        append_to(&log, &event, std::slice::from_ref(&late), |late| late.hold_of(WANTED)).await?;
        replies.take_one().await
    })
    .await?;

    progress(format_args!("cluster: a backlog of {BOOKINGS} confirmations"));
    append_to(&log, &event, single, Planned::hold).await?;
    ensure!(replies.take(single.len()).await?.replies.iter().all(is_done), "a hold was refused");
    worker.stop().await?;
    gateway.stop().await?;
    let due = due(&held.replies)?;
    // The provider's time is not the ledger's: its books are in memory, where nothing waits for a disk.
    let folder = tempfile::tempdir_in(if Path::new(MEMORY).is_dir() { Path::new(MEMORY) } else { &options.folder })?;
    let books = folder.path().join("payments.db");
    pay(&books, &all, due).await?;
    append_to(&log, &event, bookings, |booking| booking.confirm(due.amount)).await?;
    let weir = installation.stage.start_with_books(&books).await?;
    let confirmed = replies.take(BOOKINGS).await?;
    ensure!(confirmed.replies.iter().all(is_done), "a confirmation was refused");
    progress(format_args!("cluster: confirmations one by one"));
    let saturated = paced::saturate(&log, &event, crowded, due, &mut replies).await?;
    let while_busy = paced::confirm(&log, &event, busy, due, saturated * BUSY_PACE, &mut replies).await?;
    let took = paced::confirm(&log, &event, calm, due, saturated * PACE, &mut replies).await?;
    weir.stop().await?;

    progress(format_args!("cluster: the same scripts and statements by themselves"));
    let ceiling = script.rate().await?;
    let ledger = ledger::measure(installation.database().await?, &servers.postgres, &installation.name).await?;
    let mut rows = vec![
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
                per_second(ledger.claims)
            ),
            held.rate,
            ledger.claims,
            LEAST,
        ),
        share(
            format_args!(
                "confirmations from a backlog of {BOOKINGS}: Weir {}, the batched statement {}",
                per_second(confirmed.rate),
                per_second(ledger.confirmations)
            ),
            confirmed.rate,
            ledger.confirmations,
            LEAST,
        ),
        share(
            format_args!(
                "confirmations with brokers, Redis and the provider on the same cores: Weir {}, pgbench with one transaction a booking {}",
                per_second(confirmed.rate),
                per_second(ledger.one_by_one)
            ),
            confirmed.rate,
            ledger.one_by_one,
            LEAST_BATCHED,
        ),
        Row::plain(
            format_args!(
                "a confirmation, {} coming in one by one, half of what saturates: 99 of 100 (median {:.1} ms)",
                per_second(saturated * BUSY_PACE),
                while_busy.median
            ),
            format_args!("{:.1} ms", while_busy.late),
        ),
        Row::limited(
            format_args!(
                "a confirmation, {} coming in one by one, a tenth of what saturates: 99 of 100 (median {:.1} ms)",
                per_second(saturated * PACE),
                took.median
            ),
            format_args!("{:.1} ms", took.late),
            format_args!("below {MOST_MS:.0} ms"),
            took.late < MOST_MS,
        ),
    ];
    rows.extend(ledger.rows());
    Ok(rows)
}

pub(super) fn is_done(reply: &Reply) -> bool {
    matches!(reply.outcome, Outcome::Booking(_))
}

/// What each of the bookings costs.
fn due(replies: &[Reply]) -> Result<Money> {
    match replies.first().map(|reply| &reply.outcome) {
        Some(Outcome::Booking(booking)) => Ok(booking.total),
        other => bail!("no booking: {other:?}"),
    }
}
