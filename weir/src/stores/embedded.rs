//! The stores of one process: SQLite files, private to their owner.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use backends::{
    sqlite::{
        SqliteCatalog, SqliteDesk, SqliteLedger, SqliteLog, SqliteMailroom, SqliteRefreshFamilies, SqliteSandbox,
    },
    tantivy::TantivySearch,
};

use super::{Opening, opened};
use crate::{
    config::{ConfigError, StoreUrl},
    data::DataError,
    failure::Failure,
};

impl Opening<'_> {
    pub(super) async fn sqlite_log(&mut self, url: &StoreUrl) -> Result<SqliteLog, Failure> {
        let path = self.private_file("log", url)?;
        let log = opened("log", SqliteLog::open(&path, self.config.log_settings()).await)?;
        let closing = log.clone();
        self.open.add(async move { closing.close().await });
        self.sqlite_log = Some(log.clone());
        Ok(log)
    }

    /// What the desk decides is written through the log's commits, so it needs that log.
    pub(super) async fn sqlite_desk(&mut self, url: &StoreUrl) -> Result<SqliteDesk, Failure> {
        let Some(log) = self.sqlite_log.clone() else {
            let problem = "stores.desk: 'sqlite:' needs a log that is 'sqlite:', too; set 'redis://…', or that log";
            return Err(ConfigError::Together(problem.to_owned()).into());
        };
        let path = self.private_file("desk", url)?;
        let desk = opened("desk", SqliteDesk::open(&path, log).await)?;
        let closing = desk.clone();
        self.open.add(async move { closing.close().await });
        Ok(desk)
    }

    pub(super) async fn sqlite_ledger(&mut self, url: &StoreUrl) -> Result<SqliteLedger, Failure> {
        let path = self.private_file("ledger", url)?;
        let ledger = opened("ledger", SqliteLedger::open(&path).await)?;
        let closing = ledger.clone();
        self.open.add(async move { closing.close().await });
        Ok(ledger)
    }

    pub(super) async fn sqlite_catalog(&mut self, url: &StoreUrl) -> Result<SqliteCatalog, Failure> {
        let path = self.private_file("catalog", url)?;
        let catalog = opened("catalog", SqliteCatalog::open(&path).await)?;
        let closing = catalog.clone();
        self.open.add(async move { closing.close().await });
        Ok(catalog)
    }

    pub(super) async fn sqlite_accounts(&mut self, url: &StoreUrl) -> Result<SqliteRefreshFamilies, Failure> {
        let path = self.private_file("accounts", url)?;
        let accounts = opened("accounts", SqliteRefreshFamilies::open(&path).await)?;
        let closing = accounts.clone();
        self.open.add(async move { closing.close().await });
        Ok(accounts)
    }

    pub(super) async fn sqlite_sandbox(&mut self, url: &StoreUrl) -> Result<SqliteSandbox, Failure> {
        let path = self.private_file("payments", url)?;
        let sandbox = opened("payments", SqliteSandbox::open(&path).await)?;
        let closing = sandbox.clone();
        self.open.add(async move { closing.close().await });
        Ok(sandbox)
    }

    pub(super) async fn sqlite_mailroom(&mut self, url: &StoreUrl) -> Result<SqliteMailroom, Failure> {
        let path = self.private_file("mail", url)?;
        let mailroom = opened("mail", SqliteMailroom::open(&path).await)?;
        let closing = mailroom.clone();
        self.open.add(async move { closing.close().await });
        Ok(mailroom)
    }

    pub(super) async fn tantivy_search(&mut self, url: &StoreUrl) -> Result<TantivySearch, Failure> {
        let folder = file(self.folder, "search", url)?;
        let search = opened("search", TantivySearch::open(&folder).await)?;
        let closing = search.clone();
        self.open.add(async move { closing.close().await });
        Ok(search)
    }

    fn private_file(&self, key: &str, url: &StoreUrl) -> Result<PathBuf, Failure> {
        private(file(self.folder, key, url)?)
    }
}

/// The file that `url` names.
fn file(folder: &Path, key: &str, url: &StoreUrl) -> Result<PathBuf, ConfigError> {
    let path = url.rest().strip_prefix("//").unwrap_or(url.rest());
    if path.is_empty() {
        let problem = format!("stores.{key}: write the file's name behind '{}:'", url.scheme());
        return Err(ConfigError::Together(problem));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_file_is_inside_the_data_folder_and_an_absolute_one_is_where_it_says() {
        let file = |url: &str| file(Path::new("/data"), "log", &url.parse().unwrap()).ok();
        assert_eq!(file("sqlite:log.db"), Some("/data/log.db".into()));
        assert_eq!(file("sqlite:/fast/log.db"), Some("/fast/log.db".into()));
        assert_eq!(file("sqlite:///fast/log.db"), Some("/fast/log.db".into()));
        assert_eq!(file("sqlite:"), None);
    }
}
