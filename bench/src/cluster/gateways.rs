//! Several gateways: polls at one, two and four of them, and an operator's change on the screens of all.

use std::sync::Arc;

use anyhow::Result;
use futures_util::future::try_join_all;

use super::{Installation, Servers};
use crate::{
    CROWD, Options,
    load::{self, Round},
    rate_change,
    stage::{Sale, join_line, place_request, ranked},
    table::{Row, median, per_second, progress},
};

/// How many there are at most.
const GATEWAYS: usize = 4;
/// How often each number of gateways has its slice.
const ROUNDS: usize = 4;
/// How often the rate is changed: the slowest stands for 99 of 100.
const CHANGES: usize = 50;

/// Measures polls, then changes of the rate.
///
/// # Errors
/// If a poll, a stream or a change is refused.
pub(super) async fn measure(options: &Options, servers: &Servers) -> Result<Vec<Row>> {
    let installation = Installation::new(options, servers).await?;
    let worker = installation.worker().await?;
    let mut gateways = Vec::new();
    for _ in 0..GATEWAYS {
        gateways.push(installation.gateway().await?);
    }
    let event = installation.open_sale(&gateways[0], &Sale { opens_in_ms: 500, ..Sale::default() }).await?;
    let tokens = join_line(gateways[0].public, &event, CROWD).await?;
    let tokens = ranked(gateways[0].public, &event, tokens).await?;
    let polls: Vec<_> = tokens.iter().map(|token| place_request(&event, "place", token)).collect();
    progress("cluster: polls at several gateways");
    let numbers = [1, 2, GATEWAYS];
    let mut rates: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        for (number, rates) in numbers.into_iter().zip(&mut rates) {
            let slices = gateways[..number].iter().zip(polls.chunks(CROWD / number)).map(|(gateway, polls)| {
                load::run(gateway.public, polls.len(), options.slice, 200, Arc::new(Round(polls.to_vec())))
            });
            let slices = try_join_all(slices).await?;
            // The first round is for warming up.
            if round > 0 {
                rates.push(slices.iter().map(load::Slice::rate).sum());
            }
        }
    }
    let [one, ..] = rates.each_ref().map(|rates| median(rates));
    let mut rows: Vec<Row> = numbers
        .into_iter()
        .zip(&rates)
        .map(|(number, rates)| {
            let rate = median(rates);
            let what = format!("polls of {CROWD} at {number} of {GATEWAYS} gateways: {}", per_second(rate));
            Row::plain(what, format_args!("{:.2} of one", rate / one))
        })
        .collect();
    progress("cluster: changes of the rate");
    let addresses: Vec<_> = gateways.iter().map(|gateway| gateway.public).collect();
    rows.extend(rate_change::at_all(&installation.stage, &addresses, &event, CHANGES).await?);
    drop(worker);
    Ok(rows)
}
