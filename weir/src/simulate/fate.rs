//! What happens to a part's calls of its ports: nothing mostly; or a failure before or after the act, a wait in the
//! middle of it, the end of the part.

use std::{
    future::pending,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use booking_core::{
    ports::{PortError, PortResult},
    time::Timestamp,
};

use super::{clockwork::Clockwork, dice::Dice};

/// The longest that a call of a gateway is kept waiting, in milliseconds.
pub(super) const LONGEST_WAIT_MS: i64 = 3_000;
/// The longest that a call of a worker is kept waiting: what wakes then is a zombie.
const LONGEST_ZOMBIE_MS: i64 = 15_000;
/// The longest that a keeper is kept from writing a decision down.
const LONGEST_STALL_MS: i64 = 5_000;

/// How often what happens, of a thousand calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    /// Fails before the act, or after it.
    pub(super) fails: u32,
    /// The part ends, before the act or after it.
    pub(super) crashes: u32,
    /// Waits, before the act or after it.
    pub(super) waits: u32,
    /// An append happens twice.
    pub(super) doubles: u32,
    /// An append seems to fail and happens later.
    pub(super) late: u32,
    /// A keeper is kept waiting with a decision in its hands, of a thousand of them.
    pub(super) stalls: u32,
    /// A worker's clock jumps, of a thousand of its steps.
    pub(super) jumps: u32,
}

impl Weather {
    /// A day of simulated trouble, or a fine one.
    pub(super) fn of(dice: &Dice) -> Self {
        Self {
            fails: dice.pick(&[0, 2, 8, 25]),
            crashes: dice.pick(&[0, 1, 2, 6]),
            waits: dice.pick(&[0, 2, 8]),
            doubles: dice.pick(&[0, 5, 30]),
            late: dice.pick(&[0, 2, 10]),
            stalls: dice.pick(&[0, 20, 100]),
            jumps: dice.pick(&[0, 0, 1, 4]),
        }
    }
}

/// What all parts of a simulation share.
#[derive(Clone)]
pub(super) struct Heavens {
    pub(super) clock: Clockwork,
    pub(super) dice: Dice,
    pub(super) weather: Weather,
    /// No trouble from now on.
    pub(super) calm: Arc<AtomicBool>,
    pub(super) crashes: Arc<AtomicU64>,
}

impl Heavens {
    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(super) fn strikes(&self, per_mille: u32) -> bool {
        !self.is_calm() && self.dice.chance(per_mille)
    }
}

/// One part's fate.
pub(super) struct Fate {
    heavens: Heavens,
    /// A worker ends for good where it is struck; of a gateway the call fails, and its memory is lost.
    is_worker: bool,
    struck: AtomicBool,
    /// How far its clock is ahead of the true time, in milliseconds.
    skew_ms: AtomicI64,
}

impl Fate {
    pub(super) fn new(heavens: Heavens, is_worker: bool) -> Self {
        Self { heavens, is_worker, struck: AtomicBool::new(false), skew_ms: AtomicI64::new(0) }
    }

    pub(super) fn heavens(&self) -> &Heavens {
        &self.heavens
    }

    /// What its clock shows.
    pub(super) fn now(&self) -> Timestamp {
        self.heavens.clock.now().plus_millis(self.skew_ms.load(Ordering::Relaxed))
    }

    pub(super) fn set_skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// Whether it was struck since this was asked last.
    pub(super) fn take_struck(&self) -> bool {
        self.struck.swap(false, Ordering::Relaxed)
    }

    /// Before an act, and after it: an error after it means that the outcome is unknown.
    pub(super) async fn strike(&self, port: &'static str) -> PortResult<()> {
        let (heavens, weather) = (&self.heavens, self.heavens.weather);
        if self.is_worker && self.struck.load(Ordering::Relaxed) {
            return pending().await;
        }
        // Each is thrown twice a call.
        if heavens.strikes(weather.waits.div_ceil(2)) {
            let longest = if self.is_worker { LONGEST_ZOMBIE_MS } else { LONGEST_WAIT_MS };
            let ms = if heavens.dice.chance(800) { longest / 20 } else { longest };
            heavens.clock.sleep(heavens.dice.range(1..=ms)).await;
        }
        if heavens.strikes(weather.crashes.div_ceil(2)) {
            self.struck.store(true, Ordering::Relaxed);
            heavens.crashes.fetch_add(1, Ordering::Relaxed);
            if self.is_worker {
                return pending().await;
            }
            return Err(failure(port));
        }
        if heavens.strikes(weather.fails.div_ceil(2)) {
            return Err(failure(port));
        }
        Ok(())
    }

    /// Before a keeper's decision goes to the log: by the time that it does, another may keep the line.
    pub(super) async fn stall(&self) {
        let Heavens { clock, dice, weather, .. } = &self.heavens;
        if self.heavens.strikes(weather.stalls) {
            clock.sleep(dice.range(200..=LONGEST_STALL_MS)).await;
        }
    }

    /// Runs `step` until it ends, or until it is struck: `None`, and the part is to be dropped.
    pub(super) fn survive<F: Future>(&self, step: F) -> Survive<'_, F> {
        Survive { fate: self, step: Box::pin(step) }
    }
}

fn failure(port: &'static str) -> PortError {
    PortError::Unavailable { port, reason: "the simulation wants it so".to_owned() }
}

/// The failure of an append that happens later.
pub(super) fn lost_sight() -> PortError {
    failure("log")
}

/// See [`Fate::survive`].
pub(super) struct Survive<'a, F> {
    fate: &'a Fate,
    step: Pin<Box<F>>,
}

impl<F: Future> Future for Survive<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.step.as_mut().poll(context);
        if self.fate.take_struck() {
            return Poll::Ready(None);
        }
        polled.map(Some)
    }
}
