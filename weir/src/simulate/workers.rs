//! The workers' lives: they step at their own pace, end where they are struck, and are made anew.

use std::{cell::Cell, rc::Rc, sync::Arc};

use booking_core::time::Timestamp;
use futures_util::future::LocalBoxFuture;
use queue_worker::{
    Error, Gauges, Settings,
    expiry::Expiry,
    finaliser::Finaliser,
    keeper::Keeper,
    outbox::Relay,
    pool::{Pool, Throttle},
};

use super::ports::Ports;

/// The settings that simulated workers have: they never wait, and settle soon.
pub(super) fn settings() -> Settings {
    Settings {
        name: "simulated".to_owned(),
        patience_ms: 0,
        chain_length: 1_024,
        hold_batch: 16,
        confirms_in_flight: 8,
        settle_after_ms: 2_000,
        settle_every_ms: 700,
        stuck_after_ms: 3_600_000,
        ..Settings::default()
    }
}

/// What kind of worker lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Keeper,
    Pool,
    Finaliser,
    Expiry,
    Relay,
}

impl Kind {
    /// How long it rests between steps, in milliseconds, at least and at most.
    fn pace(self) -> (i64, i64) {
        match self {
            Self::Keeper => (60, 500),
            Self::Pool | Self::Finaliser => (20, 250),
            Self::Expiry => (300, 1_500),
            Self::Relay => (300, 2_000),
        }
    }
}

/// One worker at a time.
enum Worker {
    Keeper(Box<Keeper>),
    Pool(Box<Pool>),
    Finaliser(Box<Finaliser>),
    Expiry(Box<Expiry>),
    Relay(Box<Relay>),
}

impl Worker {
    fn new(kind: Kind, ports: &Arc<Ports>, lane: u16) -> Self {
        let (parts, settings, gauges) = (ports.parts(), settings(), Arc::new(Gauges::default()));
        match kind {
            Kind::Keeper => Self::Keeper(Box::new(Keeper::new(parts, settings, gauges, lane))),
            Kind::Pool => {
                let throttle = Arc::new(Throttle::new(&settings));
                Self::Pool(Box::new(Pool::new(parts, &settings, gauges, throttle, lane)))
            }
            Kind::Finaliser => Self::Finaliser(Box::new(Finaliser::new(parts, settings, gauges, lane))),
            Kind::Expiry => Self::Expiry(Box::new(Expiry::new(parts, &settings, gauges))),
            Kind::Relay => Self::Relay(Box::new(Relay::new(parts, &settings, gauges))),
        }
    }

    fn step(&mut self, now: Timestamp) -> LocalBoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            match self {
                Self::Keeper(keeper) => keeper.step(now).await?,
                Self::Pool(pool) => pool.step(now).await?,
                Self::Finaliser(finaliser) => finaliser.step(now).await?,
                Self::Expiry(expiry) => expiry.step(now).await?,
                Self::Relay(relay) => relay.step(now).await?,
            };
            Ok(())
        })
    }
}

/// What may be wrong with a worker that no fault was thrown at: a port is damaged.
pub(super) type Complaint = Rc<dyn Fn(Kind, &Error)>;

/// Lives for ever, one worker after the other.
pub(super) async fn live(kind: Kind, ports: Arc<Ports>, lane: u16, steps: Rc<Cell<u64>>, complain: Complaint) {
    loop {
        work(kind, &ports, lane, &steps, &complain, None).await;
        let heavens = ports.fate.heavens();
        heavens.clock.sleep(heavens.dice.range(50..=3_000)).await;
    }
}

/// A second worker that believes that the lane is its own, now and then, for a while: with pauses in which the first
/// goes on.
pub(super) async fn haunt(kind: Kind, ports: Arc<Ports>, lane: u16, steps: Rc<Cell<u64>>, complain: Complaint) {
    let heavens = ports.fate.heavens().clone();
    while !heavens.is_calm() {
        let longest_ms = if kind == Kind::Keeper { 8_000 } else { 40_000 };
        heavens.clock.sleep(heavens.dice.range(1_000..=longest_ms)).await;
        if heavens.is_calm() {
            return;
        }
        let steps_to_live = heavens.dice.range(1..=12);
        work(kind, &ports, lane, &steps, &complain, Some(steps_to_live)).await;
    }
}

async fn work(
    kind: Kind,
    ports: &Arc<Ports>,
    lane: u16,
    steps: &Cell<u64>,
    complain: &Complaint,
    steps_to_live: Option<i64>,
) {
    let heavens = ports.fate.heavens().clone();
    let mut worker = Worker::new(kind, ports, lane);
    let (mut least, mut most) = kind.pace();
    let mut left = steps_to_live.unwrap_or(i64::MAX);
    while left > 0 {
        left -= 1;
        if steps_to_live.is_some() && heavens.dice.chance(200) {
            heavens.clock.sleep(heavens.dice.range(1_000..=12_000)).await;
        }
        if heavens.is_calm() {
            // What is left to be done is far between.
            (least, most) = (kind.pace().1, kind.pace().1 * 2);
            ports.fate.set_skew(0);
            if steps_to_live.is_some() {
                return;
            }
        } else if heavens.strikes(heavens.weather.jumps) {
            let skew_ms = if heavens.dice.chance(500) { 0 } else { heavens.dice.range(-120_000..=120_000) };
            ports.fate.set_skew(skew_ms);
        }
        heavens.clock.sleep(heavens.dice.range(least..=most)).await;
        let now = ports.fate.now();
        steps.set(steps.get() + 1);
        match ports.fate.survive(worker.step(now)).await {
            Some(Ok(())) => {}
            Some(Err(error)) if error.is_passing() => {}
            Some(Err(error)) => {
                if !matches!(error, Error::Superseded { .. }) {
                    complain(kind, &error);
                }
                return;
            }
            None => return,
        }
    }
}
