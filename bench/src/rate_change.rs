//! From an operator's change of the rate until every open stream shows it and the public record holds it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use booking_core::id::EventId;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Options,
    client::Client,
    load::Connection,
    stage::{Sale, Stage, join_line, ranked},
    streams,
    table::{Row, median},
};

/// Streams that must show it.
const STREAMS: usize = 500;
/// How often the rate is changed.
const CHANGES: usize = 10;
/// The longest that the slowest stream of the slowest change may take, in milliseconds.
const MOST_MS: f64 = 250.0;
/// How often the record is asked for.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// The pause between two changes.
const BETWEEN: Duration = Duration::from_millis(1_300);

/// Changes the rate over and over while the streams are open.
///
/// # Errors
/// If a change or a stream is refused.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let stage = Stage::new(options).await?;
    let weir = stage.start().await?;
    let event = stage.sale(weir.public, &Sale::default()).await?;
    at_all(&stage, &[weir.public], &event, CHANGES).await
}

/// Changes the rate at the first of `gateways`, `changes` times, and waits for it on streams at each of them.
///
/// # Errors
/// If a change or a stream is refused.
pub(crate) async fn at_all(
    stage: &Stage,
    gateways: &[SocketAddr],
    event: &EventId,
    changes: usize,
) -> Result<Vec<Row>> {
    let tokens = join_line(gateways[0], event, STREAMS).await?;
    let tokens = ranked(gateways[0], event, tokens).await?;
    let mut open = Vec::with_capacity(STREAMS);
    for (gateway, tokens) in gateways.iter().zip(tokens.chunks(STREAMS.div_ceil(gateways.len()))) {
        open.extend(streams::open(*gateway, event, tokens).await?);
    }
    let mut operator = Client::open(gateways[0]).await?;
    let mut reader = Client::open(gateways[gateways.len() - 1]).await?;
    let (mut shown, mut recorded) = (Vec::new(), Vec::new());
    let mut from = 0;
    for rate in (2..).take(changes) {
        sleep(BETWEEN).await;
        from = head(&mut reader, event, from).await?;
        let begun = Instant::now();
        let watching = watch(std::mem::take(&mut open), rate, begun);
        let recording = record(&mut reader, event, from, rate, begun);
        let path = format!("/v1/operator/events/{event}/sale");
        let fields = [("authorization", stage.operator.as_str())];
        let change = json!({ "ratePerMinute": rate });
        let changing = operator.ask("PATCH", &path, &fields, &change);
        let ((connections, last), at, _) = tokio::try_join!(watching, recording, changing)?;
        open = connections;
        shown.push(last.as_secs_f64() * 1_000.0);
        recorded.push(at.as_secs_f64() * 1_000.0);
    }
    let at = if gateways.len() > 1 { format!(" at {} gateways", gateways.len()) } else { String::new() };
    Ok(vec![
        row(format_args!("a rate change on the last of {STREAMS} streams{at}"), &shown),
        row(format_args!("a rate change in the public record{at}"), &recorded),
    ])
}

fn row(what: std::fmt::Arguments<'_>, took: &[f64]) -> Row {
    let worst = took.iter().copied().fold(0.0, f64::max);
    Row::limited(
        format_args!("{what}, slowest of {} (median {:.0} ms)", took.len(), median(took)),
        format_args!("{worst:.0} ms"),
        format_args!("within {MOST_MS:.0} ms"),
        worst <= MOST_MS,
    )
}

/// Waits until every stream has shown `rate`; the streams, and when the last one did.
async fn watch(streams: Vec<Connection>, rate: u32, begun: Instant) -> Result<(Vec<Connection>, Duration)> {
    let needle = format!("\"ratePerMinute\":{rate},");
    let mut tasks = JoinSet::new();
    for mut stream in streams {
        let needle = needle.clone();
        tasks.spawn(async move {
            stream.wait_for(needle.as_bytes()).await?;
            anyhow::Ok((stream, begun.elapsed()))
        });
    }
    let (mut open, mut last) = (Vec::new(), Duration::ZERO);
    while let Some(task) = tasks.join_next().await {
        let (stream, at) = task.context("a stream's task panicked")??;
        open.push(stream);
        last = last.max(at);
    }
    Ok((open, last))
}

/// Waits until the public record holds `rate`; when it did.
async fn record(reader: &mut Client, event: &EventId, from: u64, rate: u32, begun: Instant) -> Result<Duration> {
    loop {
        let page = records(reader, event, from).await?;
        if page.iter().any(|record| record["kind"] == "rateSet" && record["ratePerMinute"] == rate) {
            return Ok(begun.elapsed());
        }
        sleep(ASK_EVERY).await;
    }
}

/// How many records there are; at least `from`.
async fn head(reader: &mut Client, event: &EventId, mut from: u64) -> Result<u64> {
    loop {
        let page = records(reader, event, from).await?;
        if page.is_empty() {
            return Ok(from);
        }
        from += page.len() as u64;
    }
}

async fn records(reader: &mut Client, event: &EventId, from: u64) -> Result<Vec<Value>> {
    let path = format!("/v1/events/{event}/line/records?from={from}");
    let mut page = reader.ask("GET", &path, &[], &Value::Null).await?;
    Ok(page["records"].as_array_mut().map(std::mem::take).unwrap_or_default())
}
