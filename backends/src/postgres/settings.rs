//! How Postgres is reached, and how long it may take.

use std::time::Duration;

use booking_core::ports::PortResult;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use super::error::{PORT, unavailable};

/// How Postgres is reached, and how long it may take.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// One or several URLs, separated by commas: `postgres://user:password@host:port/database`. The one that
    /// accepts writes is used, and looked for again when it is lost. The URLs are of one database and its standbys.
    pub url: String,
    /// The schema that everything of Weir's is in: lower-case letters, digits and `_`, beginning with a letter, 63
    /// bytes at most.
    pub schema: String,
    /// The most connections open at once; all ports that share the database share them.
    pub connections: u32,
    /// How long a new connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a verb waits for one of the connections.
    pub acquire_timeout: Duration,
    /// How long one statement may take; the server ends it then.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock that another transaction has; the server ends it then.
    pub lock_timeout: Duration,
    /// How long a whole try of a verb may take, and then its commit once more. A commit waits for the synchronous
    /// standby without any limit of the server's own.
    pub try_timeout: Duration,
    /// How often a verb is tried again after a serialization failure, a deadlock or a lost connection.
    pub retries: u32,
    /// The wait before the first of those, on average; each one is about twice as long as the one before.
    pub retry_wait: Duration,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            url: "postgres://localhost/weir".to_owned(),
            schema: "weir".to_owned(),
            connections: 16,
            connect_timeout: Duration::from_secs(2),
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(2),
            try_timeout: Duration::from_secs(10),
            retries: 5,
            retry_wait: Duration::from_millis(10),
        }
    }
}

impl PostgresSettings {
    /// How to connect to each of the URLs, with every limit but those of statements and locks.
    pub(super) fn hosts(&self) -> PortResult<Vec<PgConnectOptions>> {
        let schema = self.checked_schema()?;
        let host = |url: &str| {
            let options: PgConnectOptions = url.trim().parse().map_err(|error: sqlx::Error| {
                // The URL itself may hold a password.
                unavailable(
                    PORT,
                    format!("an URL of it can't be read ({error}); write postgres://user:password@host:port/database"),
                )
            })?;
            Ok(options
                .application_name(&format!("weir {schema}"))
                .options([("search_path", schema)])
                .disable_statement_logging())
        };
        self.url.split(',').map(host).collect()
    }

    /// The same, with the limits of statements and locks.
    pub(super) fn limited(&self, host: PgConnectOptions) -> PgConnectOptions {
        // A plan that was kept from when a sale's tables were empty reads them whole once they are full. And statistics
        // are late of a table that grows by thousands a second, and what is looked up is in memory: by its key, then.
        let plans = [
            ("plan_cache_mode", "force_custom_plan"),
            ("enable_seqscan", "off"),
            ("random_page_cost", "1.1"),
            ("max_parallel_workers_per_gather", "0"),
            // A table of one row is read whole all the same, at a cost that looks worth compiling for.
            ("jit", "off"),
        ];
        host.options(plans).options([
            ("statement_timeout", self.statement_timeout.as_millis()),
            ("lock_timeout", self.lock_timeout.as_millis()),
            // A writer that stands still in the middle must not keep an event's lock.
            ("idle_in_transaction_session_timeout", self.try_timeout.as_millis()),
        ])
    }

    fn checked_schema(&self) -> PortResult<&str> {
        let schema = self.schema.as_str();
        let fits = schema.starts_with(|c: char| c.is_ascii_lowercase())
            && schema.len() <= 63
            && schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !schema.starts_with("pg_");
        if fits {
            return Ok(schema);
        }
        Err(unavailable(PORT, format!("'{schema}' can't be its schema; use lower-case letters, digits and '_'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_urls_are_several_hosts_in_their_order() {
        let settings =
            PostgresSettings { url: "postgres://a:1/weir, postgresql://b:2/weir".to_owned(), ..Default::default() };
        let hosts = settings.hosts().unwrap();
        let hosts: Vec<_> = hosts.iter().map(|host| (host.get_host(), host.get_port())).collect();
        assert_eq!(hosts, [("a", 1), ("b", 2)]);
    }

    #[test]
    fn a_url_that_can_not_be_read_is_refused_without_showing_it() {
        let settings = PostgresSettings { url: "postgres://weir:secret@[a/weir".to_owned(), ..Default::default() };
        let refusal = settings.hosts().unwrap_err().to_string();
        assert!(refusal.contains("can't be read") && !refusal.contains("secret"), "{refusal}");
    }

    #[test]
    fn a_schema_that_would_have_to_be_quoted_is_refused() {
        for schema in ["", "Weir", "1weir", "a\"b", "a b", "pg_weir", &"a".repeat(64)] {
            let settings = PostgresSettings { schema: schema.to_owned(), ..Default::default() };
            assert!(settings.hosts().is_err(), "{schema}");
        }
    }
}
