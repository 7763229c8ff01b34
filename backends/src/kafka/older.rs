//! Reading older entries: a few consumers, each taken up again by whoever goes on reading where it stands.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use booking_core::ports::{
    PortResult,
    log::{Entry, Lane, MAX_PAYLOAD_BYTES},
};
use futures_util::{FutureExt, StreamExt};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    KafkaSettings,
    aside::Aside,
    error::{Logged, port_error, unavailable},
    follow::{entry_of, told},
    tail::MAX_READ_BYTES,
    topics::{introduce, see},
};

/// After how long a consumer that nobody goes on with is closed: at the end of a lane it keeps asking for more.
const IDLE: Duration = Duration::from_secs(10);

/// Reads older entries.
pub(super) struct Older {
    config: ClientConfig,
    patience: Duration,
    /// One for each consumer that may be in use.
    in_use: Semaphore,
    max: usize,
    idle: Arc<Mutex<Vec<Reader>>>,
}

struct Reader {
    consumer: Arc<Aside<StreamConsumer<Logged>>>,
    /// Where it stands: the next entry it gives is the first from there on.
    at: Option<(Arc<str>, Lane, u64)>,
    /// The end that it last read towards.
    until: u64,
    left_at: Instant,
}

/// A reader in use, which goes back when it is dropped.
struct Taken {
    reader: Option<Reader>,
    idle: Arc<Mutex<Vec<Reader>>>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(mut reader) = self.reader.take() {
            reader.left_at = Instant::now();
            locked(&self.idle).push(reader);
        }
    }
}

impl Older {
    pub(super) fn new(settings: &KafkaSettings) -> Self {
        let max = settings.max_readers.max(1);
        Self {
            config: settings.reader(),
            patience: settings.answer_timeout(),
            in_use: Semaphore::new(max),
            max,
            idle: Arc::default(),
        }
    }

    /// Up to `max` entries of the lane from `from` on, at least one where there is one before `until`. There may be
    /// none, where all of them are no longer kept.
    pub(super) async fn read(
        &self,
        name: &Arc<str>,
        lane: Lane,
        from: u64,
        until: u64,
        max: usize,
    ) -> PortResult<Vec<Entry>> {
        let deadline = Instant::now() + self.patience;
        let Ok(Ok(_permit)) = timeout_at(deadline, self.in_use.acquire()).await else {
            return Err(unavailable(format!(
                "{} readers of older entries are busy; try again, or let there be more",
                self.max
            )));
        };
        let mut taken = self.take(name, lane, from)?;
        let reader = taken.reader.as_mut().expect("it is there until it is dropped");
        let what = format!("lane {lane} of {name} can't be read");
        reader.seek(name, lane, from).await.map_err(|error| port_error(&what, &error))?;
        reader.until = until;
        reader.page(name, lane, (from, until), max, deadline).await.map_err(|error| port_error(&what, &error))
    }

    /// The end that an earlier read asked for, where it stopped at `from`, short of it.
    pub(super) fn known_end(&self, name: &str, lane: Lane, from: u64) -> Option<u64> {
        let idle = locked(&self.idle);
        idle.iter().find(|reader| reader.stands_at(name, lane, from) && from < reader.until).map(|reader| reader.until)
    }

    /// Closes the consumers that nobody went on with.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let left: Vec<_> = {
            let mut idle = locked(&self.idle);
            idle.extract_if(.., |reader| now.saturating_duration_since(reader.left_at) >= IDLE).collect()
        };
        drop(left);
    }

    /// A reader that stands there already, or a new one, or the one left the longest ago.
    fn take(&self, name: &Arc<str>, lane: Lane, from: u64) -> PortResult<Taken> {
        let taken = |reader| Taken { reader: Some(reader), idle: Arc::clone(&self.idle) };
        {
            let mut idle = locked(&self.idle);
            if let Some(there) = idle.iter().position(|reader| reader.stands_at(name, lane, from)) {
                return Ok(taken(idle.swap_remove(there)));
            }
            // Whoever comes here has a permit, so fewer than the most are in use.
            let in_use = self.max - self.in_use.available_permits();
            if idle.len() + in_use > self.max {
                let oldest = idle.iter().enumerate().min_by_key(|(_, reader)| reader.left_at).map(|(number, _)| number);
                if let Some(oldest) = oldest {
                    return Ok(taken(idle.swap_remove(oldest)));
                }
            }
        }
        let made = self.config.create_with_context(Logged);
        let consumer = made.map_err(|error| port_error("no consumer can be made", &error))?;
        Ok(taken(Reader { consumer: Arc::new(Aside::new(consumer)), at: None, until: 0, left_at: Instant::now() }))
    }
}

impl Reader {
    fn stands_at(&self, name: &str, lane: Lane, from: u64) -> bool {
        self.at.as_ref().is_some_and(|(of, at, next)| **of == *name && *at == lane && *next == from)
    }

    async fn seek(&mut self, name: &Arc<str>, lane: Lane, from: u64) -> KafkaResult<()> {
        if self.stands_at(name, lane, from) {
            return Ok(());
        }
        let is_known = self.at.take().is_some_and(|(of, ..)| of == *name);
        if !is_known {
            let consumer = Arc::clone(&self.consumer);
            introduce(name, move |name, timeout| see(consumer.client(), name, timeout)).await;
        }
        let (consumer, of) = (Arc::clone(&self.consumer), Arc::clone(name));
        let assigning = tokio::task::spawn_blocking(move || {
            let mut assigned = TopicPartitionList::with_capacity(1);
            let offset =
                i64::try_from(from).map_err(|_| KafkaError::OffsetFetch(RDKafkaErrorCode::OffsetOutOfRange))?;
            assigned.add_partition_offset(&of, lane.into(), Offset::Offset(offset))?;
            consumer.assign(&assigned)
        });
        assigning.await.unwrap_or(Err(KafkaError::Canceled))?;
        self.at = Some((Arc::clone(name), lane, from));
        Ok(())
    }

    /// What stands in `from..until`, and what came with it.
    async fn page(
        &mut self,
        name: &Arc<str>,
        lane: Lane,
        (from, until): (u64, u64),
        max: usize,
        deadline: Instant,
    ) -> KafkaResult<Vec<Entry>> {
        let consumer = Arc::clone(&self.consumer);
        let mut arriving = consumer.stream();
        let mut page = Vec::new();
        let mut bytes = 0;
        let mut last_error = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
        while page.len() < max && bytes + MAX_PAYLOAD_BYTES <= MAX_READ_BYTES {
            let next = if page.is_empty() {
                timeout_at(deadline, arriving.next()).await.map_err(|_| last_error.clone())?
            } else {
                // What is here is answered; a reader goes on behind it.
                arriving.next().now_or_never().flatten()
            };
            match next {
                None => break,
                Some(Ok(message)) if message.topic() == &**name && message.partition() == i32::from(lane) => {
                    let Some(entry) = entry_of(&message).filter(|entry| entry.offset >= from) else { continue };
                    let next = entry.offset + 1;
                    self.at = Some((Arc::clone(name), lane, next));
                    bytes += entry.payload.len();
                    page.push(entry);
                    if next >= until {
                        break;
                    }
                }
                // From where it stood before.
                Some(Ok(_)) => {}
                Some(Err(KafkaError::PartitionEOF(_))) if page.is_empty() => {
                    if self.first_kept(name, lane, deadline).await? >= until {
                        break;
                    }
                }
                Some(Err(error)) => {
                    told(&error);
                    last_error = error;
                }
            }
        }
        Ok(page)
    }

    /// The offset of the first entry of the lane that is still kept.
    async fn first_kept(&self, name: &Arc<str>, lane: Lane, deadline: Instant) -> KafkaResult<u64> {
        let (consumer, name) = (Arc::clone(&self.consumer), Arc::clone(name));
        let left = deadline.saturating_duration_since(Instant::now());
        let asking = tokio::task::spawn_blocking(move || consumer.fetch_watermarks(&name, lane.into(), left));
        let (first, _) = asking.await.unwrap_or(Err(KafkaError::Canceled))?;
        Ok(u64::try_from(first).unwrap_or(0))
    }
}

fn locked(idle: &Mutex<Vec<Reader>>) -> MutexGuard<'_, Vec<Reader>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
