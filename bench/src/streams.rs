//! Memory: of a process that nobody visits, and of each stream that has nothing to say.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use booking_core::id::EventId;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Options,
    load::Connection,
    stage::{Sale, Stage, join_line, place_request, ranked},
    table::{Row, progress},
};

/// Streams open at once. Each is a file on both sides: `ulimit -n` must allow some more.
const STREAMS: usize = 5_000;
/// How many are opened at once.
const OPENED_AT_ONCE: usize = 50;
/// How long memory gets to settle before it is looked at.
const SETTLE: Duration = Duration::from_secs(3);
const MOST_IDLE_MB: f64 = 60.0;
const MOST_STREAM_KB: f64 = 16.0;

/// Opens the streams on a process that was just started, so that nothing freed earlier can hide what they take.
///
/// # Errors
/// If a stream is refused.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let stage = Stage::new(options).await?;
    let weir = stage.start().await?;
    sleep(SETTLE).await;
    let idle = weir.resident()? as f64 / f64::from(1 << 20);
    progress(format_args!("streams: {STREAMS} visitors join"));
    let event = stage.sale(weir.public, &Sale { opens_in_ms: 3_000, ..Sale::default() }).await?;
    let tokens = join_line(weir.public, &event, STREAMS).await?;
    let tokens = ranked(weir.public, &event, tokens).await?;
    weir.stop().await?;

    let weir = stage.start().await?;
    sleep(SETTLE).await;
    let before = weir.resident()?;
    let streams = open(weir.public, &event, &tokens).await?;
    sleep(SETTLE).await;
    let after = weir.resident()?;
    let each = after.saturating_sub(before) as f64 / streams.len() as f64 / 1_024.0;
    Ok(vec![
        Row::limited(
            "memory of an idle process",
            format_args!("{idle:.1} MB"),
            format_args!("below {MOST_IDLE_MB:.0} MB"),
            idle < MOST_IDLE_MB,
        ),
        Row::limited(
            format_args!("memory of an idle stream, {} open", streams.len()),
            format_args!("{each:.1} KB"),
            format_args!("below {MOST_STREAM_KB:.0} KB"),
            each < MOST_STREAM_KB,
        ),
    ])
}

/// Opens a stream for each of `tokens`, and reads its head.
///
/// # Errors
/// If one is refused.
pub(crate) async fn open(to: SocketAddr, event: &EventId, tokens: &[String]) -> Result<Vec<Connection>> {
    let mut opened = Vec::with_capacity(tokens.len());
    for tokens in tokens.chunks(OPENED_AT_ONCE) {
        let mut tasks = JoinSet::new();
        for token in tokens {
            let request = place_request(event, "stream", token);
            tasks.spawn(async move {
                let mut connection = Connection::open(to).await?;
                let status = connection.open_stream(&request).await?;
                ensure!(status == 200, "a stream was refused with {status}");
                Ok(connection)
            });
        }
        while let Some(task) = tasks.join_next().await {
            opened.push(task.context("a stream's task panicked")??);
        }
    }
    Ok(opened)
}
