//! `weir reconcile`: compares what is kept in several places, names each difference, and mends what has one right answer.

use std::{path::Path, sync::Arc, time::Duration};

use queue_worker::{
    Gauges, Progress,
    reconcile::{Found, Reconciler, Report},
};

use crate::{
    config::Config,
    data::{DataError, DataFolder},
    failure::Failure,
    output::say,
    serve,
    stores::{self, Role},
};

/// Compares everything there ever was, and prints a line for each difference. `is_dry`: mends nothing.
///
/// # Errors
/// [`Failure::Check`] if something is left that does not agree.
pub(crate) async fn run(config: &Config, is_dry: bool) -> Result<(), Failure> {
    let locked;
    let folder = match DataFolder::lock(&config.data.folder) {
        // Beside processes on the same stores, nothing of this one's own is in the folder.
        Err(DataError::Locked { .. }) if config.stores.log.scheme() != "sqlite" => Path::new(""),
        Err(DataError::Locked { path }) => {
            let problem = format!(
                "{}: weir runs on it, and compares by itself every worker.reconcile_every_ms; stop it to compare now",
                path.display()
            );
            return Err(Failure::Store(problem));
        }
        lock => {
            locked = lock?;
            locked.path()
        }
    };
    let (stores, open) = stores::open(config, Role::All, folder).await?;
    let compared = compare(serve::worker_parts(stores), is_dry).await;
    open.close().await;
    let report = compared?;
    for Found { difference, is_mended } in &report.found {
        say(format_args!("{} {difference}", if *is_mended { "mended" } else { "WRONG " }));
    }
    let mended = report.found.iter().filter(|found| found.is_mended).count();
    say(format_args!(
        "{} events and {} payments compared: {} differences, {mended} of them mended",
        report.events, report.payments, report.differences
    ));
    if report.differences == mended { Ok(()) } else { Err(Failure::Check) }
}

async fn compare(parts: queue_worker::Parts, is_dry: bool) -> Result<Report, Failure> {
    let clock = Arc::clone(&parts.clock);
    let mut reconciler = Reconciler::once(parts, Arc::new(Gauges::default()), !is_dry);
    while reconciler.report().is_none() {
        let progress = reconciler.step(clock.now()).await.map_err(|error| Failure::Store(error.to_string()))?;
        if let Progress::Later(ms) = progress {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
    Ok(reconciler.report().cloned().unwrap_or_default())
}
