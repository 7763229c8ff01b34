//! What can be set.

use std::time::Duration;

use crate::{Secret, address::Servers};

/// The longest name of a keyspace.
const MAX_KEYSPACE_BYTES: usize = 48;

/// What the servers are: they capture changes in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Cassandra 4 or newer.
    Cassandra,
    /// ScyllaDB.
    Scylla,
}

/// The catalog's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScyllaSettings {
    /// The nodes to begin with, as `host:port`. The others are learned from them.
    pub nodes: Vec<String>,
    /// The keyspace: a lower-case letter, then such letters, digits and `_`.
    pub keyspace: String,
    /// Who asks, and with what, if anybody logs in.
    pub login: Option<(String, Secret)>,
    /// What the nodes are.
    pub dialect: Dialect,
    /// How many nodes of each datacenter have a row, where the keyspace is made here.
    pub replication: u8,
    /// Whether a keyspace or tables that are missing are made.
    pub migrate: bool,
    /// How long one request may take.
    pub timeout: Duration,
}

/// An address that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write the nodes and the keyspace as '//user:password@host:port,host:port/keyspace', the keyspace in lower case without \
     a '-'"
)]
pub struct InvalidScylla;

impl ScyllaSettings {
    /// The settings of an address: what stands behind `cassandra:` or `scylla:`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(rest: &str, dialect: Dialect) -> Result<Self, InvalidScylla> {
        let Servers { login, hosts, name } = Servers::parse(rest).ok_or(InvalidScylla)?;
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        let is_node = |host: &&str| {
            host.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if !begins || !name.bytes().all(is_word) || name.len() > MAX_KEYSPACE_BYTES || !hosts.iter().all(is_node) {
            return Err(InvalidScylla);
        }
        Ok(Self {
            nodes: hosts.into_iter().map(str::to_owned).collect(),
            keyspace: name.to_owned(),
            login,
            dialect,
            replication: 3,
            migrate: true,
            timeout: Duration::from_secs(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_nodes_keyspace_and_login() {
        let read = ScyllaSettings::parse("//weir:p:w@one:9042,two:9042/weir_2", Dialect::Cassandra).unwrap();
        assert_eq!(
            (read.nodes, read.keyspace.as_str()),
            (vec!["one:9042".to_owned(), "two:9042".to_owned()], "weir_2")
        );
        let (user, password) = read.login.unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("weir", "p:w"));
        for wrong in [
            "one:9042/weir",
            "//one/weir",
            "//one:9042",
            "//one:9042/Weir",
            "//one:9042/2weir",
            "//one:9042/w-r",
            "//:1/w",
        ] {
            assert!(ScyllaSettings::parse(wrong, Dialect::Scylla).is_err(), "{wrong}");
        }
    }
}
