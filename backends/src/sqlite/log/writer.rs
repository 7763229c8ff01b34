//! The log's writer: a segment a lane in each commit.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use booking_core::ports::{PortError, log::Lane};
use bytes::Bytes;
use sqlx::{QueryBuilder, SqliteConnection};

use super::{
    segment,
    topics::{Notes, TopicLanes, Topics, store},
};
use crate::sqlite::{
    error::to_i64,
    group::{Group, Reply},
    queue,
};

/// The most bytes that all lanes together keep in memory. Beyond it, lanes that nothing is appended to forget theirs.
const MAX_TAIL_BYTES: usize = 64 << 20;
/// The most rows of one statement, four values each; SQLite takes 32,766 values.
const MAX_ROWS: usize = 4_096;
/// What an act takes beside its payload, in bytes, about.
const ACT_BYTES: usize = 128;

/// What the writer is asked for.
pub(super) enum Act {
    /// Appends, and answers the offset.
    Append { topic: Arc<TopicLanes>, lane: Lane, payload: Bytes, reply: Reply<u64> },
    /// Makes sure that the topic is on the disk.
    Store { topic: Arc<TopicLanes>, reply: Reply<()> },
    /// Writes the notes of where groups go on.
    Notes,
}

impl queue::Act for Act {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { payload, .. } => ACT_BYTES + payload.len(),
            Self::Store { .. } | Self::Notes => ACT_BYTES,
        }
    }
}

impl Act {
    fn topic(&self) -> Option<&Arc<TopicLanes>> {
        match self {
            Self::Append { topic, .. } | Self::Store { topic, .. } => Some(topic),
            Self::Notes => None,
        }
    }
}

pub(super) struct Writer {
    pub(super) topics: Arc<Topics>,
    pub(super) notes: Arc<Notes>,
}

/// One lane's entries of a group, in the order they came.
struct LaneAppends {
    topic: Arc<TopicLanes>,
    lane: Lane,
    payloads: Vec<Bytes>,
}

/// The group's appends by lane.
fn by_lane(acts: &[Act]) -> Vec<LaneAppends> {
    let mut lanes: Vec<LaneAppends> = Vec::new();
    let mut index: HashMap<i64, usize> = HashMap::new();
    for act in acts {
        let Act::Append { topic, lane, payload, .. } = act else {
            continue;
        };
        let (id, _) = &topic.lanes[usize::from(*lane)];
        let at = *index.entry(*id).or_insert_with(|| {
            lanes.push(LaneAppends { topic: Arc::clone(topic), lane: *lane, payloads: Vec::new() });
            lanes.len() - 1
        });
        lanes[at].payloads.push(payload.clone());
    }
    lanes
}

impl Group for Writer {
    type Act = Act;
    const APART: bool = false;

    fn is_one_statement(&self, acts: &[Act]) -> bool {
        // An append makes one row at most.
        let are_stored = acts.iter().filter_map(Act::topic).all(|topic| topic.stored.load(Ordering::Acquire));
        are_stored && acts.len() <= MAX_ROWS && self.notes.are_written()
    }

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Act>) -> Result<(), sqlx::Error> {
        let mut fresh: Vec<&Arc<TopicLanes>> = Vec::new();
        for topic in acts.iter().filter_map(Act::topic) {
            if !topic.stored.load(Ordering::Acquire) && !fresh.iter().any(|known| Arc::ptr_eq(known, topic)) {
                fresh.push(topic);
            }
        }
        for topic in fresh {
            store(topic, transaction).await?;
        }
        let mut segments = Vec::new();
        for appends in by_lane(acts) {
            let (lane_id, lane) = &appends.topic.lanes[usize::from(appends.lane)];
            let mut base = lane.end();
            let mut rest = &appends.payloads[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(segment::next_count(rest.iter()));
                segments.push((*lane_id, base, now.len() as u64, segment::encode(now.iter())));
                base += now.len() as u64;
                rest = later;
            }
        }
        let mut segments = segments.into_iter().peekable();
        while segments.peek().is_some() {
            let mut insert = QueryBuilder::new("INSERT INTO segments (lane_id, base, count, bytes) ");
            insert.push_values(segments.by_ref().take(MAX_ROWS), |mut row, (lane_id, base, count, bytes)| {
                row.push_bind(lane_id).push_bind(to_i64(base)).push_bind(to_i64(count)).push_bind(bytes);
            });
            insert.build().execute(&mut *transaction).await?;
        }
        self.notes.write(transaction).await
    }

    fn written(&mut self, acts: Vec<Act>) {
        let lanes = by_lane(&acts);
        // Readers first: whoever is answered finds their entry in every read that starts later.
        let mut next: HashMap<i64, u64> = HashMap::new();
        for appends in lanes {
            let (id, lane) = &appends.topic.lanes[usize::from(appends.lane)];
            next.insert(*id, lane.extend(appends.payloads.into_iter()));
        }
        for act in acts {
            match act {
                Act::Append { topic, lane, mut reply, .. } => {
                    topic.stored.store(true, Ordering::Release);
                    let offset =
                        next.get_mut(&topic.lanes[usize::from(lane)].0).expect("every lane of the group was extended");
                    reply.set(*offset);
                    reply.send();
                    *offset += 1;
                }
                Act::Store { topic, mut reply } => {
                    topic.stored.store(true, Ordering::Release);
                    reply.set(());
                    reply.send();
                }
                Act::Notes => {}
            }
        }
        self.trim(&next);
    }

    fn failed(&mut self, acts: Vec<Act>, why: &PortError) {
        for act in acts {
            match act {
                Act::Append { reply, .. } => reply.fail(why),
                Act::Store { reply, .. } => reply.fail(why),
                Act::Notes => {}
            }
        }
    }

    async fn recover(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        self.topics.reload(connection).await
    }
}

impl Writer {
    /// Holds the tails together to their limit. `busy`: the lanes just appended to.
    fn trim(&self, busy: &HashMap<i64, u64>) {
        let topics = self.topics.all();
        let lanes = || topics.iter().filter(|topic| topic.durable).flat_map(|topic| &topic.lanes);
        if lanes().map(|(_, lane)| lane.bytes()).sum::<usize>() > MAX_TAIL_BYTES {
            for (_, lane) in lanes().filter(|(id, _)| !busy.contains_key(id)) {
                lane.forget(None);
            }
        }
    }
}
