//! A gateway that starts, before it has read its sales.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backends::memory::MemoryLog;
use booking_core::ports::{
    PortError, PortResult,
    log::{Entry, Lane, Log, Topic},
};
use bytes::Bytes;
use support::{World, slug, text};
use tokio::time::sleep;

/// A log whose sales take a while to be read, or can't be.
struct SlowStart {
    log: Arc<MemoryLog>,
    sales_after: Option<Duration>,
}

#[async_trait]
impl Log for SlowStart {
    async fn lanes(&self, topic: &Topic) -> PortResult<u16> {
        self.log.lanes(topic).await
    }

    async fn append(&self, topic: &Topic, lane: Lane, payload: Bytes) -> PortResult<u64> {
        self.log.append(topic, lane, payload).await
    }

    async fn ends(&self, topic: &Topic) -> PortResult<Vec<u64>> {
        if *topic == Topic::Sales {
            let Some(after) = self.sales_after else {
                return Err(PortError::Unavailable { port: "log", reason: "it does not answer".to_owned() });
            };
            sleep(after).await;
        }
        self.log.ends(topic).await
    }

    async fn read(&self, topic: &Topic, lane: Lane, from: u64, max: usize, wait: Duration) -> PortResult<Vec<Entry>> {
        self.log.read(topic, lane, from, max, wait).await
    }

    async fn committed(&self, group: &str, topic: &Topic, lane: Lane) -> PortResult<u64> {
        self.log.committed(group, topic, lane).await
    }

    async fn commit(&self, group: &str, topic: &Topic, lane: Lane, next: u64) -> PortResult<()> {
        self.log.commit(group, topic, lane, next).await
    }
}

async fn started(sales_after: Option<Duration>) -> (World, String, support::Guest, String) {
    let world = World::new().await;
    let event = "evt_start".to_owned();
    drop(world.line(&event, world.policy(60_000)).await);
    let guest = world.guest().await;
    let (status, place) = world.join(&event, &guest).await;
    assert_eq!(status, 201, "{place}");
    let log = Arc::new(SlowStart { log: Arc::clone(&world.log), sales_after });
    (world.begun_anew(log).await, event, guest, text(&place["placeToken"]))
}

#[tokio::test]
async fn who_comes_while_a_gateway_starts_waits_for_it_and_is_not_told_that_there_is_no_such_sale() {
    let (world, event, guest, place) = started(Some(Duration::from_millis(400))).await;
    let (line, poll, again) = tokio::join!(
        world.get(&format!("/v1/events/{event}/line")).send(),
        world.place(&event, &place),
        world.join(&event, &guest)
    );
    assert_eq!((line.unwrap().status().as_u16(), poll.0, again.0), (200, 200, 200));
}

#[tokio::test]
async fn who_has_waited_long_for_a_gateway_that_starts_is_told_when_to_come_again() {
    let (world, event, _, place) = started(None).await;
    let answer = world.get(&format!("/v1/events/{event}/line/place")).header("Weir-Place", place).send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    let (status, body) = support::read(answer).await;
    assert_eq!((status, slug(&body)), (503, "unavailable"));
}
