//! The stores that processes share: Kafka, Redis Cluster, Postgres, Cassandra.

use std::{sync::Arc, time::Duration};

use backends::{
    kafka::{KafkaAssignment, KafkaLog, KafkaSettings},
    memory::SoleWorker,
    postgres::{
        PostgresCatalog, PostgresDatabase, PostgresLedger, PostgresMailroom, PostgresRefreshFamilies, PostgresSandbox,
        PostgresSettings,
    },
    redis::{RedisCluster, RedisDesk, RedisHolds, RedisSettings},
    scylla::{Dialect, ScyllaCatalog, ScyllaSettings},
};
use booking_core::ports::{
    assignment::Assignment,
    log::{Log, Topic},
};

use super::{Opening, clock::DatabaseClock, opened};
use crate::{
    config::{Config, ConfigError, StoreUrl},
    failure::Failure,
    system::SystemClock,
};

/// The topics whose lanes workers share among them.
const SHARED: [Topic; 3] = [Topic::Commands, Topic::Bookings, Topic::Sales];

impl Opening<'_> {
    pub(super) async fn kafka_log(&mut self, url: &StoreUrl) -> Result<KafkaLog, Failure> {
        let log = opened("log", KafkaLog::open(self.config.kafka_settings(url)?).await)?;
        let closing = log.clone();
        self.open.add(async move { closing.close().await });
        Ok(log)
    }

    /// Only workers are entered among the workers; a gateway serves no lane, and asks for none.
    pub(super) async fn kafka_assignment(
        &mut self,
        url: &StoreUrl,
        log: &Arc<dyn Log>,
    ) -> Result<Arc<dyn Assignment>, Failure> {
        if !self.role.works() {
            return Ok(Arc::new(SoleWorker::new(Arc::clone(log))));
        }
        // Their lanes must be there before they can be shared.
        for topic in &SHARED {
            opened("log", log.lanes(topic).await)?;
        }
        let member = Some(self.config.kafka.member.clone()).filter(|member| !member.is_empty());
        let settings = self.config.kafka_settings(url)?;
        Ok(Arc::new(opened("log", KafkaAssignment::join(settings, member, &SHARED).await)?))
    }

    pub(super) async fn redis_desk(&mut self, url: &StoreUrl) -> Result<RedisDesk, Failure> {
        Ok(RedisDesk::new(self.cluster("desk", url).await?))
    }

    pub(super) async fn redis_holds(&mut self, url: &StoreUrl) -> Result<RedisHolds, Failure> {
        Ok(RedisHolds::new(self.cluster("holds", url).await?))
    }

    pub(super) async fn postgres_ledger(&mut self, url: &StoreUrl) -> Result<PostgresLedger, Failure> {
        Ok(PostgresLedger::new(self.database("ledger", url).await?))
    }

    pub(super) async fn postgres_catalog(&mut self, url: &StoreUrl) -> Result<PostgresCatalog, Failure> {
        Ok(PostgresCatalog::new(self.database("catalog", url).await?))
    }

    /// Nothing waits for its nodes: what can't be browsed meanwhile is sold all the same once the event was read.
    pub(super) async fn scylla_catalog(&self, url: &StoreUrl) -> Result<ScyllaCatalog, Failure> {
        let catalog = ScyllaCatalog::new(self.config.scylla_settings(url)?);
        if let Err(error) = catalog.prepare().await {
            tracing::warn!(%error, "the catalog is not to be had yet");
        }
        Ok(catalog)
    }

    pub(super) async fn postgres_accounts(&mut self, url: &StoreUrl) -> Result<PostgresRefreshFamilies, Failure> {
        Ok(PostgresRefreshFamilies::new(self.database("accounts", url).await?))
    }

    pub(super) async fn postgres_sandbox(&mut self, url: &StoreUrl) -> Result<PostgresSandbox, Failure> {
        Ok(PostgresSandbox::new(self.database("payments", url).await?))
    }

    pub(super) async fn postgres_mailroom(&mut self, url: &StoreUrl) -> Result<PostgresMailroom, Failure> {
        Ok(PostgresMailroom::new(self.database("mail", url).await?))
    }

    /// The time of the database of `url`, looked at until the end.
    pub(super) async fn database_clock(&mut self, key: &str, url: &StoreUrl) -> Result<Arc<DatabaseClock>, Failure> {
        let database = self.database(key, url).await?;
        let clock = opened(key, DatabaseClock::of(&database, &SystemClock).await)?;
        let following = clock.follow(database);
        self.open.add(async move { following.abort() });
        Ok(clock)
    }

    /// The cluster of `url`.
    pub(super) async fn cluster(&mut self, key: &str, url: &StoreUrl) -> Result<RedisCluster, Failure> {
        if let Some(cluster) = self.clusters.get(url.rest()) {
            return Ok(cluster.clone());
        }
        let cluster = opened(key, RedisCluster::connect(&self.config.redis_settings(key, url)?).await)?;
        self.clusters.insert(url.rest().to_owned(), cluster.clone());
        Ok(cluster)
    }

    /// The database of `url`, with a schema that this version knows.
    pub(super) async fn database(&mut self, key: &str, url: &StoreUrl) -> Result<PostgresDatabase, Failure> {
        if let Some(database) = self.databases.get(url.rest()) {
            return Ok(database.clone());
        }
        let database = opened(key, PostgresDatabase::open(self.config.postgres_settings(url)).await)?;
        let closing = database.clone();
        self.open.add(async move { closing.close().await });
        if self.config.postgres.migrate {
            opened(key, database.migrate().await)?;
        }
        self.databases.insert(url.rest().to_owned(), database.clone());
        Ok(database)
    }
}

impl Config {
    /// The log on the brokers of `url`.
    pub(crate) fn kafka_settings(&self, url: &StoreUrl) -> Result<KafkaSettings, ConfigError> {
        let (set, brokers) = (&self.kafka, servers("log", url)?);
        Ok(KafkaSettings {
            brokers: brokers.join(","),
            topic_prefix: set.topic_prefix.clone(),
            catalog_topic: set.catalog_topic.clone(),
            replication: set.replication,
            min_insync: set.min_insync,
            line_lanes: self.stores.line_lanes,
            keyed_lanes: set.lanes,
            reply_lanes: set.lanes,
            max_waiting: u32::try_from(self.stores.max_waiting_appends).unwrap_or(u32::MAX),
            append_timeout_ms: set.append_timeout_ms,
            ..KafkaSettings::default()
        })
    }

    /// The Redis cluster of `url`, whose login is the same for each node.
    pub(crate) fn redis_settings(&self, key: &str, url: &StoreUrl) -> Result<RedisSettings, ConfigError> {
        let (set, nodes) = (&self.redis, servers(key, url)?);
        Ok(RedisSettings {
            key_prefix: set.key_prefix.clone(),
            connections: set.connections.into(),
            wait_for_replicas: set.wait_for_replicas.into(),
            ..RedisSettings::new(nodes.iter().map(|node| format!("redis://{node}")).collect())
        })
    }

    /// The keyspace of `url`.
    pub(super) fn scylla_settings(&self, url: &StoreUrl) -> Result<ScyllaSettings, ConfigError> {
        let dialect = if url.scheme() == "scylla" { Dialect::Scylla } else { Dialect::Cassandra };
        let read = ScyllaSettings::parse(url.rest(), dialect);
        let read = read.map_err(|error| ConfigError::Together(format!("stores.catalog: {error}")))?;
        Ok(ScyllaSettings {
            replication: u8::try_from(self.scylla.replication).unwrap_or(u8::MAX),
            migrate: self.scylla.migrate,
            timeout: Duration::from_millis(self.scylla.timeout_ms),
            ..read
        })
    }

    /// The database of `url`.
    pub(crate) fn postgres_settings(&self, url: &StoreUrl) -> PostgresSettings {
        let set = &self.postgres;
        PostgresSettings {
            url: format!("{}:{}", url.scheme(), url.rest()),
            schema: set.schema.clone(),
            connections: set.connections.into(),
            statement_timeout: Duration::from_millis(set.statement_timeout_ms),
            ..PostgresSettings::default()
        }
    }
}

/// The servers behind `//`, between commas; what stands before an `@` in the first is put before each that has none.
fn servers(key: &str, url: &StoreUrl) -> Result<Vec<String>, ConfigError> {
    let list = url.rest().strip_prefix("//").unwrap_or_default().trim_end_matches('/');
    let (login, hosts) = list.rsplit_once('@').map_or(("", list), |(login, hosts)| (login, hosts));
    if hosts.is_empty() || hosts.split(',').any(|host| host.trim().is_empty() || !host.contains(':')) {
        let scheme = url.scheme();
        let problem = format!("stores.{key}: write the servers as '{scheme}://host:port,host:port'");
        return Err(ConfigError::Together(problem));
    }
    let with_login = |host: &str| if login.is_empty() { host.to_owned() } else { format!("{login}@{host}") };
    Ok(hosts.split(',').map(|host| with_login(host.trim())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_listed_once_with_one_login() {
        let servers = |url: &str| servers("log", &url.parse().unwrap()).map_err(|error| error.to_string());
        assert_eq!(servers("kafka://a:1,b:2"), Ok(vec!["a:1".to_owned(), "b:2".to_owned()]));
        assert_eq!(servers("redis://me:secret@a:1,b:2/").unwrap(), ["me:secret@a:1", "me:secret@b:2"]);
        for wrong in ["kafka:", "kafka://", "kafka://a", "kafka://a:1,,b:2"] {
            assert_eq!(servers(wrong).unwrap_err(), "stores.log: write the servers as 'kafka://host:port,host:port'");
        }
    }
}
