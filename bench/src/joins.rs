//! Joins over HTTP against what a bare server and bare appends, one after the other, allow on the same cores.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use backends::sqlite::{LogSettings, SqliteLog};
use booking_core::{
    id::EventId,
    ports::log::{Log as _, Topic},
};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{
    CROWD, FEW, Options,
    bare::Bare,
    load::{self, Connection, Each, Round},
    stage::{Sale, Stage, guests, join, join_request, now},
    table::{Row, median, per_second, progress},
};

/// How often each side has its slice.
const ROUNDS: usize = 5;
/// Joins of one slice for each second that a slice shall last; a slice ends with its last join.
const JOINS_A_SECOND: usize = 40_000;
/// The least share of what the two costs added allow.
const LEAST_RATIO: f64 = 0.7;
/// Far beyond any slice: a slice of joins ends when all have joined.
const UNTIL_DONE: Duration = Duration::from_mins(10);

/// A log with nothing around it.
pub(crate) trait RawLog: Clone + Send + Sync + 'static {
    /// Appends number `n`.
    fn append(&self, n: u64, payload: Bytes) -> impl Future<Output = Result<()>> + Send;
}

/// Measures joins, the bare server and bare appends, slice by slice in turn.
///
/// # Errors
/// If a join is refused or an append fails.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let stage = Stage::new(options).await?;
    let weir = stage.start().await?;
    let event = stage.sale(weir.public, &Sale { opens_in_ms: 3_600_000, ..Sale::default() }).await?;
    let log = SqliteRaw::open(&stage.data().with_extension("appends.db"), &event).await?;
    compare(options, weir.public, &event, log, JOINS_A_SECOND).await
}

/// Compares joins at `to` with a bare server and with appends to `log`. `joins_a_second`: about what is to be expected.
///
/// # Errors
/// If a join is refused or an append fails.
pub(crate) async fn compare(
    options: &Options,
    to: SocketAddr,
    event: &EventId,
    log: impl RawLog,
    joins_a_second: usize,
) -> Result<Vec<Row>> {
    let seconds = usize::try_from(options.slice.as_secs()).unwrap_or(1);
    let joins = joins_a_second * seconds;
    let rounds = ROUNDS + 1;
    progress(format_args!("joins: making {} guests", 2 * joins * rounds));
    let tokens = guests(to, 2 * joins * rounds + 1).await?;
    let (first, tokens) = tokens.split_first().context("there is a guest")?;
    let answer = Connection::open(to).await?.exchange_whole(&join_request(event, first)).await?;
    ensure!(answer.status == 201, "a join was refused with {}: {}", answer.status, answer.body);
    let bare = Bare::start(&answer).await?;
    let appends = Appends { log, event: event.clone(), next: Arc::default() };

    let mut rows = Vec::new();
    for (at_once, tokens) in [FEW, CROWD].into_iter().zip(tokens.chunks(joins * rounds)) {
        let (mut joined, mut answered, mut appended) = (Vec::new(), Vec::new(), Vec::new());
        for (round, guests) in tokens.chunks(joins).enumerate() {
            let requests: Vec<_> = guests.iter().map(|guest| join_request(event, guest)).collect();
            let same = Arc::new(Round(requests.clone()));
            let weirs = load::run(to, at_once, UNTIL_DONE, 201, Arc::new(Each(requests))).await?.rate();
            let hypers = load::run(bare.at, at_once, options.slice, 201, same).await?.rate();
            let logs = appends.run(at_once, options.slice).await?;
            // The first round is for warming up.
            if round > 0 {
                joined.push(weirs);
                answered.push(hypers);
                appended.push(logs);
            }
        }
        rows.push(row(at_once, median(&joined), median(&answered), median(&appended)));
    }
    Ok(rows)
}

/// Joins against what the two costs allow. The limit is for few at once: the more wait for a commit of the bare log,
/// the closer to nothing it costs each of them, and what is left to compare with is two HTTP servers.
fn row(at_once: usize, weir: f64, hyper: f64, log: f64) -> Row {
    let allowed = 1.0 / (1.0 / hyper + 1.0 / log);
    let ratio = weir / allowed;
    let measured = format!(
        "joins, {at_once} at once: Weir {}; bare hyper {}, bare appends {}, together {}",
        per_second(weir),
        per_second(hyper),
        per_second(log),
        per_second(allowed)
    );
    let figure = format!("{ratio:.2}");
    if at_once != FEW {
        return Row::plain(measured, figure);
    }
    Row::limited(measured, figure, format_args!("at least {LEAST_RATIO}"), ratio >= LEAST_RATIO)
}

/// A log of the same kind on the same disk.
#[derive(Clone)]
struct SqliteRaw {
    log: SqliteLog,
    topic: Topic,
    lanes: u64,
}

impl SqliteRaw {
    async fn open(path: &Path, event: &EventId) -> Result<Self> {
        let log = SqliteLog::open(path, LogSettings::default()).await?;
        let topic = Topic::Line(event.clone());
        let lanes = u64::from(log.lanes(&topic).await?);
        Ok(Self { log, topic, lanes })
    }
}

impl RawLog for SqliteRaw {
    async fn append(&self, n: u64, payload: Bytes) -> Result<()> {
        let lane = u16::try_from(n % self.lanes).expect("a remainder of a u16 fits a u16");
        self.log.append(&self.topic, lane, payload).await?;
        Ok(())
    }
}

/// Appends of joins that nobody made.
struct Appends<L> {
    log: L,
    event: EventId,
    next: Arc<AtomicU64>,
}

impl<L: RawLog> Appends<L> {
    /// Appends for `span`, so many at once; how many a second.
    async fn run(&self, at_once: usize, span: Duration) -> Result<f64> {
        let (started, before) = (Instant::now(), self.next.load(Ordering::Relaxed));
        let joined_at = now();
        let mut tasks = JoinSet::new();
        for _ in 0..at_once {
            let (log, event, next) = (self.log.clone(), self.event.clone(), Arc::clone(&self.next));
            tasks.spawn(async move {
                while started.elapsed() < span {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    log.append(n, join(&event, n, joined_at).encode()).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.context("an append's task panicked")??;
        }
        let appended = self.next.load(Ordering::Relaxed) - before;
        Ok(appended as f64 / started.elapsed().as_secs_f64())
    }
}
