//! The log in one SQLite file: a row a commit and lane, and the latest entries of each lane in memory.
//!
//! An append waits in a bounded queue; the writer takes all that wait, writes them in one transaction, and answers
//! them when that is on the disk. Offsets of a lane have no gaps. Readers who follow a lane closely are served from
//! memory; older entries are read from the segments. Answers to commands and seat changes ([`Topic::is_durable`] is
//! false) are in memory only: a reader who falls behind goes on at the oldest entry kept.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use booking_core::{
    id::EventId,
    line::{Place, entry::JoinRecord},
    ports::{
        PortResult,
        log::{Entry, Lane, Log, MAX_PAYLOAD_BYTES, Topic},
    },
};
use bytes::Bytes;
use tokio::time::timeout;

use super::{
    database::{Database, Schema},
    error::damaged,
    group::Scribe,
    queue::Queue,
};
use lane::Found;
use topics::{Notes, TopicLanes, Topics};
use writer::{Act, Writer};

mod lane;
mod read;
mod segment;
mod topics;
mod writer;

const PORT: &str = "log";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x576C_6F67,
    steps: &[("log", include_str!("../../migrations/sqlite/log/0001_log.sql"))],
};

/// How long a note of where a group goes on may wait for a commit to go with.
const NOTES_PATIENCE: Duration = Duration::from_millis(900);

/// The log's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The lanes of a line that is made from now on, at least 1. A line keeps the lanes it was made with.
    pub line_lanes: u16,
    /// The most appends that wait for a commit; one more is answered as unavailable.
    pub max_waiting: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { line_lanes: 3, max_waiting: 65_536 }
    }
}

/// The log. A clone is the same log; when the last one is dropped, what waits is still written.
#[derive(Clone)]
pub struct SqliteLog(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    scribe: Scribe<Act>,
    topics: Arc<Topics>,
    notes: Arc<Notes>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.write_notes();
    }
}

impl Shared {
    /// Asks for the notes to be written. Refused where the queue is full or closed; then they go with what is in it.
    fn write_notes(&self) {
        let _ = self.scribe.queue().push(Act::Notes);
    }
}

impl SqliteLog {
    /// Opens the log in the file at `path`, made where it is missing; its folder must exist. Must be called on a Tokio
    /// runtime, which the writer then runs on.
    ///
    /// # Errors
    /// `Unavailable`: the folder or the file can't be written, the disk is full, another process has it, or a newer
    /// version wrote it. `Damaged`: the file is corrupt or no log.
    pub async fn open(path: &Path, settings: LogSettings) -> PortResult<Self> {
        let (database, mut connection) = Database::open(path, &SCHEMA).await?;
        let topics = Arc::new(database.answer(Topics::load(&mut connection, settings.line_lanes).await)?);
        let notes = Arc::new(database.answer(Notes::load(&mut connection).await)?);
        let database = Arc::new(database);
        let queue = Queue::new(PORT, settings.max_waiting);
        let writer = Writer { topics: Arc::clone(&topics), notes: Arc::clone(&notes) };
        let scribe = Scribe::new(Arc::clone(&database), connection, queue, writer);
        Ok(Self(Arc::new(Shared { database, scribe, topics, notes })))
    }

    /// Writes what waits, and ends: every later append is refused.
    pub async fn close(&self) {
        self.0.write_notes();
        self.0.scribe.close().await;
    }

    /// Hands every join of `event`'s line that was acknowledged before the call to `each`, lane by lane in offset
    /// order; what is no join is left out. For rebuilding what is kept in memory: it reads whole segments.
    ///
    /// # Errors
    /// As every read.
    pub async fn joins(&self, event: &EventId, mut each: impl FnMut(Place, JoinRecord) + Send) -> PortResult<()> {
        let topic = self.0.topics.get(&Topic::Line(event.clone()))?;
        for ((lane_id, kept), lane) in topic.lanes.iter().zip(0..) {
            let each = |offset, payload: &[u8]| {
                if let Ok(join) = JoinRecord::decode(payload) {
                    each(Place { lane, offset }, join);
                }
            };
            let all = read::all(self.0.database.readers(), *lane_id, kept.end(), each).await;
            self.0.database.answer(all)?;
        }
        Ok(())
    }

    async fn read_once(&self, topic: &TopicLanes, lane: Lane, from: u64, max: usize) -> PortResult<Option<Vec<Entry>>> {
        let (lane_id, lane) = topic.lane(lane)?;
        match lane.read(from, max) {
            Found::Entries(entries) => Ok(Some(entries)),
            Found::Nothing => Ok(None),
            Found::Older if topic.durable => {
                let older = read::some(self.0.database.readers(), *lane_id, from, max, lane.end()).await;
                self.0.database.answer(older).map(Some)
            }
            Found::Older => match lane.read(lane.first(), max) {
                Found::Entries(entries) => Ok(Some(entries)),
                Found::Older | Found::Nothing => Ok(None),
            },
        }
    }
}

#[async_trait]
impl Log for SqliteLog {
    async fn lanes(&self, topic: &Topic) -> PortResult<u16> {
        let lanes = self.0.topics.get(topic)?;
        if lanes.durable && !lanes.stored.load(Ordering::Acquire) {
            self.0.scribe.ask(|reply| Act::Store { topic: Arc::clone(&lanes), reply }).await?;
        }
        Ok(lanes.count())
    }

    async fn append(&self, topic: &Topic, lane: Lane, payload: Bytes) -> PortResult<u64> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            let bytes = payload.len();
            return Err(damaged(PORT, format!("a payload of {bytes} bytes; {MAX_PAYLOAD_BYTES} fit")));
        }
        let topic = self.0.topics.get(topic)?;
        let (_, in_memory) = topic.lane(lane)?;
        if !topic.durable {
            return Ok(in_memory.extend(std::iter::once(payload)));
        }
        self.0.scribe.ask(|reply| Act::Append { topic, lane, payload, reply }).await
    }

    async fn ends(&self, topic: &Topic) -> PortResult<Vec<u64>> {
        let topic = self.0.topics.get(topic)?;
        Ok(topic.lanes.iter().map(|(_, lane)| lane.end()).collect())
    }

    async fn read(
        &self,
        topic: &Topic,
        lane: Lane,
        from: u64,
        max: usize,
        patience: Duration,
    ) -> PortResult<Vec<Entry>> {
        let topic = self.0.topics.get(topic)?;
        if max == 0 {
            return Ok(Vec::new());
        }
        if let Some(entries) = self.read_once(&topic, lane, from, max).await? {
            return Ok(entries);
        }
        if patience.is_zero() {
            return Ok(Vec::new());
        }
        let mut end = topic.lane(lane)?.1.watch();
        // The sender lives in the topic, so waiting ends only with an entry or with patience.
        if timeout(patience, end.wait_for(|end| *end > from)).await.is_err() {
            return Ok(Vec::new());
        }
        Ok(self.read_once(&topic, lane, from, max).await?.unwrap_or_default())
    }

    async fn committed(&self, group: &str, topic: &Topic, lane: Lane) -> PortResult<u64> {
        let topic = self.0.topics.get(topic)?;
        topic.lane(lane)?;
        Ok(self.0.notes.get(group, &topic.name, lane))
    }

    async fn commit(&self, group: &str, topic: &Topic, lane: Lane, next: u64) -> PortResult<()> {
        let topic = self.0.topics.get(topic)?;
        topic.lane(lane)?;
        if self.0.notes.set(group, &topic, lane, next) {
            let queue = Arc::clone(self.0.scribe.queue());
            tokio::spawn(async move {
                tokio::time::sleep(NOTES_PATIENCE).await;
                // Refused where the queue is full or closed; then the notes go with what is in it.
                let _ = queue.push(Act::Notes);
            });
        }
        Ok(())
    }
}
