//! The workers as they run: on Tokio, with a real clock, waiting for what comes.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use booking_core::{
    message::{self, Outcome, Reply},
    ports::{
        clock::Clock,
        log::{Log as _, Topic},
    },
    time::Timestamp,
};
use queue_worker::{InvalidSettings, Parts, Settings, run};
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

#[tokio::test]
async fn settings_outside_their_limits_are_refused_at_once() {
    let world = World::new(1, 2).await;
    let wrong = Settings { tick_ms: 0, ..settings() };
    let refused = run(world.parts(), wrong, CancellationToken::new()).await;
    assert!(matches!(refused, Err(InvalidSettings::OutOfRange { field: "tick_ms", .. })));
}
