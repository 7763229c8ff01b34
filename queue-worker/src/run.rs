//! Driving the parts on Tokio: each in a task of its own, at its own pace, begun anew when it fails for good.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use booking_core::{
    ports::log::Topic,
    time::Timestamp,
};
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
    for (name, pace, make) in driver.parts_to_run(command_lanes, booking_lanes) {
        let driver = driver.clone();
        tasks.spawn(async move { driver.supervise(&name, pace, make).await });
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
            self.pause(&mut failures).await;
        }
        None
    }

    fn parts_to_run(&self, command_lanes: u16, booking_lanes: u16) -> Vec<(String, Duration, Make)> {
        let Self { parts, settings, gauges, .. } = self;
        let throttle = Arc::new(Throttle::new(settings));
        let reading = if settings.patience_ms == 0 { IDLE } else { Duration::ZERO };
        let mut all: Vec<(String, Duration, Make)> = Vec::new();
        for lane in 0..command_lanes {
            let (parts, settings, gauges) = (parts.clone(), settings.clone(), Arc::clone(gauges));
            let make: Make =
                Box::new(move || Box::new(Keeper::new(parts.clone(), settings.clone(), Arc::clone(&gauges), lane)));
            all.push((format!("keeper {lane}"), reading, make));
        }
        for lane in 0..booking_lanes {
            let of_pool = (parts.clone(), settings.clone(), Arc::clone(gauges), Arc::clone(&throttle));
            let make: Make = Box::new(move || {
                let (parts, settings, gauges, throttle) = of_pool.clone();
                Box::new(Pool::new(parts, &settings, gauges, throttle, lane))
            });
            all.push((format!("hold pool {lane}"), reading, make));
            let (parts, settings, gauges) = (parts.clone(), settings.clone(), Arc::clone(gauges));
            let make: Make =
                Box::new(move || Box::new(Finaliser::new(parts.clone(), settings.clone(), Arc::clone(&gauges), lane)));
            all.push((format!("finaliser {lane}"), reading, make));
        }
        let of_expiry = (parts.clone(), settings.clone(), Arc::clone(gauges));
        let of_relay = of_expiry.clone();
        let make: Make = Box::new(move || {
            let (parts, settings, gauges) = of_expiry.clone();
            Box::new(Expiry::new(parts, &settings, gauges))
        });
        all.push(("expiry".to_owned(), Duration::from_millis(settings.expire_every_ms), make));
        let make: Make = Box::new(move || {
            let (parts, settings, gauges) = of_relay.clone();
            Box::new(Relay::new(parts, &settings, gauges))
        });
        all.push(("outbox relay".to_owned(), Duration::from_millis(settings.outbox_every_ms), make));
        all
    }

    /// Keeps one part going until the stop. `pace`: what it sleeps when it was idle.
    async fn supervise(&self, name: &str, pace: Duration, make: Make) {
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            let mut part = make();
            while !self.stop.is_cancelled() {
                let step = AssertUnwindSafe(part.step(self.parts.clock.now())).catch_unwind();
                match step.await {
                    Ok(Ok(progress)) => {
                        failures = 0;
                        let rest = match progress {
                            Progress::Did(_) => Duration::ZERO,
                            Progress::Idle => pace,
                            Progress::Later(ms) => Duration::from_millis(ms),
                        };
                        self.sleep(rest).await;
                    }
                    Ok(Err(error)) => {
                        self.gauges.failures_total.add(1);
                        tracing::warn!(part = name, %error, "a step failed");
                        self.pause(&mut failures).await;
                        if !error.is_passing() {
                            break;
                        }
                    }
                    Err(_) => {
                        self.gauges.failures_total.add(1);
                        tracing::error!(part = name, "a step panicked");
                        self.pause(&mut failures).await;
                        break;
                    }
                }
            }
            self.gauges.restarts_total.add(1);
        }
    }

    /// A pause that doubles with each failure, up to the longest.
    async fn pause(&self, failures: &mut u32) {
        let doubled = self.settings.first_pause_ms.saturating_mul(1 << (*failures).min(20));
        *failures = failures.saturating_add(1);
        self.sleep(Duration::from_millis(doubled.min(self.settings.longest_pause_ms))).await;
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
