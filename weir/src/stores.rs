//! What stands behind each port, chosen by the scheme of its URL.

use std::{collections::HashMap, future::Future, path::Path, pin::Pin, sync::Arc};

use backends::{
    Secret,
    elasticsearch::{ElasticsearchSearch, ElasticsearchSettings},
    memory::{MemoryHolds, SoleWorker},
    postgres::PostgresDatabase,
    redis::RedisCluster,
    sqlite::SqliteLog,
};
use booking_core::ports::{
    PortError,
    accounts::RefreshFamilies,
    assignment::Assignment,
    catalog::Catalog,
    changes::CatalogChanges,
    clock::Clock,
    desk::Desk,
    holds::Holds,
    ledger::Ledger,
    log::Log,
    payments::{PaymentNotices, Payments, Sandbox},
    search::{Redraft, SearchIndex},
};

use crate::{
    config::{Config, ConfigError, StoreUrl},
    failure::Failure,
    system::SystemClock,
};

mod clock;
mod cluster;
mod embedded;
mod examine;
mod mail;
mod provider;
mod told;

use provider::Provider;

/// What a process does, and with that, which stores it may stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything, alone on its data folder.
    All,
    /// A gateway beside others.
    Gateway,
    /// A worker beside others.
    Worker,
    /// An indexer beside others.
    Indexer,
}

impl Role {
    fn is_alone(self) -> bool {
        self == Self::All
    }

    /// Whether it does what workers do.
    fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }

    /// Its command.
    fn name(self) -> &'static str {
        match self {
            Self::All => "weir",
            Self::Gateway => "weir gateway",
            Self::Worker => "weir queue-worker",
            Self::Indexer => "weir search-indexer",
        }
    }
}

/// Every port with something behind it.
pub(crate) struct Stores {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) assignment: Arc<dyn Assignment>,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) holds: Arc<dyn Holds>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) catalog: Arc<dyn Catalog>,
    /// What the catalog knows of its changes, where nothing else publishes them.
    pub(crate) changes: Option<Arc<dyn CatalogChanges>>,
    /// The index that events are searched in, if there is one.
    pub(crate) search: Option<Arc<dyn SearchIndex>>,
    pub(crate) refresh: Arc<dyn RefreshFamilies>,
    /// The payment provider; a gateway has none.
    pub(crate) payments: Option<Arc<dyn Payments>>,
    /// The same provider, if it is the sandbox.
    pub(crate) sandbox: Option<Arc<dyn Sandbox>>,
    /// What reads the provider's notices, if it sends any here.
    pub(crate) notices: Option<Arc<dyn PaymentNotices>>,
    /// Letters to buyers, if any are sent; a gateway sends none.
    pub(crate) mail: Option<queue_worker::Mail>,
    /// Endpoints that are told of bookings; a gateway tells nobody.
    pub(crate) endpoints: Vec<queue_worker::Endpoint>,
    /// The time that every process on these stores goes by.
    pub(crate) clock: Arc<dyn Clock>,
}

/// What is open and must be closed, the latest first.
#[derive(Default)]
pub(crate) struct Open(Vec<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Open {
    fn add(&mut self, close: impl Future<Output = ()> + Send + 'static) {
        self.0.push(Box::pin(close));
    }

    /// Writes what waits, and ends.
    pub(crate) async fn close(self) {
        for close in self.0.into_iter().rev() {
            close.await;
        }
    }
}

/// Opens what the configuration names; relative paths are inside `folder`.
///
/// # Errors
/// If a scheme is unknown or not for this role, or what stands behind one can't be opened.
pub(crate) async fn open(config: &Config, role: Role, folder: &Path) -> Result<(Stores, Open), Failure> {
    let mut opening = Opening::of(config, role, folder);
    match opening.all().await {
        Ok(stores) => Ok((stores, opening.open)),
        Err(failure) => {
            opening.open.close().await;
            Err(failure)
        }
    }
}

/// Opens what an indexer beside others needs.
///
/// # Errors
/// As for [`open`].
pub(crate) async fn open_for_indexing(config: &Config) -> Result<(search_indexer::Parts, Open), Failure> {
    let mut opening = Opening::of(config, Role::Indexer, Path::new(""));
    match opening.indexing().await {
        Ok(parts) => Ok((parts, opening.open)),
        Err(failure) => {
            opening.open.close().await;
            Err(failure)
        }
    }
}

/// The index that can be made anew while others search it.
///
/// # Errors
/// If it is one process's own, or is none.
pub(crate) fn redraft(config: &Config) -> Result<Arc<dyn Redraft>, Failure> {
    let url = &config.stores.search;
    if url.scheme() == TANTIVY {
        return Err(ConfigError::Together(format!(
            "stores.search: the index in '{}' is one process's own: stop weir, delete this folder (inside data.folder, if \
             it is relative) and start weir again, which makes it anew",
            url.rest()
        ))
        .into());
    }
    Opening::of(config, Role::Indexer, Path::new("")).known_scheme("search", url, &SEARCH)?;
    Ok(Arc::new(elasticsearch(url)?))
}

/// Brings every database of the configuration to what this version needs.
///
/// # Errors
/// If one can't be reached, or may not be changed.
pub(crate) async fn migrate(config: &Config) -> Result<(), Failure> {
    let mut opening = Opening::of(config, Role::All, Path::new(""));
    let outcome = opening.migrate().await;
    opening.open.close().await;
    outcome
}

/// Opens every store of the configuration that `role` needs and asks it something, whatever the others answer: what was
/// looked at, and what is wrong with it.
pub(crate) async fn examine(config: &Config, role: Role, folder: &Path) -> Vec<(String, Result<(), Failure>)> {
    let mut opening = Opening::of(config, role, folder);
    let examined = opening.examine().await;
    opening.open.close().await;
    examined
}

/// What is open so far. Ports that name the same server share what is open to it.
struct Opening<'a> {
    config: &'a Config,
    role: Role,
    folder: &'a Path,
    open: Open,
    sqlite_log: Option<SqliteLog>,
    databases: HashMap<String, PostgresDatabase>,
    clusters: HashMap<String, RedisCluster>,
}

impl<'a> Opening<'a> {
    fn of(config: &'a Config, role: Role, folder: &'a Path) -> Self {
        let (databases, clusters) = (HashMap::new(), HashMap::new());
        Self { config, role, folder, open: Open::default(), sqlite_log: None, databases, clusters }
    }
}

impl Opening<'_> {
    async fn all(&mut self) -> Result<Stores, Failure> {
        let (log, assignment) = self.log().await?;
        let Provider { payments, sandbox, notices } = self.payments().await?;
        let (catalog, changes) = self.catalog().await?;
        Ok(Stores {
            log,
            assignment,
            desk: self.desk().await?,
            holds: self.holds().await?,
            ledger: self.ledger().await?,
            catalog,
            changes,
            search: self.search().await?,
            refresh: self.accounts().await?,
            payments,
            sandbox,
            notices,
            mail: self.mail().await?,
            endpoints: if self.role.works() { self.config.told()? } else { Vec::new() },
            clock: self.clock().await?,
        })
    }

    async fn log(&mut self) -> Result<(Arc<dyn Log>, Arc<dyn Assignment>), Failure> {
        let url = &self.config.stores.log;
        if self.known("log", url, &["sqlite", "kafka"])? == "kafka" {
            let log: Arc<dyn Log> = Arc::new(self.kafka_log(url).await?);
            let assignment = self.kafka_assignment(url, &log).await?;
            return Ok((log, assignment));
        }
        let log: Arc<dyn Log> = Arc::new(self.sqlite_log(url).await?);
        Ok((Arc::clone(&log), Arc::new(SoleWorker::new(log))))
    }

    async fn desk(&mut self) -> Result<Arc<dyn Desk>, Failure> {
        let url = &self.config.stores.desk;
        Ok(match self.known("desk", url, &["sqlite", "redis"])? {
            "redis" => Arc::new(self.redis_desk(url).await?),
            _ => Arc::new(self.sqlite_desk(url).await?),
        })
    }

    async fn holds(&mut self) -> Result<Arc<dyn Holds>, Failure> {
        let url = &self.config.stores.holds;
        Ok(match self.known("holds", url, &["memory", "redis"])? {
            "redis" => Arc::new(self.redis_holds(url).await?),
            _ => Arc::new(MemoryHolds::default()),
        })
    }

    async fn ledger(&mut self) -> Result<Arc<dyn Ledger>, Failure> {
        let url = &self.config.stores.ledger;
        Ok(match self.known("ledger", url, &["sqlite", "postgres"])? {
            "postgres" => Arc::new(self.postgres_ledger(url).await?),
            _ => Arc::new(self.sqlite_ledger(url).await?),
        })
    }

    /// The catalog, and what it knows of its changes; a connector knows those of Cassandra.
    async fn catalog(&mut self) -> Result<(Arc<dyn Catalog>, Option<Arc<dyn CatalogChanges>>), Failure> {
        let url = &self.config.stores.catalog;
        match self.known_scheme("catalog", url, &["sqlite", "postgres", "cassandra", "scylla"])? {
            "sqlite" => {
                self.must_be_alone("catalog", url, "postgres")?;
                let catalog = Arc::new(self.sqlite_catalog(url).await?);
                Ok((Arc::clone(&catalog) as _, Some(catalog)))
            }
            "postgres" => {
                let catalog = Arc::new(self.postgres_catalog(url).await?);
                Ok((Arc::clone(&catalog) as _, Some(catalog)))
            }
            _ => Ok((Arc::new(self.scylla_catalog(url).await?), None)),
        }
    }

    /// The index. One in a folder is of a catalog of this process alone; where there are others there is none.
    async fn search(&mut self) -> Result<Option<Arc<dyn SearchIndex>>, Failure> {
        let url = &self.config.stores.search;
        if self.known_scheme("search", url, &SEARCH)? != TANTIVY {
            return Ok(Some(Arc::new(elasticsearch(url)?)));
        }
        if !self.role.is_alone() || self.config.stores.catalog.scheme() != "sqlite" {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.tantivy_search(url).await?)))
    }

    /// What an indexer needs, and nothing else.
    async fn indexing(&mut self) -> Result<search_indexer::Parts, Failure> {
        let url = &self.config.stores.search;
        let Some(index) = self.search().await? else {
            self.must_be_alone("search", url, ELASTICSEARCH)?;
            return Err(ConfigError::Together(format!("stores.search: '{url}' is no index of this catalog")).into());
        };
        let log: Arc<dyn Log> = match self.known("log", &self.config.stores.log, &["sqlite", "kafka"])? {
            "kafka" => Arc::new(self.kafka_log(&self.config.stores.log).await?),
            _ => Arc::new(self.sqlite_log(&self.config.stores.log).await?),
        };
        let (catalog, changes) = self.catalog().await?;
        let ledger = self.ledger().await?;
        let clock = self.clock().await?;
        Ok(search_indexer::Parts { log, catalog, changes, ledger, index, clock })
    }

    async fn accounts(&mut self) -> Result<Arc<dyn RefreshFamilies>, Failure> {
        let url = &self.config.stores.accounts;
        Ok(match self.known("accounts", url, &["sqlite", "postgres"])? {
            "postgres" => Arc::new(self.postgres_accounts(url).await?),
            _ => Arc::new(self.sqlite_accounts(url).await?),
        })
    }

    /// The ledger's time, where processes share it; else this machine's.
    async fn clock(&mut self) -> Result<Arc<dyn Clock>, Failure> {
        let url = &self.config.stores.ledger;
        Ok(match url.scheme() {
            "postgres" => self.database_clock("ledger", url).await?,
            _ => Arc::new(SystemClock),
        })
    }

    /// The scheme of `url`. `known`: one that is this process's own, and one that processes share.
    fn known(&self, key: &str, url: &StoreUrl, known: &[&'static str; 2]) -> Result<&'static str, ConfigError> {
        let scheme = self.known_scheme(key, url, known)?;
        if scheme == known[0] {
            self.must_be_alone(key, url, known[1])?;
        }
        Ok(scheme)
    }

    /// Refuses a scheme that `key` does not know.
    fn known_scheme(&self, key: &str, url: &StoreUrl, known: &[&'static str]) -> Result<&'static str, ConfigError> {
        known.iter().copied().find(|scheme| *scheme == url.scheme()).ok_or_else(|| {
            let known: Vec<String> = known.iter().map(|scheme| format!("'{scheme}:'")).collect();
            let problem =
                format!("stores.{key}: nothing is known behind '{}:'; known is {}", url.scheme(), known.join(" and "));
            ConfigError::Together(problem)
        })
    }

    /// Refuses what is one process's own where there are others.
    fn must_be_alone(&self, key: &str, url: &StoreUrl, shared: &str) -> Result<(), ConfigError> {
        if self.role.is_alone() {
            return Ok(());
        }
        Err(ConfigError::Together(format!(
            "stores.{key}: '{}:' is one process's own, and '{}' runs beside others; set '{shared}:…'",
            url.scheme(),
            self.role.name(),
        )))
    }
}

/// The schemes of an index: in a folder, and on Elasticsearch without and with TLS.
const TANTIVY: &str = "tantivy";
const ELASTICSEARCH: &str = "elasticsearch";
const ELASTICSEARCH_TLS: &str = "elasticsearch+tls";
const SEARCH: [&str; 3] = [TANTIVY, ELASTICSEARCH, ELASTICSEARCH_TLS];

fn elasticsearch(url: &StoreUrl) -> Result<ElasticsearchSearch, ConfigError> {
    let settings = ElasticsearchSettings::parse(url.rest(), url.scheme() == ELASTICSEARCH_TLS);
    let settings = settings.map_err(|error| ConfigError::Together(format!("stores.search: {error}")))?;
    Ok(ElasticsearchSearch::new(&settings))
}

/// The secret of the key `name`, or what the file of `name_file` holds.
fn secret(name: &str, value: &Secret, file: Option<&Path>) -> Result<Secret, ConfigError> {
    let problem = match file {
        None => return Ok(value.clone()),
        Some(_) if !value.is_empty() => format!("{name} and {name}_file are both set; keep one of them"),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => return Ok(Secret::new(&text)),
            Err(error) => format!("{name}_file: {} can't be read: {error}", path.display()),
        },
    };
    Err(ConfigError::Together(problem))
}

fn opened<T>(key: &str, result: Result<T, PortError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Store(format!("stores.{key}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_refused_with_the_known_ones() {
        let config = Config::default();
        let url = "nats://broker:4222".parse().unwrap();
        let refusal = Opening::of(&config, Role::All, Path::new(""))
            .known("log", &url, &["sqlite", "kafka"])
            .unwrap_err()
            .to_string();
        assert_eq!(refusal, "stores.log: nothing is known behind 'nats:'; known is 'sqlite:' and 'kafka:'");
    }

    #[test]
    fn a_role_beside_others_is_refused_a_store_of_its_own() {
        let config = Config::default();
        let log = "sqlite:log.db".parse().unwrap();
        assert_eq!(
            Opening::of(&config, Role::All, Path::new("")).known("log", &log, &["sqlite", "kafka"]).unwrap(),
            "sqlite"
        );
        let refusal = Opening::of(&config, Role::Worker, Path::new(""))
            .known("log", &log, &["sqlite", "kafka"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            refusal,
            "stores.log: 'sqlite:' is one process's own, and 'weir queue-worker' runs beside others; set 'kafka:…'"
        );
    }
}
