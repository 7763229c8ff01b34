//! Who serves which lanes: a group of consumers that fetch nothing. The brokers share the lanes out among them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use booking_core::ports::{
    PortError, PortResult,
    assignment::Assignment,
    log::{Lane, Topic},
};
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    groups::GroupInfo,
    types::RDKafkaRespErr,
};
use tokio::{sync::watch, time::timeout};

use super::{KafkaSettings, client, error::Logged, follow::told, topics::Topics};

const PORT: &str = "assignment";

/// How long the thread waits for something to happen before it looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(50);
/// How long one question for the group's members may take.
const ATTEMPT: Duration = Duration::from_millis(500);

/// This process among the workers. Dropped without leaving, it leaves as well if it has no name; others then wait for
/// one with a name, for the time that a worker may give no sign of life.
pub struct KafkaAssignment {
    names: HashMap<Topic, String>,
    state: Arc<Mutex<State>>,
    /// Whether it is to leave. Closed, it is to end.
    leaving: watch::Sender<bool>,
    /// Closed when it has ended.
    ended: watch::Receiver<()>,
    /// How long leaving may take: after it, whoever stays away counts as gone anyway.
    patience: Duration,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<String, BTreeSet<Lane>>,
    /// Why it can never serve again.
    fault: Option<String>,
}

impl KafkaAssignment {
    /// Enters this process among the workers that share the lanes of `topics`, which are made where they are missing.
    /// Every worker of one prefix must name the same topics. `member`: the name under which this worker, and no other,
    /// comes back after a restart; if it is back in time, it goes on with its lanes and nobody else notices. What it
    /// serves is known a moment later.
    ///
    /// # Errors
    /// `Unavailable`: the topics can't be found or made, or no client can be made of the settings. `Damaged`: the
    /// settings are at odds with themselves.
    pub async fn join(settings: KafkaSettings, member: Option<String>, topics: &[Topic]) -> PortResult<Self> {
        settings.check()?;
        let settings = Arc::new(settings);
        let known = Topics::new(Arc::clone(&settings), client(&settings)?);
        let mut names = HashMap::with_capacity(topics.len());
        for topic in topics {
            names.insert(topic.clone(), known.get(topic).await?.name.to_string());
        }
        let state = Arc::default();
        let client_id = format!("weir-worker-{:016x}", rand::random::<u64>());
        let config = settings.worker(&client_id, member.as_deref());
        let failed = |error: KafkaError| unavailable(format!("this process can't be a worker: {error}"));
        let consumer: BaseConsumer<Member> = config.create_with_context(Member(Arc::clone(&state))).map_err(failed)?;
        consumer.subscribe(&names.values().map(String::as_str).collect::<Vec<_>>()).map_err(failed)?;
        let (leaving, is_leaving) = watch::channel(false);
        let (ending, ended) = watch::channel(());
        let (group, patience) = (settings.workers(), Duration::from_millis(settings.session_timeout_ms.into()));
        let worker = Worker { consumer, group, client_id, member, state: Arc::clone(&state), patience };
        thread::Builder::new()
            .name("kafka-worker".to_owned())
            .spawn(move || {
                worker.run(&is_leaving);
                // Closing comes first: who waits for the end may exit then.
                drop(worker);
                drop(ending);
            })
            .map_err(|error| unavailable(format!("no thread can be started: {error}")))?;
        Ok(Self { names, state, leaving, ended, patience })
    }
}

#[async_trait]
impl Assignment for KafkaAssignment {
    async fn lanes(&self, topic: &Topic) -> PortResult<Vec<Lane>> {
        let Some(name) = self.names.get(topic) else {
            let reason = format!("{topic} is not among the topics that the workers share");
            return Err(PortError::Damaged { port: PORT, reason });
        };
        let state = locked(&self.state);
        match &state.fault {
            Some(fault) => Err(unavailable(fault.clone())),
            None => Ok(state.lanes.get(name).into_iter().flatten().copied().collect()),
        }
    }

    async fn leave(&self) {
        self.leaving.send_replace(true);
        let mut ended = self.ended.clone();
        // Where it takes longer, the brokers find out by themselves.
        let _ = timeout(self.patience * 2, async { while ended.changed().await.is_ok() {} }).await;
    }
}

/// What the thread has.
struct Worker {
    consumer: BaseConsumer<Member>,
    group: String,
    client_id: String,
    member: Option<String>,
    state: Arc<Mutex<State>>,
    patience: Duration,
}

impl Drop for Worker {
    fn drop(&mut self) {
        locked(&self.state).lanes.clear();
    }
}

impl Worker {
    /// Takes part until it is to leave, until nobody wants it any more or until it can't.
    fn run(&self, leaving: &watch::Receiver<bool>) {
        while leaving.has_changed().is_ok() {
            self.serve(POLL);
            if let Some((code, reason)) = self.consumer.client().fatal_error() {
                let fault = self.fault(code, &reason);
                tracing::error!("{fault}");
                let mut state = locked(&self.state);
                state.lanes.clear();
                state.fault = Some(fault);
                return;
            }
            if *leaving.borrow() {
                return self.leave();
            }
        }
    }

    fn serve(&self, patience: Duration) {
        // Of the lanes, which are paused, nothing comes.
        if let Some(Err(error)) = self.consumer.poll(patience) {
            told(&error);
        }
    }

    /// Leaves while it still takes part. Closing alone is not enough: a member with a name would be waited for.
    fn leave(&self) {
        let until = Instant::now() + self.patience;
        self.consumer.unsubscribe();
        while Instant::now() < until {
            self.serve(POLL);
            // Its lanes are given up first, then it asks to be let go.
            if locked(&self.state).lanes.is_empty() && self.is_gone().unwrap_or(false) {
                return;
            }
        }
    }

    /// Whether the brokers have let it go.
    fn is_gone(&self) -> KafkaResult<bool> {
        let groups = self.consumer.fetch_group_list(Some(&self.group), ATTEMPT)?;
        let mut members =
            groups.groups().iter().filter(|group| group.name() == self.group).flat_map(GroupInfo::members);
        Ok(members.all(|member| member.client_id() != self.client_id))
    }

    fn fault(&self, code: RDKafkaErrorCode, reason: &str) -> String {
        match (&self.member, code) {
            (Some(member), RDKafkaErrorCode::FencedInstanceId) => format!(
                "another process has come as worker '{member}'; end one of them, or give each a name of its own and \
                 start this one again"
            ),
            _ => format!("this worker can't go on and must be started again: {reason} ({code})"),
        }
    }
}

/// Notes which lanes are given and taken.
struct Member(Arc<Mutex<State>>);

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        Logged.log(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logged.error(error, reason);
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, lanes: &mut TopicPartitionList) {
        let is_given = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let done = if is_given { take_up(consumer, lanes) } else { consumer.incremental_unassign(lanes) };
        if let Err(error) = done {
            tracing::warn!(%error, is_given, "a change of lanes did not go as it should");
        }
        let mut state = locked(&self.0);
        for lane in lanes.elements() {
            let Ok(number) = Lane::try_from(lane.partition()) else { continue };
            if is_given {
                state.lanes.entry(lane.topic().to_owned()).or_default().insert(number);
            } else if let Some(lanes) = state.lanes.get_mut(lane.topic()) {
                lanes.remove(&number);
            }
        }
        state.lanes.retain(|_, lanes| !lanes.is_empty());
    }
}

/// Takes lanes up without ever asking for what is in them.
fn take_up(consumer: &BaseConsumer<Member>, lanes: &mut TopicPartitionList) -> KafkaResult<()> {
    // From the end on, so that nothing is on its way before the lanes are paused.
    lanes.set_all_offsets(Offset::End)?;
    consumer.incremental_assign(lanes)?;
    consumer.pause(lanes)
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable(reason: String) -> PortError {
    PortError::Unavailable { port: PORT, reason }
}
