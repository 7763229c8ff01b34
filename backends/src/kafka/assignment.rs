//! Who of several workers serves which lanes: a consumer group whose members fetch nothing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use booking_core::ports::{
    PortResult,
    assignment::Assignment,
    log::{Lane, Topic},
};
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer},
    error::KafkaError,
};
use tokio::task::JoinSet;

use super::{
    KafkaSettings,
    aside::Aside,
    error::{Logged, port_error, unavailable},
};

/// The group's name behind the prefix.
const GROUP: &str = "workers";

/// A worker among the workers, who share the lanes of some topics. Dropped, it leaves them.
///
/// The group assigns them cooperatively and stickily, so a worker that comes or goes moves few lanes. A worker that is
/// not heard of for `session_timeout_ms` loses all of its own.
pub struct KafkaAssignment {
    consumer: Arc<Aside<StreamConsumer<Member>>>,
    /// What the topics are called on the brokers.
    names: HashMap<Topic, String>,
    _running: JoinSet<()>,
}

impl KafkaAssignment {
    /// Enters this process among the workers that share the lanes of `topics`, which must be there. `member`: its own
    /// name, the same after every start; a restart within the session timeout then moves no lanes. Must be called on a
    /// Tokio runtime.
    ///
    /// # Errors
    /// `Damaged`: the settings are at odds with themselves. `Unavailable`: no client can be made of them.
    #[expect(clippy::unused_async, reason = "joining is waited for, and this one may come to ask the brokers")]
    pub async fn join(settings: KafkaSettings, member: Option<String>, topics: &[Topic]) -> PortResult<Self> {
        settings.check()?;
        let mut config = settings.member(&format!("{}{GROUP}", settings.topic_prefix));
        if let Some(member) = &member {
            config.set("group.instance.id", member);
        }
        let failed = |error: KafkaError| port_error("the workers can't be joined", &error);
        let consumer: StreamConsumer<Member> = config.create_with_context(Member).map_err(failed)?;
        let names: HashMap<_, _> = topics.iter().map(|topic| (topic.clone(), settings.name_of(topic))).collect();
        let subscribed: Vec<&str> = names.values().map(String::as_str).collect();
        consumer.subscribe(&subscribed).map_err(failed)?;
        let consumer = Arc::new(Aside::new(consumer));
        let mut running = JoinSet::new();
        let polled = Arc::clone(&consumer);
        running.spawn(async move {
            loop {
                // What changes is told in here. Errors are the library's to get over; a fatal one is told by `lanes`.
                if polled.recv().await.is_err() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
        Ok(Self { consumer, names, _running: running })
    }
}

#[async_trait]
impl Assignment for KafkaAssignment {
    async fn lanes(&self, topic: &Topic) -> PortResult<Vec<Lane>> {
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            return Err(unavailable(format!(
                "this worker is out of the group for good ({code}: {reason}); give each worker a member name of its \
                 own and start it again"
            )));
        }
        if self.consumer.assignment_lost() {
            return Ok(Vec::new());
        }
        let assigned = self.consumer.assignment().map_err(|error| port_error("the lanes can't be told", &error))?;
        let Some(name) = self.names.get(topic) else { return Ok(Vec::new()) };
        let mine = assigned.elements();
        let mine = mine.iter().filter(|element| element.topic() == name);
        let mut lanes: Vec<Lane> = mine.filter_map(|element| Lane::try_from(element.partition()).ok()).collect();
        lanes.sort_unstable();
        Ok(lanes)
    }

    async fn leave(&self) {
        self.consumer.unsubscribe();
        // The library leaves behind our back; whoever ends the process then should not be faster.
        for _ in 0..100 {
            if self.consumer.assignment().is_ok_and(|assigned| assigned.count() == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What is to be done when lanes come and go.
struct Member;

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        Logged.log(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logged.error(error, reason);
    }
}

impl ConsumerContext for Member {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(lanes) => {
                tracing::debug!(lanes = lanes.count(), "lanes were assigned");
                // Entries are read elsewhere.
                if let Err(error) = consumer.pause(lanes) {
                    tracing::debug!(%error, "lanes are fetched in vain");
                }
            }
            Rebalance::Revoke(lanes) => tracing::debug!(lanes = lanes.count(), "lanes were taken away"),
            Rebalance::Error(error) => tracing::info!(%error, "the workers could not share the lanes anew"),
        }
    }
}
