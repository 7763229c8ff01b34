//! The latest entries of a lane in memory, for everybody here who follows it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use booking_core::ports::log::Entry;
use tokio::sync::watch;

/// The most bytes that one read answers, unless a single entry has more.
pub(super) const MAX_READ_BYTES: usize = 4 << 20;
/// The most entries kept of a lane.
const MAX_ENTRIES: usize = 16_384;
/// The most bytes kept of a lane, unless the latest entry alone has more.
const MAX_BYTES: usize = 4 << 20;

/// What memory says of a range of a lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These entries stand there, at least one.
    Entries(Vec<Entry>),
    /// They are older than what memory has, which begins at this offset.
    Older(u64),
    /// Memory has nothing from there on.
    Nothing,
}

/// A lane's latest entries: everything between `first` and `end`.
pub(super) struct Tail {
    kept: Mutex<Kept>,
    end: watch::Sender<u64>,
}

struct Kept {
    /// From here on memory has every entry.
    first: u64,
    end: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Tail {
    /// A tail that begins at `end`, with nothing in it.
    pub(super) fn new(end: u64) -> Self {
        let kept = Kept { first: end, end, entries: VecDeque::new(), bytes: 0 };
        Self { kept: Mutex::new(kept), end: watch::Sender::new(end) }
    }

    /// Tells when the end moves.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Adds what arrived, in order, and wakes who waits for it. What was there already is left out.
    pub(super) fn extend(&self, arrived: impl Iterator<Item = Entry>) {
        let end = {
            let mut kept = self.lock();
            for entry in arrived {
                if entry.offset >= kept.end {
                    kept.push(entry);
                }
            }
            kept.end
        };
        self.end.send_if_modified(|known| std::mem::replace(known, end) != end);
    }

    /// Up to `max` entries from `from` on.
    pub(super) fn read(&self, from: u64, max: usize) -> Found {
        let kept = self.lock();
        if from >= kept.end {
            return Found::Nothing;
        }
        if from < kept.first {
            return Found::Older(kept.first);
        }
        let skip = kept.entries.partition_point(|entry| entry.offset < from);
        let mut bytes = 0;
        let entries = kept.entries.iter().skip(skip).take(max).enumerate().take_while(|(number, entry)| {
            bytes += entry.payload.len();
            *number == 0 || bytes <= MAX_READ_BYTES
        });
        Found::Entries(entries.map(|(_, entry)| entry.clone()).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics halfway through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, entry: Entry) {
        self.end = entry.offset + 1;
        self.bytes += entry.payload.len();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.payload.len();
            self.first = oldest.offset + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entries(offsets: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Entry> {
        offsets.into_iter().map(|offset| Entry { offset, payload: offset.to_string().into() })
    }

    fn offsets(found: Found) -> Option<Vec<u64>> {
        match found {
            Found::Entries(entries) => Some(entries.iter().map(|entry| entry.offset).collect()),
            Found::Older(_) | Found::Nothing => None,
        }
    }

    #[test]
    fn a_tail_has_what_arrived_and_says_what_is_older() {
        let tail = Tail::new(10);
        assert_eq!(tail.read(9, 5), Found::Older(10));
        assert_eq!(tail.read(10, 5), Found::Nothing);
        tail.extend(entries(10..13));
        assert_eq!(*tail.watch().borrow(), 13);
        assert_eq!(offsets(tail.read(11, 9)), Some(vec![11, 12]));
        assert_eq!(offsets(tail.read(10, 2)), Some(vec![10, 11]));
        assert_eq!(tail.read(u64::MAX, 5), Found::Nothing);
    }

    #[test]
    fn what_arrives_twice_is_kept_once_and_gaps_are_passed_over() {
        let tail = Tail::new(5);
        tail.extend(entries([3, 4, 5, 6, 5, 6, 9]));
        assert_eq!(offsets(tail.read(5, 9)), Some(vec![5, 6, 9]));
        assert_eq!(offsets(tail.read(7, 9)), Some(vec![9]));
    }

    #[test]
    fn the_oldest_make_room() {
        let tail = Tail::new(0);
        tail.extend(entries(0..MAX_ENTRIES as u64 + 2));
        assert_eq!(tail.read(1, 1), Found::Older(2));
        assert_eq!(offsets(tail.read(2, 1)), Some(vec![2]));
        let large = Entry { offset: 1 << 40, payload: Bytes::from(vec![0; MAX_BYTES + 1]) };
        tail.extend(std::iter::once(large));
        assert_eq!(offsets(tail.read(1 << 40, 9)), Some(vec![1 << 40]));
        let first = MAX_ENTRIES as u64 + 2;
        assert_eq!(offsets(tail.read(first, 9)), Some(vec![1 << 40]), "nothing stands in the gap");
        assert_eq!(offsets(tail.read(first - 1, 9)), None, "an entry that made room");
    }
}
