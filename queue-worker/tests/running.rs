//! The workers as they run: on Tokio, with a real clock, waiting for what comes.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use backends::memory::MemoryLog;
use booking_core::{
    message::{self, Outcome, Reply},
    ports::{
        PortResult,
        assignment::Assignment,
        clock::Clock,
        log::{Lane, Log as _, Topic},
    },
    time::Timestamp,
};
use queue_worker::{Gauges, InvalidSettings, Parts, Settings, run, run_with};
use support::{World, policy, seats, settings};
use tokio_util::sync::CancellationToken;

/// The time since it was made, after the world's beginning.
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        support::at(i64::try_from(self.0.elapsed().as_millis()).expect("not that long"))
    }
}

/// The next answer after `from`, waited for.
async fn next_answer(world: &World, from: &mut u64) -> Outcome {
    let entries = world.log.read(&Topic::Replies, 0, *from, 1, Duration::from_secs(20)).await.expect("a read");
    let entry = entries.first().expect("an answer in time");
    *from = entry.offset + 1;
    message::decode::<Reply>(&entry.payload).expect("a reply").outcome
}

#[tokio::test]
async fn commands_are_answered_in_milliseconds_and_a_stop_is_heard() {
    let world = World::new(2, 4).await;
    let parts = Parts { clock: Arc::new(Running(Instant::now())), ..world.parts() };
    let stop = CancellationToken::new();
    let workers = tokio::spawn(run(parts, Settings { patience_ms: 250, ..settings() }, stop.clone()));
    let mut from = 0;
    let mut open = policy();
    open.opens_at = support::at(1);
    world.command("c0", world.configure(open)).await;
    assert!(matches!(next_answer(&world, &mut from).await, Outcome::Steered { .. }));
    let mut slowest = Duration::ZERO;
    for rate in 1..=10 {
        tokio::time::sleep(Duration::from_millis(33)).await;
        let sent = Instant::now();
        world.command(&format!("s{rate}"), world.steer_rate(rate)).await;
        assert!(matches!(next_answer(&world, &mut from).await, Outcome::Steered { .. }));
        slowest = slowest.max(sent.elapsed());
        assert_eq!(world.line().await.rate_per_minute(), rate);
    }
    assert!(slowest < Duration::from_millis(90), "no command waits for the next tick: {slowest:?}");
    world.hold(1, "a", seats(&["1-1"])).await;
    assert!(matches!(next_answer(&world, &mut from).await, Outcome::Booking(_)));
    stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(5), workers).await.expect("stops in time");
    assert_eq!(stopped.expect("does not panic"), Ok(()));
    assert_eq!(world.entries(&Topic::Changes, 0).await.len(), 1, "the outbox is published before the end");
}

/// Every lane is one worker's, until it is told to give them away.
struct Turn {
    lanes: MemoryLog,
    is_mine: AtomicBool,
}

#[async_trait]
impl Assignment for Turn {
    async fn lanes(&self, topic: &Topic) -> PortResult<Vec<Lane>> {
        let lanes = if self.is_mine.load(Ordering::Relaxed) { self.lanes.lanes(topic).await? } else { 0 };
        Ok((0..lanes).collect())
    }

    async fn leave(&self) {
        self.is_mine.store(false, Ordering::Relaxed);
    }
}

/// The answer to `question`, waited for; where two serve one lane there may be several.
async fn answered(world: &World, question: &str) -> Outcome {
    for _ in 0..2_000 {
        if let Some(outcome) = world.answer(question).await {
            return outcome;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no answer to {question}");
}

/// Steers the line and holds a seat: a keeper and a pool are there.
async fn assert_served(world: &World, number: u32) {
    let question = world.command(&format!("s{number}"), world.steer_rate(number)).await;
    assert!(matches!(answered(world, &question).await, Outcome::Steered { .. }));
    let question = world.hold(number.into(), "key", seats(&[&format!("1-{number}")])).await;
    assert!(matches!(answered(world, &question).await, Outcome::Booking(_)));
}

async fn until(told: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in time: {told}");
}

#[tokio::test]
async fn lanes_that_move_are_served_by_whoever_has_them() {
    let world = World::new(1, 8).await;
    let clock: Arc<dyn Clock> = Arc::new(Running(Instant::now()));
    let stop = CancellationToken::new();
    let workers = [true, false].map(|is_mine| {
        let turn = Arc::new(Turn { lanes: world.log.clone(), is_mine: AtomicBool::new(is_mine) });
        let gauges = Arc::<Gauges>::default();
        let parts = Parts { clock: Arc::clone(&clock), assignment: Arc::clone(&turn) as _, ..world.parts() };
        let settings = Settings { patience_ms: 250, ..settings() };
        (turn, Arc::clone(&gauges), tokio::spawn(run_with(parts, settings, gauges, stop.clone())))
    });
    let mut open = policy();
    open.opens_at = support::at(1);
    let question = world.command("c0", world.configure(open)).await;
    assert!(matches!(answered(&world, &question).await, Outcome::Steered { .. }));
    let mut number = 0;
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        let epoch = world.line().await.epoch();
        let ((giver, gives, _), (taker, takes, _)) = (&workers[from], &workers[to]);
        // For a while both serve, as when one that was thought dead is not.
        taker.is_mine.store(true, Ordering::Relaxed);
        until("it serves", || takes.duties.get() > 0).await;
        number += 1;
        assert_served(&world, number).await;
        giver.is_mine.store(false, Ordering::Relaxed);
        until("it serves no more", || gives.duties.get() == 0).await;
        number += 1;
        assert_served(&world, number).await;
        assert!(world.line().await.epoch() > epoch, "the line was taken over");
    }
    stop.cancel();
    for (_, _, worker) in workers {
        let stopped = tokio::time::timeout(Duration::from_secs(5), worker).await.expect("stops in time");
        assert_eq!(stopped.expect("does not panic"), Ok(()));
    }
}

#[tokio::test]
async fn settings_outside_their_limits_are_refused_at_once() {
    let world = World::new(1, 2).await;
    let wrong = Settings { tick_ms: 0, ..settings() };
    let refused = run(world.parts(), wrong, CancellationToken::new()).await;
    assert!(matches!(refused, Err(InvalidSettings::OutOfRange { field: "tick_ms", .. })));
}
