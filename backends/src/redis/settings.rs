//! How a Redis cluster is reached.

use std::time::Duration;

/// The most connections to each node.
const MAX_CONNECTIONS: usize = 64;
/// The most repetitions of one request; the waits between them double, so more would never be reached.
const MAX_RETRIES: u32 = 32;

/// How a Redis cluster is reached, and how long it is waited for.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Some nodes of the cluster, `redis://[user:password@]host:port` each; the others are learnt from them. The login
    /// must be the same for all.
    pub nodes: Vec<String>,
    /// What every key begins with, so that several installations can share a cluster. Without braces.
    pub key_prefix: String,
    /// Connections to each node, 1 to 64. Each carries many requests at once; a second one lets a large answer, or a wait
    /// for replicas, hold up fewer others.
    pub connections: usize,
    /// How long one connection attempt may take.
    pub connection_timeout: Duration,
    /// How long one attempt of a request may take.
    pub response_timeout: Duration,
    /// How long a request may take with all its repetitions. A failover takes some seconds more than the cluster's
    /// `cluster-node-timeout`; whoever has something to fall back on waits less than that.
    pub give_up_after: Duration,
    /// The most repetitions of one request, up to 32.
    pub retries: u32,
    /// How many replicas must have a change of the desk before it is answered, as far as they are there: the desk waits
    /// for them, but goes on without them. 0: it does not wait, and what was answered in the last moments before a
    /// primary is lost may be lost with it.
    ///
    /// With one replica to each primary, 1 means that only changes answered while that replica was away or late can be
    /// lost; with more, that the replica promoted may, rarely, be another than the one that had it.
    pub wait_for_replicas: u32,
    /// How long the desk waits for replicas, shorter than [`Self::response_timeout`]. Other requests on that connection
    /// wait too, so after a wait in vain the desk does without for a while.
    pub replica_timeout: Duration,
}

impl RedisSettings {
    /// The cluster that `nodes` are of, with what suits a sale: keys begin with `weir:`, 4 connections to each node, 1 s
    /// to connect, 500 ms an attempt, 2 s and 8 repetitions in all, up to 100 ms for one replica.
    pub fn new(nodes: Vec<String>) -> Self {
        Self {
            nodes,
            key_prefix: "weir:".to_owned(),
            connections: 4,
            connection_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(500),
            give_up_after: Duration::from_secs(2),
            retries: 8,
            wait_for_replicas: 1,
            replica_timeout: Duration::from_millis(100),
        }
    }

    /// What is wrong with them, in a sentence that says what to write instead.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        if self.nodes.is_empty() {
            Some("there is no node; name at least one, as redis://host:port")
        } else if self.key_prefix.contains(['{', '}']) {
            Some("the key prefix has a brace, which would scatter an event over the cluster; leave it out")
        } else if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            Some("the connections to each node must be 1 to 64")
        } else if self.retries > MAX_RETRIES {
            Some("the repetitions must be 32 at most")
        } else if self.wait_for_replicas > 0 && self.replica_timeout >= self.response_timeout {
            Some("the wait for replicas must be shorter than the response timeout")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_can_not_work_are_told_apart() {
        let good = RedisSettings::new(vec!["redis://localhost".to_owned()]);
        assert_eq!(good.complaint(), None);
        for (wrong, word) in [
            (RedisSettings { nodes: Vec::new(), ..good.clone() }, "node"),
            (RedisSettings { key_prefix: "{a}".to_owned(), ..good.clone() }, "brace"),
            (RedisSettings { connections: 0, ..good.clone() }, "1 to 64"),
            (RedisSettings { retries: 99, ..good.clone() }, "32"),
            (RedisSettings { replica_timeout: good.response_timeout, ..good.clone() }, "replicas"),
        ] {
            assert!(wrong.complaint().is_some_and(|complaint| complaint.contains(word)), "{word}");
        }
    }
}
