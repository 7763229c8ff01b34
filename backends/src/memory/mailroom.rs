//! The mailroom in memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, LetterId},
    mail::{Contact, Letter},
    ports::{
        PortResult,
        mailroom::{Due, Letters, Mailroom, RefusedLetter, Settled},
    },
    time::Timestamp,
};

use super::locked;

/// A mailroom in memory; its clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryMailroom(Arc<Mutex<Room>>);

#[derive(Debug, Default)]
struct Room {
    contacts: HashMap<BookingId, (Contact, Timestamp)>,
    /// What waits, by its moment and the order posted.
    waiting: BTreeMap<(Timestamp, u64), Waiting>,
    posted: u64,
    known: HashMap<LetterId, Known>,
}

#[derive(Debug)]
struct Waiting {
    letter: Letter,
    tries: u32,
    posted_at: Timestamp,
}

#[derive(Debug)]
enum Known {
    Waits(Timestamp, u64),
    Settled { booking: BookingId, refused: Option<String>, at: Timestamp },
}

#[async_trait]
impl Mailroom for MemoryMailroom {
    async fn remember(&self, contacts: &[(BookingId, Contact)], now: Timestamp) -> PortResult<()> {
        let mut room = locked(&self.0);
        for (booking, contact) in contacts {
            room.contacts.insert(booking.clone(), (contact.clone(), now));
        }
        Ok(())
    }

    async fn post(&self, letters: &[Letter], now: Timestamp) -> PortResult<usize> {
        let room = &mut *locked(&self.0);
        let mut queued = 0;
        for letter in letters {
            let has_contact = room.contacts.contains_key(&letter.booking.booking_id);
            if !has_contact || room.known.contains_key(&letter.letter_id) {
                continue;
            }
            room.posted += 1;
            room.known.insert(letter.letter_id.clone(), Known::Waits(now, room.posted));
            room.waiting.insert((now, room.posted), Waiting { letter: letter.clone(), tries: 0, posted_at: now });
            queued += 1;
        }
        Ok(queued)
    }

    async fn due(&self, now: Timestamp, max: usize) -> PortResult<Vec<Due>> {
        let room = locked(&self.0);
        let due = room.waiting.range(..=(now, u64::MAX)).filter_map(|(_, waiting)| {
            let (contact, _) = room.contacts.get(&waiting.letter.booking.booking_id)?;
            let Waiting { letter, tries, posted_at } = waiting;
            Some(Due { letter: letter.clone(), contact: contact.clone(), tries: *tries, posted_at: *posted_at })
        });
        Ok(due.take(max).collect())
    }

    async fn settle(&self, settled: &[(LetterId, Settled)], now: Timestamp) -> PortResult<()> {
        let room = &mut *locked(&self.0);
        for (id, settled) in settled {
            let Some(Known::Waits(until, place)) = room.known.get(id) else { continue };
            let place = *place;
            let Some(mut waiting) = room.waiting.remove(&(*until, place)) else { continue };
            let refused = match settled {
                Settled::Later(until) => {
                    waiting.tries += 1;
                    room.known.insert(id.clone(), Known::Waits(*until, place));
                    room.waiting.insert((*until, place), waiting);
                    continue;
                }
                Settled::Sent => None,
                Settled::Refused(why) => Some(why.clone()),
            };
            let booking = waiting.letter.booking.booking_id;
            room.known.insert(id.clone(), Known::Settled { booking, refused, at: now });
        }
        Ok(())
    }

    async fn refused(&self, max: usize) -> PortResult<Vec<RefusedLetter>> {
        let mut refused = refused(&locked(&self.0));
        refused.sort_by(|a, b| (b.at, &b.letter_id).cmp(&(a.at, &a.letter_id)));
        refused.truncate(max);
        Ok(refused)
    }

    async fn letters(&self) -> PortResult<Letters> {
        let room = locked(&self.0);
        Ok(Letters { waiting: room.waiting.len() as u64, refused: refused(&room).len() as u64 })
    }

    async fn forget(&self, before: Timestamp, max: usize) -> PortResult<usize> {
        let room = &mut *locked(&self.0);
        let settled = room.known.iter().filter(|(_, known)| matches!(known, Known::Settled { at, .. } if *at < before));
        let letters: Vec<LetterId> = settled.map(|(id, _)| id.clone()).take(max).collect();
        let waited_for: HashSet<&BookingId> =
            room.waiting.values().map(|waiting| &waiting.letter.booking.booking_id).collect();
        let old = room.contacts.iter().filter(|(id, (_, at))| *at < before && !waited_for.contains(id));
        let contacts: Vec<BookingId> = old.map(|(id, _)| id.clone()).take(max).collect();
        for id in &letters {
            room.known.remove(id);
        }
        for id in &contacts {
            room.contacts.remove(id);
        }
        Ok(letters.len() + contacts.len())
    }
}

fn refused(room: &Room) -> Vec<RefusedLetter> {
    let refused = room.known.iter().filter_map(|(id, known)| match known {
        Known::Settled { booking, refused: Some(why), at } => {
            Some(RefusedLetter { letter_id: id.clone(), booking_id: booking.clone(), reason: why.clone(), at: *at })
        }
        _ => None,
    });
    refused.collect()
}
