//! What can be set, and what the clients of the brokers are told.

use std::time::Duration;

use booking_core::{
    id::MAX_ID_BYTES,
    ports::{
        PortResult,
        log::{MAX_PAYLOAD_BYTES, Topic},
    },
};
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::error::damaged;

/// The longest name that a topic may have, in bytes.
const MAX_TOPIC_BYTES: usize = 249;
/// What the longest topic of an event is called besides its id: `state.`.
const LONGEST_KIND_BYTES: usize = 6;
/// What a record and its batch add to a payload at most, in bytes, generously.
const OVERHEAD_BYTES: usize = 16 << 10;

/// The log's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// The brokers to begin with, as `host:port`, separated by commas. The others are learned from them.
    pub brokers: String,
    /// What the names of topics and of groups' notes begin with: letters, digits, `.`, `_` and `-`. Logs with different
    /// prefixes on the same brokers have nothing in common.
    pub topic_prefix: String,
    /// The topic of the catalog's changes, where a connector writes them and names it; empty: as the others are named.
    pub catalog_topic: String,
    /// On how many brokers each entry is stored, at least 1. For topics made from now on.
    pub replication: u16,
    /// How many of them must have an entry before it is acknowledged, at least 1. With fewer of them up, appends are
    /// answered as unavailable. For topics made from now on.
    pub min_insync: u16,
    /// The lanes of a line that is made from now on, at least 1. A line keeps the lanes it was made with.
    pub line_lanes: u16,
    /// The lanes of the commands, the bookings, the seats, the changes and the catalog, where they are made from now on, at
    /// least 1: as many workers can share them.
    pub keyed_lanes: u16,
    /// The lanes of the replies, where they are made from now on, at least 1: a gateway reads all answers in its own.
    pub reply_lanes: u16,
    /// The most appends that wait for their acknowledgement; one more is answered as unavailable at once.
    pub max_waiting: u32,
    /// The most that they may have together, in KiB.
    pub max_waiting_kib: u32,
    /// How long an append waits for company before it is sent, in milliseconds.
    pub linger_ms: u32,
    /// How long an append waits for its acknowledgement, in milliseconds. Then it is answered as unavailable; whether
    /// it is in the log is unknown.
    pub append_timeout_ms: u32,
    /// How long everything else waits for the brokers, in milliseconds: making a topic, ends, reads, notes.
    pub answer_timeout_ms: u32,
    /// How long a broker may take over one request before it counts as gone, in milliseconds. Below
    /// `append_timeout_ms`, so that an append can still go to the broker that takes over.
    pub broker_timeout_ms: u32,
    /// The most lanes whose growth is followed, each with up to 4 MiB of its latest entries in memory.
    pub max_followed: usize,
    /// After how long without a reader a lane is no longer followed, in milliseconds.
    pub follow_idle_ms: u32,
    /// The most reads of older entries at once. Each has a connection to every broker.
    pub max_readers: usize,
    /// After how long without a sign of life a worker counts as gone, in milliseconds. Brokers take 6,000 and more.
    pub session_timeout_ms: u32,
    /// How often groups' notes are stored, in milliseconds. A crash loses the notes of that time.
    pub notes_every_ms: u32,
    /// How long the topics that are not durable keep an entry, in milliseconds. For topics made from now on.
    pub short_retention_ms: u32,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            topic_prefix: "weir.".to_owned(),
            catalog_topic: String::new(),
            replication: 3,
            min_insync: 2,
            line_lanes: 3,
            keyed_lanes: 12,
            reply_lanes: 12,
            max_waiting: 65_536,
            max_waiting_kib: 65_536,
            linger_ms: 1,
            append_timeout_ms: 5_000,
            answer_timeout_ms: 5_000,
            broker_timeout_ms: 3_000,
            max_followed: 1_024,
            follow_idle_ms: 60_000,
            max_readers: 16,
            session_timeout_ms: 6_000,
            notes_every_ms: 500,
            short_retention_ms: 3_600_000,
        }
    }
}

impl KafkaSettings {
    /// Refuses what no broker would take.
    pub(super) fn check(&self) -> PortResult<()> {
        let prefix = &self.topic_prefix;
        let is_legal = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        let longest = MAX_TOPIC_BYTES - LONGEST_KIND_BYTES - MAX_ID_BYTES;
        if !is_legal(prefix) || prefix.len() > longest {
            return Err(damaged(format!(
                "'{prefix}' can't begin the names of topics; set at most {longest} letters, digits, '.', '_' or '-'"
            )));
        }
        if !is_legal(&self.catalog_topic) || self.catalog_topic.len() > MAX_TOPIC_BYTES {
            return Err(damaged(format!("'{}' can't be a topic", self.catalog_topic)));
        }
        if self.min_insync > self.replication {
            return Err(damaged(format!(
                "an entry that must be on {} brokers is stored on {}; set the replication at least as high",
                self.min_insync, self.replication
            )));
        }
        Ok(())
    }

    /// The name of `topic` on the brokers. Kinds have no `.`, ids neither, so no two topics share a name, also where
    /// `.` and `_` count as the same.
    pub(super) fn name_of(&self, topic: &Topic) -> String {
        if *topic == Topic::Catalog && !self.catalog_topic.is_empty() {
            return self.catalog_topic.clone();
        }
        let name = topic.to_string();
        format!("{}{}", self.topic_prefix, name.strip_prefix("weir.").unwrap_or(&name))
    }

    /// The name of `group`'s notes on the brokers. None has members, so that whoever works for a group can note.
    pub(super) fn notes_of(&self, group: &str) -> String {
        format!("{}notes.{group}", self.topic_prefix)
    }

    /// How many lanes `topic` gets when it is made.
    pub(super) fn lanes_of(&self, topic: &Topic) -> u16 {
        let lanes = match topic {
            Topic::Sales | Topic::State(_) | Topic::Deliveries | Topic::DeadLetters => 1,
            Topic::Line(_) => self.line_lanes,
            Topic::Commands | Topic::Bookings | Topic::Seats | Topic::Changes | Topic::Catalog => self.keyed_lanes,
            Topic::Replies => self.reply_lanes,
        };
        lanes.max(1)
    }

    /// What `topic` is made with.
    ///
    /// No topic is compacted: an offset names its payload for ever, and the port has no keys to compact by. The sales
    /// grow by one small record a change of policy, which nobody will miss the room of.
    pub(super) fn properties_of(&self, topic: &Topic) -> Vec<(&'static str, String)> {
        let mut properties = vec![
            ("cleanup.policy", "delete".to_owned()),
            ("min.insync.replicas", self.min_insync.max(1).to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
            ("max.message.bytes", (MAX_PAYLOAD_BYTES + OVERHEAD_BYTES).to_string()),
            ("retention.bytes", "-1".to_owned()),
        ];
        if topic.is_durable() {
            properties.push(("retention.ms", "-1".to_owned()));
        } else {
            properties.push(("retention.ms", self.short_retention_ms.to_string()));
            // What is still written to is never dropped, so it has to be closed now and then.
            properties.push(("segment.ms", (self.short_retention_ms / 4).max(1_000).to_string()));
        }
        properties
    }

    /// What every client is told.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "weir")
            .set("socket.timeout.ms", self.broker_timeout_ms.max(10).to_string())
            // Small requests are sent at once, also while earlier ones are on their way: else each waits for the
            // kernel's delayed acknowledgement, some 40 ms.
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("retry.backoff.ms", "50")
            .set("retry.backoff.max.ms", "500")
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    /// What the client that appends is told.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", self.linger_ms.to_string())
            .set("message.timeout.ms", self.append_timeout_ms.max(1).to_string())
            .set("request.timeout.ms", self.append_timeout_ms.max(1).to_string())
            .set("queue.buffering.max.messages", self.max_waiting.max(1).to_string())
            .set("queue.buffering.max.kbytes", self.max_waiting_kib.max(1).to_string())
            .set("message.max.bytes", (MAX_PAYLOAD_BYTES + OVERHEAD_BYTES).to_string());
        config
    }

    /// What a client that reads is told. None is a member of a group; the name is asked for by the library.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Where the entries asked for are no longer kept, reading goes on at the first that are.
            .set("auto.offset.reset", "earliest")
            // There are no transactions, so all that is replicated counts.
            .set("isolation.level", "read_uncommitted")
            .set("session.timeout.ms", self.answer_timeout_ms.max(1).to_string())
            .set("heartbeat.interval.ms", (self.answer_timeout_ms / 3).max(1).to_string())
            .set("fetch.error.backoff.ms", "50")
            .set("fetch.queue.backoff.ms", "5")
            // What is there is sent at once. A lane that is added waits for the question under way before it is asked
            // for, so that one must not be long; at rest, each broker is asked this often.
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", "100");
        config
    }

    /// What the client that follows lanes is told.
    pub(super) fn follower(&self) -> ClientConfig {
        let mut config = self.consumer(&format!("{}tail", self.topic_prefix));
        config.set("queued.max.messages.kbytes", "16384");
        config
    }

    /// What a client that reads older entries is told.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.consumer(&format!("{}older", self.topic_prefix));
        config
            .set("enable.partition.eof", "true")
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "4096");
        config
    }

    /// What a worker is told, by what it calls itself to the brokers and, if it comes back after a restart, its name.
    pub(super) fn worker(&self, client_id: &str, member: Option<&str>) -> ClientConfig {
        let mut config = self.consumer(&self.workers());
        config
            .set("client.id", client_id)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", self.session_timeout_ms.max(1).to_string())
            // A member learns of a change with its next sign of life.
            .set("heartbeat.interval.ms", (self.session_timeout_ms / 12).max(1).to_string())
            // A broker that did not know a new topic yet is asked again.
            .set("topic.metadata.refresh.interval.ms", "5000");
        if let Some(member) = member {
            config.set("group.instance.id", member);
        }
        config
    }

    /// The name of the workers' group on the brokers.
    pub(super) fn workers(&self) -> String {
        format!("{}workers", self.topic_prefix)
    }

    /// How long everything but an append waits for the brokers.
    pub(super) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms.max(1).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_still_fit() {
        let event = format!("evt_{}", "x".repeat(MAX_ID_BYTES - 4)).parse().unwrap();
        let mut settings = KafkaSettings { topic_prefix: "p".repeat(179), ..KafkaSettings::default() };
        assert!(settings.check().is_ok());
        assert_eq!(settings.name_of(&Topic::State(event)).len(), MAX_TOPIC_BYTES);
        settings.topic_prefix.push('p');
        assert!(settings.check().is_err());
    }

    #[test]
    fn settings_that_no_broker_takes_are_refused() {
        for prefix in ["a b", "ä", "a/"] {
            assert!(KafkaSettings { topic_prefix: prefix.to_owned(), ..KafkaSettings::default() }.check().is_err());
        }
        assert!(KafkaSettings { replication: 1, ..KafkaSettings::default() }.check().is_err());
    }

    #[test]
    fn a_topic_is_named_after_the_prefix() {
        let settings = KafkaSettings {
            topic_prefix: "t1.weir.".to_owned(),
            catalog_topic: "debezium.weir.events".to_owned(),
            ..KafkaSettings::default()
        };
        assert_eq!(settings.name_of(&Topic::Catalog), "debezium.weir.events");
        assert_eq!(settings.name_of(&Topic::Line("evt_a-b_C".parse().unwrap())), "t1.weir.line.evt_a-b_C");
        assert_eq!(settings.name_of(&Topic::Bookings), "t1.weir.bookings");
        assert_eq!(settings.notes_of("hold-pool"), "t1.weir.notes.hold-pool");
    }
}
