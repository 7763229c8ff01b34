//! A whole sale of 100,000 visitors, which checks itself.

use std::{process::Stdio, time::Instant};

use anyhow::Result;
use tokio::process::Command;

use crate::{
    Options,
    table::{Row, progress},
};

const VISITORS: u32 = 100_000;

/// Runs the demo's sale once; what it says goes to the standard error stream.
///
/// # Errors
/// If it can't be started.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir_in(&options.folder)?;
    let mut command = Command::new(&options.weir);
    command.args(["demo", "--once", "--port", "0", "--visitors", &VISITORS.to_string(), "--data"]);
    command.arg(folder.path().join("data"));
    let started = Instant::now();
    let output = command.stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        progress(format_args!("sale: {line}"));
    }
    let seconds = started.elapsed().as_secs();
    let passed = output.status.success();
    Ok(vec![Row::limited(
        format_args!("a sale of {VISITORS} visitors: draw verified, nothing doubled, no overshoot ({})", output.status),
        format_args!("{seconds} s"),
        "every check passes",
        passed,
    )])
}
