//! A whole sale with two gateways and two workers on real servers, while parts of it are killed, stopped and started
//! again. The crowd's own check decides afterwards, from outside: no acknowledged join or booking lost, no seat
//! doubled, no admission over the rate or the cap, no position risen.
//!
//! What each fault cost is printed: `cargo test … -- --nocapture` shows how many were acknowledged and how long
//! visitors saw nothing but 503.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    io::Read as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kit::{Cluster, Weir, operator_key};

/// One fault at a time: the servers are everybody's.
static FAULTS: Mutex<()> = Mutex::new(());

/// The demo's crowd comes in the first 10 s, and its lobby closes after 9.5 s.
const IN_THE_LOBBY: Duration = Duration::from_secs(4);
/// Called visitors come in, hold and pay.
const WHILE_SELLING: Duration = Duration::from_secs(14);

struct Sale {
    cluster: Cluster,
    gateways: Vec<Weir>,
    workers: Vec<Weir>,
    crowd: Child,
    _alone: MutexGuard<'static, ()>,
}

impl Sale {
    /// Two gateways, two workers, and a crowd that is on its way.
    fn begin() -> Self {
        let alone = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
        servers(&["up"]);
        let cluster = Cluster::new();
        let key = operator_key(cluster.data(), "admin");
        let gateways = vec![cluster.gateway(), cluster.gateway()];
        let workers = vec![cluster.worker(&[]), cluster.worker(&[])];
        let crowd = Command::new(kit::binary())
            .args(["demo", "--once", "--visitors", "300", "--operator-key", &key])
            .args(["--at", &gateways[0].public, "--at", &gateways[1].public])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { cluster, gateways, workers, crowd, _alone: alone }
    }

    /// Waits for the crowd, whose check must hold, and prints what it came to.
    fn end(mut self, fault: &str) {
        let mut said = String::new();
        self.crowd.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let mut complaints = String::new();
        self.crowd.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        let status = self.crowd.wait().unwrap();
        let from = said.find("The crowd, after").unwrap_or(0);
        eprintln!("{fault}\n{}", &said[from..]);
        assert!(status.success(), "{fault}: {said}{complaints}");
        assert!(!said[from..].contains(" (0 seats)"), "nobody bought anything: {said}");
        for weir in self.gateways.into_iter().chain(self.workers) {
            assert_eq!(weir.terminate(), Some(0), "{fault}: what is left ends cleanly");
        }
    }
}

/// Brings every server back, however the test ends.
struct Guarded;

impl Drop for Guarded {
    fn drop(&mut self) {
        servers(&["up"]);
    }
}

#[expect(clippy::disallowed_methods, reason = "a plain test has no runtime to block")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Calls `scripts/servers`.
fn servers(words: &[&str]) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers");
    let output = Command::new(script).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_broker_is_killed_in_the_lobby_and_another_while_selling() {
    let sale = Sale::begin();
    let _guarded = Guarded;
    pause(IN_THE_LOBBY);
    servers(&["kill", "kafka-2"]);
    pause(Duration::from_secs(4));
    servers(&["start", "kafka-2"]);
    pause(Duration::from_secs(6));
    servers(&["kill", "kafka-3"]);
    pause(Duration::from_secs(4));
    servers(&["start", "kafka-3"]);
    sale.end("a broker killed, twice");
}

#[test]
fn two_brokers_hang_so_that_nothing_can_be_stored_safely() {
    let sale = Sale::begin();
    let _guarded = Guarded;
    pause(WHILE_SELLING);
    servers(&["stop", "kafka-2", "kafka-3"]);
    pause(Duration::from_secs(8));
    servers(&["cont", "kafka-2", "kafka-3"]);
    sale.end("two of three brokers stopped for 8 s");
}

#[test]
fn a_worker_is_killed_in_the_lobby_and_another_while_selling() {
    let mut sale = Sale::begin();
    pause(IN_THE_LOBBY);
    sale.workers.remove(0).kill();
    sale.workers.push(sale.cluster.worker(&[]));
    pause(WHILE_SELLING.saturating_sub(IN_THE_LOBBY));
    sale.workers.remove(0).kill();
    sale.workers.push(sale.cluster.worker(&[]));
    sale.end("each of two workers killed, keeper and pool");
}

#[test]
fn a_worker_hangs_is_replaced_and_wakes_as_if_nothing_had_been() {
    let sale = Sale::begin();
    pause(WHILE_SELLING);
    for worker in &sale.workers {
        worker.freeze(true);
        // Longer than the group waits for one that is not heard of.
        pause(Duration::from_secs(9));
        worker.freeze(false);
        pause(Duration::from_secs(1));
    }
    sale.end("each of two workers stopped for 9 s, then awake again");
}

#[test]
fn a_gateway_is_killed_and_visitors_go_on_at_the_other() {
    let mut sale = Sale::begin();
    pause(WHILE_SELLING);
    sale.gateways.remove(0).kill();
    sale.end("one of two gateways killed");
}

#[test]
fn each_redis_primary_is_killed() {
    let sale = Sale::begin();
    let _guarded = Guarded;
    pause(WHILE_SELLING);
    // Whichever of a pair is the primary, one of these kills meets it.
    for name in ["redis-1", "redis-2", "redis-3"] {
        servers(&["kill", name]);
        pause(Duration::from_secs(3));
        servers(&["start", name]);
    }
    sale.end("three Redis nodes killed one after the other");
}

#[test]
fn all_of_redis_is_killed_at_once() {
    let sale = Sale::begin();
    let _guarded = Guarded;
    pause(WHILE_SELLING);
    let all = ["redis-1", "redis-2", "redis-3", "redis-4", "redis-5", "redis-6"];
    servers(&[&["kill"], &all[..]].concat());
    pause(Duration::from_secs(3));
    servers(&[&["start"], &all[..]].concat());
    sale.end("all six Redis nodes killed for 3 s");
}

#[test]
fn postgres_is_killed() {
    let sale = Sale::begin();
    let _guarded = Guarded;
    pause(WHILE_SELLING);
    servers(&["kill", "postgres-1"]);
    pause(Duration::from_secs(3));
    servers(&["start", "postgres-1"]);
    sale.end("Postgres killed for 3 s");
}
