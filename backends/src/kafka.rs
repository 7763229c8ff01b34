//! The log on Kafka: a topic of the log is a topic there, a lane a partition, an offset an offset.
//!
//! One producer appends for everybody here, and one consumer follows every lane that is read at its end; older entries
//! are read by a few more. No consumer is a member of a group: who reads what is the [`Assignment`]'s affair
//! ([`KafkaAssignment`]), and where a group goes on is noted by whoever works for it.
//!
//! What was acknowledged is seen by every read that starts later, because nothing is answered as not there before the
//! brokers were asked where the lane ends.
//!
//! [`Assignment`]: booking_core::ports::assignment::Assignment

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use booking_core::ports::{
    PortResult,
    log::{Entry, Lane, Log, MAX_PAYLOAD_BYTES, Topic},
};
use bytes::Bytes;
use rdkafka::consumer::BaseConsumer;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

use aside::Aside;
use ends::Ends;
use error::{Logged, damaged, port_error, unavailable};
use follow::{Follow, Following};
use notes::Notes;
use older::Older;
use producer::Producer;
use tail::Found;
use topics::{TopicLanes, Topics};

pub use assignment::KafkaAssignment;
pub use settings::KafkaSettings;

mod aside;
mod assignment;
mod ends;
mod error;
mod follow;
mod notes;
mod older;
mod producer;
mod settings;
mod tail;
mod topics;

/// How often what nobody uses any more is let go.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The log. A clone is the same log; when the last one is dropped, the latest notes are still stored.
#[derive(Clone)]
pub struct KafkaLog(Arc<Shared>);

struct Shared {
    parts: Arc<Parts>,
    _sweeping: JoinSet<()>,
}

struct Parts {
    answer_timeout: Duration,
    /// For questions about topics and lanes.
    client: Arc<Aside<BaseConsumer<Logged>>>,
    topics: Topics,
    ends: Ends,
    producer: Producer,
    follow: Follow,
    older: Older,
    notes: Notes,
}

impl KafkaLog {
    /// Opens the log by `settings`. Must be called on a Tokio runtime. No broker has to be up yet: what needs one waits
    /// for it.
    ///
    /// # Errors
    /// `Damaged`: the settings are at odds with themselves. `Unavailable`: no client can be made of them.
    #[expect(clippy::unused_async, reason = "opening a log is waited for, and this one may come to ask the brokers")]
    pub async fn open(settings: KafkaSettings) -> PortResult<Self> {
        settings.check()?;
        let settings = Arc::new(settings);
        let client = client(&settings)?;
        let append_timeout = Duration::from_millis(settings.append_timeout_ms.max(1).into());
        let parts = Arc::new(Parts {
            answer_timeout: settings.answer_timeout(),
            topics: Topics::new(Arc::clone(&settings), Arc::clone(&client)),
            ends: Ends::new(Arc::clone(&client), settings.answer_timeout()),
            producer: Producer::new(
                settings.producer(),
                append_timeout,
                settings.max_waiting,
                settings.max_waiting_kib,
            )?,
            follow: Follow::new(&settings)?,
            older: Older::new(&settings),
            notes: Notes::new(settings),
            client,
        });
        let mut sweeping = JoinSet::new();
        sweeping.spawn(sweep(Arc::clone(&parts)));
        Ok(Self(Arc::new(Shared { parts, _sweeping: sweeping })))
    }

    /// Waits for the appends under way and stores the latest notes: the last thing to do with a log.
    pub async fn close(&self) {
        self.0.parts.producer.flush().await;
        self.0.parts.notes.store().await;
    }
}

fn client(settings: &KafkaSettings) -> PortResult<Arc<Aside<BaseConsumer<Logged>>>> {
    let made = settings.client().create_with_context(Logged);
    Ok(Arc::new(Aside::new(made.map_err(|error| port_error("no client can be made", &error))?)))
}

async fn sweep(parts: Arc<Parts>) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        notes::serve(&parts.client);
        parts.older.sweep();
        parts.follow.sweep().await;
    }
}

impl Parts {
    async fn topic(&self, topic: &Topic, lane: Lane) -> PortResult<Arc<TopicLanes>> {
        let topic = self.topics.get(topic).await?;
        topic.check(lane)?;
        Ok(topic)
    }

    async fn read(
        &self,
        name: &Arc<str>,
        lane: Lane,
        mut from: u64,
        max: usize,
        patience: Duration,
    ) -> PortResult<Vec<Entry>> {
        let until = Instant::now() + patience;
        loop {
            let older_than = if let Some(following) = self.follow.existing(name, lane) {
                match following.read(from, max) {
                    Found::Entries(entries) => return Ok(entries),
                    Found::Older(first) => first,
                    Found::Nothing if self.wait(&following, name, lane, from, until).await? => continue,
                    Found::Nothing => return Ok(Vec::new()),
                }
            } else if let Some(end) = self.older.known_end(name, lane, from) {
                // Working off a backlog: there is more, however far the lane goes by now.
                end
            } else {
                let end = self.ends.of_lane(name, lane).await?;
                if from >= end {
                    // Whoever waits, however briefly, will come back for more.
                    if patience.is_zero() {
                        return Ok(Vec::new());
                    }
                    self.follow.begin(name, lane, end).await?;
                    continue;
                }
                end
            };
            let entries = self.older.read(name, lane, from, older_than, max).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            // None of them is kept any more.
            from = older_than;
        }
    }

    /// Waits until an entry from `from` on is in the tail; false when there is none at `until`.
    async fn wait(
        &self,
        following: &Following,
        name: &Arc<str>,
        lane: Lane,
        from: u64,
        until: Instant,
    ) -> PortResult<bool> {
        let mut end = following.watch();
        // The sender lives in the tail, so waiting ends only with an entry or with the time.
        if timeout_at(until, end.wait_for(|end| *end > from)).await.is_ok() {
            return Ok(true);
        }
        // What was acknowledged before this read may still be on its way here.
        if self.ends.of_lane(name, lane).await? <= from {
            return Ok(false);
        }
        if timeout(self.answer_timeout, end.wait_for(|end| *end > from)).await.is_ok() {
            return Ok(true);
        }
        self.follow.forget(following).await;
        Err(unavailable(format!("the latest of lane {lane} of {name} does not arrive; see whether its brokers are up")))
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn lanes(&self, topic: &Topic) -> PortResult<u16> {
        Ok(self.0.parts.topics.get(topic).await?.lanes)
    }

    async fn append(&self, topic: &Topic, lane: Lane, payload: Bytes) -> PortResult<u64> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            let bytes = payload.len();
            return Err(damaged(format!("a payload of {bytes} bytes; {MAX_PAYLOAD_BYTES} fit")));
        }
        let topic = self.0.parts.topic(topic, lane).await?;
        self.0.parts.producer.append(&topic.name, lane, payload).await
    }

    async fn ends(&self, topic: &Topic) -> PortResult<Vec<u64>> {
        let topic = self.0.parts.topics.get(topic).await?;
        self.0.parts.ends.of(&topic.name, 0..topic.lanes).await
    }

    async fn read(
        &self,
        topic: &Topic,
        lane: Lane,
        from: u64,
        max: usize,
        patience: Duration,
    ) -> PortResult<Vec<Entry>> {
        let topic = self.0.parts.topic(topic, lane).await?;
        if max == 0 {
            return Ok(Vec::new());
        }
        self.0.parts.read(&topic.name, lane, from, max, patience).await
    }

    async fn committed(&self, group: &str, topic: &Topic, lane: Lane) -> PortResult<u64> {
        let topic = self.0.parts.topic(topic, lane).await?;
        self.0.parts.notes.get(group, &topic.name, lane).await
    }

    async fn commit(&self, group: &str, topic: &Topic, lane: Lane, next: u64) -> PortResult<()> {
        let topic = self.0.parts.topic(topic, lane).await?;
        self.0.parts.notes.set(group, &topic.name, lane, next)
    }
}
