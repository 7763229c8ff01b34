//! Driving the parts on Tokio: each in a task of its own, begun anew when it fails.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use booking_core::{ports::log::Topic, time::Timestamp};
use futures_util::FutureExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Error, Gauges, InvalidSettings, Parts, Progress, Settings, indexer::Indexer, relay::Relay, seats::Seats};

/// Something that works in steps.
#[async_trait]
trait Steps: Send {
    async fn step(&mut self, now: Timestamp) -> Result<Progress, Error>;
}

macro_rules! steps {
    ($($part:ty)*) => {
        $(#[async_trait]
        impl Steps for $part {
            async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
                <$part>::step(self, now).await
            }
        })*
    };
}

steps! { Relay Indexer Seats }

/// Runs the parts until `stop`, then lets each finish its step.
///
/// # Errors
/// A setting outside its limits. Everything else is tried again, for ever.
pub async fn run(
    parts: Parts,
    settings: Settings,
    gauges: Arc<Gauges>,
    stop: CancellationToken,
) -> Result<(), InvalidSettings> {
    settings.check()?;
    let driver = Driver { clock: Arc::clone(&parts.clock), settings: settings.clone(), gauges: Arc::clone(&gauges) };
    let Some(lanes) = driver.lanes(&parts, &stop).await else { return Ok(()) };
    let tasks = TaskTracker::new();
    let spawn = |name: &'static str, every_ms: u64, make: Box<dyn Fn() -> Box<dyn Steps> + Send + Sync>| {
        let (driver, stop) = (driver.clone(), stop.clone());
        gauges.parts.add(1);
        tasks.spawn(async move { driver.supervise(name, Duration::from_millis(every_ms), &*make, &stop).await });
    };
    let made = || (parts.clone(), settings.clone(), Arc::clone(&gauges));
    if parts.changes.is_some() {
        let (parts, settings, gauges) = made();
        let make = move || -> Box<dyn Steps> {
            let relay = Relay::new(parts.clone(), &settings, Arc::clone(&gauges));
            Box::new(relay.expect("the catalog has changes of its own"))
        };
        spawn("the relay", driver.settings.changes_every_ms, Box::new(make));
    }
    for lane in 0..lanes {
        let (parts, settings, gauges) = made();
        // It waits in its reads.
        let every_ms = if settings.patience_ms == 0 { settings.changes_every_ms } else { 0 };
        let make =
            move || -> Box<dyn Steps> { Box::new(Indexer::new(parts.clone(), &settings, Arc::clone(&gauges), lane)) };
        spawn("the indexer", every_ms, Box::new(make));
    }
    let (parts, settings, gauges) = made();
    let every_ms = settings.seats_every_ms.div_ceil(4);
    let make = move || -> Box<dyn Steps> { Box::new(Seats::new(parts.clone(), &settings, Arc::clone(&gauges))) };
    spawn("the count of seats", every_ms, Box::new(make));
    tasks.close();
    tasks.wait().await;
    Ok(())
}

#[derive(Clone)]
struct Driver {
    clock: Arc<dyn booking_core::ports::clock::Clock>,
    settings: Settings,
    gauges: Arc<Gauges>,
}

impl Driver {
    /// How many lanes there are; `None`: it was stopped before that was known.
    async fn lanes(&self, parts: &Parts, stop: &CancellationToken) -> Option<u16> {
        let mut failures = 0;
        while !stop.is_cancelled() {
            match parts.log.lanes(&Topic::Catalog).await {
                Ok(lanes) => return Some(lanes),
                Err(error) => self.failed("the indexer", Some(&error.into()), &mut failures, stop).await,
            }
        }
        None
    }

    /// Keeps one part going until `stop`.
    async fn supervise(
        &self,
        name: &str,
        every: Duration,
        make: &(dyn Fn() -> Box<dyn Steps> + Send + Sync),
        stop: &CancellationToken,
    ) {
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let mut part = make();
            while !stop.is_cancelled() {
                match AssertUnwindSafe(part.step(self.clock.now())).catch_unwind().await {
                    Ok(Ok(progress)) => {
                        failures = 0;
                        sleep(if progress == Progress::Idle { every } else { Duration::ZERO }, stop).await;
                    }
                    Ok(Err(error)) => self.failed(name, Some(&error), &mut failures, stop).await,
                    Err(_) => {
                        self.failed(name, None, &mut failures, stop).await;
                        break;
                    }
                }
            }
        }
    }

    /// Says so, and pauses twice as long as the time before.
    async fn failed(&self, name: &str, error: Option<&Error>, failures: &mut u32, stop: &CancellationToken) {
        self.gauges.failures_total.add(1);
        // The first failures in a row, then ever fewer of them.
        if failures.count_ones() <= 1 {
            if let Some(error) = error {
                tracing::warn!(part = name, failures, %error, "a step failed");
            } else {
                tracing::error!(part = name, failures, "a step panicked");
            }
        }
        let doubled = self.settings.first_pause_ms.saturating_mul(1 << (*failures).min(20));
        *failures = failures.saturating_add(1);
        sleep(Duration::from_millis(doubled.min(self.settings.longest_pause_ms)), stop).await;
    }
}

async fn sleep(rest: Duration, stop: &CancellationToken) {
    if rest.is_zero() {
        // Lets the others have their turn, however much there is to do here.
        tokio::task::yield_now().await;
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(rest) => {}
        () = stop.cancelled() => {}
    }
}
