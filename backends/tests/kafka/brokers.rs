//! The brokers that `scripts/servers` started, and a corner of them for each test.

use std::{thread, time::Duration};

use backends::kafka::KafkaSettings;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    metadata::MetadataTopic,
};

/// Settings for one test: names of its own, and few lanes, so that its topics are made quickly. Dropped, its topics are
/// deleted.
pub(crate) struct Corner(KafkaSettings);

impl Corner {
    pub(crate) fn new() -> Self {
        Self(KafkaSettings {
            brokers: brokers(),
            topic_prefix: format!("test-{:016x}.", rand::random::<u64>()),
            line_lanes: 3,
            keyed_lanes: 2,
            reply_lanes: 2,
            // Other tests run at the same time on few cores.
            append_timeout_ms: 20_000,
            answer_timeout_ms: 20_000,
            notes_every_ms: 50,
            ..KafkaSettings::default()
        })
    }

    pub(crate) fn settings(&self) -> KafkaSettings {
        self.0.clone()
    }
}

impl Drop for Corner {
    fn drop(&mut self) {
        let (brokers, prefix) = (self.0.brokers.clone(), self.0.topic_prefix.clone());
        // On a thread of its own, because this one has a runtime already.
        let deleted = thread::spawn(move || delete(&brokers, &prefix)).join();
        if !thread::panicking() {
            deleted.expect("the test's topics are deleted");
        }
    }
}

fn brokers() -> String {
    std::env::var("WEIR_TEST_KAFKA").expect("WEIR_TEST_KAFKA; see `scripts/servers env`")
}

fn delete(brokers: &str, prefix: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    let asking: BaseConsumer = config.create().expect("a client");
    let all = asking.fetch_metadata(None, Duration::from_secs(20)).expect("the topics");
    let names: Vec<_> = all.topics().iter().map(MetadataTopic::name).filter(|name| name.starts_with(prefix)).collect();
    if names.is_empty() {
        return;
    }
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(admin.delete_topics(&names, &AdminOptions::new())).expect("a deletion");
}
