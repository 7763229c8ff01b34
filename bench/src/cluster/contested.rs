//! The script that refuses a hold of a taken seat, as often as Redis runs it when nobody else is there.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::Servers;

/// How often it is run.
const RUNS: &str = "200000";
/// How many are sent before the first is answered, and over how many connections.
const PIPELINED: &str = "64";
const CONNECTIONS: &str = "4";
/// How long Redis may take to show a command: a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// A script call as Weir sent it.
pub(super) struct Script {
    node: String,
    words: Vec<String>,
}

/// Runs `work`, which makes Weir call the script once, and answers the call as the node that got it saw it.
///
/// # Errors
/// If no node saw one.
pub(super) async fn seen(servers: &Servers, work: impl Future<Output = Result<()>>) -> Result<Script> {
    let mut watches = Vec::new();
    for node in &servers.redis {
        watches.push(Watch::begin(node).await?);
    }
    work.await?;
    let looks = watches.iter_mut().map(|watch| Box::pin(watch.script()));
    let (script, ..) =
        timeout(PATIENCE, futures_util::future::select_ok(looks)).await.context("no script was seen")??;
    Ok(script)
}

/// A node's own account of what it is asked.
struct Watch {
    node: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Watch {
    async fn begin(node: &str) -> Result<Self> {
        let (host, port) = node.split_once(':').context("a node is host:port")?;
        let mut command = Command::new("redis-cli");
        command.args(["-h", host, "-p", port, "monitor"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().context("redis-cli")?;
        let mut lines = BufReader::new(child.stdout.take().context("the output is piped")?).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.context("no word of redis-cli")??;
        ensure!(first.as_deref() == Some("OK"), "redis-cli said {first:?}");
        Ok(Self { node: node.to_owned(), lines, _child: child })
    }

    /// The next hold. Its first key is the table's deadlines, and a single seat is asked for.
    async fn script(&mut self) -> Result<Script> {
        while let Some(line) = self.lines.next_line().await? {
            // 1700000000.123456 [0 127.0.0.1:5000] "EVALSHA" "…" "2" "key" "key" "booking" "7" …
            let Some((_, said)) = line.split_once("] \"") else { continue };
            let words: Vec<String> = said.trim_end_matches('"').split("\" \"").map(str::to_owned).collect();
            let is_hold = words[0].eq_ignore_ascii_case("EVALSHA")
                && words.get(3).is_some_and(|key| key.ends_with("holds:deadlines"))
                && words.get(5).is_some_and(|booking| booking.starts_with("booking_"));
            if is_hold {
                return Ok(Script { node: self.node.clone(), words });
            }
        }
        anyhow::bail!("{} closed the connection", self.node)
    }
}

impl Script {
    /// How often a second `redis-benchmark` gets it done.
    ///
    /// # Errors
    /// If it can't be run.
    pub(super) async fn rate(&self) -> Result<f64> {
        let (host, port) = self.node.split_once(':').context("a node is host:port")?;
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", host, "-p", port, "-n", RUNS, "-P", PIPELINED, "-c", CONNECTIONS, "--csv"]);
        let output = command.args(&self.words).stdin(Stdio::null()).output().await.context("redis-benchmark")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "redis-benchmark: {said}{}", String::from_utf8_lossy(&output.stderr));
        // "test","rps",… and then the figures.
        let figures = said.lines().last().context("redis-benchmark said nothing")?;
        let rate = figures.split("\",\"").nth(1).with_context(|| format!("no rate in {said}"))?;
        Ok(rate.trim_matches('"').parse()?)
    }
}
