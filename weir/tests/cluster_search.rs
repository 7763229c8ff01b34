//! From an operator's change at one gateway to what visitors find at another: Postgres, Kafka, the indexer, Elasticsearch.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use kit::{Client, Cluster, PATIENCE, from_now, operator_key, variable, venue};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

async fn search(client: &Client, asked: &str) -> Value {
    client.get(&format!("/v1/events/search?{asked}")).await.expect(200)
}

/// How long it takes until `asked` finds `event` first.
async fn until_found(client: &Client, asked: &str, event: &str) -> Duration {
    let begun = Instant::now();
    while search(client, asked).await["events"][0]["eventId"] != event {
        assert!(begun.elapsed() < PATIENCE, "{asked} never finds {event}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

/// The setting of an index that is the cluster's own.
fn index_of(cluster: &Cluster) -> String {
    format!("stores.search=elasticsearch://{}/weir-{}", variable("ELASTICSEARCH"), cluster.name())
}

/// All indices of the cluster's, by the name of their own.
async fn indices(cluster: &Cluster) -> Vec<String> {
    let url = format!("http://{}/weir-{}.*/_alias", variable("ELASTICSEARCH"), cluster.name());
    let found: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    found.as_object().unwrap().keys().cloned().collect()
}

/// Begins a rebuild, and kills it once it has caught up.
fn killed_rebuild(cluster: &Cluster) {
    let mut command = cluster.command(&["search-indexer", "rebuild"]);
    command.args(["--set", &index_of(cluster), "--set", "tracing.level=off"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let caught_up = lines.find(|line| line.as_ref().is_ok_and(|line| line == "caught up"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(caught_up.is_some(), "it ended by itself");
}

/// Rebuilds, once whoever was killed at it counts as lost; what it said, and how often it was refused.
async fn rebuild(cluster: &Cluster) -> (Output, usize) {
    let begun = Instant::now();
    for refused in 0.. {
        let mut command = tokio::process::Command::from(cluster.command(&["search-indexer", "rebuild"]));
        command.args(["--set", &index_of(cluster), "--set", "tracing.level=off"]);
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if !said.contains("another rebuild is at it") {
            return (output, refused);
        }
        assert_eq!((output.status.code(), said.trim_end().lines().count()), (Some(3), 1), "{said}");
        assert!(begun.elapsed() < PATIENCE, "{said}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_at_one_gateway_is_found_at_another_also_after_the_indexer_was_killed() {
    let cluster = Cluster::new();
    let key = operator_key(cluster.data(), "admin");
    let index = [index_of(&cluster)];
    let gateways = [cluster.launch("gateway", &index, &[]), cluster.launch("gateway", &index, &[])];
    let _worker = cluster.worker();
    let clients = gateways.each_ref().map(|gateway| Client::new(&gateway.public));
    let hall = clients[0].operate(&key, Method::POST, "/v1/operator/venues", &venue(2, 5)).await.expect(201);
    let add = async |title: &str| {
        let event = json!({
            "title": title, "description": "One night only.", "venueId": hall["venueId"], "performers": ["Björk"],
            "startsAt": from_now(30 * 86_400_000), "currency": "EUR", "prices": { "Floor": 4_500 },
        });
        let made = clients[0].operate(&key, Method::POST, "/v1/operator/events", &event).await.expect(201);
        made["eventId"].as_str().unwrap().to_owned()
    };

    // Nobody has made the index yet.
    let first = add("Spider-Man, the Opera").await;
    let plain = search(&clients[1], "term=whatever").await;
    assert!(plain["degraded"].is_string() && plain["events"][0]["eventId"] == first.as_str(), "{plain}");

    let indexer = cluster.launch("search-indexer", &index, &[]);
    until_found(&clients[1], "term=spidrman", &first).await;
    let mut took = Vec::new();
    for (title, asked) in [("Low Water", "term=low+water"), ("Lanterns", "term=lantern"), ("High Water", "term=high")] {
        let event = add(title).await;
        took.push(until_found(&clients[1], asked, &event).await);
    }
    println!(
        "found after {took:?}; bounded by indexer.changes_every_ms, an append to Kafka and a refresh of the index"
    );

    indexer.kill();
    let meanwhile = add("Power Cut").await;
    let _indexer = cluster.launch("search-indexer", &index, &[]);
    until_found(&clients[1], "term=power", &meanwhile).await;
    for client in &clients {
        assert_eq!(search(client, "term=bjork").await["pagination"]["totalResults"], 5, "each once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_made_anew_while_searches_and_changes_go_on() {
    let cluster = Cluster::new();
    let key = operator_key(cluster.data(), "admin");
    let index = [index_of(&cluster)];
    let gateway = cluster.launch("gateway", &index, &[]);
    let _worker = cluster.worker();
    let _indexer = cluster.launch("search-indexer", &index, &[]);
    let client = Client::new(&gateway.public);
    let hall = client.operate(&key, Method::POST, "/v1/operator/venues", &venue(2, 5)).await.expect(201);
    let add = async |title: &str| {
        let event = json!({
            "title": title, "description": "One night only.", "venueId": hall["venueId"],
            "startsAt": from_now(30 * 86_400_000), "currency": "EUR", "prices": { "Floor": 4_500 },
        });
        let made = client.operate(&key, Method::POST, "/v1/operator/events", &event).await.expect(201);
        made["eventId"].as_str().unwrap().to_owned()
    };
    let known = add("Spider-Man, the Opera").await;
    let mut added = BTreeSet::from([known.clone()]);
    for number in 0..10 {
        added.insert(add(&format!("Low Water {number}")).await);
    }
    until_found(&client, "term=spidrman", &known).await;
    let before = indices(&cluster).await;
    assert_eq!(before.len(), 1);

    let stop = CancellationToken::new();
    let searching = tokio::spawn({
        let (client, stop, known) = (client.clone(), stop.clone(), known.clone());
        async move {
            let mut searches = 0;
            while !stop.is_cancelled() {
                let found = search(&client, "term=spidrman").await;
                assert!(found["degraded"].is_null(), "after {searches} searches: {found}");
                assert_eq!(found["events"][0]["eventId"], known.as_str(), "after {searches} searches: {found}");
                searches += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            searches
        }
    });
    let rebuilding = async {
        tokio::task::block_in_place(|| killed_rebuild(&cluster));
        let left = indices(&cluster).await;
        assert!(left.len() == 2 && left.contains(&before[0]), "{left:?}");
        rebuild(&cluster).await
    };
    tokio::pin!(rebuilding);
    let (output, refused) = loop {
        tokio::select! {
            done = &mut rebuilding => break done,
            () = tokio::time::sleep(Duration::from_millis(400)) => {
                added.insert(add(&format!("High Water {}", added.len())).await);
            }
        }
    };
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && refused > 0, "{said}");
    assert!(said.contains("\ncaught up\nswitched\n"), "{said}");
    print!("{said}{}", String::from_utf8(output.stdout).unwrap());
    let last = add("Closing Night").await;
    added.insert(last.clone());
    until_found(&client, "term=closing", &last).await;
    stop.cancel();
    println!("{} searches meanwhile, {} events in the end", searching.await.unwrap(), added.len());

    let after = indices(&cluster).await;
    assert!(after.len() == 1 && after != before, "{before:?}, {after:?}");
    let found = search(&client, "pageSize=100").await;
    let ids = found["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned());
    assert_eq!(ids.collect::<BTreeSet<_>>(), added);
    assert_eq!(found["pagination"]["totalResults"], added.len(), "each once");
}
