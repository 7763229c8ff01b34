//! Personal polls of a running `weir` against a bare server that answers the same bytes.

use std::sync::Arc;

use anyhow::{Result, ensure};
use booking_core::id::EventId;

use crate::{
    CROWD, FEW, Options,
    bare::Bare,
    load::{self, Connection, Requests, Round},
    process::Weir,
    stage::{Sale, Stage, join_line, place_request, ranked},
    table::{Row, median, per_second, progress},
};

/// How often each side has its slice.
const ROUNDS: usize = 8;
/// How many places a short and a long line have.
const PLACES: [u64; 2] = [10_000, 1_000_000];
/// The least share of the bare server's rate.
const LEAST_RATIO: f64 = 0.85;
/// The least share of the short line's rate at the long line.
const LEAST_AT_LENGTH: f64 = 0.9;

/// A `weir` with a line that is drawn.
struct Line {
    weir: Weir,
    /// Its data folder lasts as long.
    _stage: Stage,
    event: EventId,
    tokens: Vec<String>,
}

impl Line {
    async fn of(options: &Options, places: u64) -> Result<Self> {
        progress(format_args!("polls: filling a line of {places} places"));
        let stage = Stage::new(options).await?;
        let weir = stage.start().await?;
        let event = stage.sale(weir.public, &Sale { opens_in_ms: 3_000, ..Sale::default() }).await?;
        let tokens = join_line(weir.public, &event, CROWD).await?;
        weir.stop().await?;
        stage.fill(&event, places - CROWD as u64).await?;
        let weir = stage.start().await?;
        progress(format_args!("polls: ready after {} ms", weir.ready_after.as_millis()));
        let tokens = ranked(weir.public, &event, tokens).await?;
        Ok(Self { weir, _stage: stage, event, tokens })
    }

    /// The polls of the first `visitors`.
    fn requests(&self, visitors: usize) -> Arc<dyn Requests> {
        let tokens = self.tokens.iter().take(visitors);
        Arc::new(Round(tokens.map(|token| place_request(&self.event, "place", token)).collect()))
    }
}

/// Measures both lines and the bare server, slice by slice in turn.
///
/// # Errors
/// If a poll is refused.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let (short, long) = (Line::of(options, PLACES[0]).await?, Line::of(options, PLACES[1]).await?);
    let poll = place_request(&short.event, "place", &short.tokens[0]);
    let answer = Connection::open(short.weir.public).await?.exchange_whole(&poll).await?;
    ensure!(answer.status == 200, "a poll was refused with {}: {}", answer.status, answer.body);
    let bare = Bare::start(&answer).await?;

    let mut rows = Vec::new();
    for visitors in [CROWD, FEW] {
        let sides = [
            (short.weir.public, short.requests(visitors)),
            (bare.at, short.requests(visitors)),
            (long.weir.public, long.requests(visitors)),
            (bare.at, long.requests(visitors)),
        ];
        let mut rates: [Vec<f64>; 4] = Default::default();
        for round in 0..=ROUNDS {
            for ((to, requests), rates) in sides.iter().zip(&mut rates) {
                let slice = load::run(*to, visitors, options.slice, 200, Arc::clone(requests)).await?;
                // The first round is for warming up.
                if round > 0 {
                    rates.push(slice.rate());
                }
            }
        }
        let [at_short, bare_short, at_long, bare_long] = rates.each_ref().map(|rates| median(rates));
        rows.push(row(visitors, PLACES[0], at_short, bare_short));
        rows.push(row(visitors, PLACES[1], at_long, bare_long));
        if visitors == CROWD {
            let at_length = at_long / at_short;
            rows.push(Row::limited(
                "polls, the long line against the short one",
                format_args!("{at_length:.2}"),
                format_args!("at least {LEAST_AT_LENGTH}"),
                at_length >= LEAST_AT_LENGTH,
            ));
        }
    }
    let resident = long.weir.resident()? / (1 << 20);
    rows.push(Row::plain(format_args!("memory with {} places", PLACES[1]), format_args!("{resident} MB")));
    rows.push(Row::plain(
        format_args!("start to ready with {} places", PLACES[1]),
        format_args!("{} ms", long.weir.ready_after.as_millis()),
    ));
    Ok(rows)
}

/// The ratio of two rates. The limit is for a crowd.
fn row(visitors: usize, places: u64, weir: f64, bare: f64) -> Row {
    let (weirs, bares) = (per_second(weir), per_second(bare));
    let measured = format!("polls of {visitors}, {places} places: Weir {weirs}, bare hyper {bares}");
    let ratio = weir / bare;
    let figure = format!("{ratio:.2}");
    if visitors != CROWD {
        return Row::plain(measured, figure);
    }
    Row::limited(measured, figure, format_args!("at least {LEAST_RATIO}"), ratio >= LEAST_RATIO)
}
