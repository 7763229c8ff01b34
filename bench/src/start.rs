//! From the start of the process to its first `200` on `/ready`.

use anyhow::Result;

use crate::{
    Options,
    stage::Stage,
    table::{Row, median},
};

/// How often it is started.
const STARTS: usize = 10;
/// The longest that the median may be, in milliseconds.
const MOST_MS: f64 = 300.0;

/// Starts and stops it on one data folder, over and over.
///
/// # Errors
/// If a start or a stop fails.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let stage = Stage::new(options).await?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let weir = stage.start().await?;
        took.push(weir.ready_after.as_secs_f64() * 1_000.0);
        weir.stop().await?;
    }
    let middle = median(&took);
    let worst = took.iter().copied().fold(0.0, f64::max);
    Ok(vec![Row::limited(
        format_args!("start to ready, median of {STARTS} (slowest {worst:.0} ms)"),
        format_args!("{middle:.0} ms"),
        format_args!("below {MOST_MS:.0} ms"),
        middle < MOST_MS,
    )])
}
