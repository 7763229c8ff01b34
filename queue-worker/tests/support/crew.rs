//! All the workers of a world, stepped by hand.

use std::sync::Arc;

use booking_core::ports::log::{Log as _, Topic};
use queue_worker::{
    Error, Gauges, Parts, Progress, Settings,
    courier::Courier,
    expiry::Expiry,
    finaliser::Finaliser,
    keeper::Keeper,
    outbox::Relay,
    pool::{Pool, Throttle},
    webhooks::Webhooks,
};

use super::{
    World,
    faults::{Faults, behind},
};

/// Which of the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Keeper,
    Pool,
    Finaliser,
    Expiry,
    Relay,
    Courier,
    Webhooks,
}

pub const PARTS: [Part; 7] =
    [Part::Keeper, Part::Pool, Part::Finaliser, Part::Expiry, Part::Relay, Part::Courier, Part::Webhooks];

/// The most steps of one part in one turn.
const STEPS: usize = 100;

enum Worker {
    Keeper(Box<Keeper>),
    Pool(Box<Pool>),
    Finaliser(Box<Finaliser>),
    Expiry(Expiry),
    Relay(Relay),
    Courier(Courier),
    Webhooks(Box<Webhooks>),
}

impl Worker {
    async fn step(&mut self, world: &World) -> Result<Progress, Error> {
        let now = world.now();
        match self {
            Self::Keeper(keeper) => keeper.step(now).await,
            Self::Pool(pool) => pool.step(now).await,
            Self::Finaliser(finaliser) => finaliser.step(now).await,
            Self::Expiry(expiry) => expiry.step(now).await,
            Self::Relay(relay) => relay.step(now).await,
            Self::Courier(courier) => courier.step(now).await,
            Self::Webhooks(webhooks) => webhooks.step(now).await,
        }
    }
}

/// Every worker once for each lane.
pub struct Crew {
    pub gauges: Arc<Gauges>,
    settings: Settings,
    throttle: Arc<Throttle>,
    workers: Vec<(Part, u16, Worker)>,
    /// Parts made anew after they failed.
    pub restarts: usize,
    /// Whether a part that failed is dropped; otherwise it goes on.
    pub drops_failed: bool,
}

impl Crew {
    pub async fn new(world: &World) -> Self {
        Self::with_faults(world, super::settings(), None).await
    }

    /// A crew of which one part's ports fail as told.
    pub async fn with_faults(world: &World, settings: Settings, faulty: Option<(Part, &Arc<Faults>)>) -> Self {
        let throttle = Arc::new(Throttle::new(&settings));
        let mut crew =
            Self { gauges: Arc::default(), settings, throttle, workers: Vec::new(), restarts: 0, drops_failed: true };
        for part in PARTS {
            let lanes = match part {
                Part::Keeper => world.log.lanes(&Topic::Commands).await.expect("lanes"),
                Part::Pool | Part::Finaliser => world.log.lanes(&Topic::Bookings).await.expect("lanes"),
                Part::Expiry | Part::Relay | Part::Courier | Part::Webhooks => 1,
            };
            for lane in 0..lanes {
                let parts = match faulty {
                    Some((of, strikes)) if of == part => behind(&world.parts(), strikes),
                    _ => world.parts(),
                };
                let worker = crew.make(part, parts, lane);
                crew.workers.push((part, lane, worker));
            }
        }
        crew
    }

    fn make(&self, part: Part, parts: Parts, lane: u16) -> Worker {
        let (settings, gauges) = (self.settings.clone(), Arc::clone(&self.gauges));
        match part {
            Part::Keeper => Worker::Keeper(Box::new(Keeper::new(parts, settings, gauges, lane))),
            Part::Pool => Worker::Pool(Box::new(Pool::new(parts, &settings, gauges, Arc::clone(&self.throttle), lane))),
            Part::Finaliser => Worker::Finaliser(Box::new(Finaliser::new(parts, settings, gauges, lane))),
            Part::Expiry => Worker::Expiry(Expiry::new(parts, &settings, gauges)),
            Part::Relay => Worker::Relay(Relay::new(parts, &settings, gauges)),
            Part::Courier => Worker::Courier(Courier::new(parts, &settings, gauges)),
            Part::Webhooks => {
                let endpoint = parts.endpoints[0].clone();
                Worker::Webhooks(Box::new(Webhooks::new(parts, &settings, gauges, endpoint)))
            }
        }
    }

    /// Lets everybody work until there is nothing left to do at this moment. Whoever fails is made anew, with ports
    /// that work.
    pub async fn turn(&mut self, world: &World) {
        for at in 0..self.workers.len() {
            for _ in 0..STEPS {
                match self.workers[at].2.step(world).await {
                    Ok(Progress::Did(_)) => {}
                    Ok(Progress::Idle | Progress::Later(_)) => break,
                    Err(error) => {
                        self.restarts += 1;
                        if self.drops_failed || !error.is_passing() {
                            let (part, lane, _) = self.workers[at];
                            self.workers[at].2 = self.make(part, world.parts(), lane);
                        }
                    }
                }
            }
        }
    }

    /// Turns every `every_ms` from the clock's moment up to `until_ms` after the start.
    pub async fn turn_until(&mut self, world: &World, until_ms: i64, every_ms: i64) {
        let mut ms = world.now().as_millis() - super::START;
        while ms < until_ms {
            ms += every_ms;
            world.set_clock(ms);
            self.turn(world).await;
        }
    }
}
