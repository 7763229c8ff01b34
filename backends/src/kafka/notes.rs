//! Where groups go on reading: noted in memory, and stored with the brokers now and then.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use booking_core::ports::{PortResult, log::Lane};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, KafkaResult},
};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    KafkaSettings,
    aside::Aside,
    error::{Logged, damaged, port_error, unavailable},
};

/// The most groups that one process notes for; each has connections of its own. One more takes the place of the one that
/// was used least lately: an index that was made anew leaves its group behind.
const MAX_GROUPS: usize = 32;
/// The most notes that wait to be stored.
const MAX_NOTES: usize = 1 << 16;

/// The notes. Dropped, it stores what is not stored yet.
pub(super) struct Notes {
    shared: Arc<Shared>,
    _running: JoinSet<()>,
}

struct Shared {
    settings: Arc<KafkaSettings>,
    groups: Mutex<HashMap<Arc<str>, Group>>,
    /// What is not stored yet.
    notes: Mutex<HashMap<Spot, u64>>,
    /// Held while notes are stored, so that an older note is never stored over a newer one. Only ever locked where
    /// blocking is allowed.
    storing: Mutex<()>,
}

type Client = Arc<Aside<BaseConsumer<Logged>>>;

struct Group {
    name: Arc<str>,
    client: Client,
    used_at: Instant,
}

/// A group, and the topic's name and the lane that it reads.
type Spot = (Arc<str>, Arc<str>, Lane);

impl Drop for Notes {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        // Where no thread is to be had, the notes are lost, as in a crash.
        let _ = thread::Builder::new().name("kafka-notes".to_owned()).spawn(move || shared.store());
    }
}

impl Notes {
    /// No notes yet. Must be called on a Tokio runtime.
    pub(super) fn new(settings: Arc<KafkaSettings>) -> Self {
        let every = Duration::from_millis(settings.notes_every_ms.max(1).into());
        let shared =
            Arc::new(Shared { settings, groups: Mutex::default(), notes: Mutex::default(), storing: Mutex::new(()) });
        let mut running = JoinSet::new();
        running.spawn(run(Arc::clone(&shared), every));
        Self { shared, _running: running }
    }

    /// Notes that `group` is done with everything of the lane before `next`.
    pub(super) fn set(&self, group: &str, name: &Arc<str>, lane: Lane, next: u64) -> PortResult<()> {
        let (group, _) = self.shared.client(group)?;
        let spot = (group, Arc::clone(name), lane);
        let mut notes = self.shared.notes();
        if notes.len() >= MAX_NOTES && !notes.contains_key(&spot) {
            return Err(unavailable(format!("{MAX_NOTES} notes wait to be stored; see whether the brokers are up")));
        }
        let note = notes.entry(spot).or_default();
        *note = next.max(*note);
        Ok(())
    }

    /// Where `group` goes on, by what is noted here and what is stored.
    pub(super) async fn get(&self, group: &str, name: &Arc<str>, lane: Lane) -> PortResult<u64> {
        let (group, client) = self.shared.client(group)?;
        // Before what is stored is asked for: a note that is stored meanwhile is in one of the two.
        let noted = self.shared.notes().get(&(group, Arc::clone(name), lane)).copied().unwrap_or(0);
        let what = format!("where a group goes on with lane {lane} of {name} can't be asked");
        let (name, patience) = (Arc::clone(name), self.shared.settings.answer_timeout());
        let asking = tokio::task::spawn_blocking(move || stored(&client, &name, lane, patience));
        let stored = asking.await.unwrap_or(Err(KafkaError::Canceled)).map_err(|error| port_error(&what, &error))?;
        Ok(stored.max(noted))
    }

    /// Stores what is not stored yet.
    pub(super) async fn store(&self) {
        store(&self.shared).await;
    }
}

async fn run(shared: Arc<Shared>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        store(&shared).await;
    }
}

async fn store(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    // It ends early with the runtime only.
    let _ = tokio::task::spawn_blocking(move || shared.store()).await;
}

impl Shared {
    fn notes(&self) -> MutexGuard<'_, HashMap<Spot, u64>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Arc<str>, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, group: &str) -> PortResult<(Arc<str>, Client)> {
        let mut groups = self.groups();
        let used_at = Instant::now();
        if let Some(known) = groups.get_mut(group) {
            known.used_at = used_at;
            return Ok((Arc::clone(&known.name), Arc::clone(&known.client)));
        }
        if groups.len() >= MAX_GROUPS && !self.forget_one(&mut groups) {
            return Err(damaged(format!(
                "there are {MAX_GROUPS} groups of readers already; '{group}' is one too many"
            )));
        }
        let made = self.settings.consumer(&self.settings.notes_of(group)).create_with_context(Logged);
        let client = made.map_err(|error| port_error("no consumer can be made", &error))?;
        let (group, client): (Arc<str>, Client) = (group.into(), Arc::new(Aside::new(client)));
        groups.insert(Arc::clone(&group), Group { name: Arc::clone(&group), client: Arc::clone(&client), used_at });
        Ok((group, client))
    }

    /// Forgets the group that was used least lately, of those for which nothing waits to be stored.
    fn forget_one(&self, groups: &mut HashMap<Arc<str>, Group>) -> bool {
        let notes = self.notes();
        let idle = groups.iter().filter(|(name, _)| !notes.keys().any(|(group, ..)| group == *name));
        let oldest = idle.min_by_key(|(_, group)| group.used_at).map(|(name, _)| Arc::clone(name));
        oldest.is_some_and(|oldest| groups.remove(&oldest).is_some())
    }

    /// Stores what is not stored yet, a group at a time. Blocks.
    fn store(&self) {
        let _storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        let groups: Vec<_> =
            self.groups().iter().map(|(name, group)| (Arc::clone(name), Arc::clone(&group.client))).collect();
        for (group, client) in groups {
            serve(&client);
            let notes: Vec<(Spot, u64)> = {
                let notes = self.notes();
                notes.iter().filter(|((of, ..), _)| *of == group).map(|(spot, next)| (spot.clone(), *next)).collect()
            };
            if notes.is_empty() {
                continue;
            }
            match commit(&client, &notes) {
                Ok(()) => {
                    let mut waiting = self.notes();
                    for (spot, stored) in notes {
                        if waiting.get(&spot).is_some_and(|next| *next == stored) {
                            waiting.remove(&spot);
                        }
                    }
                }
                // They are stored the next time.
                Err(error) => tracing::info!(%error, %group, "where a group goes on could not be stored yet"),
            }
        }
    }
}

fn commit(client: &BaseConsumer<Logged>, notes: &[(Spot, u64)]) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(notes.len());
    for ((_, name, lane), next) in notes {
        // No lane gets that far.
        let next = i64::try_from(*next).unwrap_or(i64::MAX);
        list.add_partition_offset(name, (*lane).into(), Offset::Offset(next))?;
    }
    client.commit(&list, CommitMode::Sync)
}

fn stored(client: &BaseConsumer<Logged>, name: &str, lane: Lane, patience: Duration) -> KafkaResult<u64> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(name, lane.into());
    let found = client.committed_offsets(list, patience)?;
    let Some(found) = found.find_partition(name, lane.into()) else { return Ok(0) };
    found.error()?;
    Ok(match found.offset() {
        Offset::Offset(next) => u64::try_from(next).unwrap_or(0),
        _ => 0,
    })
}

/// Takes what the library has to tell, which it would keep for ever otherwise.
pub(super) fn serve(client: &BaseConsumer<Logged>) {
    while client.poll(Duration::ZERO).is_some() {}
}
