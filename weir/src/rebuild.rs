//! `weir search-indexer rebuild`: makes the index anew beside the one that is searched, and switches over.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use booking_core::ports::{
    PortError,
    search::{Draft, Drafted},
};
use search_indexer::{
    Error, Parts, Progress,
    rebuild::{Counts, Rebuild, Stage},
};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, failure::Failure, output::say, stores};

/// How often it says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(1);
/// How long it rests where there is nothing to do.
const REST: Duration = Duration::from_millis(50);
/// How long it rests after a failure, and how many in a row are enough.
const PAUSE: Duration = Duration::from_millis(500);
const MAX_FAILURES: u32 = 20;

/// Rebuilds the index. Until the switch, `stop` ends it and leaves everything as it was.
///
/// # Errors
/// If it can't be rebuilt from outside, somebody is at it, or a store fails for good.
pub(crate) async fn run(config: &Config, stop: CancellationToken) -> Result<(), Failure> {
    let redraft = stores::redraft(config)?;
    let (parts, open) = stores::open_for_indexing(config).await?;
    let done = async {
        let now = parts.clock.now();
        match redraft.draft(now).await.map_err(|error| failed(&error))? {
            Drafted::Begun(draft) => rebuild(config, parts, draft, &stop).await,
            Drafted::Taken(heard_at) => Err(Failure::Store(format!(
                "stores.search: another rebuild is at it, heard of {} ms ago; if it was killed, try again in some seconds",
                now.millis_since(heard_at)
            ))),
        }
    };
    let done = done.await;
    open.close().await;
    done
}

async fn rebuild(
    config: &Config,
    parts: Parts,
    draft: Arc<dyn Draft>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let done = fill(config, parts, &draft, begun, stop).await;
    if done.is_err()
        && let Err(error) = draft.end().await
    {
        tracing::warn!(%error, "what is there so far stays until the next rebuild");
    }
    let counts = done?;
    say(format_args!("the index is new: {} events in {:.1} s", counts.events, begun.elapsed().as_secs_f64()));
    Ok(())
}

async fn fill(
    config: &Config,
    parts: Parts,
    draft: &Arc<dyn Draft>,
    begun: Instant,
    stop: &CancellationToken,
) -> Result<Counts, Failure> {
    let clock = Arc::clone(&parts.clock);
    let rebuild = Rebuild::new(parts, Arc::clone(draft), &config.indexer_settings()).await;
    let mut rebuild = rebuild.map_err(|Error::Port(error)| failed(&error))?;
    let (mut said_at, mut failures) = (begun, 0);
    while rebuild.stage() != Stage::Done {
        let before = rebuild.stage();
        if stop.is_cancelled() && !matches!(before, Stage::Switched(_)) {
            return Err(anyhow::anyhow!("stopped before the switch; the index is as it was").into());
        }
        match rebuild.step(clock.now()).await {
            Ok(progress) => {
                failures = 0;
                if rebuild.stage() != before || said_at.elapsed() >= SAID_EVERY {
                    tell(before, rebuild.stage(), rebuild.counts(), begun);
                    said_at = Instant::now();
                }
                if progress == Progress::Idle {
                    tokio::time::sleep(REST).await;
                }
            }
            Err(Error::Port(error)) => {
                failures += 1;
                if failures >= MAX_FAILURES || matches!(error, PortError::Damaged { .. }) {
                    return Err(failed(&error));
                }
                tracing::warn!(failures, %error, "a step failed and is done again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(rebuild.counts())
}

/// Says what was done, and where it goes on.
fn tell(done: Stage, stage: Stage, counts: Counts, begun: Instant) {
    let Counts { changes, changes_in_all, events, untold, seats } = counts;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate to read, not to reckon with")]
    let rate = |count: u64| (count as f64 / begun.elapsed().as_secs_f64().max(0.001)) as u64;
    match done {
        Stage::Changes => tell_line(format_args!("{changes} of {changes_in_all} changes, {} a second", rate(changes))),
        Stage::Events => tell_line(format_args!("{events} events of the catalog, {untold} of them in no change")),
        Stage::Seats => tell_line(format_args!("seats left of {seats} events")),
        Stage::CaughtUp(_) | Stage::Switched(_) | Stage::Done => {}
    }
    if done != stage {
        match stage {
            Stage::CaughtUp(_) => tell_line("caught up"),
            Stage::Switched(_) => tell_line("switched"),
            _ => {}
        }
    }
}

fn tell_line(line: impl fmt::Display) {
    eprintln!("{line}");
}

fn failed(error: &PortError) -> Failure {
    Failure::Store(format!("stores: {error}"))
}
