//! Searches and details with 200,000 events: through Weir against the servers behind it, asked directly, and embedded.

use std::{net::SocketAddr, os::unix::fs::DirBuilderExt as _, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use backends::{
    elasticsearch::{ElasticsearchSearch, ElasticsearchSettings},
    scylla::{Dialect, ScyllaCatalog, ScyllaSettings},
    tantivy::TantivySearch,
};
use booking_core::{
    catalog::{Event, Venue},
    ports::{
        catalog::{Catalog as _, CatalogReader as _, Put},
        search::{Search as _, SearchIndex},
    },
    search::{Change, Document, Query, What},
    time::Timestamp,
};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use scylla::client::session_builder::SessionBuilder;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Options,
    cluster::Spread,
    load::{Connection, request},
    process::Weir,
    servers::address,
    table::{Row, progress},
};

const EVENTS: usize = 200_000;
/// How many are indexed at once, and how many are added to the catalog at once.
const BATCH: usize = 2_000;
const AT_ONCE: usize = 128;
/// Who searches at once, how often each, and how often before it counts.
const SEARCHERS: usize = 2;
const SEARCHES: usize = 400;
const WARM_UP: usize = 100;
/// How many details are asked for a second, and how many in all.
const DETAILS_A_SECOND: f64 = 100.0;
const DETAILS: usize = 2_000;
/// How many are asked for before, and how long the server may take to put in order what was added to it.
const READY: usize = 10_000;
const MINUTES: u32 = 5;
/// What searches may cost more through Weir, and how long the others may take, in milliseconds.
const MOST: f64 = 1.2;
const EMBEDDED_MS: f64 = 20.0;
const DETAILS_MS: f64 = 5.0;

const FIRST: [&str; 24] = [
    "Silent",
    "Golden",
    "Midnight",
    "Electric",
    "Northern",
    "Velvet",
    "Crimson",
    "Wandering",
    "Broken",
    "Hidden",
    "Summer",
    "Winter",
    "Paper",
    "Iron",
    "Distant",
    "Last",
    "Wild",
    "Blue",
    "Burning",
    "Quiet",
    "Lonely",
    "Ancient",
    "Modern",
    "Little",
];
const SECOND: [&str; 24] = [
    "River",
    "Orchestra",
    "Circus",
    "Garden",
    "Lighthouse",
    "Quartet",
    "Opera",
    "Mountain",
    "Parade",
    "Machine",
    "Harbour",
    "Theatre",
    "Comet",
    "Forest",
    "Sparrow",
    "Mirror",
    "Festival",
    "Symphony",
    "Carnival",
    "Tiger",
    "Window",
    "Station",
    "Bridge",
    "Ocean",
];
const CITIES: [&str; 12] =
    ["Mumbai", "Köln", "Bristol", "Lyon", "Porto", "Gdańsk", "Oslo", "Turin", "Seville", "Ghent", "Graz", "Malmö"];

/// Measures all of it.
///
/// # Errors
/// If the servers are not there, or something is refused.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    // What asks the servers must know which; none of them is asked by TLS here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut rows = through_weir(options).await?;
    rows.push(embedded(options).await?);
    rows.extend(details(options).await?);
    Ok(rows)
}

fn venue() -> Result<Venue> {
    let seat = |number: usize| json!({ "seatId": format!("A-{number}"), "number": number.to_string(), "category": "Floor", "x": number, "y": 0 });
    Ok(serde_json::from_value(json!({
        "venueId": "venue_bench", "name": "The Mill", "address": "1 Weir Lane", "location": "Millbrook",
        "seatMap": {
            "categories": [{ "name": "Floor", "color": "#336699" }],
            "sections": [{ "name": "Hall", "rows": [{ "name": "A", "seats": (1..=200).map(seat).collect::<Vec<_>>() }] }],
        },
    }))?)
}

/// Event `number`, with words that many others have, and one that few have.
fn event(number: usize) -> Result<Event> {
    let starts_at = now().plus_seconds(u32::try_from(86_400 + 300 * (number % 40_000))?);
    Ok(serde_json::from_value(json!({
        "eventId": format!("evt_{number:06}"),
        "title": format!("{} {}", FIRST[number % 24], SECOND[number / 24 % 24]),
        "description": "One night only, with support.",
        "performers": [format!("{} {}", SECOND[number / 7 % 24], name(number))],
        "category": if number.is_multiple_of(3) { "Concert" } else { "Theatre" },
        "venueId": "venue_bench", "startsAt": starts_at, "currency": "EUR", "prices": { "Floor": 4_500 },
    }))?)
}

/// A word that some twenty events have.
fn name(number: usize) -> String {
    let syllables = ["ka", "lo", "mi", "ra", "ten", "sol", "ve", "dor", "an", "ku"];
    let mut left = number / 20;
    let mut name = String::from("X");
    for _ in 0..5 {
        name.push_str(syllables[left % 10]);
        left /= 10;
    }
    name
}

fn now() -> Timestamp {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX))
}

async fn fill(index: &impl SearchIndex) -> Result<()> {
    let venue = venue()?;
    for from in (0..EVENTS).step_by(BATCH) {
        let change = |number: usize| {
            let event = event(number)?;
            let mut document = Document::of(&event, &venue);
            CITIES[number / 5 % CITIES.len()].clone_into(&mut document.city);
            Ok(Change { event_id: event.event_id, version: 1, what: What::Is(Box::new(document)) })
        };
        let changes: Vec<Change> = (from..EVENTS.min(from + BATCH)).map(change).collect::<Result<_>>()?;
        index.apply(&changes).await?;
        if from % 50_000 == 0 {
            progress(format_args!("{from} of {EVENTS} events are indexed"));
        }
    }
    Ok(())
}

/// Search `number`: none is asked for twice, so that nobody has kept its answer.
fn asked(number: usize) -> Vec<(&'static str, String)> {
    let mut asked = match number % 5 {
        0 => vec![("term", name(number * 37 % EVENTS))],
        1 => vec![("term", format!("{} {}", FIRST[number % 24], SECOND[number / 5 % 24]))],
        // A typing mistake.
        2 => vec![("term", SECOND[number / 5 % 24].replacen('r', "", 1).to_lowercase())],
        3 => vec![
            ("term", FIRST[number / 5 % 24].to_owned()),
            ("location", CITIES[number % CITIES.len()].to_owned()),
            ("category", "Concert".to_owned()),
        ],
        _ => vec![("term", name(number * 53 % EVENTS).chars().take(4).collect())],
    };
    asked.push(("minPrice", (number + 1).to_string()));
    asked
}

fn over_http(asked: &[(&'static str, String)]) -> Vec<u8> {
    let encoded =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let pair = |(name, value): &(&str, String)| format!("{name}={}", value.bytes().map(encoded).collect::<String>());
    let pairs: Vec<String> = asked.iter().map(pair).collect();
    request("GET", &format!("/v1/events/search?{}", pairs.join("&")), &[], "")
}

fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}

/// One search over HTTP, which must be one of the index.
async fn search(connection: &mut Connection, number: usize) -> Result<f64> {
    let request = over_http(&asked(number));
    let begun = Instant::now();
    let answer = connection.exchange_whole(&request).await?;
    let took = since(begun);
    ensure!(
        answer.status == 200 && !answer.body.contains("\"degraded\":\""),
        "a search was answered with {}: {}",
        answer.status,
        answer.body
    );
    Ok(took)
}

async fn through_weir(options: &Options) -> Result<Vec<Row>> {
    let server = address("ELASTICSEARCH")?;
    let name = format!("bench-{}", hex::encode(rand::random::<[u8; 4]>()));
    let settings = ElasticsearchSettings::parse(&format!("//{server}/{name}"), false)?;
    let index = ElasticsearchSearch::new(&ElasticsearchSettings { timeout: Duration::from_secs(60), ..settings });
    index.id().await?;
    fill(&index).await?;
    let folder = tempfile::tempdir_in(&options.folder)?;
    let set = [format!("stores.search=elasticsearch://{server}/{name}")];
    let weir = Weir::start(&options.weir, None, &folder.path().join("data"), &set).await?;
    // Each asks the servers and Weir by turns, so that both have the same load beside them.
    let searcher = |searcher: usize| {
        let (index, public) = (&index, weir.public);
        async move {
            let mut connection = Connection::open(public).await?;
            let (mut direct, mut through) = (Vec::new(), Vec::new());
            for turn in 0..WARM_UP + SEARCHES {
                let number = 2 * (turn * SEARCHERS + searcher);
                let pairs = asked(number);
                let query = Query::read(pairs.iter().map(|(name, value)| (*name, value.as_str())), now())?;
                let begun = Instant::now();
                index.search(&query).await?;
                let took = since(begun);
                let through_weir = search(&mut connection, number).await?;
                if turn >= WARM_UP {
                    direct.push(took);
                    through.push(through_weir);
                }
            }
            anyhow::Ok((direct, through))
        }
    };
    let (direct, through): (Vec<_>, Vec<_>) = try_join_all((0..SEARCHERS).map(searcher)).await?.into_iter().unzip();
    let mean = |took: &[Vec<f64>]| took.concat().iter().sum::<f64>() / (SEARCHERS * SEARCHES) as f64;
    let ratio = mean(&through) / mean(&direct);
    let spread = |took: &[Vec<f64>]| Spread::of(took.concat()).context("no searches");
    let (of_direct, of_through) = (spread(&direct)?, spread(&through)?);
    weir.stop().await?;
    Ok(vec![
        Row::limited(
            format_args!(
                "a search among {EVENTS} events through Weir {:.1} ms, the same asked of Elasticsearch directly {:.1} ms, {SEARCHERS} at once",
                mean(&through),
                mean(&direct)
            ),
            format_args!("{ratio:.2}"),
            format_args!("at most {MOST}"),
            ratio <= MOST,
        ),
        Row::plain(
            "of these, 99 of 100 through Weir; directly",
            format_args!("{:.1} ms; {:.1} ms", of_through.late, of_direct.late),
        ),
    ])
}

async fn embedded(options: &Options) -> Result<Row> {
    let folder = tempfile::tempdir_in(&options.folder)?;
    let data = folder.path().join("data");
    std::fs::DirBuilder::new().mode(0o700).create(&data)?;
    let index = TantivySearch::open(&data.join("search")).await?;
    fill(&index).await?;
    index.close().await;
    let weir = Weir::start(&options.weir, None, &data, &[]).await?;
    let mut connection = Connection::open(weir.public).await?;
    let mut took = Vec::with_capacity(2 * SEARCHES);
    for number in 0..WARM_UP + 2 * SEARCHES {
        let one = search(&mut connection, number).await?;
        if number >= WARM_UP {
            took.push(one);
        }
    }
    weir.stop().await?;
    let spread = Spread::of(took).context("no searches")?;
    Ok(Row::limited(
        format_args!(
            "an embedded search among {EVENTS} events, one at a time: 99 of 100 (median {:.1} ms)",
            spread.median
        ),
        format_args!("{:.1} ms", spread.late),
        format_args!("below {EMBEDDED_MS:.0} ms"),
        spread.late < EMBEDDED_MS,
    ))
}

/// Measures details from Cassandra alone.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn details(options: &Options) -> Result<Vec<Row>> {
    let node = address("CASSANDRA")?;
    let keyspace = format!("bench_{}", hex::encode(rand::random::<[u8; 4]>()));
    let address = format!("//{node}/{keyspace}");
    let settings = ScyllaSettings::parse(&address, Dialect::Cassandra)?;
    let catalog = ScyllaCatalog::new(ScyllaSettings { replication: 1, timeout: Duration::from_secs(30), ..settings });
    catalog.put_venue(&venue()?).await?;
    progress(format_args!("adding {EVENTS} events to the catalog"));
    let add = async |number: usize| {
        ensure!(catalog.put_event(&event(number)?).await? == Put::Done, "an event was there before");
        if number.is_multiple_of(25_000) {
            progress(format_args!("{number} of {EVENTS} events are added"));
        }
        Ok(())
    };
    stream::iter(0..EVENTS).map(add).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    at_rest(&node).await?;
    let folder = tempfile::tempdir_in(&options.folder)?;
    let set = [format!("stores.catalog=cassandra:{address}"), "scylla.replication=1".to_owned()];
    let weir = Weir::start(&options.weir, None, &folder.path().join("data"), &set).await?;
    warm_up(weir.public).await?;
    let (through, direct) = paced(weir.public, &catalog).await?;
    weir.stop().await?;
    let spread = |took: Vec<f64>| Spread::of(took).context("no details");
    let (through, direct) = (spread(through)?, spread(direct)?);
    Ok(vec![
        Row::limited(
            format_args!(
                "details of one of {EVENTS} events on Cassandra, none asked for before, {DETAILS_A_SECOND}/s: 99 of 100 (median {:.1} ms)",
                through.median
            ),
            format_args!("{:.1} ms", through.late),
            format_args!("below {DETAILS_MS:.0} ms"),
            through.late < DETAILS_MS,
        ),
        Row::plain(
            format_args!("as many read of Cassandra directly meanwhile: 99 of 100 (median {:.1} ms)", direct.median),
            format_args!("{:.1} ms", direct.late),
        ),
    ])
}

/// Waits until the server has put in order what was added: no visitor comes with 200,000 new events behind them.
async fn at_rest(node: &str) -> Result<()> {
    progress(format_args!("waiting for the server to put them in order"));
    let session = SessionBuilder::new().known_node(node).build().await?;
    let mut idle = 0;
    for _ in 0..MINUTES * 60 {
        sleep(Duration::from_secs(1)).await;
        let tasks = session.query_unpaged("SELECT keyspace_name FROM system_views.sstable_tasks", ()).await?;
        idle = if tasks.into_rows_result()?.rows_num() == 0 { idle + 1 } else { 0 };
        // One task may follow another.
        if idle == 5 {
            return Ok(());
        }
    }
    bail!("the server is not done with it after {MINUTES} minutes")
}

/// Asks for details as quickly as they come, of events that are not asked for later: a server that runs for a while has
/// compiled what it does.
async fn warm_up(public: SocketAddr) -> Result<()> {
    let mut connection = Connection::open(public).await?;
    for number in 2 * (WARM_UP + DETAILS)..2 * (WARM_UP + DETAILS) + READY {
        let path = format!("/v1/events/evt_{:06}", number * 7_919 % EVENTS);
        let answer = connection.exchange_whole(&request("GET", &path, &[], "")).await?;
        ensure!(answer.status == 200, "details were answered with {}: {}", answer.status, answer.body);
    }
    Ok(())
}

/// How long details take that are asked for at a steady pace, whether those before are answered or not: through Weir, and of
/// the catalog's server directly. Half of them each way, by turns, and no event twice.
async fn paced(public: SocketAddr, catalog: &ScyllaCatalog) -> Result<(Vec<f64>, Vec<f64>)> {
    const CONNECTIONS: usize = 8;
    let start = Instant::now();
    let asker = |asker: usize| async move {
        let mut connection = Connection::open(public).await?;
        let (mut through, mut direct) = (Vec::new(), Vec::new());
        for number in (asker..2 * (WARM_UP + DETAILS)).step_by(CONNECTIONS) {
            let due = start + Duration::from_secs_f64(number as f64 / (2.0 * DETAILS_A_SECOND));
            sleep_until(due).await;
            let id = format!("evt_{:06}", number * 7_919 % EVENTS);
            let turns = if (number / CONNECTIONS).is_multiple_of(2) {
                let answer = connection.exchange_whole(&request("GET", &format!("/v1/events/{id}"), &[], "")).await?;
                ensure!(answer.status == 200, "details were answered with {}: {}", answer.status, answer.body);
                &mut through
            } else {
                ensure!(catalog.event(&id.parse()?).await?.is_some(), "{id} is not there");
                &mut direct
            };
            if number >= 2 * WARM_UP {
                turns.push(since(due));
            }
        }
        anyhow::Ok((through, direct))
    };
    let (through, direct): (Vec<_>, Vec<_>) = try_join_all((0..CONNECTIONS).map(asker)).await?.into_iter().unzip();
    Ok((through.concat(), direct.concat()))
}
