//! One simulation from its seed: everybody in it, step by step, under the observer's eyes.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use booking_core::{
    id::UserId,
    ports::log::{Log as _, Topic, lane_of},
    time::Timestamp,
};
use futures_util::FutureExt as _;

use super::{
    clockwork::{Clockwork, Tasks},
    dice::Dice,
    fate::{Fate, Heavens, Weather},
    gateway::Gateway,
    observer::{Broken, Counted, Observer},
    operator,
    ports::{Ports, Stores},
    sale::{BEGINS_AT, Sale},
    visitor::{Scene, visit},
    workers::{Kind, haunt, live},
};

/// A sale that has not come to rest after so long a calm will not, in milliseconds.
const LONGEST_CALM_MS: i64 = 600_000;
/// How long it is looked at in any case after the trouble is over.
const SHORTEST_CALM_MS: i64 = 5_000;

/// What a simulation came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) steps: u64,
    pub(super) crashes: u64,
    pub(super) counted: Counted,
    pub(super) broken: Option<Broken>,
    /// The hash of the line's last record: the same seed ends with the same.
    pub(super) head: String,
}

/// Runs the sale of `seed` to its end, or to the first invariant that does not hold.
pub(super) fn run(seed: u64) -> Report {
    let dice = Dice::new(seed);
    let sale = Sale::at_random(&dice);
    let heavens = Heavens {
        clock: Clockwork::starting_at(Timestamp::from_millis(BEGINS_AT)),
        weather: Weather::of(&dice),
        dice,
        calm: Arc::new(AtomicBool::new(false)),
        crashes: Arc::new(AtomicU64::new(0)),
    };
    let world = World::new(sale, heavens);
    world.run()
}

struct World {
    scene: Rc<Scene>,
    tasks: Tasks,
    /// Visitors that are still there.
    present: Rc<Cell<u32>>,
    worker_steps: Rc<Cell<u64>>,
}

impl World {
    fn new(sale: Sale, heavens: Heavens) -> Self {
        let stores = Stores::new(sale.lanes);
        let observer = Observer::of(sale.id());
        let ports = |is_worker: bool| {
            let fate = Fate::new(heavens.clone(), is_worker);
            Arc::new(Ports { stores: stores.clone(), fate, observer: observer.clone() })
        };
        let gateways = (0..sale.gateways)
            .map(|number| {
                let ports = ports(false);
                // The clocks of gateways differ by no more than two seconds.
                ports.fate.set_skew(heavens.dice.range(-1_000..=1_000));
                Gateway::new(number, sale.id(), ports)
            })
            .collect();
        let mut world = Self {
            tasks: Tasks::on(heavens.clock.clone()),
            scene: Rc::new(Scene {
                sale,
                stores: stores.clone(),
                heavens: heavens.clone(),
                observer: observer.clone(),
                gateways,
                sessions: std::cell::RefCell::default(),
            }),
            present: Rc::new(Cell::new(0)),
            worker_steps: Rc::new(Cell::new(0)),
        };
        world.employ(&ports);
        let scene = &world.scene;
        world.tasks.spawn(operator::operate(Rc::clone(scene)));
        world.tasks.spawn(operator::carry(Rc::clone(scene)));
        world.tasks.spawn(operator::lose(Rc::clone(scene)));
        world.invite();
        world
    }

    /// One worker of each kind, and those that wrongly believe to be it.
    fn employ(&mut self, ports: &dyn Fn(bool) -> Arc<Ports>) {
        let lanes = self.scene.stores.log.lanes(&Topic::Bookings).now_or_never();
        let lanes = lanes.and_then(Result::ok).expect("a log in memory answers at once");
        let lane = lane_of(self.scene.sale.id().as_str(), lanes);
        let observer = self.scene.observer.clone();
        let complain: super::workers::Complaint =
            Rc::new(move |kind, error| observer.damaged(format!("{kind:?}: {error}")));
        for kind in [Kind::Keeper, Kind::Pool, Kind::Finaliser, Kind::Expiry, Kind::Relay] {
            let steps = Rc::clone(&self.worker_steps);
            self.tasks.spawn(live(kind, ports(true), lane, steps, Rc::clone(&complain)));
        }
        for kind in [Kind::Keeper, Kind::Pool, Kind::Finaliser] {
            if self.scene.heavens.dice.chance(500) {
                let steps = Rc::clone(&self.worker_steps);
                self.tasks.spawn(haunt(kind, ports(true), lane, steps, Rc::clone(&complain)));
            }
        }
    }

    fn invite(&mut self) {
        for number in 0..self.scene.sale.visitors {
            let user: UserId = format!("user_{number}").parse().expect("an id");
            // Some come with two devices, or three.
            let devices = if self.scene.heavens.dice.chance(150) { self.scene.heavens.dice.count(2..=3) } else { 1 };
            for device in 0..devices {
                self.present.set(self.present.get() + 1);
                let (scene, present, user) = (Rc::clone(&self.scene), Rc::clone(&self.present), user.clone());
                self.tasks.spawn(async move {
                    visit(scene, user, device).await;
                    present.set(present.get() - 1);
                });
            }
        }
    }

    fn run(mut self) -> Report {
        let scene = Rc::clone(&self.scene);
        let Scene { stores, heavens, observer, sale, .. } = &*scene;
        let mut report = Report::default();
        let mut calm_since = None;
        let ended = loop {
            if !self.tasks.turn() {
                break Err(Broken { invariant: 0, what: "nothing will ever happen again".to_owned() });
            }
            report.steps += 1;
            let now = heavens.clock.now();
            if let Err(broken) = observer.check(stores, now) {
                break Err(broken);
            }
            match calm_since {
                None if self.present.get() == 0 || now >= sale.policy.closes_at.plus_millis(15_000) => {
                    heavens.calm.store(true, Ordering::Relaxed);
                    calm_since = Some(now);
                }
                Some(since) if now.millis_since(since) >= SHORTEST_CALM_MS => {
                    let gone_on_for = now.millis_since(since);
                    if report.steps.is_multiple_of(64) && observer.is_settled(stores) {
                        break observer.check_all(stores);
                    }
                    if gone_on_for > LONGEST_CALM_MS {
                        break observer.check_all(stores);
                    }
                }
                _ => {}
            }
        };
        report.broken = ended.err();
        report.crashes = heavens.crashes.load(Ordering::Relaxed);
        report.counted = observer.counted();
        report.head = observer.head();
        report
    }
}
