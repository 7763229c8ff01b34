//! A lane in memory: its latest entries, for the readers that follow it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use booking_core::ports::log::Entry;
use bytes::Bytes;
use tokio::sync::watch;

/// The most bytes that one read answers, unless a single entry has more.
pub(super) const MAX_READ_BYTES: usize = 4 << 20;

/// How much of a lane is kept in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Entries.
    pub(super) entries: usize,
    /// Bytes, unless the latest entry alone has more.
    pub(super) bytes: usize,
}

/// What memory says of a range of a lane.
pub(super) enum Found {
    /// These entries stand there.
    Entries(Vec<Entry>),
    /// They are older than what memory has.
    Older,
    /// There is nothing yet.
    Nothing,
}

/// A lane's latest entries and its end.
pub(super) struct Lane {
    room: Room,
    tail: Mutex<Tail>,
    end: watch::Sender<u64>,
}

struct Tail {
    /// The offset of the first entry kept.
    first: u64,
    entries: VecDeque<Bytes>,
    bytes: usize,
}

impl Tail {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

impl Lane {
    /// A lane that ends at `end`, with nothing of it in memory.
    pub(super) fn new(end: u64, room: Room) -> Self {
        let tail = Tail { first: end, entries: VecDeque::new(), bytes: 0 };
        Self { room, tail: Mutex::new(tail), end: watch::Sender::new(end) }
    }

    /// The offset after the last entry.
    pub(super) fn end(&self) -> u64 {
        *self.end.borrow()
    }

    /// Tells when the end moves.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Adds entries that are safe now, and wakes who waits for them. Answers the first one's offset.
    pub(super) fn extend(&self, payloads: impl Iterator<Item = Bytes>) -> u64 {
        let (base, end) = {
            let mut tail = self.lock();
            let base = tail.end();
            for payload in payloads {
                tail.bytes += payload.len();
                tail.entries.push_back(payload);
                while tail.entries.len() > self.room.entries || (tail.bytes > self.room.bytes && tail.entries.len() > 1)
                {
                    let oldest = tail.entries.pop_front().map_or(0, |oldest| oldest.len());
                    tail.bytes -= oldest;
                    tail.first += 1;
                }
            }
            (base, tail.end())
        };
        self.end.send_replace(end);
        base
    }

    /// Up to `max` entries from `from` on.
    pub(super) fn read(&self, from: u64, max: usize) -> Found {
        let tail = self.lock();
        if from >= tail.end() {
            return Found::Nothing;
        }
        let Some(skip) = from.checked_sub(tail.first) else {
            return Found::Older;
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let entries = tail.entries.iter().skip(skip).take(max).zip(from..).take_while(|(payload, offset)| {
            bytes += payload.len();
            *offset == from || bytes <= MAX_READ_BYTES
        });
        Found::Entries(entries.map(|(payload, offset)| Entry { offset, payload: payload.clone() }).collect())
    }

    /// The first offset that memory has.
    pub(super) fn first(&self) -> u64 {
        self.lock().first
    }

    /// How many bytes memory has of it.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Drops what memory has. Where the disk turned out to have another end, that is the end.
    pub(super) fn forget(&self, end: Option<u64>) {
        let end = {
            let mut tail = self.lock();
            let end = end.unwrap_or(tail.end());
            *tail = Tail { first: end, entries: VecDeque::new(), bytes: 0 };
            end
        };
        self.end.send_if_modified(|known| std::mem::replace(known, end) != end);
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        // Nothing in here panics halfway through a change.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64) -> Bytes {
        number.to_string().into()
    }

    fn offsets(found: Found) -> Option<Vec<u64>> {
        match found {
            Found::Entries(entries) => Some(entries.iter().map(|entry| entry.offset).collect()),
            Found::Older | Found::Nothing => None,
        }
    }

    #[test]
    fn a_lane_keeps_its_latest_entries_and_says_what_is_older() {
        let lane = Lane::new(10, Room { entries: 3, bytes: 1_000 });
        assert!(matches!(lane.read(9, 5), Found::Older));
        assert!(matches!(lane.read(10, 5), Found::Nothing));
        assert_eq!(lane.extend((10..15).map(text)), 10);
        assert_eq!((lane.end(), lane.first(), lane.bytes()), (15, 12, 6));
        assert!(matches!(lane.read(11, 5), Found::Older));
        assert_eq!(offsets(lane.read(12, 2)), Some(vec![12, 13]));
        assert_eq!(offsets(lane.read(14, 9)), Some(vec![14]));
        assert!(matches!(lane.read(u64::MAX, 5), Found::Nothing));
    }

    #[test]
    fn an_entry_larger_than_the_room_is_kept_alone() {
        let lane = Lane::new(0, Room { entries: 9, bytes: 10 });
        lane.extend([Bytes::from_static(&[0; 4]), Bytes::from_static(&[0; 50])].into_iter());
        assert_eq!((lane.first(), lane.bytes()), (1, 50));
        assert_eq!(offsets(lane.read(1, 1)), Some(vec![1]));
    }

    #[test]
    fn a_lane_that_forgets_still_has_its_end() {
        let lane = Lane::new(0, Room { entries: 9, bytes: 10 });
        lane.extend((0..2).map(text));
        lane.forget(None);
        assert!(matches!(lane.read(1, 1), Found::Older));
        assert_eq!((lane.end(), lane.bytes()), (2, 0));
        lane.forget(Some(5));
        assert_eq!(lane.extend((5..6).map(text)), 5);
    }
}
