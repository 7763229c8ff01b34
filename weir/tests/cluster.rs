//! The same sale as several gateways and workers on Kafka, Redis Cluster and Postgres.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    collections::HashSet,
    process::Stdio,
    time::{Duration, Instant},
};

use kit::{
    Client, Cluster, PATIENCE, SaleOf, Visitor, Weir,
    endpoint::Endpoint,
    mass::{self, Stores},
    open_sale, operator_key,
    post_office::PostOffice,
    variable,
};
use reqwest::Method;
use serde_json::json;

/// Waits until a gateway has heard of a sale.
async fn opens_at(client: &Client, event: &str) {
    let started = Instant::now();
    loop {
        let line = client.send(Method::GET, &format!("/v1/events/{event}/line"), &[], None).await.unwrap();
        if line.status == 200 && line.body["phase"] != "scheduled" {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{}", line.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_gateway_shows_the_same_and_takes_what_another_gave_out() {
    let cluster = Cluster::new();
    let key = operator_key(cluster.data(), "admin");
    let gateways = [cluster.gateway(), cluster.gateway()];
    let _workers = [cluster.worker(), cluster.worker()];
    let clients = gateways.each_ref().map(|gateway| Client::new(&gateway.public));
    let sale = SaleOf { opens_in_ms: 6_000, ..SaleOf::default() };
    let event = open_sale(&clients[0], &key, &sale).await;
    for client in &clients {
        opens_at(client, &event).await;
    }

    // Each comes in by one gateway and goes on by the other.
    let mut visitors = Vec::new();
    for number in 0..20 {
        let mut visitor = Visitor::arrive(&clients[number % 2], &event).await.unwrap();
        let place = visitor.join().await.unwrap().expect(201);
        visitor.at(&clients[(number + 1) % 2]);
        assert_eq!(visitor.join().await.unwrap().expect(200)["entry"], place["entry"], "the same place");
        visitors.push(visitor);
    }
    let mut tickets = HashSet::new();
    for (number, visitor) in visitors.iter_mut().enumerate() {
        visitor.come_in().await;
        let mut ranks = HashSet::new();
        for client in &clients {
            visitor.at(client);
            // Each gateway hears of an admission at another within its next look at the desk.
            let started = Instant::now();
            loop {
                let view = visitor.poll().await.unwrap().expect(200);
                ranks.insert(view["rank"].as_u64().unwrap());
                if view["state"] == "admitted" {
                    break;
                }
                assert!(view["state"] == "called" && started.elapsed() < PATIENCE, "{view}");
            }
        }
        assert_eq!(ranks.len(), 1, "invariant 8");
        let held = visitor.reserve("first", &json!({"bestAvailable": {"count": 2}})).await.unwrap();
        let held = if held.status == 202 { visitor.settled(&held.body).await } else { held.expect(201) };
        visitor.at(&clients[number % 2]);
        let transaction = visitor.pay(&held["totalAmount"], &held["currency"], "approve").await.unwrap();
        let sold = visitor.confirm(&held, &transaction).await.unwrap().expect(200);
        for ticket in sold["tickets"].as_array().unwrap() {
            assert!(tickets.insert(ticket["seatId"].as_str().unwrap().to_owned()), "invariant 1: {ticket} sold twice");
        }
    }
    assert_eq!(tickets.len(), 40);

    // A new rate is on every gateway.
    let path = format!("/v1/operator/events/{event}/sale");
    let before = clients[0].operate(&key, Method::GET, &path, &json!(null)).await;
    let version = before.headers["etag"].to_str().unwrap().to_owned();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("if-match", version.as_str())];
    let steered = clients[0].send(Method::PATCH, &path, &headers, Some(&json!({"ratePerMinute": 777}))).await;
    steered.unwrap().expect(200);
    for client in &clients {
        let mut rate = json!(null);
        for _ in 0..100 {
            rate = client.operate(&key, Method::GET, &path, &json!(null)).await.expect(200)["ratePerMinute"].clone();
            if rate == 777 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(rate, 777);
    }
    for weir in gateways {
        assert_eq!(weir.terminate(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_ends_as_it_should_at_every_edge() {
    let cluster = Cluster::new();
    let admin = operator_key(cluster.data(), "admin");
    let (gateway, workers) = (cluster.gateway(), [cluster.worker(), cluster.worker()]);
    let held = kit::edges::edges_of_a_booking(&Client::new(&gateway.public), &admin).await;
    gateway.kill();
    workers.into_iter().for_each(Weir::kill);
    let (gateway, _workers) = (cluster.gateway(), [cluster.worker(), cluster.worker()]);
    kit::edges::the_same_after_a_crash(&Client::new(&gateway.public), held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_cancelled_and_its_money_goes_back() {
    let cluster = Cluster::new();
    let (admin, viewer) = (operator_key(cluster.data(), "admin"), operator_key(cluster.data(), "viewer"));
    let gateway = cluster.gateway();
    let _workers = [cluster.worker(), cluster.worker()];
    kit::life::cancel_and_refund(&Client::new(&gateway.public), &admin, &viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_moved_and_whoever_had_booked_gives_back_in_full() {
    let cluster = Cluster::new();
    let (admin, viewer) = (operator_key(cluster.data(), "admin"), operator_key(cluster.data(), "viewer"));
    let gateway = cluster.gateway();
    let _workers = [cluster.worker(), cluster.worker()];
    kit::life::move_and_give_back(&Client::new(&gateway.public), &admin, &viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_has_begun_is_sold_and_given_back_no_more() {
    let cluster = Cluster::new();
    let admin = operator_key(cluster.data(), "admin");
    let gateway = cluster.gateway();
    let _workers = [cluster.worker(), cluster.worker()];
    kit::begun::event_that_has_begun(&Client::new(&gateway.public), &admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_to_another_hall_and_every_ticket_stays_good() {
    let cluster = Cluster::new();
    let [admin, viewer, door] = ["admin", "viewer", "door"].map(|role| operator_key(cluster.data(), role));
    let gateway = cluster.gateway();
    let _workers = [cluster.worker(), cluster.worker()];
    kit::hall::rehouse(&Client::new(&gateway.public), &admin, &viewer, &door).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_get_a_letter_about_each_thing_once() {
    let cluster = Cluster::new();
    let admin = operator_key(cluster.data(), "admin");
    let gateway = cluster.gateway();
    let office = PostOffice::open();
    let _workers = [(); 2].map(|()| cluster.launch("queue-worker", &office.settings(), &[]));
    kit::life::write_to_buyers(&Client::new(&gateway.public), &admin, &office).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_told_of_bookings_in_order_and_again_when_wanted() {
    let cluster = Cluster::new();
    let (admin, viewer) = (operator_key(cluster.data(), "admin"), operator_key(cluster.data(), "viewer"));
    let endpoint = Endpoint::open(1);
    let gateway = cluster.launch("gateway", &endpoint.settings(), &[]);
    let _workers = [(); 2].map(|()| cluster.launch("queue-worker", &endpoint.settings(), &[]));
    kit::life::tell_the_endpoint(&Client::new(&gateway.public), &admin, &viewer, &endpoint).await;
}

/// A mass refund goes on where it was, however often its workers are killed.
#[tokio::test(flavor = "multi_thread")]
async fn five_kills_in_a_mass_refund_refund_and_write_to_everybody_once() {
    let cluster = Cluster::new();
    let admin = operator_key(cluster.data(), "admin");
    let stores = Stores::of_schema(&variable("POSTGRES"), cluster.name()).await;
    let event = stores.sell_out().await;
    let office = PostOffice::open();
    let settings = mass::settings(&office);
    let gateway = cluster.gateway();
    let client = Client::new(&gateway.public);
    let mut workers = [(); 2].map(|()| cluster.launch("queue-worker", &settings, &[]));
    mass::call_off(&client, &admin, &event).await;
    for most in mass::KILLED_AT {
        let left = mass::left_at_most(&client, &admin, &event, most).await;
        assert!(left > 0, "killed on the way");
        workers.into_iter().for_each(Weir::kill);
        workers = [(); 2].map(|()| cluster.launch("queue-worker", &settings, &[]));
    }
    mass::left_at_most(&client, &admin, &event, 0).await;
    mass::letters_came(&office).await;
    stores.check_refunded().await;
}

/// The crowd of the demo, request by request at another gateway, and its independent check.
#[test]
fn a_crowd_of_20_000_at_two_gateways_and_two_workers_passes_every_check() {
    let visitors = std::env::var("WEIR_TEST_CROWD").unwrap_or_else(|_| "20000".to_owned());
    let cluster = Cluster::new();
    let key = operator_key(cluster.data(), "admin");
    let gateways = [cluster.gateway(), cluster.gateway()];
    let _workers = [cluster.worker(), cluster.worker()];
    let checked = std::process::Command::new(kit::binary())
        .args(["demo", "--once", "--roam", "--visitors", &visitors, "--operator-key", &key])
        .args(["--at", &gateways[0].public, "--at", &gateways[1].public])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    eprintln!("{said}");
    assert!(checked.status.success(), "{said}");
}

#[test]
fn the_doctor_finds_everything_well_and_names_what_is_not() {
    let cluster = Cluster::new();
    let doctor = |settings: &[&str], off_by_ms: &str| {
        let mut command = cluster.command(&["doctor"]);
        command.args(settings).env("WEIR_TEST_CLOCK_OFF_BY_MS", off_by_ms);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let wrong = |(code, said): (Option<i32>, String)| {
        assert_eq!(code, Some(1), "{said}");
        let wrong: Vec<_> = said.lines().filter(|line| line.starts_with("WRONG")).map(str::to_owned).collect();
        assert!(!wrong.is_empty(), "{said}");
        wrong
    };
    let (code, said) = doctor(&[], "0");
    assert!(code == Some(0) && said.lines().count() == 8, "{said}");

    // The key to the money is the workers' alone.
    let stripe = ["--set", "stores.payments=stripe:"];
    let (code, said) = doctor(&[&["--role", "gateway"], &stripe[..]].concat(), "0");
    assert_eq!(code, Some(0), "{said}");
    let keyless = wrong(doctor(&[&["--role", "queue-worker"], &stripe[..]].concat(), "0"));
    assert!(keyless.len() == 1 && keyless[0].contains("stripe.secret_key"), "{keyless:?}");

    let gone = wrong(doctor(&["--set", "stores.desk=redis://127.0.0.1:1"], "0"));
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert!(gone[0].contains("stores.desk redis://127.0.0.1:1: ") && gone[0].contains("start it"), "{gone:?}");

    let off = wrong(doctor(&[], "600000"));
    assert_eq!(off.len(), 1, "{off:?}");
    assert!(off[0].contains("clock") && off[0].contains("NTP"), "{off:?}");

    let _tidied = Tidied;
    set_policy("allkeys-lru");
    let unsafe_redis = wrong(doctor(&[], "0"));
    assert_eq!(unsafe_redis.len(), 2, "the desk and the holds: {unsafe_redis:?}");
    assert!(unsafe_redis[0].contains("maxmemory-policy allkeys-lru") && unsafe_redis[0].contains("noeviction"));
}

/// Says what the first Redis node does when its memory is full.
fn set_policy(policy: &str) {
    let nodes = variable("REDIS");
    let port = nodes.split(',').next().and_then(|node| node.rsplit(':').next()).unwrap();
    let mut set = std::process::Command::new("redis-cli");
    assert!(set.args(["-p", port, "config", "set", "maxmemory-policy", policy]).status().unwrap().success());
}

/// The node as it was, however the test ends.
struct Tidied;

impl Drop for Tidied {
    fn drop(&mut self) {
        set_policy("noeviction");
    }
}
