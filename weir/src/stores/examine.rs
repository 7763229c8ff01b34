//! Looking at every store, for `weir doctor` and `weir migrate`.

use backends::scylla::{ScyllaCatalog, ScyllaSettings};
use booking_core::{id::EventId, ports::log::Topic, time::Timestamp};

use super::{Opening, Role, clock::TELL_FROM_MS, opened};
use crate::{config::StoreUrl, failure::Failure, system::SystemClock};

/// An event that nobody has: asking for it shows whether a store answers.
const NOBODYS: &str = "evt_doctor";

impl Opening<'_> {
    /// Brings every database to what this version needs.
    pub(super) async fn migrate(&mut self) -> Result<(), Failure> {
        let stores = &self.config.stores;
        let urls = [
            ("ledger", &stores.ledger),
            ("catalog", &stores.catalog),
            ("accounts", &stores.accounts),
            ("mail", &stores.mail),
        ];
        let payments = stores.payments.rest().parse::<StoreUrl>().ok();
        let payments = payments.iter().map(|url| ("payments", url));
        for (key, url) in urls.into_iter().chain(payments).filter(|(_, url)| url.scheme() == "postgres") {
            opened(key, self.database(key, url).await?.migrate().await)?;
        }
        if ["cassandra", "scylla"].contains(&stores.catalog.scheme()) {
            let settings = ScyllaSettings { migrate: true, ..self.config.scylla_settings(&stores.catalog)? };
            opened("catalog", ScyllaCatalog::new(settings).prepare().await)?;
        }
        Ok(())
    }

    /// Opens each store that the role needs and asks it something.
    pub(super) async fn examine(&mut self) -> Vec<(String, Result<(), Failure>)> {
        let event: EventId = NOBODYS.parse().expect("an id");
        let epoch = Timestamp::from_millis(0);
        let stores = &self.config.stores;
        let mut examined = Vec::new();
        let mut note = |key: &str, url: &StoreUrl, found| examined.push((format!("stores.{key} {url}"), found));
        note("log", &stores.log, self.examine_log().await);
        let desk = async {
            let desk = self.desk().await?;
            opened("desk", desk.counts(&event, 0, epoch).await)?;
            self.examine_redis("desk", &stores.desk).await
        };
        note("desk", &stores.desk, desk.await);
        let holds = async {
            let holds = self.holds().await?;
            opened("holds", holds.is_ready(&event).await)?;
            self.examine_redis("holds", &stores.holds).await
        };
        note("holds", &stores.holds, holds.await);
        let ledger = async {
            let ledger = self.ledger().await?;
            opened("ledger", ledger.totals(&event, epoch).await).map(drop)
        };
        note("ledger", &stores.ledger, ledger.await);
        let catalog = async {
            let (catalog, _) = self.catalog().await?;
            opened("catalog", catalog.event(&event).await).map(drop)
        };
        note("catalog", &stores.catalog, catalog.await);
        match self.search().await {
            Ok(Some(search)) => note("search", &stores.search, opened("search", search.id().await).map(drop)),
            // A process beside others has no index in a folder: there is nothing to look at.
            Ok(None) => {}
            Err(failure) => note("search", &stores.search, Err(failure)),
        }
        note("accounts", &stores.accounts, self.accounts().await.map(drop));
        note("payments", &stores.payments, self.examine_payments().await);
        // A gateway writes to nobody and tells nobody.
        let is_gateway = self.role == Role::Gateway;
        if let Some(server) = self.config.mail.server.as_ref().filter(|_| !is_gateway) {
            let mailroom = async {
                let mailroom = self.mailroom().await?;
                opened("mail", mailroom.letters().await).map(drop)
            };
            note("mail", &stores.mail, mailroom.await);
            examined.push((format!("mail.server {server}"), self.examine_post(server).await));
        }
        if !self.config.webhooks.endpoints.is_empty() && !is_gateway {
            examined.push(("webhooks.endpoints".to_owned(), self.config.told().map(drop).map_err(Failure::from)));
        }
        if stores.ledger.scheme() == "postgres" {
            examined.push(("this machine's clock".to_owned(), self.examine_clock().await));
        }
        examined
    }

    /// Whether the nodes, if it is Redis, are set so that they lose nothing by themselves.
    async fn examine_redis(&mut self, key: &str, url: &StoreUrl) -> Result<(), Failure> {
        if url.scheme() != "redis" {
            return Ok(());
        }
        let complaints = opened(key, self.cluster(key, url).await?.complaints().await)?;
        if complaints.is_empty() { Ok(()) } else { Err(Failure::Store(complaints.join("; "))) }
    }

    /// Whether this machine's clock is near the database's, which counts.
    async fn examine_clock(&mut self) -> Result<(), Failure> {
        let url = &self.config.stores.ledger;
        let ahead_ms = self.database_clock("ledger", url).await?.ahead_ms(&SystemClock);
        if ahead_ms.abs() < TELL_FROM_MS {
            return Ok(());
        }
        Err(Failure::Store(format!(
            "it is off by {ahead_ms} ms from the database's, whose time counts; set it, best by NTP"
        )))
    }

    async fn examine_log(&mut self) -> Result<(), Failure> {
        // Not `self.log()`: that would enter this process among the workers.
        let url = &self.config.stores.log;
        if self.known("log", url, &["sqlite", "kafka"])? == "kafka" {
            let log = self.kafka_log(url).await?;
            return ask(&log).await;
        }
        let log = self.sqlite_log(url).await?;
        ask(&log).await
    }
}

async fn ask(log: &dyn booking_core::ports::log::Log) -> Result<(), Failure> {
    opened("log", log.ends(&Topic::Sales).await).map(drop)
}
