//! Following lanes as they grow: one consumer for all of them, whose entries go into each lane's tail.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use booking_core::ports::{
    PortResult,
    log::{Entry, Lane},
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
};
use tokio::{task::JoinSet, time::Instant};

use super::{
    KafkaSettings,
    aside::Aside,
    error::{Logged, port_error, unavailable},
    tail::Tail,
    topics::{introduce, see},
};

/// The most entries handed on before others on the runtime's thread have their turn.
const MAX_TOGETHER: usize = 512;

/// Follows lanes. Dropped, it follows none any more.
pub(super) struct Follow {
    shared: Arc<Shared>,
    _running: JoinSet<()>,
}

struct Shared {
    consumer: Aside<StreamConsumer<Logged>>,
    max: usize,
    idle: Duration,
    lanes: Mutex<Lanes>,
    /// Held while the consumer is told of a change, so that it hears of changes in the order they were made. Only ever
    /// locked where blocking is allowed.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Lanes {
    followed: HashMap<Arc<str>, HashMap<Lane, Followed>>,
    count: usize,
}

struct Followed {
    tail: Arc<Tail>,
    readers: usize,
    /// When the last reader left.
    left_at: Instant,
}

/// A reader's hold on a lane that is followed.
pub(super) struct Following {
    tail: Arc<Tail>,
    name: Arc<str>,
    lane: Lane,
    shared: Arc<Shared>,
}

impl Deref for Following {
    type Target = Tail;

    fn deref(&self) -> &Tail {
        &self.tail
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut lanes = self.shared.lanes();
        // Forgotten meanwhile and followed anew, it is another's.
        if let Some(followed) = lanes.get_mut(&self.name, self.lane).filter(|f| Arc::ptr_eq(&f.tail, &self.tail)) {
            followed.readers -= 1;
            followed.left_at = Instant::now();
        }
    }
}

impl Follow {
    /// Follows no lane yet. Must be called on a Tokio runtime.
    pub(super) fn new(settings: &KafkaSettings) -> PortResult<Self> {
        let consumer = settings
            .follower()
            .create_with_context(Logged)
            .map_err(|error| port_error("no consumer can be made", &error))?;
        let shared = Arc::new(Shared {
            consumer: Aside::new(consumer),
            max: settings.max_followed.max(1),
            idle: Duration::from_millis(settings.follow_idle_ms.into()),
            lanes: Mutex::default(),
            changing: Mutex::new(()),
        });
        let mut running = JoinSet::new();
        running.spawn(run(Arc::clone(&shared)));
        Ok(Self { shared, _running: running })
    }

    /// The lane's tail, if it is followed.
    pub(super) fn existing(&self, name: &Arc<str>, lane: Lane) -> Option<Following> {
        self.shared.hold(name, lane)
    }

    /// Follows the lane from `end` on, which was its end a moment ago, unless it is followed already.
    pub(super) async fn begin(&self, name: &Arc<str>, lane: Lane, end: u64) -> PortResult<Following> {
        let (shared, name) = (Arc::clone(&self.shared), Arc::clone(name));
        let is_known = shared.lanes().followed.contains_key(&name);
        if !is_known {
            let shared = Arc::clone(&shared);
            introduce(&name, move |name, timeout| see(shared.consumer.client(), name, timeout)).await;
        }
        let begun = tokio::task::spawn_blocking(move || shared.begin(&name, lane, end));
        begun.await.unwrap_or_else(|_| Err(unavailable("the log is closed")))
    }

    /// Follows the lane no longer: what is in it does not arrive here. Whoever reads it next begins anew.
    pub(super) async fn forget(&self, stuck: &Following) {
        let (shared, name, lane) = (Arc::clone(&self.shared), Arc::clone(&stuck.name), stuck.lane);
        let tail = Arc::clone(&stuck.tail);
        let forgotten = tokio::task::spawn_blocking(move || {
            shared.leave(|of, at, followed| *of == name && at == lane && Arc::ptr_eq(&followed.tail, &tail));
        });
        // It ends early with the runtime only.
        let _ = forgotten.await;
    }

    /// Follows no longer what nobody has read for a while.
    pub(super) async fn sweep(&self) {
        let shared = Arc::clone(&self.shared);
        let now = Instant::now();
        let swept = tokio::task::spawn_blocking(move || {
            shared.leave(|_, _, followed| followed.is_idle(now, shared.idle));
        });
        let _ = swept.await;
    }
}

impl Followed {
    fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        self.readers == 0 && now.saturating_duration_since(self.left_at) >= idle
    }
}

impl Lanes {
    fn get_mut(&mut self, name: &str, lane: Lane) -> Option<&mut Followed> {
        self.followed.get_mut(name)?.get_mut(&lane)
    }

    /// Takes out every lane that `is_left`.
    fn take(&mut self, mut is_left: impl FnMut(&Arc<str>, Lane, &Followed) -> bool) -> Vec<(Arc<str>, Lane)> {
        let mut left = Vec::new();
        self.followed.retain(|name, lanes| {
            lanes.retain(|lane, followed| {
                let is_left = is_left(name, *lane, followed);
                if is_left {
                    left.push((Arc::clone(name), *lane));
                }
                !is_left
            });
            !lanes.is_empty()
        });
        self.count -= left.len();
        left
    }

    /// The tail that nobody reads for the longest time.
    fn idlest(&self) -> Option<Arc<Tail>> {
        let unread = self.followed.values().flat_map(HashMap::values).filter(|followed| followed.readers == 0);
        unread.min_by_key(|followed| followed.left_at).map(|followed| Arc::clone(&followed.tail))
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(self: &Arc<Self>, name: &Arc<str>, lane: Lane) -> Option<Following> {
        let tail = {
            let mut lanes = self.lanes();
            let followed = lanes.get_mut(name, lane)?;
            followed.readers += 1;
            Arc::clone(&followed.tail)
        };
        Some(Following { tail, name: Arc::clone(name), lane, shared: Arc::clone(self) })
    }

    /// Blocks while the consumer is told.
    fn begin(self: &Arc<Self>, name: &Arc<str>, lane: Lane, end: u64) -> PortResult<Following> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(following) = self.hold(name, lane) {
            return Ok(following);
        }
        let what = format!("lane {lane} of {name} can't be followed");
        if self.lanes().count >= self.max {
            let idlest = self
                .lanes()
                .idlest()
                .ok_or_else(|| unavailable(format!("{what}: {} lanes are already; let more be followed", self.max)))?;
            self.leave_now(|_, _, followed| followed.readers == 0 && Arc::ptr_eq(&followed.tail, &idlest));
        }
        let offset = i64::try_from(end).map_err(|_| unavailable(format!("{what}: it ends behind every offset")))?;
        let mut assigned = TopicPartitionList::with_capacity(1);
        assigned.add_partition_offset(name, lane.into(), Offset::Offset(offset)).map_err(|e| port_error(&what, &e))?;
        // Before the first entry can arrive.
        let tail = Arc::new(Tail::new(end));
        {
            let mut lanes = self.lanes();
            let followed = Followed { tail: Arc::clone(&tail), readers: 1, left_at: Instant::now() };
            lanes.followed.entry(Arc::clone(name)).or_default().insert(lane, followed);
            lanes.count += 1;
        }
        let following = Following { tail, name: Arc::clone(name), lane, shared: Arc::clone(self) };
        if let Err(error) = self.consumer.incremental_assign(&assigned) {
            self.lanes().take(|of, at, _| of == name && at == lane);
            return Err(port_error(&what, &error));
        }
        Ok(following)
    }

    /// Blocks while the consumer is told.
    fn leave(&self, is_left: impl FnMut(&Arc<str>, Lane, &Followed) -> bool) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.leave_now(is_left);
    }

    fn leave_now(&self, is_left: impl FnMut(&Arc<str>, Lane, &Followed) -> bool) {
        let left = self.lanes().take(is_left);
        if left.is_empty() {
            return;
        }
        let mut unassigned = TopicPartitionList::with_capacity(left.len());
        for (name, lane) in &left {
            unassigned.add_partition(name, (*lane).into());
        }
        if let Err(error) = self.consumer.incremental_unassign(&unassigned) {
            // What still arrives finds no tail and is dropped.
            tracing::warn!(%error, lanes = left.len(), "lanes that nobody reads are still followed");
        }
    }

    fn tail(&self, name: &str, lane: i32) -> Option<Arc<Tail>> {
        let lane = Lane::try_from(lane).ok()?;
        Some(Arc::clone(&self.lanes().get_mut(name, lane)?.tail))
    }
}

/// Hands what arrives to the tails, for ever.
async fn run(shared: Arc<Shared>) {
    let mut arriving = shared.consumer.stream();
    loop {
        let Some(first) = arriving.next().await else { return };
        let mut together = Together::default();
        together.add(&shared, first);
        for _ in 1..MAX_TOGETHER {
            let Some(Some(next)) = arriving.next().now_or_never() else { break };
            together.add(&shared, next);
        }
        together.hand_on();
        tokio::task::yield_now().await;
    }
}

/// Entries of one lane that arrived one after the other.
#[derive(Default)]
struct Together<'a> {
    first: Option<BorrowedMessage<'a>>,
    tail: Option<Arc<Tail>>,
    entries: Vec<Entry>,
}

impl<'a> Together<'a> {
    fn add(&mut self, shared: &Shared, arrived: KafkaResult<BorrowedMessage<'a>>) {
        let message = match arrived {
            Ok(message) => message,
            Err(error) => return told(&error),
        };
        let Some(entry) = entry_of(&message) else { return };
        let is_same =
            self.first.as_ref().is_some_and(|f| f.partition() == message.partition() && f.topic() == message.topic());
        if !is_same {
            self.hand_on();
            self.tail = shared.tail(message.topic(), message.partition());
            self.first = Some(message);
        }
        self.entries.push(entry);
    }

    fn hand_on(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        if let Some(tail) = &self.tail {
            tail.extend(entries.into_iter());
        }
    }
}

/// A record as an entry.
pub(super) fn entry_of(message: &BorrowedMessage<'_>) -> Option<Entry> {
    let payload = message.payload().map_or_else(Bytes::new, Bytes::copy_from_slice);
    Some(Entry { offset: u64::try_from(message.offset()).ok()?, payload })
}

/// The library goes on by itself; whoever waits in vain is told what for.
pub(super) fn told(error: &KafkaError) {
    tracing::debug!(%error, "a consumer met an error and goes on");
}
