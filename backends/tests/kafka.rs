//! The log's contract suite on Kafka, and how workers share lanes there.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::time::Duration;

use backends::kafka::{KafkaAssignment, KafkaLog, KafkaSettings};
use booking_core::ports::{
    assignment::Assignment as _,
    log::{Lane, Log as _, Topic},
};

/// The brokers, and topics that nobody else uses.
fn settings() -> KafkaSettings {
    let brokers = std::env::var("WEIR_TEST_KAFKA")
        .expect("start the servers: `scripts/servers up`, then `eval \"$(scripts/servers env)\"`");
    let topic_prefix = format!("t{}.", hex::encode(rand::random::<[u8; 8]>()));
    KafkaSettings { brokers, topic_prefix, line_lanes: 2, keyed_lanes: 3, reply_lanes: 2, ..KafkaSettings::default() }
}

fn log() -> impl AsyncFn() -> KafkaLog {
    let settings = settings();
    async move || KafkaLog::open(settings.clone()).await.expect("a log")
}

mod log_contract {
    booking_core::log_contract!(
        #[tokio::test(flavor = "multi_thread")]
        super::log()
    );
}

const SHARED: [Topic; 2] = [Topic::Commands, Topic::Bookings];

async fn worker(settings: &KafkaSettings, member: Option<&str>) -> KafkaAssignment {
    KafkaAssignment::join(settings.clone(), member.map(str::to_owned), &SHARED).await.unwrap()
}

/// Waits until the workers have every lane of the shared topics among them, each once, and each of them some.
async fn assert_shared(workers: &[&KafkaAssignment]) {
    let mut seen = Vec::new();
    for _ in 0..600 {
        seen.clear();
        for worker in workers {
            let mut lanes: Vec<(usize, Lane)> = Vec::new();
            for (number, topic) in SHARED.iter().enumerate() {
                lanes.extend(worker.lanes(topic).await.unwrap().into_iter().map(|lane| (number, lane)));
            }
            seen.push(lanes);
        }
        let mut all = seen.concat();
        all.sort_unstable();
        let every: Vec<(usize, Lane)> =
            (0..SHARED.len()).flat_map(|topic| (0..3).map(move |lane| (topic, lane))).collect();
        if all == every && seen.iter().all(|lanes| !lanes.is_empty()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not shared in time: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_lanes_and_take_over_from_who_leaves_or_is_gone() {
    let settings = settings();
    let log = KafkaLog::open(settings.clone()).await.unwrap();
    for topic in &SHARED {
        assert_eq!(log.lanes(topic).await.unwrap(), 3);
    }
    let one = worker(&settings, None).await;
    assert_shared(&[&one]).await;
    let two = worker(&settings, None).await;
    assert_shared(&[&one, &two]).await;
    one.leave().await;
    assert_shared(&[&two]).await;
    assert!(one.lanes(&Topic::Commands).await.unwrap().is_empty());
    let three = worker(&settings, None).await;
    assert_shared(&[&two, &three]).await;
    drop(two);
    assert_shared(&[&three]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_name_another_took_says_so() {
    let settings = settings();
    let log = KafkaLog::open(settings.clone()).await.unwrap();
    for topic in &SHARED {
        log.lanes(topic).await.unwrap();
    }
    let first = worker(&settings, Some("ann")).await;
    assert_shared(&[&first]).await;
    let second = worker(&settings, Some("ann")).await;
    assert_shared(&[&second]).await;
    for _ in 0..600 {
        if let Err(error) = first.lanes(&Topic::Commands).await {
            assert!(error.to_string().contains("a member name of its own"), "{error}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("two workers of one name");
}
