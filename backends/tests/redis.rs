//! The contract suites on Redis Cluster, and what only a cluster can have happen to it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use backends::{
    memory::MemoryLog,
    redis::{RedisCluster, RedisDesk, RedisHolds, RedisSettings},
};

#[path = "redis/differential.rs"]
mod differential;
#[path = "redis/faults.rs"]
mod faults;
#[path = "redis/lost.rs"]
mod lost;
#[path = "redis/moving.rs"]
mod moving;

/// The servers, and a key prefix that nobody else uses.
fn settings() -> RedisSettings {
    let nodes = std::env::var("WEIR_TEST_REDIS")
        .expect("start the servers: `scripts/servers up`, then `eval \"$(scripts/servers env)\"`");
    let key_prefix = format!("weir-test:{}:", hex::encode(rand::random::<[u8; 8]>()));
    RedisSettings { key_prefix, ..RedisSettings::new(nodes.split(',').map(str::to_owned).collect()) }
}

async fn connect(settings: &RedisSettings) -> RedisCluster {
    RedisCluster::connect(settings).await.expect("a cluster")
}

fn desk() -> impl AsyncFn() -> (RedisDesk, MemoryLog) {
    let (settings, log) = (settings(), MemoryLog::default());
    async move || (RedisDesk::new(connect(&settings).await), log.clone())
}

fn holds() -> impl AsyncFn() -> RedisHolds {
    let settings = settings();
    async move || RedisHolds::new(connect(&settings).await)
}

/// A client of one's own, for what the desk and the table would never do.
async fn intruder(settings: &RedisSettings) -> redis::cluster_async::ClusterConnection {
    let client = redis::cluster::ClusterClient::new(settings.nodes.clone()).expect("a client");
    client.get_async_connection().await.expect("a connection")
}

mod desk_contract {
    booking_core::desk_contract!(
        #[tokio::test]
        super::desk()
    );
}

mod holds_contract {
    booking_core::holds_contract!(
        #[tokio::test]
        super::holds()
    );
}
