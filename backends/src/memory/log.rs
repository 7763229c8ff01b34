//! The log in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use booking_core::ports::{
    PortError, PortResult,
    log::{Entry, Lane, Log, MAX_PAYLOAD_BYTES, Topic},
};
use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};

use super::locked;

/// The most entries of one lane: beyond them an append is refused, as by a log whose disk is full.
const MAX_LANE_ENTRIES: usize = 1 << 24;

/// How many lanes topics have. The sales and each state have one, whatever is set here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes {
    /// Of each event's line.
    pub line: u16,
    /// Of the commands, the bookings, the seats, the changes and the catalog.
    pub keyed: u16,
    /// Of the replies.
    pub replies: u16,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { line: 1, keyed: 1, replies: 1 }
    }
}

impl Lanes {
    fn of(self, topic: &Topic) -> u16 {
        let lanes = match topic {
            Topic::Sales | Topic::State(_) | Topic::Deliveries | Topic::DeadLetters => 1,
            Topic::Line(_) => self.line,
            Topic::Commands | Topic::Bookings | Topic::Seats | Topic::Changes | Topic::Catalog => self.keyed,
            Topic::Replies => self.replies,
        };
        lanes.max(1)
    }
}

/// A log in memory; its clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    lanes: Lanes,
    store: Arc<Store>,
}

#[derive(Debug, Default)]
struct Store {
    topics: Mutex<HashMap<Topic, Arc<[LaneLog]>>>,
    notes: Mutex<HashMap<(String, Topic, Lane), u64>>,
}

#[derive(Debug, Default)]
struct LaneLog {
    entries: Mutex<Entries>,
    grown: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    /// The offset of the first one kept.
    base: u64,
    payloads: Vec<Bytes>,
}

impl Entries {
    fn end(&self) -> u64 {
        self.base + self.payloads.len() as u64
    }

    fn read(&self, from: u64, max: usize) -> Vec<Entry> {
        let skip = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        (self.base..)
            .zip(&self.payloads)
            .skip(skip)
            .take(max)
            .map(|(offset, payload)| Entry { offset, payload: payload.clone() })
            .collect()
    }
}

impl MemoryLog {
    /// An empty log whose topics have as many lanes as `lanes` says.
    pub fn new(lanes: Lanes) -> Self {
        Self { lanes, store: Arc::default() }
    }

    /// Forgets what a restart of everything may forget: the entries of the topics that are not durable. Their offsets
    /// go on.
    pub fn restart(&self) {
        for (_, lanes) in locked(&self.store.topics).iter().filter(|(topic, _)| !topic.is_durable()) {
            for lane in lanes.iter() {
                let mut entries = locked(&lane.entries);
                entries.base = entries.end();
                entries.payloads.clear();
            }
        }
    }

    fn topic(&self, topic: &Topic) -> Arc<[LaneLog]> {
        let mut topics = locked(&self.store.topics);
        if let Some(lanes) = topics.get(topic) {
            return lanes.clone();
        }
        let lanes: Arc<[LaneLog]> = (0..self.lanes.of(topic)).map(|_| LaneLog::default()).collect();
        topics.insert(topic.clone(), lanes.clone());
        lanes
    }
}

fn lane_of<'a>(lanes: &'a [LaneLog], topic: &Topic, lane: Lane) -> PortResult<&'a LaneLog> {
    lanes.get(usize::from(lane)).ok_or_else(|| PortError::Damaged {
        port: "log",
        reason: format!("{topic} has {} lanes; there is no lane {lane}", lanes.len()),
    })
}

#[async_trait]
impl Log for MemoryLog {
    async fn lanes(&self, topic: &Topic) -> PortResult<u16> {
        Ok(u16::try_from(self.topic(topic).len()).expect("a topic is made with a u16 of lanes"))
    }

    async fn append(&self, topic: &Topic, lane: Lane, payload: Bytes) -> PortResult<u64> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            let reason = format!("a payload of {} bytes is above the limit of {MAX_PAYLOAD_BYTES}", payload.len());
            return Err(PortError::Damaged { port: "log", reason });
        }
        let lanes = self.topic(topic);
        let lane = lane_of(&lanes, topic, lane)?;
        let offset = {
            let mut entries = locked(&lane.entries);
            if entries.payloads.len() >= MAX_LANE_ENTRIES {
                let reason = format!("a lane of {topic} is full with {MAX_LANE_ENTRIES} entries");
                return Err(PortError::Unavailable { port: "log", reason });
            }
            entries.payloads.push(payload);
            entries.end() - 1
        };
        lane.grown.notify_waiters();
        Ok(offset)
    }

    async fn ends(&self, topic: &Topic) -> PortResult<Vec<u64>> {
        Ok(self.topic(topic).iter().map(|lane| locked(&lane.entries).end()).collect())
    }

    async fn read(
        &self,
        topic: &Topic,
        lane: Lane,
        from: u64,
        max: usize,
        patience: Duration,
    ) -> PortResult<Vec<Entry>> {
        let lanes = self.topic(topic);
        let lane = lane_of(&lanes, topic, lane)?;
        let now = locked(&lane.entries).read(from, max);
        if !now.is_empty() || max == 0 || patience.is_zero() {
            return Ok(now);
        }
        let until = Instant::now() + patience;
        loop {
            let mut grown = std::pin::pin!(lane.grown.notified());
            // Listens before it looks, so that no append falls between.
            grown.as_mut().enable();
            let found = locked(&lane.entries).read(from, max);
            if !found.is_empty() || tokio::time::timeout_at(until, grown).await.is_err() {
                return Ok(found);
            }
        }
    }

    async fn committed(&self, group: &str, topic: &Topic, lane: Lane) -> PortResult<u64> {
        let note = (group.to_owned(), topic.clone(), lane);
        Ok(locked(&self.store.notes).get(&note).copied().unwrap_or(0))
    }

    async fn commit(&self, group: &str, topic: &Topic, lane: Lane, next: u64) -> PortResult<()> {
        locked(&self.store.notes).insert((group.to_owned(), topic.clone(), lane), next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restart_forgets_answers_and_screens_and_nothing_else() {
        let log = MemoryLog::default();
        for topic in [Topic::Replies, Topic::Seats, Topic::Bookings] {
            log.append(&topic, 0, Bytes::from_static(b"before")).await.unwrap();
        }
        log.restart();
        for (topic, kept) in [(Topic::Replies, 0), (Topic::Seats, 0), (Topic::Bookings, 1)] {
            assert_eq!(log.read(&topic, 0, 0, 10, Duration::ZERO).await.unwrap().len(), kept, "{topic}");
            assert_eq!(log.append(&topic, 0, Bytes::from_static(b"after")).await.unwrap(), 1, "{topic}");
            assert_eq!(log.read(&topic, 0, 0, 10, Duration::ZERO).await.unwrap().len(), kept + 1, "{topic}");
        }
    }
}
