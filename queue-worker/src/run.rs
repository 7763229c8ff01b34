//! Driving the parts on Tokio: each in a task of its own, at its own pace, begun anew when it fails for good.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use booking_core::{ports::log::Topic, time::Timestamp};
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Gauges, InvalidSettings, Parts, Progress, Settings,
    expiry::Expiry,
    finaliser::Finaliser,
    keeper::Keeper,
    outbox::Relay,
    patience::WithTimeout,
    pool::{Pool, Throttle},
};

/// What an idle part sleeps that does not wait in its reads.
const IDLE: Duration = Duration::from_millis(10);
/// How many more batches of the outbox are published once everything else has stopped.
const LAST_BATCHES: usize = 64;

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

steps! { Keeper Pool Finaliser Expiry Relay }

/// Makes a part, at first and whenever it must be made anew.
type Make = Box<dyn Fn() -> Box<dyn Steps> + Send>;

/// One part to keep going.
struct Job {
    name: String,
    make: Make,
    /// What it sleeps when it was idle.
    pace: Duration,
    /// The longest pause after a failure that it survives, in milliseconds.
    longest_pause_ms: u64,
}

/// Runs all workers until `stop`, then lets each finish its step and publishes what is left in the outbox.
///
/// # Errors
/// A setting outside its limits. Everything else is tried again, for ever.
pub async fn run(parts: Parts, settings: Settings, stop: CancellationToken) -> Result<(), InvalidSettings> {
    run_with(parts, settings, Arc::default(), stop).await
}

/// The same as [`run()`], measuring into `gauges`.
///
/// # Errors
/// As for [`run()`].
pub async fn run_with(
    parts: Parts,
    settings: Settings,
    gauges: Arc<Gauges>,
    stop: CancellationToken,
) -> Result<(), InvalidSettings> {
    settings.check()?;
    let timeout = Duration::from_millis(settings.payment_timeout_ms);
    let payments = Arc::new(WithTimeout { provider: Arc::clone(&parts.payments), timeout });
    let parts = Parts { payments, ..parts };
    let driver = Driver { parts: parts.clone(), settings: settings.clone(), gauges: Arc::clone(&gauges), stop };
    let Some((command_lanes, booking_lanes)) = driver.lanes().await else { return Ok(()) };
    let mut tasks = JoinSet::new();
    for job in driver.jobs(command_lanes, booking_lanes) {
        let driver = driver.clone();
        tasks.spawn(async move { driver.supervise(job).await });
    }
    while tasks.join_next().await.is_some() {}
    let mut relay = Relay::new(parts.clone(), &settings, gauges);
    for _ in 0..LAST_BATCHES {
        match relay.step(parts.clock.now()).await {
            Ok(Progress::Did(_)) => {}
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(%error, "the rest of the outbox is published at the next start");
                break;
            }
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Driver {
    parts: Parts,
    settings: Settings,
    gauges: Arc<Gauges>,
    stop: CancellationToken,
}

impl Driver {
    /// How many lanes there are to serve; `None`: stopped before the log told.
    async fn lanes(&self) -> Option<(u16, u16)> {
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            let lanes = async {
                let log = &self.parts.log;
                Ok::<_, Error>((log.lanes(&Topic::Commands).await?, log.lanes(&Topic::Bookings).await?))
            };
            match lanes.await {
                Ok(lanes) => return Some(lanes),
                Err(error) => tracing::warn!(%error, "the log does not tell its lanes"),
            }
            self.pause(&mut failures, self.settings.longest_pause_ms).await;
        }
        None
    }

    fn jobs(&self, command_lanes: u16, booking_lanes: u16) -> Vec<Job> {
        let Self { parts, settings, gauges, .. } = self;
        let throttle = Arc::new(Throttle::new(settings));
        let shared = || (parts.clone(), settings.clone(), Arc::clone(gauges));
        let reading = if settings.patience_ms == 0 { IDLE } else { Duration::ZERO };
        let longest = settings.longest_pause_ms;
        let job = |name: String, pace: Duration, longest_pause_ms: u64, make: Make| Job {
            name,
            make,
            pace,
            longest_pause_ms,
        };
        let mut jobs = Vec::new();
        for lane in 0..command_lanes {
            let (parts, settings, gauges) = shared();
            // One line that can't be kept, or one command that can't be done, must not hold up the other lines.
            let longest = longest.min(2 * settings.tick_ms);
            let make = move || Box::new(Keeper::new(parts.clone(), settings.clone(), Arc::clone(&gauges), lane)) as _;
            jobs.push(job(format!("keeper {lane}"), reading, longest, Box::new(make)));
        }
        for lane in 0..booking_lanes {
            let ((parts, settings, gauges), throttle) = (shared(), Arc::clone(&throttle));
            let make = move || {
                let (gauges, throttle) = (Arc::clone(&gauges), Arc::clone(&throttle));
                Box::new(Pool::new(parts.clone(), &settings, gauges, throttle, lane)) as _
            };
            jobs.push(job(format!("hold pool {lane}"), reading, longest, Box::new(make)));
            let (parts, settings, gauges) = shared();
            let make =
                move || Box::new(Finaliser::new(parts.clone(), settings.clone(), Arc::clone(&gauges), lane)) as _;
            jobs.push(job(format!("finaliser {lane}"), reading, longest, Box::new(make)));
        }
        let (parts, settings, gauges) = shared();
        let pace = Duration::from_millis(settings.expire_every_ms);
        let make = move || Box::new(Expiry::new(parts.clone(), &settings, Arc::clone(&gauges))) as _;
        jobs.push(job("expiry".to_owned(), pace, longest, Box::new(make)));
        let (parts, settings, gauges) = shared();
        let pace = Duration::from_millis(settings.outbox_every_ms);
        let make = move || Box::new(Relay::new(parts.clone(), &settings, Arc::clone(&gauges))) as _;
        jobs.push(job("outbox relay".to_owned(), pace, longest, Box::new(make)));
        jobs
    }

    /// Keeps one part going until the stop.
    async fn supervise(&self, job: Job) {
        let Job { name, make, pace, longest_pause_ms } = job;
        let mut failures = 0_u32;
        while !self.stop.is_cancelled() {
            let mut part = make();
            while !self.stop.is_cancelled() {
                let step = AssertUnwindSafe(part.step(self.parts.clock.now())).catch_unwind();
                let failed = match step.await {
                    Ok(Ok(progress)) => {
                        failures = 0;
                        self.sleep(match progress {
                            Progress::Did(_) => Duration::ZERO,
                            Progress::Idle => pace,
                            Progress::Later(ms) => Duration::from_millis(ms),
                        })
                        .await;
                        continue;
                    }
                    Ok(Err(error)) => Some(error),
                    Err(_) => None,
                };
                self.gauges.failures_total.add(1);
                // The first failures in a row, then ever fewer of them.
                if failures.count_ones() <= 1 {
                    if let Some(error) = &failed {
                        tracing::warn!(part = name, failures, %error, "a step failed");
                    } else {
                        tracing::error!(part = name, failures, "a step panicked");
                    }
                }
                if failed.is_some_and(|error| error.is_passing()) {
                    self.pause(&mut failures, longest_pause_ms).await;
                } else {
                    self.pause(&mut failures, self.settings.longest_pause_ms).await;
                    self.gauges.restarts_total.add(1);
                    break;
                }
            }
        }
    }

    /// A pause that doubles with each failure, up to `longest_ms`.
    async fn pause(&self, failures: &mut u32, longest_ms: u64) {
        let doubled = self.settings.first_pause_ms.saturating_mul(1 << (*failures).min(20));
        *failures = failures.saturating_add(1);
        self.sleep(Duration::from_millis(doubled.min(longest_ms))).await;
    }

    async fn sleep(&self, rest: Duration) {
        if rest.is_zero() {
            // Lets the others have their turn, however much there is to do here.
            tokio::task::yield_now().await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = self.stop.cancelled() => {}
        }
    }
}
