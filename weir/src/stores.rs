//! What stands behind each port, chosen by the scheme of its URL.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use backends::{
    memory::MemoryHolds,
    sqlite::{SqliteCatalog, SqliteDesk, SqliteLedger, SqliteLog, SqliteRefreshFamilies, SqliteSandbox},
};
use booking_core::ports::{
    PortError,
    accounts::RefreshFamilies,
    catalog::Catalog,
    desk::Desk,
    holds::Holds,
    ledger::Ledger,
    log::Log,
    payments::{Payments, SandboxPayments},
};

use crate::{
    config::{Config, ConfigError, StoreUrl},
    data::DataError,
    failure::Failure,
};

/// Every port with something behind it.
pub(crate) struct Stores {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) holds: Arc<dyn Holds>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) refresh: Arc<dyn RefreshFamilies>,
    pub(crate) payments: Arc<dyn Payments>,
    /// The same provider, if it is the sandbox.
    pub(crate) sandbox: Option<Arc<dyn SandboxPayments>>,
    /// What to close at the end.
    pub(crate) files: Files,
}

/// The databases that are open.
#[derive(Clone)]
pub(crate) struct Files {
    log: SqliteLog,
    desk: SqliteDesk,
    ledger: SqliteLedger,
    catalog: SqliteCatalog,
    accounts: SqliteRefreshFamilies,
    payments: SqliteSandbox,
}

impl Files {
    /// Writes what waits, and ends.
    pub(crate) async fn close(self) {
        tokio::join!(
            self.ledger.close(),
            self.catalog.close(),
            self.accounts.close(),
            self.payments.close(),
            self.desk.close(),
        );
        self.log.close().await;
    }
}

/// Opens what the configuration names; relative paths are inside `folder`.
///
/// # Errors
/// If a scheme is unknown, or what stands behind one can't be opened.
pub(crate) async fn open(config: &Config, folder: &Path) -> Result<Stores, Failure> {
    let urls = &config.stores;
    let file = |key, url, scheme| file(folder, key, url, scheme);
    known("holds", &urls.holds, "memory")?;
    let log_file = private(file("log", &urls.log, "sqlite")?)?;
    let desk_file = private(file("desk", &urls.desk, "sqlite")?)?;
    let ledger_file = private(file("ledger", &urls.ledger, "sqlite")?)?;
    let catalog_file = private(file("catalog", &urls.catalog, "sqlite")?)?;
    let accounts_file = private(file("accounts", &urls.accounts, "sqlite")?)?;
    let payments_file = private(file("payments", &urls.payments, "sandbox")?)?;
    let log = opened("log", SqliteLog::open(&log_file, config.log_settings()).await)?;
    let files = Files {
        desk: opened("desk", SqliteDesk::open(&desk_file, log.clone()).await)?,
        log,
        ledger: opened("ledger", SqliteLedger::open(&ledger_file).await)?,
        catalog: opened("catalog", SqliteCatalog::open(&catalog_file).await)?,
        accounts: opened("accounts", SqliteRefreshFamilies::open(&accounts_file).await)?,
        payments: opened("payments", SqliteSandbox::open(&payments_file).await)?,
    };
    Ok(Stores {
        log: Arc::new(files.log.clone()),
        desk: Arc::new(files.desk.clone()),
        holds: Arc::new(MemoryHolds::default()),
        ledger: Arc::new(files.ledger.clone()),
        catalog: Arc::new(files.catalog.clone()),
        refresh: Arc::new(files.accounts.clone()),
        payments: Arc::new(files.payments.clone()),
        sandbox: Some(Arc::new(files.payments.clone())),
        files,
    })
}

/// Refuses a scheme that `key` does not know.
fn known(key: &str, url: &StoreUrl, scheme: &str) -> Result<(), ConfigError> {
    if url.scheme() == scheme {
        return Ok(());
    }
    let problem = format!("stores.{key}: nothing is known behind '{}:'; known is '{scheme}:'", url.scheme());
    Err(ConfigError::Together(problem))
}

/// The file that `url` names.
fn file(folder: &Path, key: &str, url: &StoreUrl, scheme: &str) -> Result<PathBuf, ConfigError> {
    known(key, url, scheme)?;
    let path = url.rest().strip_prefix("//").unwrap_or(url.rest());
    if path.is_empty() {
        return Err(ConfigError::Together(format!("stores.{key}: write the file's name behind '{scheme}:'")));
    }
    Ok(folder.join(path))
}

/// Makes the database's file where it is missing, its owner's alone; SQLite's files beside it are made likewise.
fn private(path: PathBuf) -> Result<PathBuf, Failure> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    match made {
        Ok(_) => Ok(path),
        Err(source) => Err(DataError::Unwritable { path, source }.into()),
    }
}

fn opened<T>(key: &str, result: Result<T, PortError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Store(format!("stores.{key}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_file_is_inside_the_data_folder_and_an_absolute_one_is_where_it_says() {
        let file = |url: &str| file(Path::new("/data"), "log", &url.parse().unwrap(), "sqlite").ok();
        assert_eq!(file("sqlite:log.db"), Some("/data/log.db".into()));
        assert_eq!(file("sqlite:/fast/log.db"), Some("/fast/log.db".into()));
        assert_eq!(file("sqlite:///fast/log.db"), Some("/fast/log.db".into()));
        assert_eq!(file("sqlite:"), None);
    }

    #[test]
    fn an_unknown_scheme_is_refused_with_the_known_one() {
        let refusal = known("log", &"kafka://broker:9092".parse().unwrap(), "sqlite").unwrap_err().to_string();
        assert_eq!(refusal, "stores.log: nothing is known behind 'kafka:'; known is 'sqlite:'");
    }
}
