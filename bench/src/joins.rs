//! Joins over HTTP against what a bare server and bare appends, one after the other, allow on the same cores.

use std::{
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

/// Measures joins, the bare server and bare appends, slice by slice in turn.
///
/// # Errors
/// If a join is refused or an append fails.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let stage = Stage::new(options).await?;
    let weir = stage.start().await?;
    let event = stage.sale(weir.public, &Sale { seats: 1_000, opens_in_ms: 3_600_000 }).await?;
    let seconds = usize::try_from(options.slice.as_secs()).unwrap_or(1);
    let joins = JOINS_A_SECOND * seconds;
    let rounds = ROUNDS + 1;
    progress(format_args!("joins: making {} guests", 2 * joins * rounds));
    let tokens = guests(weir.public, 2 * joins * rounds + 1).await?;
    let (first, tokens) = tokens.split_first().context("there is a guest")?;
    let answer = Connection::open(weir.public).await?.exchange_whole(&join_request(&event, first)).await?;
    ensure!(answer.status == 201, "a join was refused with {}: {}", answer.status, answer.body);
    let bare = Bare::start(&answer).await?;
    let appends = Appends::open(&stage.data().with_extension("appends.db"), &event).await?;

    let mut rows = Vec::new();
    for (at_once, tokens) in [FEW, CROWD].into_iter().zip(tokens.chunks(joins * rounds)) {
        let (mut joined, mut answered, mut appended) = (Vec::new(), Vec::new(), Vec::new());
        for (round, guests) in tokens.chunks(joins).enumerate() {
            let requests: Vec<_> = guests.iter().map(|guest| join_request(&event, guest)).collect();
            let same = Arc::new(Round(requests.clone()));
            let weirs = load::run(weir.public, at_once, UNTIL_DONE, 201, Arc::new(Each(requests))).await?.rate();
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

/// A log of the same kind on the same disk, with nothing around it.
struct Appends {
    log: SqliteLog,
    topic: Topic,
    event: EventId,
    lanes: u64,
    next: Arc<AtomicU64>,
}

impl Appends {
    async fn open(path: &Path, event: &EventId) -> Result<Self> {
        let log = SqliteLog::open(path, LogSettings::default()).await?;
        let topic = Topic::Line(event.clone());
        let lanes = u64::from(log.lanes(&topic).await?);
        Ok(Self { log, topic, event: event.clone(), lanes, next: Arc::default() })
    }

    /// Appends joins of invented visitors for `span`, so many at once; how many a second.
    async fn run(&self, at_once: usize, span: Duration) -> Result<f64> {
        let (started, before) = (Instant::now(), self.next.load(Ordering::Relaxed));
        let joined_at = now();
        let mut tasks = JoinSet::new();
        for _ in 0..at_once {
            let (log, topic, event, lanes) = (self.log.clone(), self.topic.clone(), self.event.clone(), self.lanes);
            let next = Arc::clone(&self.next);
            tasks.spawn(async move {
                while started.elapsed() < span {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let lane = u16::try_from(n % lanes).expect("a remainder of a u16 fits a u16");
                    log.append(&topic, lane, join(&event, n, joined_at).encode()).await?;
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
