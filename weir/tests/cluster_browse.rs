//! The whole way of a change: Cassandra, Debezium's connector, Kafka, the indexer, Elasticsearch; and a sale that goes on
//! while each of them dies.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{
    Client, Cluster, PATIENCE, SaleOf, from_now,
    life::buy,
    open_sale, operator_key,
    servers::{Guarded, servers},
    variable, venue,
};
use reqwest::Method;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
/// For how long each server is away.
const AWAY: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);

/// An operator who adds events and moves one, and tries again until it is done.
struct Operator {
    client: Client,
    key: String,
    venue: Value,
}

impl Operator {
    /// Asks until the answer has `status`: nothing is lost by asking again.
    async fn insist(&self, path: &str, key: &str, body: &Value, status: u16) -> Value {
        let (bearer, begun) = (format!("Bearer {}", self.key), Instant::now());
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        loop {
            let answer = self.client.send(Method::POST, path, &headers, Some(body)).await.unwrap();
            if answer.status.as_u16() == status {
                return answer.body;
            }
            assert_eq!(answer.status.as_u16(), 503, "{}", answer.body);
            assert!(begun.elapsed() < PATIENCE, "{}", answer.body);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn add(&self, title: &str) -> String {
        let event = json!({
            "title": title, "description": "One night only.", "venueId": self.venue, "startsAt": "2031-05-01T19:00:00.000Z",
            "currency": "EUR", "prices": { "Floor": 4_500 },
        });
        let made = self.insist("/v1/operator/events", &format!("add {title}"), &event, 201).await;
        made["eventId"].as_str().unwrap().to_owned()
    }

    async fn put_off(&self, event: &str, days: i64) {
        let wanted = json!({ "startsAt": from_now(days * DAY_MS), "reason": "The hall is flooded." });
        let path = format!("/v1/operator/events/{event}/move");
        self.insist(&path, &format!("put off for {days}"), &wanted, 200).await;
    }
}

/// What the index has of each event: its title, and when it begins.
async fn indexed(index: &str) -> BTreeMap<String, (Value, Value)> {
    let all = Client::new(&format!("http://{}/{index}", variable("ELASTICSEARCH")));
    let found = all.get("/_search?size=1000").await;
    let hits = found.body["hits"]["hits"].as_array().cloned().unwrap_or_default();
    let of = |hit: &Value| {
        let event = &hit["_source"]["whole"];
        (hit["_id"].as_str().unwrap().to_owned(), (event["title"].clone(), event["startsAt"].clone()))
    };
    hits.iter().map(of).collect()
}

/// What the catalog has of them.
async fn cataloged(client: &Client, events: &[String]) -> BTreeMap<String, (Value, Value)> {
    let mut all = BTreeMap::new();
    for event in events {
        let details = client.get(&format!("/v1/events/{event}")).await.expect(200);
        let details = &details["eventDetails"];
        all.insert(event.clone(), (details["title"].clone(), details["startsAt"].clone()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_the_index_whatever_dies_and_the_sale_goes_on() {
    let _guarded = Guarded(&["elasticsearch", "cassandra", "debezium"]);
    let cluster = Cluster::new();
    let key = operator_key(cluster.data(), "admin");
    let name = cluster.name();
    let index = format!("weir-{name}");
    let settings = [
        format!("stores.catalog=cassandra://{}/{name}", variable("CASSANDRA")),
        "scylla.replication=1".to_owned(),
        format!("kafka.catalog_topic=debezium.{name}.events"),
        format!("stores.search=elasticsearch://{}/{index}", variable("ELASTICSEARCH")),
    ];
    // The first to start makes the tables and the topic; the connector may lose the first rows of tables that it does not
    // know yet.
    let gateway = cluster.launch("gateway", &settings, &[]);
    let _indexer = cluster.launch("search-indexer", &settings, &[]);
    servers(&["kill", "debezium-1"]);
    servers(&["start", "debezium-1"]);
    let _worker = cluster.launch("queue-worker", &settings, &[]);
    let client = Client::new(&gateway.public);
    let hall = client.operate(&key, Method::POST, "/v1/operator/venues", &venue(1, 5)).await.expect(201);
    let operator = Arc::new(Operator { client: client.clone(), key: key.clone(), venue: hall["venueId"].clone() });

    let mut events = Vec::new();
    let mut took = Vec::new();
    for title in ["Low Water", "Lanterns", "Spider-Man", "Power Cut"] {
        let event = operator.add(title).await;
        let begun = Instant::now();
        let asked = format!("/v1/events/search?term={}", title.replace(' ', "+"));
        loop {
            // Refused where neither the index, which is just being made, nor the catalog answers in time.
            let found = client.get(&asked).await;
            if found.body["degraded"].is_null() && found.body["events"][0]["eventId"] == event.as_str() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{title} is never found: {found:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.push(begun.elapsed());
        events.push(event);
    }
    println!(
        "found after {took:?}; bounded by the commit log's sync and the connector's polls (10 ms each), an append to Kafka, a \
         refresh of the index, and 200 ms for which a gateway takes the index for unchanged"
    );

    let sale = open_sale(&client, &key, &SaleOf { rows: 20, seats: 50, ..SaleOf::default() }).await;
    let (stop, sold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let buyers = tokio::spawn({
        let (client, sale, stop, sold) = (client.clone(), sale.clone(), Arc::clone(&stop), Arc::clone(&sold));
        async move {
            let mut slowest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                buy(&client, &sale, &json!({ "bestAvailable": { "count": 1 } }), "approve").await;
                slowest = slowest.max(begun.elapsed());
                sold.fetch_add(1, Ordering::Relaxed);
            }
            slowest
        }
    });
    let changes = tokio::spawn({
        let (operator, sale, stop) = (Arc::clone(&operator), sale.clone(), Arc::clone(&stop));
        async move {
            let mut added = Vec::new();
            for number in 0_i64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                added.push(operator.add(&format!("Night {number}")).await);
                if number % 8 == 0 {
                    operator.put_off(&sale, 40 + number).await;
                }
                tokio::time::sleep(PAUSE).await;
            }
            added
        }
    });
    for server in ["elasticsearch-1", "cassandra-1", "debezium-1"] {
        let before = sold.load(Ordering::Relaxed);
        servers(&["kill", server]);
        let begun = Instant::now();
        while begun.elapsed() < AWAY {
            // Who only looks is answered, too.
            let asked = Instant::now();
            client.get(&format!("/v1/events/{sale}")).await.expect(200);
            let details = asked.elapsed();
            let asked = Instant::now();
            let found = client.get("/v1/events/search?term=lanterns").await.expect(200);
            let search = asked.elapsed();
            assert!(server != "elasticsearch-1" || found["degraded"].is_string(), "{found}");
            println!("{server} away: details after {details:?}, a search after {search:?}");
            tokio::time::sleep(AWAY / 3).await;
        }
        servers(&["start", server]);
        // One thing is away at a time: a gateway leaves an index that failed alone for some seconds.
        while client.get("/v1/events/search?term=lanterns").await.expect(200)["degraded"].is_string() {
            assert!(begun.elapsed() < PATIENCE, "searches stay plain lists");
            tokio::time::sleep(PAUSE).await;
        }
        let meanwhile = sold.load(Ordering::Relaxed) - before;
        println!("{server} away: {meanwhile} bought a seat meanwhile");
        assert!(meanwhile > 0, "nobody bought anything while {server} was away");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    println!("{} bought a seat, the slowest within {:?}", sold.load(Ordering::Relaxed), buyers.await.unwrap());
    events.extend(changes.await.unwrap());
    events.push(sale);

    // Record by record: nothing lost, nothing out of order, nothing else.
    let begun = Instant::now();
    loop {
        let (is, should) = (indexed(&index).await, cataloged(&client, &events).await);
        if is == should {
            break;
        }
        let missing: Vec<_> = should.iter().filter(|(event, what)| is.get(*event) != Some(what)).take(5).collect();
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {} are indexed; not as they are: {missing:?}",
            is.len(),
            should.len()
        );
        tokio::time::sleep(PAUSE).await;
    }
    println!("{} events are indexed as they are, {:?} after the last change", events.len(), begun.elapsed());
}
