//! The topics that the log knows, their lanes, and where groups of readers go on.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use booking_core::ports::{
    PortResult,
    log::{self, Topic},
};
use crossbeam_utils::sync::ShardedLock;
use sqlx::SqliteConnection;

use super::lane::{Lane, Room};
use crate::sqlite::error::{damaged, to_i64, to_u64, unavailable};

/// The most topics that one process knows at a time: two for each event, and a few.
pub(super) const MAX_TOPICS: usize = 1 << 16;

/// What is kept in memory of a durable lane: enough for whoever follows it closely.
const TAIL: Room = Room { entries: 4_096, bytes: 1 << 20 };
/// What there is at all of a lane in memory only.
const RING: Room = Room { entries: 16_384, bytes: 16 << 20 };

/// One topic.
pub(super) struct TopicLanes {
    /// Its name.
    pub(super) name: String,
    /// Whether it survives a restart.
    pub(super) durable: bool,
    /// Whether its lanes' rows are on the disk.
    pub(super) stored: AtomicBool,
    /// Its lanes, each with its id on the disk.
    pub(super) lanes: Vec<(i64, Lane)>,
}

impl TopicLanes {
    pub(super) fn lane(&self, lane: log::Lane) -> PortResult<&(i64, Lane)> {
        self.lanes.get(usize::from(lane)).ok_or_else(|| damaged("log", format!("{} has no lane {lane}", self.name)))
    }

    fn is_worth_keeping(&self) -> bool {
        self.stored.load(Ordering::Acquire) || self.lanes.iter().any(|(_, lane)| lane.end() > 0)
    }

    /// How many lanes it has.
    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.lanes.len()).expect("lanes are numbered by a u16")
    }
}

/// All topics.
pub(super) struct Topics {
    line_lanes: u16,
    /// Sharded, because every append of every core reads it.
    known: ShardedLock<HashMap<Topic, Arc<TopicLanes>>>,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    /// Topics on the disk that nobody asked for yet: each lane's id and end.
    on_disk: HashMap<String, Vec<(i64, u64)>>,
    last_id: i64,
}

impl Topics {
    /// Reads which topics there are. `line_lanes`: how many lanes a line made from now on has.
    pub(super) async fn load(connection: &mut SqliteConnection, line_lanes: u16) -> Result<Self, sqlx::Error> {
        let mut rest = Rest::default();
        for row in ends(connection).await? {
            rest.last_id = rest.last_id.max(row.lane_id);
            rest.on_disk.entry(row.topic).or_default().push((row.lane_id, row.end));
        }
        Ok(Self { line_lanes: line_lanes.max(1), known: ShardedLock::default(), rest: Mutex::new(rest) })
    }

    /// The topic, made in memory where it is missing.
    pub(super) fn get(&self, topic: &Topic) -> PortResult<Arc<TopicLanes>> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            return Ok(Arc::clone(known));
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(topic) {
            return Ok(Arc::clone(known));
        }
        if known.len() >= MAX_TOPICS {
            // Whoever only asked for what is not there leaves nothing behind that is worth its room.
            known.retain(|_, topic| topic.is_worth_keeping() || Arc::strong_count(topic) > 1);
        }
        if known.len() >= MAX_TOPICS {
            return Err(unavailable("log", format!("there are {MAX_TOPICS} topics already")));
        }
        let made = Arc::new(self.make(topic));
        known.insert(topic.clone(), Arc::clone(&made));
        Ok(made)
    }

    /// Every topic that was asked for.
    pub(super) fn all(&self) -> Vec<Arc<TopicLanes>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn make(&self, topic: &Topic) -> TopicLanes {
        let name = topic.to_string();
        let durable = topic.is_durable();
        let mut rest = self.rest();
        let on_disk = rest.on_disk.remove(&name);
        let stored = AtomicBool::new(on_disk.is_some());
        let lanes = on_disk.unwrap_or_else(|| {
            let count = if matches!(topic, Topic::Line(_)) { self.line_lanes } else { 1 };
            (0..count)
                .map(|_| {
                    rest.last_id += 1;
                    (rest.last_id, 0)
                })
                .collect()
        });
        let room = if durable { TAIL } else { RING };
        let lanes = lanes.into_iter().map(|(id, end)| (id, Lane::new(end, room))).collect();
        TopicLanes { name, durable, stored, lanes }
    }

    /// Brings the ends in memory to what the disk has, after a commit of unknown outcome.
    pub(super) async fn reload(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let rows = ends(connection).await?;
        let ends: HashMap<i64, u64> = rows.into_iter().map(|row| (row.lane_id, row.end)).collect();
        for topic in self.all().iter().filter(|topic| topic.durable) {
            let on_disk = topic.lanes.iter().all(|(id, _)| ends.contains_key(id));
            topic.stored.store(on_disk, Ordering::Release);
            for (id, lane) in &topic.lanes {
                let end = ends.get(id).copied().unwrap_or(0);
                if end != lane.end() {
                    lane.forget(Some(end));
                }
            }
        }
        Ok(())
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct LaneEnd {
    lane_id: i64,
    topic: String,
    end: u64,
}

async fn ends(connection: &mut SqliteConnection) -> Result<Vec<LaneEnd>, sqlx::Error> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT lane_id, topic,
            coalesce((SELECT base + count FROM segments s WHERE s.lane_id = l.lane_id ORDER BY base DESC LIMIT 1), 0)
         FROM lanes l ORDER BY topic, lane",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(lane_id, topic, end)| Ok(LaneEnd { lane_id, topic, end: to_u64(end)? })).collect()
}

/// Stores a topic's lanes.
pub(super) async fn store(topic: &TopicLanes, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for ((lane_id, _), lane) in topic.lanes.iter().zip(0_i64..) {
        sqlx::query("INSERT INTO lanes (lane_id, topic, lane) VALUES (?1, ?2, ?3)")
            .bind(lane_id)
            .bind(topic.name.as_str())
            .bind(lane)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Where groups go on. Kept in memory, and written with the next commit.
#[derive(Default)]
pub(super) struct Notes(Mutex<AllNotes>);

/// Topic and lane of each reader's notes.
type Spot = (String, log::Lane);

#[derive(Default)]
struct AllNotes {
    next: HashMap<String, HashMap<Spot, u64>>,
    /// Those not written yet.
    unwritten: HashMap<(String, Spot), u64>,
}

impl Notes {
    /// Reads the notes.
    pub(super) async fn load(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, String, u16, i64)> =
            sqlx::query_as("SELECT reader, topic, lane, next FROM notes").fetch_all(connection).await?;
        let mut notes = AllNotes::default();
        for (reader, topic, lane, next) in rows {
            notes.next.entry(reader).or_default().insert((topic, lane), to_u64(next)?);
        }
        Ok(Self(Mutex::new(notes)))
    }

    /// Where `reader` goes on.
    pub(super) fn get(&self, reader: &str, topic: &str, lane: log::Lane) -> u64 {
        let notes = self.lock();
        notes.next.get(reader).and_then(|spots| spots.get(&(topic.to_owned(), lane))).copied().unwrap_or(0)
    }

    /// Notes where `reader` goes on; true where nothing else was waiting to be written.
    pub(super) fn set(&self, reader: &str, topic: &TopicLanes, lane: log::Lane, next: u64) -> bool {
        let spot = (topic.name.clone(), lane);
        let mut notes = self.lock();
        notes.next.entry(reader.to_owned()).or_default().insert(spot.clone(), next);
        if !topic.durable {
            return false;
        }
        let is_first = notes.unwritten.is_empty();
        notes.unwritten.insert((reader.to_owned(), spot), next);
        is_first
    }

    /// Whether there is nothing to write.
    pub(super) fn are_written(&self) -> bool {
        self.lock().unwritten.is_empty()
    }

    /// Writes what is not written yet. Lost with a failed commit: a crash might have lost it too.
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let unwritten = std::mem::take(&mut self.lock().unwritten);
        for ((reader, (topic, lane)), next) in unwritten {
            sqlx::query(
                "INSERT INTO notes (reader, topic, lane, next) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (reader, topic, lane) DO UPDATE SET next = excluded.next",
            )
            .bind(reader)
            .bind(topic)
            .bind(lane)
            .bind(to_i64(next))
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, AllNotes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
