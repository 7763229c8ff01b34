//! Brokers die and hang, one test at a time.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use backends::kafka::{KafkaAssignment, KafkaLog, KafkaSettings};
use booking_core::ports::{
    PortError,
    assignment::Assignment,
    log::{Lane, Log, Topic},
};
use bytes::Bytes;
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinHandle,
};

use super::brokers::Corner;

const LANES: usize = 3;
/// For brokers to come back and agree again, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the only test that may harm the brokers has. Dropped, the brokers are well again, and then its topics go.
struct Harm {
    corner: Corner,
    _alone: MutexGuard<'static, ()>,
}

impl Harm {
    async fn begin() -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        Self { _alone: ALONE.lock().await, corner: Corner::new() }
    }

    fn kill(&self, names: &[&str]) {
        servers("kill", names);
    }

    fn stop(&self, names: &[&str]) {
        servers("stop", names);
    }

    /// Ends every hang and every crash, and returns when the brokers agree on that.
    fn end(&self) {
        servers("start", &["kafka-1", "kafka-2", "kafka-3"]);
    }

    /// The timeouts of a real system, because they are what is tried here.
    fn settings(&self) -> KafkaSettings {
        let KafkaSettings { append_timeout_ms, answer_timeout_ms, notes_every_ms, .. } = KafkaSettings::default();
        KafkaSettings { append_timeout_ms, answer_timeout_ms, notes_every_ms, ..self.corner.settings() }
    }

    async fn open(&self) -> KafkaLog {
        KafkaLog::open(self.settings()).await.expect("a log")
    }
}

impl Drop for Harm {
    fn drop(&mut self) {
        self.end();
    }
}

fn servers(act: &str, names: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers");
    let is_done = || Command::new(script).arg(act).args(names).status().is_ok_and(|status| status.success());
    // It waits, and others on the runtime go on. Brokers that are slow to come back must not fail the tests to come.
    let is_done = tokio::task::block_in_place(|| is_done() || act == "start" && (is_done() || is_done()));
    // A test that fails already says more than this would.
    assert!(is_done || thread::panicking(), "scripts/servers {act} {names:?}");
}

fn line() -> Topic {
    Topic::Line("evt_1".parse().expect("an id"))
}

fn lane(number: usize) -> Lane {
    Lane::try_from(number).expect("a small number")
}

async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything of a lane; tries again where the brokers are not ready yet.
async fn all(log: &KafkaLog, lane: Lane) -> BTreeMap<u64, Bytes> {
    let until = Instant::now() + PATIENCE;
    let mut entries = BTreeMap::new();
    loop {
        let from = entries.last_key_value().map_or(0, |(last, _)| last + 1);
        match log.read(&line(), lane, from, 1_000, Duration::ZERO).await {
            Ok(page) if page.is_empty() => return entries,
            Ok(page) => entries.extend(page.into_iter().map(|entry| (entry.offset, entry.payload))),
            Err(error) => assert!(Instant::now() < until && is_unavailable(&error), "{error}"),
        }
    }
}

fn is_unavailable(error: &PortError) -> bool {
    matches!(error, PortError::Unavailable { .. })
}

/// Appends to every lane until it is told to stop.
struct Crowd {
    acknowledged: Arc<[AtomicUsize; LANES]>,
    enough: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<(u64, Bytes)>>>,
}

impl Crowd {
    fn start(log: &KafkaLog) -> Self {
        let acknowledged = Arc::<[AtomicUsize; LANES]>::default();
        let enough = Arc::<AtomicBool>::default();
        let tasks = (0..LANES)
            .map(|number| {
                let (log, acknowledged, enough) = (log.clone(), Arc::clone(&acknowledged), Arc::clone(&enough));
                tokio::spawn(async move {
                    let mut placed = Vec::new();
                    for join in 0.. {
                        if enough.load(Ordering::Relaxed) {
                            break;
                        }
                        let payload = Bytes::from(format!("join {join} in lane {number}"));
                        match log.append(&line(), lane(number), payload.clone()).await {
                            Ok(offset) => {
                                placed.push((offset, payload));
                                acknowledged[number].fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => assert!(is_unavailable(&error), "{error}"),
                        }
                    }
                    placed
                })
            })
            .collect();
        Self { acknowledged, enough, tasks }
    }

    /// Waits until each lane has acknowledged so many more.
    async fn goes_on(&self, what: &str) {
        let counts = || self.acknowledged.iter().map(|count| count.load(Ordering::Relaxed));
        let wanted: Vec<_> = counts().map(|count| count + 30).collect();
        eventually(what, async || counts().zip(&wanted).all(|(count, wanted)| count >= *wanted)).await;
    }

    /// What was acknowledged in each lane.
    async fn stop(self) -> Vec<Vec<(u64, Bytes)>> {
        self.enough.store(true, Ordering::Relaxed);
        let mut placed = Vec::new();
        for task in self.tasks {
            placed.push(task.await.expect("who appends"));
        }
        placed
    }
}

/// Follows a lane until `last` is there, and answers what it saw.
fn follow(
    log: &KafkaLog,
    number: usize,
    mut last: tokio::sync::watch::Receiver<Option<Vec<u64>>>,
) -> JoinHandle<BTreeMap<u64, Bytes>> {
    let log = log.clone();
    tokio::spawn(async move {
        let mut seen: BTreeMap<u64, Bytes> = BTreeMap::new();
        loop {
            let next = seen.last_key_value().map_or(0, |(last, _)| last + 1);
            let is_done = last.borrow_and_update().as_ref().is_some_and(|last| next > last[number]);
            if is_done {
                return seen;
            }
            match log.read(&line(), lane(number), next, 100, Duration::from_millis(200)).await {
                Ok(page) => {
                    for entry in page {
                        assert!(entry.offset >= next, "{} after {next}", entry.offset);
                        let before = seen.insert(entry.offset, entry.payload);
                        assert_eq!(before, None, "an entry is given once");
                    }
                }
                Err(error) => assert!(is_unavailable(&error), "{error}"),
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_a_broker_is_killed_and_appends_go_on() {
    let harm = Harm::begin().await;
    let (writer, reader) = (harm.open().await, harm.open().await);
    assert_eq!(usize::from(writer.lanes(&line()).await.expect("lanes")), LANES);
    let (tell_last, last) = tokio::sync::watch::channel(None);
    let followers: Vec<_> = (0..LANES).map(|number| follow(&reader, number, last.clone())).collect();

    let crowd = Crowd::start(&writer);
    crowd.goes_on("appends before").await;
    harm.kill(&["kafka-2"]);
    crowd.goes_on("appends with a broker killed").await;
    harm.end();
    crowd.goes_on("appends with the broker back").await;
    let placed = crowd.stop().await;

    tell_last.send_replace(Some(placed.iter().map(|placed| placed.last().expect("appends").0).collect()));
    let fresh = harm.open().await;
    for (number, (placed, follower)) in placed.into_iter().zip(followers).enumerate() {
        let stored = all(&fresh, lane(number)).await;
        let seen = tokio::time::timeout(PATIENCE, follower).await.expect("an end").expect("a follower");
        for (offset, payload) in placed {
            assert_eq!(stored.get(&offset), Some(&payload), "acknowledged at {offset} in lane {number}");
            assert_eq!(seen.get(&offset), Some(&payload), "followed at {offset} in lane {number}");
        }
        for (offset, payload) in seen {
            assert_eq!(stored.get(&offset), Some(&payload), "seen at {offset} in lane {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_are_unavailable_while_two_of_three_brokers_hang_and_nothing_acknowledged_is_lost() {
    let harm = Harm::begin().await;
    let log = harm.open().await;
    let crowd = Crowd::start(&log);
    crowd.goes_on("appends before").await;
    let mut placed = crowd.stop().await;
    // A reader that follows a lane has its latest entries in memory.
    let end = log.ends(&line()).await.expect("ends")[0];
    assert!(log.read(&line(), 0, end, 1, Duration::from_millis(1)).await.expect("a read").is_empty());
    let latest = Bytes::from_static(b"the latest");
    let at = log.append(&line(), 0, latest.clone()).await.expect("an append");
    assert_eq!(log.read(&line(), 0, at, 1, Duration::from_secs(30)).await.expect("a read")[0].payload, latest);
    placed[0].push((at, latest.clone()));

    harm.stop(&["kafka-2", "kafka-3"]);
    let limit = Duration::from_millis(harm.settings().append_timeout_ms.into());
    let begun = Instant::now();
    let topic = line();
    let appends = (0..LANES).map(|number| log.append(&topic, lane(number), Bytes::from_static(b"unknown")));
    let results = futures_util::future::join_all(appends).await;
    let took = begun.elapsed();
    for result in results {
        assert!(matches!(result, Err(PortError::Unavailable { .. })), "{result:?}");
    }
    assert!(took < limit + Duration::from_secs(1), "{took:?}, and {limit:?} is the limit");
    // What is in memory is read as before.
    assert_eq!(log.read(&line(), 0, at, 1, Duration::ZERO).await.expect("a read")[0].payload, latest);

    harm.end();
    let crowd = Crowd::start(&log);
    crowd.goes_on("appends with the brokers back").await;
    for (placed, later) in placed.iter_mut().zip(crowd.stop().await) {
        placed.extend(later);
    }
    let fresh = harm.open().await;
    for (number, placed) in placed.into_iter().enumerate() {
        let stored = all(&fresh, lane(number)).await;
        for (offset, payload) in placed {
            assert_eq!(stored.get(&offset), Some(&payload), "acknowledged at {offset} in lane {number}");
        }
    }
}

/// Every broker is killed in turn, so one of them is the one that shares the lanes out.
#[tokio::test(flavor = "multi_thread")]
async fn the_lanes_are_shared_by_all_workers_again_after_any_broker_was_killed() {
    let harm = Harm::begin().await;
    let topics = [Topic::Commands, Topic::Bookings];
    let join = async |name: &str| {
        KafkaAssignment::join(harm.settings(), Some(name.to_owned()), &topics).await.expect("a worker")
    };
    let workers = [join("one").await, join("two").await];
    let served = async || {
        let mut served = Vec::new();
        for worker in &workers {
            for topic in &topics {
                let lanes = worker.lanes(topic).await.expect("lanes");
                served.extend(lanes.into_iter().map(|lane| (topic.to_string(), lane)));
            }
        }
        served.sort();
        served
    };
    let mut each_once: Vec<_> = topics.iter().flat_map(|topic| [0, 1].map(|lane| (topic.to_string(), lane))).collect();
    each_once.sort();
    eventually("every lane is served once", async || served().await == each_once).await;
    for broker in ["kafka-1", "kafka-2", "kafka-3"] {
        harm.kill(&[broker]);
        // Two brokers have to agree before a third can be harmed, and workers are to stand that as well.
        let log = harm.open().await;
        eventually("appends go on", async || log.append(&Topic::Commands, 0, Bytes::new()).await.is_ok()).await;
        eventually("every lane is served once", async || served().await == each_once).await;
        harm.end();
    }
    eventually("every lane is served once", async || served().await == each_once).await;
    workers[0].leave().await;
    eventually("the other has them all", async || served().await == each_once).await;
    workers[1].leave().await;
}
