//! A running `weir` of the built executable, with a data folder that outlives it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

use crate::load::{Connection, request};

/// How long a start or a stop may take: a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a starting process is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// One machine plays all visitors, so the limits that hold one visitor back are out of the way; they are still counted.
const SETTINGS: &[&str] = &[
    "gateway.requests_per_minute=1000000000",
    "gateway.reserves_per_minute=1000000000",
    "gateway.guests_per_minute=1000000000",
    "gateway.address_requests_per_minute=1000000000",
    "gateway.access_token_seconds=86400",
    "gateway.idle_timeout_seconds=3600",
    "worker.holds_per_second=1000000",
    "tracing.level=warn",
];

/// The address of who listens to no visitors.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One of several processes that are a Weir together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Speaks to visitors.
    Gateway,
    /// Serves lanes.
    Worker,
}

impl Role {
    const fn command(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker => "queue-worker",
        }
    }
}

/// A running process; killed when dropped.
pub(crate) struct Weir {
    child: Child,
    /// Where visitors connect.
    pub(crate) public: SocketAddr,
    /// From the start of the process to its first `200` on `/ready`.
    pub(crate) ready_after: Duration,
    /// Kept so that the process can go on writing.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Weir {
    /// Starts `program` as `role`, or as everything, on the data folder `data`, and waits until it is ready.
    ///
    /// # Errors
    /// If it ends instead, or takes longer than anybody would wait.
    pub(crate) async fn start(program: &Path, role: Option<Role>, data: &Path, settings: &[String]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(role.map(Role::command));
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]).arg(data);
        for setting in SETTINGS.iter().copied().chain(settings.iter().map(String::as_str)) {
            command.args(["--set", setting]);
        }
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("the output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut address = async |name: &str| -> Result<SocketAddr> {
            let line = timeout(PATIENCE, lines.next_line()).await.context("no address was printed")??;
            let line = line.context("weir ended before it was ready")?;
            let (_, rest) = line.split_once("http://").with_context(|| format!("no address in: {line}"))?;
            ensure!(line.starts_with(name), "expected the address for {name}, got: {line}");
            Ok(rest[..rest.find('/').unwrap_or(rest.len())].parse()?)
        };
        let public = match role {
            Some(Role::Worker) => NOWHERE,
            _ => address("visitors").await?,
        };
        let admin = address("admin").await?;
        timeout(PATIENCE, ready(admin)).await.context("weir did not become ready")??;
        Ok(Self { child, public, ready_after: started.elapsed(), _stdout: lines })
    }

    /// Ends it as an operator does, and waits for it.
    ///
    /// # Errors
    /// If it does not end by itself, or not well.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let id = self.id()?.to_string();
        ensure!(Command::new("kill").args(["-TERM", &id]).status().await?.success(), "SIGTERM could not be sent");
        let status = timeout(PATIENCE, self.child.wait()).await.context("weir did not stop")??;
        ensure!(status.success(), "weir ended with {status}");
        Ok(())
    }

    /// Its resident memory, in bytes.
    ///
    /// # Errors
    /// Where `/proc` does not tell.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1_024)
    }

    fn id(&self) -> Result<u32> {
        self.child.id().context("weir has ended already")
    }
}

async fn ready(admin: SocketAddr) -> Result<()> {
    let ask = request("GET", "/ready", &[], "");
    let mut connection = Connection::open(admin).await?;
    loop {
        match connection.exchange_whole(&ask).await?.status {
            200 => return Ok(()),
            503 => sleep(ASK_EVERY).await,
            other => bail!("/ready answered {other}"),
        }
    }
}
