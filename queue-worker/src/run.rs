//! Driving the parts on Tokio: each in a task of its own, at its own pace, begun anew when it fails for good.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortResult,
        log::{Lane, Topic},
    },
    time::Timestamp,
};
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Gauges, InvalidSettings, Parts, Progress, Settings,
    courier::Courier,
    expiry::Expiry,
    finaliser::Finaliser,
    keeper::Keeper,
    outbox::Relay,
    patience::WithTimeout,
    pool::{Pool, Throttle},
    reconcile::Reconciler,
    webhooks::Webhooks,
};

/// What an idle part sleeps that does not wait in its reads.
const IDLE: Duration = Duration::from_millis(10);
/// How often it is looked whether the next run of the reconciler is due.
const RECONCILES_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked what there is to serve.
const ASSIGNED_EVERY: Duration = Duration::from_millis(250);
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

steps! { Keeper Pool Finaliser Expiry Relay Courier Webhooks Reconciler }

/// Something to serve: a lane of a topic, or what is done once for all events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Keeper(Lane),
    Pool(Lane),
    Finaliser(Lane),
    Expiry,
    Relay,
    Courier,
    /// Of the endpoint with this number.
    Webhooks(usize),
    Reconciler,
}

/// A duty that somebody is at.
struct Served {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Runs what is assigned to this process until `stop`, then lets each part finish its step and publishes what is left
/// in the outbox.
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
    let throttle = Arc::new(Throttle::new(&settings));
    let driver = Driver { parts: parts.clone(), settings: settings.clone(), gauges: Arc::clone(&gauges), throttle };
    let served = driver.serve(&stop).await;
    if served.contains(&Duty::Relay) {
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
    }
    parts.assignment.leave().await;
    Ok(())
}

#[derive(Clone)]
struct Driver {
    parts: Parts,
    settings: Settings,
    gauges: Arc<Gauges>,
    throttle: Arc<Throttle>,
}

impl Driver {
    /// Serves what is assigned, as it changes, until `stop`; then waits for every part. Answers what was served last.
    async fn serve(&self, stop: &CancellationToken) -> BTreeSet<Duty> {
        let mut served: BTreeMap<Duty, Served> = BTreeMap::new();
        let (mut assigned, mut failures) = (BTreeSet::new(), 0);
        while !stop.is_cancelled() {
            match self.assigned().await {
                Ok(now) => {
                    if now != assigned || !self.gauges.knows_its_duties() {
                        tracing::info!(duties = ?now, "serves");
                        self.gauges.duties.set(now.len() as u64);
                        self.gauges.assignments_total.add(1);
                    }
                    (assigned, failures) = (now, 0);
                }
                // What is served already goes on: whether it still may is decided where it counts.
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(%error, "it is not known what there is to serve");
                    }
                    failures += 1;
                }
            }
            for (duty, at) in &served {
                if !assigned.contains(duty) {
                    at.stop.cancel();
                }
            }
            // Whoever was told to stop finishes its step first, also where its duty came back meanwhile.
            served.retain(|_, at| !at.task.is_finished());
            for duty in &assigned {
                served.entry(*duty).or_insert_with(|| {
                    let (driver, duty, stop) = (self.clone(), *duty, stop.child_token());
                    let token = stop.clone();
                    Served { stop, task: tokio::spawn(async move { driver.supervise(duty, &token).await }) }
                });
            }
            sleep(ASSIGNED_EVERY, stop).await;
        }
        for at in served.into_values() {
            at.stop.cancel();
            // A panic outside a step is on the standard error stream already.
            let _ = at.task.await;
        }
        assigned
    }

    /// What this process is to serve now. Whoever has the sales' only lane does what is done once for all.
    async fn assigned(&self) -> PortResult<BTreeSet<Duty>> {
        let assignment = &self.parts.assignment;
        let mut duties = BTreeSet::new();
        duties.extend(assignment.lanes(&Topic::Commands).await?.into_iter().map(Duty::Keeper));
        for lane in assignment.lanes(&Topic::Bookings).await? {
            duties.extend([Duty::Pool(lane), Duty::Finaliser(lane)]);
        }
        if !assignment.lanes(&Topic::Sales).await?.is_empty() {
            duties.extend([Duty::Expiry, Duty::Relay, Duty::Reconciler]);
            duties.extend(self.parts.mail.as_ref().map(|_| Duty::Courier));
            duties.extend((0..self.parts.endpoints.len()).map(Duty::Webhooks));
        }
        Ok(duties)
    }

    fn make(&self, duty: Duty) -> Box<dyn Steps> {
        let Self { parts, settings, gauges, throttle } = self;
        let (parts, gauges) = (parts.clone(), Arc::clone(gauges));
        match duty {
            Duty::Keeper(lane) => Box::new(Keeper::new(parts, settings.clone(), gauges, lane)),
            Duty::Pool(lane) => Box::new(Pool::new(parts, settings, gauges, Arc::clone(throttle), lane)),
            Duty::Finaliser(lane) => Box::new(Finaliser::new(parts, settings.clone(), gauges, lane)),
            Duty::Expiry => Box::new(Expiry::new(parts, settings, gauges)),
            Duty::Relay => Box::new(Relay::new(parts, settings, gauges)),
            Duty::Courier => Box::new(Courier::new(parts, settings, gauges)),
            Duty::Webhooks(number) => {
                let endpoint = self.parts.endpoints[number].clone();
                Box::new(Webhooks::new(parts, settings, gauges, endpoint))
            }
            Duty::Reconciler => Box::new(Reconciler::new(parts, settings, gauges)),
        }
    }

    /// What a part sleeps when it was idle.
    fn pace(&self, duty: Duty) -> Duration {
        match duty {
            Duty::Keeper(_) | Duty::Pool(_) | Duty::Finaliser(_) if self.settings.patience_ms == 0 => IDLE,
            // They wait in their reads.
            Duty::Keeper(_) | Duty::Pool(_) | Duty::Finaliser(_) => Duration::ZERO,
            Duty::Expiry => Duration::from_millis(self.settings.expire_every_ms),
            Duty::Relay => Duration::from_millis(self.settings.outbox_every_ms),
            Duty::Courier => Duration::from_millis(self.settings.mail_every_ms),
            Duty::Webhooks(_) => Duration::from_millis(self.settings.webhooks_every_ms),
            Duty::Reconciler => RECONCILES_EVERY,
        }
    }

    /// The longest pause after a failure that a part survives, in milliseconds.
    fn longest_pause_ms(&self, duty: Duty) -> u64 {
        let longest = self.settings.longest_pause_ms;
        match duty {
            // One line that can't be kept, or one command that can't be done, must not hold up the other lines.
            Duty::Keeper(_) => longest.min(2 * self.settings.tick_ms),
            _ => longest,
        }
    }

    /// Keeps one part going until `stop`.
    async fn supervise(&self, duty: Duty, stop: &CancellationToken) {
        let (pace, longest_pause_ms) = (self.pace(duty), self.longest_pause_ms(duty));
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let mut part = self.make(duty);
            while !stop.is_cancelled() {
                let step = AssertUnwindSafe(part.step(self.parts.clock.now())).catch_unwind();
                let failed = match step.await {
                    Ok(Ok(progress)) => {
                        failures = 0;
                        let rest = match progress {
                            Progress::Did(_) => Duration::ZERO,
                            Progress::Idle => pace,
                            Progress::Later(ms) => Duration::from_millis(ms),
                        };
                        sleep(rest, stop).await;
                        continue;
                    }
                    Ok(Err(error)) => Some(error),
                    Err(_) => None,
                };
                self.gauges.failures_total.add(1);
                // The first failures in a row, then ever fewer of them.
                if failures.count_ones() <= 1 {
                    if let Some(error) = &failed {
                        tracing::warn!(?duty, failures, %error, "a step failed");
                    } else {
                        tracing::error!(?duty, failures, "a step panicked");
                    }
                }
                if failed.is_some_and(|error| error.is_passing()) {
                    self.pause(&mut failures, longest_pause_ms, stop).await;
                } else {
                    self.pause(&mut failures, self.settings.longest_pause_ms, stop).await;
                    self.gauges.restarts_total.add(1);
                    break;
                }
            }
        }
    }

    /// A pause that doubles with each failure, up to `longest_ms`.
    async fn pause(&self, failures: &mut u32, longest_ms: u64, stop: &CancellationToken) {
        let doubled = self.settings.first_pause_ms.saturating_mul(1 << (*failures).min(20));
        *failures = failures.saturating_add(1);
        sleep(Duration::from_millis(doubled.min(longest_ms)), stop).await;
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
