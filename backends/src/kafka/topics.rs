//! Which topics there are on the brokers, and making those that are missing.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use booking_core::ports::{
    PortResult,
    log::{Lane, Topic},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::Client,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, sleep},
};

use super::{
    KafkaSettings,
    aside::Aside,
    error::{Logged, damaged, port_error, unavailable},
};

/// The most topics that one process knows at a time: two for each event, and a few.
const MAX_TOPICS: usize = 1 << 16;
/// The most topics that are made at once: each has connections of its own meanwhile.
const MAX_MAKING: usize = 4;
/// How long one look may take before it is made again, in milliseconds.
const ATTEMPT_MS: u64 = 1_000;
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(20);

/// A topic as it is on the brokers.
pub(super) struct TopicLanes {
    /// Its name there.
    pub(super) name: Arc<str>,
    pub(super) lanes: u16,
}

impl TopicLanes {
    /// Refuses a lane that the topic does not have.
    pub(super) fn check(&self, lane: Lane) -> PortResult<()> {
        if lane < self.lanes {
            return Ok(());
        }
        Err(damaged(format!("{} has {} lanes; there is no lane {lane}", self.name, self.lanes)))
    }
}

type Known = Arc<OnceCell<Arc<TopicLanes>>>;

/// All topics.
pub(super) struct Topics {
    settings: Arc<KafkaSettings>,
    client: Arc<Aside<BaseConsumer<Logged>>>,
    known: RwLock<HashMap<Topic, Known>>,
    making: Semaphore,
}

/// What the brokers say of a topic.
pub(super) enum Seen {
    Missing,
    /// It is there, but a lane of it has no leader yet.
    Coming(u16),
    There(u16),
}

impl Topics {
    /// Looks through `client`.
    pub(super) fn new(settings: Arc<KafkaSettings>, client: Arc<Aside<BaseConsumer<Logged>>>) -> Self {
        Self { settings, client, known: RwLock::default(), making: Semaphore::new(MAX_MAKING) }
    }

    /// The topic, made where it is missing.
    pub(super) async fn get(&self, topic: &Topic) -> PortResult<Arc<TopicLanes>> {
        self.cell(topic)?.get_or_try_init(|| self.find_or_make(topic)).await.cloned()
    }

    fn cell(&self, topic: &Topic) -> PortResult<Known> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            return Ok(Arc::clone(known));
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TOPICS {
            // Each costs one question to the brokers to find again.
            known.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
        if known.len() >= MAX_TOPICS {
            return Err(unavailable(format!("{MAX_TOPICS} topics are being looked for; try again")));
        }
        Ok(Arc::clone(known.entry(topic.clone()).or_default()))
    }

    async fn find_or_make(&self, topic: &Topic) -> PortResult<Arc<TopicLanes>> {
        let name: Arc<str> = self.settings.name_of(topic).into();
        let until = Instant::now() + self.settings.answer_timeout();
        let mut is_made = false;
        let mut last = None;
        loop {
            match self.look(&name, until).await {
                Ok(Seen::There(lanes)) => return Ok(Arc::new(TopicLanes { name, lanes })),
                // A lane that has lost its leader keeps its number; only a new topic is waited for.
                Ok(Seen::Coming(lanes)) if !is_made => return Ok(Arc::new(TopicLanes { name, lanes })),
                Ok(Seen::Missing) if !is_made => {
                    self.make(topic, &name, until).await?;
                    is_made = true;
                }
                Ok(_) => {}
                Err(error) => last = Some(error),
            }
            if Instant::now() >= until {
                let what = format!("{name} can't be found or made");
                return Err(match last {
                    Some(error) => port_error(&what, &error),
                    None => {
                        unavailable(format!("{what}: its lanes have no leaders yet; see whether the brokers are up"))
                    }
                });
            }
            sleep(PAUSE).await;
        }
    }

    async fn look(&self, name: &Arc<str>, until: Instant) -> KafkaResult<Seen> {
        let (client, name) = (Arc::clone(&self.client), Arc::clone(name));
        let left = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(ATTEMPT_MS));
        let looking = tokio::task::spawn_blocking(move || see(client.client(), &name, left));
        looking.await.unwrap_or(Err(KafkaError::Canceled))
    }

    async fn make(&self, topic: &Topic, name: &str, until: Instant) -> PortResult<()> {
        let what = format!("{name} can't be made");
        let Ok(_permit) = self.making.acquire().await else { return Err(unavailable("the log is closed")) };
        let admin: AdminClient<Logged> =
            self.settings.client().create_with_context(Logged).map_err(|error| port_error(&what, &error))?;
        let admin = Aside::new(admin);
        let properties = self.settings.properties_of(topic);
        let replication = TopicReplication::Fixed(self.settings.replication.max(1).into());
        let new = NewTopic::new(name, self.settings.lanes_of(topic).into(), replication);
        let new = properties.iter().fold(new, |new, (key, value)| new.set(key, value));
        let left = Some(until.saturating_duration_since(Instant::now()).max(PAUSE));
        let options = AdminOptions::new().request_timeout(left).operation_timeout(left);
        let made = admin.create_topics([&new], &options).await.map_err(|error| port_error(&what, &error))?;
        match made.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)) | Ok(_)) => Ok(()),
            Some(Err((_, code))) => Err(port_error(&what, &KafkaError::AdminOp(code))),
            None => Err(unavailable(format!("{what}: the brokers did not say why"))),
        }
    }
}

/// What the brokers say to `client` of the topic `name`. Blocks.
pub(super) fn see(client: &Client<Logged>, name: &str, timeout: Duration) -> KafkaResult<Seen> {
    let metadata = client.fetch_metadata(Some(name), timeout)?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(Seen::Missing) };
    match topic.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(Seen::Missing),
        Some(code) => return Err(KafkaError::MetadataFetch(code)),
    }
    let lanes = u16::try_from(topic.partitions().len()).unwrap_or(u16::MAX);
    let is_led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
    Ok(match lanes {
        0 => Seen::Missing,
        lanes if is_led => Seen::There(lanes),
        lanes => Seen::Coming(lanes),
    })
}

/// Has a consumer, which sees as `see` does, learn of a topic that is new to it. By itself it would ask after a second
/// only, or again after one where a broker did not know the topic yet. Where brokers are away, it is left to that.
pub(super) async fn introduce(
    name: &Arc<str>,
    see: impl Fn(&str, Duration) -> KafkaResult<Seen> + Clone + Send + 'static,
) {
    let until = Instant::now() + Duration::from_millis(ATTEMPT_MS);
    while Instant::now() < until {
        let (see, name) = (see.clone(), Arc::clone(name));
        let left = until.saturating_duration_since(Instant::now());
        match tokio::task::spawn_blocking(move || see(&name, left)).await {
            Ok(Ok(Seen::There(_) | Seen::Coming(_))) | Err(_) => return,
            Ok(Ok(Seen::Missing) | Err(_)) => sleep(PAUSE).await,
        }
    }
}
