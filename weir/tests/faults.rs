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
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kit::{
    Cluster, Weir, on_postgres, operator_key,
    servers::{Guarded, servers},
    variable,
    way::Way,
};

/// One fault at a time: the servers are everybody's.
static FAULTS: Mutex<()> = Mutex::new(());

/// What a sale stands on.
const KINDS: [&str; 3] = ["kafka", "redis", "postgres"];
/// The demo's crowd comes in the first 10 s, and its lobby closes after 9.5 s.
const IN_THE_LOBBY: Duration = Duration::from_secs(4);
/// Called visitors come in, hold and pay.
const WHILE_SELLING: Duration = Duration::from_secs(14);

/// A machine with a gateway and a worker.
#[derive(Default)]
struct Machine {
    /// What is otherwise there than in the others.
    settings: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
}

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
        Self::on([Machine::default(), Machine::default()])
    }

    /// The same on these machines.
    fn on(machines: [Machine; 2]) -> Self {
        let alone = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
        servers(&[&["up"], &KINDS[..]].concat());
        let cluster = Cluster::new();
        let key = operator_key(cluster.data(), "admin");
        let all = |role| machines.iter().map(|of| cluster.launch(role, &of.settings, &of.variables)).collect();
        let (gateways, workers): (Vec<Weir>, Vec<Weir>) = (all("gateway"), all("queue-worker"));
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

#[expect(clippy::disallowed_methods, reason = "a plain test has no runtime to block")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[test]
fn a_broker_is_killed_in_the_lobby_and_another_while_selling() {
    let sale = Sale::begin();
    let _guarded = Guarded(&KINDS);
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
    let _guarded = Guarded(&KINDS);
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
    sale.workers.push(sale.cluster.worker());
    pause(WHILE_SELLING.saturating_sub(IN_THE_LOBBY));
    sale.workers.remove(0).kill();
    sale.workers.push(sale.cluster.worker());
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
    let _guarded = Guarded(&KINDS);
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
    let _guarded = Guarded(&KINDS);
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
    let _guarded = Guarded(&KINDS);
    pause(WHILE_SELLING);
    servers(&["kill", "postgres-1"]);
    pause(Duration::from_secs(3));
    servers(&["start", "postgres-1"]);
    sale.end("Postgres killed for 3 s");
}

#[test]
fn each_redis_primary_hangs_is_replaced_and_wakes() {
    let sale = Sale::begin();
    let _guarded = Guarded(&KINDS);
    pause(WHILE_SELLING);
    for name in ["redis-1", "redis-2", "redis-3"] {
        servers(&["stop", name]);
        // Long enough for its replica to take over. When it wakes it still holds itself for the primary.
        pause(Duration::from_secs(5));
        servers(&["cont", name]);
        pause(Duration::from_secs(1));
    }
    sale.end("three Redis nodes stopped for 5 s one after the other, then awake again");
}

#[test]
fn postgres_fails_over_to_its_standby() {
    let sale = Sale::begin();
    let _swapped = Swapped;
    pause(WHILE_SELLING);
    servers(&["kill", "postgres-1"]);
    pause(Duration::from_secs(2));
    servers(&["promote"]);
    pause(Duration::from_secs(3));
    servers(&["start", "postgres-1"]);
    sale.end("Postgres killed, its standby promoted, and a new standby made of the old primary");
}

/// Makes the first Postgres the primary again, however the test ends.
struct Swapped;

impl Drop for Swapped {
    fn drop(&mut self) {
        servers(&[&["up"], &KINDS[..]].concat());
        servers(&["kill", "postgres-2"]);
        servers(&["promote"]);
        servers(&[&["up"], &KINDS[..]].concat());
    }
}

#[test]
fn half_of_weir_is_cut_off_from_kafka() {
    let ways: Vec<Way> = variable("KAFKA_WAYS").split(',').map(way).collect();
    let brokers: Vec<String> = ways.iter().map(|way| way.address.to_string()).collect();
    let settings = vec![format!("stores.log=kafka://{}", brokers.join(","))];
    let sale = Sale::on([Machine { settings, ..Machine::default() }, Machine::default()]);
    pause(WHILE_SELLING);
    // Longer than the group waits for one that is not heard of: the other worker takes all lanes over.
    while_cut(&ways, Duration::from_secs(9));
    sale.end("one gateway and one worker cut off from Kafka for 9 s");
}

#[test]
fn each_half_of_weir_is_cut_off_from_postgres() {
    let urls = [variable("POSTGRES"), variable("POSTGRES_STANDBY")];
    let (ways, machines): (Vec<Vec<Way>>, Vec<Machine>) = (0..2)
        .map(|_| {
            let (ways, urls): (Vec<Way>, Vec<String>) = urls.iter().map(|url| rerouted(url)).unzip();
            (ways, Machine { settings: on_postgres(&urls.join(",")).to_vec(), ..Machine::default() })
        })
        .unzip();
    let sale = Sale::on(machines.try_into().ok().unwrap());
    pause(WHILE_SELLING);
    // One of the two has the lane that the sale's bookings are in.
    for ways in &ways {
        while_cut(ways, Duration::from_secs(6));
    }
    sale.end("each of two machines, with a gateway and a worker, cut off from Postgres for 6 s");
}

/// A way of `scripts/servers`: where it begins, and where it leads.
fn way(way: &str) -> Way {
    let (from, to) = way.split_once('=').unwrap();
    Way::between(from.parse().unwrap(), to.parse().unwrap())
}

/// A way to the server of `url`, and the URL that leads there by it.
fn rerouted(url: &str) -> (Way, String) {
    let (before, rest) = url.split_once('@').unwrap();
    let (server, after) = rest.split_once('/').unwrap();
    let way = Way::to(server.parse().unwrap());
    let url = format!("{before}@{}/{after}", way.address);
    (way, url)
}

fn while_cut(ways: &[Way], duration: Duration) {
    for is_cut in [true, false] {
        for way in ways {
            way.cut(is_cut);
        }
        if is_cut {
            pause(duration);
        }
    }
}

#[test]
fn the_clocks_of_two_machines_are_ten_minutes_off_either_way() {
    let off_by = |ms| Machine { variables: vec![("WEIR_TEST_CLOCK_OFF_BY_MS", ms)], ..Machine::default() };
    let mut sale = Sale::on([off_by("600000"), off_by("-600000")]);
    pause(WHILE_SELLING);
    // What the other worker goes on with was begun by one whose clock was 20 minutes from its own.
    sale.workers.remove(0).kill();
    sale.end("the clocks of two machines 10 minutes ahead and behind, and a worker killed");
}
