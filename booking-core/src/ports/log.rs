//! The log: the spine of a sale. Joins, decisions and commands are appended here and read in order by everyone.
//!
//! Contract (suite: [`contract`]):
//! - An append is acknowledged only when it survives the loss of the process (and, replicated, of one machine).
//! - Offsets of a lane begin at 0 and rise; an offset, once acknowledged, names that payload for ever. There may be
//!   gaps. A lane's entries are read in offset order.
//! - An append whose outcome is unknown may be there, once or more than once: readers drop what they already applied.
//! - What was acknowledged is seen by every read that starts later.
//! - [`Topic::is_durable`] is false for answers and screens only: those may be forgotten at a restart.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::PortResult;
use crate::id::EventId;

#[cfg(feature = "contracts")]
pub mod contract;

/// A topic of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Which events have a sale, one record a change of policy, keyed by event.
    Sales,
    /// An event's joins; lane and offset are the place.
    Line(EventId),
    /// What the keeper of an event's line decided. One lane.
    State(EventId),
    /// Operators' commands, keyed by event.
    Commands,
    /// Hold, release and confirm commands, keyed by event.
    Bookings,
    /// Answers to commands; a lane for each gateway.
    Replies,
    /// Seat changes for live maps, keyed by event.
    Seats,
    /// The outbox: bookings and notices for the world outside, keyed by booking.
    Changes,
    /// What became of webhooks, and which are to be sent again. One lane.
    Deliveries,
    /// Changes of the catalog, in Debezium's envelope, keyed by event.
    Catalog,
    /// Records that can't be read, each with the reason. One lane.
    DeadLetters,
}

impl Topic {
    /// Whether an acknowledged append survives a restart of everything.
    pub fn is_durable(&self) -> bool {
        !matches!(self, Self::Replies | Self::Seats)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sales => f.write_str("weir.sales"),
            Self::Line(event) => write!(f, "weir.line.{event}"),
            Self::State(event) => write!(f, "weir.state.{event}"),
            Self::Commands => f.write_str("weir.commands"),
            Self::Bookings => f.write_str("weir.bookings"),
            Self::Replies => f.write_str("weir.replies"),
            Self::Seats => f.write_str("weir.seats"),
            Self::Changes => f.write_str("weir.changes"),
            Self::Deliveries => f.write_str("weir.deliveries"),
            Self::Catalog => f.write_str("weir.catalog"),
            Self::DeadLetters => f.write_str("weir.dead-letters"),
        }
    }
}

/// A lane (partition) of a topic.
pub type Lane = u16;

/// One entry as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its offset in the lane.
    pub offset: u64,
    /// What was appended.
    pub payload: Bytes,
}

/// The largest payload of one append, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The log.
#[async_trait]
pub trait Log: Send + Sync {
    /// How many lanes `topic` has, at least 1; the topic is made where it was missing. Never changes for a line.
    async fn lanes(&self, topic: &Topic) -> PortResult<u16>;

    /// Appends `payload` and answers its offset once it is safe.
    async fn append(&self, topic: &Topic, lane: Lane, payload: Bytes) -> PortResult<u64>;

    /// Each lane's end: the offset after its last acknowledged entry.
    async fn ends(&self, topic: &Topic) -> PortResult<Vec<u64>>;

    /// Up to `max` entries of `lane` from offset `from` on. Where there is none yet, waits up to `patience` for one;
    /// an empty answer means that there still is none.
    async fn read(
        &self,
        topic: &Topic,
        lane: Lane,
        from: u64,
        max: usize,
        patience: Duration,
    ) -> PortResult<Vec<Entry>>;

    /// Where `group` goes on reading `lane`: what it last committed, or 0.
    async fn committed(&self, group: &str, topic: &Topic, lane: Lane) -> PortResult<u64>;

    /// Notes that `group` is done with everything of `lane` before `next`. A crash may lose the latest notes.
    async fn commit(&self, group: &str, topic: &Topic, lane: Lane, next: u64) -> PortResult<()>;
}

/// The lane of `key` among `lanes`: the same for everybody, always. FNV-1a, 64 bit.
pub fn lane_of(key: &str, lanes: u16) -> Lane {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u16::try_from(hash % u64::from(lanes.max(1))).expect("a remainder of a u16 fits a u16")
}
