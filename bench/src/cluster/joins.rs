//! Joins against a bare server and the raw producer, which waits for all replicas as Weir's does.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use bytes::Bytes;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};

use super::{Installation, LANES, Servers};
use crate::{
    Options,
    joins::{RawLog, compare},
    stage::Sale,
    table::Row,
};

/// About how many joins a second are to be expected.
const JOINS_A_SECOND: usize = 6_000;

/// Measures joins at one gateway, without a worker: nobody waits for one to join.
///
/// # Errors
/// If a join is refused or the producer fails.
pub(super) async fn measure(options: &Options, servers: &Servers) -> Result<Vec<Row>> {
    let installation = Installation::new(options, servers).await?;
    let (gateway, worker) = (installation.gateway().await?, installation.worker().await?);
    let sale = Sale { opens_in_ms: 3_600_000, ..Sale::default() };
    let event = installation.stage.sale(gateway.public, &sale).await?;
    let raw = Raw::make(servers, &installation.name).await?;
    let rows = compare(options, gateway.public, &event, raw, JOINS_A_SECOND).await;
    drop(worker);
    rows
}

/// The client library by itself, with a topic like a line's.
#[derive(Clone)]
pub(super) struct Raw {
    producer: FutureProducer,
    topic: Arc<str>,
}

impl Raw {
    pub(super) async fn make(servers: &Servers, name: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &servers.kafka);
        let topic: Arc<str> = format!("{name}.raw").into();
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let new = NewTopic::new(&topic, LANES.into(), TopicReplication::Fixed(3)).set("min.insync.replicas", "2");
        for made in admin.create_topics([&new], &AdminOptions::new()).await? {
            ensure!(made.is_ok(), "no topic: {made:?}");
        }
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "1")
            .set("socket.nagle.disable", "true");
        Ok(Self { producer: config.create()?, topic })
    }
}

impl RawLog for Raw {
    async fn append(&self, n: u64, payload: Bytes) -> Result<()> {
        let lane = i32::try_from(n % u64::from(LANES)).expect("a remainder of a u16 fits an i32");
        let record = FutureRecord::<(), [u8]>::to(&self.topic).partition(lane).payload(&payload);
        let sent = self.producer.send(record, Timeout::After(Duration::from_secs(10))).await;
        sent.map_err(|(error, _)| error)?;
        Ok(())
    }
}
