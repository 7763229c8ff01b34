//! Measures a built `weir` against what the machine allows, and prints a table whose rows pass or fail.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};

mod backlog;
mod bare;
mod browse;
mod client;
mod cluster;
mod joins;
mod load;
mod polls;
mod process;
mod rate_change;
mod sale;
mod servers;
mod stage;
mod start;
mod streams;
mod table;

use table::Row;

/// Measures Weir against what this machine allows. Status 1 if a figure is outside its limit.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    /// What to measure
    #[arg(value_enum, default_value_t = What::All)]
    what: What,

    /// The executable to measure. Without it: the `weir` beside this executable
    #[arg(long, value_name = "PATH")]
    weir: Option<PathBuf>,

    /// How long one slice of load lasts
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,

    /// Where data folders are made and removed again; its disk is the one that is measured. Without it: the system's
    /// temporary folder
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Everything on one machine's own files: all below but those of the cluster
    All,
    /// Personal polls against a bare server
    Polls,
    /// Joins against what a bare server and bare appends allow together
    Joins,
    /// Holds and confirmations a second from a backlog
    Backlog,
    /// Memory of an idle process and of an idle stream
    Streams,
    /// Start to ready
    Start,
    /// From an operator's change of the rate to every screen
    RateChange,
    /// A whole sale of 100,000 visitors
    Sale,
    /// On Kafka, Redis Cluster and Postgres, which `scripts/servers` starts
    Cluster,
    /// Of those, the holds and confirmations alone
    ClusterBookings,
    /// Of those, what the ledger does by itself, on Postgres alone
    Ledger,
    /// Searches and details with 200,000 events, on Elasticsearch and Cassandra, which `scripts/servers` starts, and embedded
    Browse,
    /// Of those, the details alone, on Cassandra
    Details,
    /// The bare server itself; the others start it
    #[value(hide = true)]
    Bare,
}

/// What [`What::All`] stands for.
const ALL: [What; 7] =
    [What::Start, What::Polls, What::Joins, What::Backlog, What::Streams, What::RateChange, What::Sale];

/// How many visitors poll or join at once, each over a connection of its own: many, as in a sale, and few, where threads
/// go to sleep for want of work and waking them is part of every answer.
const CROWD: usize = 512;
const FEW: usize = 64;

/// How everything is measured.
#[derive(Debug, Clone)]
struct Options {
    /// The executable.
    weir: PathBuf,
    /// How long one slice of load lasts.
    slice: Duration,
    /// Where data folders are made.
    folder: PathBuf,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> Result<ExitCode> {
    if cli.what == What::Bare {
        bare::run().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let weir = match cli.weir {
        Some(weir) => weir,
        None => std::env::current_exe()?.parent().unwrap_or(Path::new("")).join("weir"),
    };
    ensure!(weir.is_file(), "{} is not there; build it: cargo build --release -p weir", weir.display());
    let options = Options {
        weir: std::path::absolute(weir).context("the executable's path")?,
        slice: Duration::from_secs(cli.seconds),
        folder: cli.folder.unwrap_or_else(std::env::temp_dir),
    };
    table::head();
    let mut passed = true;
    let wanted = if cli.what == What::All { &ALL[..] } else { &[cli.what] };
    for what in wanted.iter().copied() {
        for row in measure(what, &options).await.with_context(|| format!("measuring {what:?}"))? {
            passed &= row.passes();
            table::print(&row);
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(what: What, options: &Options) -> Result<Vec<Row>> {
    match what {
        What::Polls => polls::measure(options).await,
        What::Joins => joins::measure(options).await,
        What::Backlog => backlog::measure(options).await,
        What::Streams => streams::measure(options).await,
        What::Start => start::measure(options).await,
        What::RateChange => rate_change::measure(options).await,
        What::Sale => sale::measure(options).await,
        What::Cluster => cluster::measure(options).await,
        What::ClusterBookings => cluster::bookings(options).await,
        What::Ledger => cluster::ledger().await,
        What::Browse => browse::measure(options).await,
        What::Details => browse::details(options).await,
        What::All | What::Bare => Ok(Vec::new()),
    }
}
