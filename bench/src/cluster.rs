//! Weir on Kafka, Redis Cluster and Postgres, each figure against what those servers allow by themselves on the same
//! cores.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use backends::{
    kafka::{KafkaLog, KafkaSettings},
    postgres::{PostgresDatabase, PostgresSettings},
};
use booking_core::id::EventId;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    Options,
    client::Client,
    process::{Role, Weir},
    servers::address,
    stage::{Sale, Stage},
    table::Row,
};

mod backlog;
mod confirmations;
mod contested;
mod gateways;
mod joins;
mod ledger;
mod paced;
mod replies;
mod round_trip;

pub(crate) use round_trip::Spread;

/// The lanes that workers share, and those of a line.
const LANES: u16 = 3;
/// How long a sale may take to open: a bound against hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// Measures everything, one after the other.
///
/// # Errors
/// If the servers are not there, or something is refused.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Row>> {
    let servers = Servers::of_environment()?;
    let mut rows = joins::measure(options, &servers).await?;
    rows.extend(backlog::measure(options, &servers).await?);
    rows.extend(round_trip::measure(options, &servers).await?);
    rows.extend(gateways::measure(options, &servers).await?);
    Ok(rows)
}

/// Measures holds and confirmations.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn bookings(options: &Options) -> Result<Vec<Row>> {
    backlog::measure(options, &Servers::of_environment()?).await
}

/// Measures what the ledger does by itself.
///
/// # Errors
/// If Postgres is not there, or something is refused.
pub(crate) async fn ledger() -> Result<Vec<Row>> {
    let (url, schema) = (address("POSTGRES")?, name());
    let settings = PostgresSettings { url: url.clone(), schema: schema.clone(), ..PostgresSettings::default() };
    let database = PostgresDatabase::open(settings).await?;
    database.migrate().await?;
    Ok(ledger::measure(database, &url, &schema).await?.rows())
}

/// Where the real servers are, as `scripts/servers env` says.
struct Servers {
    kafka: String,
    /// `host:port`, each.
    redis: Vec<String>,
    postgres: String,
}

impl Servers {
    fn of_environment() -> Result<Self> {
        let redis = address("REDIS")?.replace("redis://", "");
        Ok(Self {
            kafka: address("KAFKA")?,
            redis: redis.split(',').map(str::to_owned).collect(),
            postgres: address("POSTGRES")?,
        })
    }
}

/// A name that nothing on the servers has yet.
fn name() -> String {
    format!("bench{}", hex::encode(rand::random::<[u8; 6]>()))
}

/// An installation of its own on the servers.
struct Installation {
    stage: Stage,
    name: String,
    kafka: KafkaSettings,
    postgres: PostgresSettings,
}

impl Installation {
    async fn new(options: &Options, servers: &Servers) -> Result<Self> {
        let name = name();
        let (redis, url) = (servers.redis.join(","), &servers.postgres);
        let settings = BTreeMap::from([
            ("stores.log", format!("kafka://{}", servers.kafka)),
            ("stores.desk", format!("redis://{redis}")),
            ("stores.holds", format!("redis://{redis}")),
            ("stores.ledger", url.clone()),
            ("stores.catalog", url.clone()),
            ("stores.accounts", url.clone()),
            ("stores.payments", format!("sandbox:{url}")),
            ("stores.line_lanes", LANES.to_string()),
            ("kafka.topic_prefix", format!("{name}.")),
            ("kafka.lanes", LANES.to_string()),
            ("redis.key_prefix", format!("{name}:")),
            ("postgres.schema", name.clone()),
        ]);
        let settings = settings.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        let kafka = KafkaSettings {
            brokers: servers.kafka.clone(),
            topic_prefix: format!("{name}."),
            line_lanes: LANES,
            keyed_lanes: LANES,
            reply_lanes: LANES,
            ..KafkaSettings::default()
        };
        let postgres = PostgresSettings { url: url.clone(), schema: name.clone(), ..PostgresSettings::default() };
        Ok(Self { stage: Stage::with(options, settings).await?, name, kafka, postgres })
    }

    async fn gateway(&self) -> Result<Weir> {
        self.stage.start_role(Role::Gateway).await
    }

    async fn worker(&self) -> Result<Weir> {
        self.stage.start_role(Role::Worker).await
    }

    async fn log(&self) -> Result<KafkaLog> {
        Ok(KafkaLog::open(self.kafka.clone()).await?)
    }

    async fn database(&self) -> Result<PostgresDatabase> {
        Ok(PostgresDatabase::open(self.postgres.clone()).await?)
    }

    /// A sale that is open already.
    async fn open_sale(&self, gateway: &Weir, sale: &Sale) -> Result<EventId> {
        let event = self.stage.sale(gateway.public, sale).await?;
        let mut client = Client::open(gateway.public).await?;
        let opened = async {
            loop {
                let line = client.ask("GET", &format!("/v1/events/{event}/line"), &[], &Value::Null).await?;
                if line["phase"] == "open" {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, opened).await.context("the sale does not open")??;
        Ok(event)
    }
}

/// So many in the time since `begun`, a second.
fn rate_since(begun: Instant, count: usize) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}

/// A figure that must be at least `least` times another.
fn share(what: std::fmt::Arguments<'_>, ours: f64, other: f64, least: f64) -> Row {
    let ratio = ours / other;
    Row::limited(what, format_args!("{ratio:.2}"), format_args!("at least {least}"), ratio >= least)
}
