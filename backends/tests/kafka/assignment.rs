//! The workers share lanes out among them, whoever comes and goes.

use std::{
    env,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use backends::kafka::{KafkaAssignment, KafkaSettings};
use booking_core::ports::{
    PortError,
    assignment::Assignment,
    log::{Lane, Topic},
};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};

use super::brokers::Corner;

const TOPICS: [Topic; 2] = [Topic::Commands, Topic::Bookings];
/// Longer than the brokers wait for a worker that gives no sign of life, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

async fn join(settings: KafkaSettings, member: Option<&str>) -> KafkaAssignment {
    KafkaAssignment::join(settings, member.map(str::to_owned), &TOPICS).await.expect("a worker")
}

async fn lanes_of(worker: &KafkaAssignment) -> Vec<(Topic, Lane)> {
    let mut all = Vec::new();
    for topic in TOPICS {
        all.extend(worker.lanes(&topic).await.expect("lanes").into_iter().map(|lane| (topic.clone(), lane)));
    }
    all
}

/// Every lane of a corner.
fn all_lanes() -> Vec<(Topic, Lane)> {
    TOPICS.into_iter().flat_map(|topic| [(topic.clone(), 0), (topic, 1)]).collect()
}

/// Waits until `holds`.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn has_all(worker: &KafkaAssignment) {
    eventually("one worker has every lane", async || lanes_of(worker).await == all_lanes()).await;
}

async fn share(workers: [&KafkaAssignment; 2]) {
    eventually("two workers have every lane once", async || {
        let (one, other) = (lanes_of(workers[0]).await, lanes_of(workers[1]).await);
        let mut both: Vec<_> = one.iter().chain(&other).cloned().collect();
        both.sort_by_key(|(topic, lane)| (topic.to_string(), *lane));
        let mut all = all_lanes();
        all.sort_by_key(|(topic, lane)| (topic.to_string(), *lane));
        one.len() == 2 && other.len() == 2 && both == all
    })
    .await;
}

/// How many members the brokers count.
fn members(settings: &KafkaSettings) -> usize {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &settings.brokers).create().expect("a client");
    client.fetch_metadata(None, PATIENCE).expect("the brokers");
    let name = format!("{}workers", settings.topic_prefix);
    let groups = client.fetch_group_list(Some(&name), PATIENCE).expect("the group");
    groups.groups().iter().filter(|group| group.name() == name).map(|group| group.members().len()).sum()
}

async fn who_leaves_is_followed_at_once(names: [Option<&str>; 2]) {
    let corner = Corner::new();
    let first = join(corner.settings(), names[0]).await;
    has_all(&first).await;
    let second = join(corner.settings(), names[1]).await;
    share([&first, &second]).await;
    first.leave().await;
    assert_eq!(lanes_of(&first).await, []);
    assert_eq!(members(&corner.settings()), 1, "the brokers need not wait for who has left");
    has_all(&second).await;
    second.leave().await;
    assert_eq!(members(&corner.settings()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_lanes_and_one_takes_all_when_the_other_leaves() {
    who_leaves_is_followed_at_once([None, None]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_names_leave_at_once_as_well() {
    who_leaves_is_followed_at_once([Some("one"), Some("two")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_takes_all_when_the_other_is_dropped() {
    let corner = Corner::new();
    for name in [None, Some("one")] {
        let first = join(corner.settings(), name).await;
        let second = join(corner.settings(), Some("two")).await;
        share([&first, &second]).await;
        drop(first);
        has_all(&second).await;
        second.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_takes_all_when_the_other_is_killed() {
    let corner = Corner::new();
    let settings = corner.settings();
    let survivor = join(settings.clone(), Some("survivor")).await;
    has_all(&survivor).await;
    let mut victim = Victim::start(&settings);
    eventually("the victim has its share", async || lanes_of(&survivor).await.len() == 2).await;
    victim.kill();
    has_all(&survivor).await;
    survivor.leave().await;
}

/// Nothing by itself: in a process of its own, what [`one_worker_takes_all_when_the_other_is_killed`] kills.
#[tokio::test]
async fn victim() {
    let Ok(topic_prefix) = env::var(Victim::PREFIX) else { return };
    let Ok(brokers) = env::var("WEIR_TEST_KAFKA") else { return };
    let settings = KafkaSettings { brokers, topic_prefix, ..KafkaSettings::default() };
    let _worker = join(settings, Some("victim")).await;
    // Should nobody kill it, because the test that would have was killed itself.
    tokio::time::sleep(PATIENCE * 2).await;
}

struct Victim(Child);

impl Victim {
    const PREFIX: &str = "WEIR_TEST_VICTIM_PREFIX";

    fn start(settings: &KafkaSettings) -> Self {
        let mut command = Command::new(env::current_exe().expect("this test"));
        command.args(["--exact", "kafka::assignment::victim"]).env(Self::PREFIX, &settings.topic_prefix);
        Self(command.stdout(Stdio::null()).spawn().expect("a process"))
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.0.kill().expect("a kill");
        self.0.wait().expect("an end");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Killed already, unless the test failed before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_under_a_name_that_is_taken_fences_the_one_before() {
    let corner = Corner::new();
    let first = join(corner.settings(), Some("same")).await;
    has_all(&first).await;
    let second = join(corner.settings(), Some("same")).await;
    has_all(&second).await;
    eventually("the first is fenced", async || first.lanes(&Topic::Commands).await.is_err()).await;
    for topic in TOPICS {
        let fenced = first.lanes(&topic).await;
        let Err(PortError::Unavailable { reason, .. }) = fenced else { panic!("{fenced:?}") };
        assert!(reason.contains("'same'") && reason.contains("a name of its own"), "{reason}");
    }
    // It ends without a word to the group, and without waiting for anything.
    first.leave().await;
    drop(first);
    assert_eq!(lanes_of(&second).await, all_lanes());
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_shared_is_refused() {
    let corner = Corner::new();
    let worker = join(corner.settings(), None).await;
    assert!(matches!(worker.lanes(&Topic::Seats).await, Err(PortError::Damaged { .. })));
    worker.leave().await;
}
