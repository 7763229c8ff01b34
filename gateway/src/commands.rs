//! Commands to the workers and their answers: appended to the log, awaited by correlation id.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use booking_core::{
    message::{self, Outcome, Reply, ReplyTo},
    ports::{
        PortResult,
        log::{Topic, lane_of},
    },
    time::Timestamp,
};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{app::App, problem::Problem};

/// How many answers are read at once.
const READ_AT_ONCE: usize = 1_000;
/// How long a read waits for an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause after a log that could not be read.
const RETRY: Duration = Duration::from_millis(100);
/// An answer that comes this much after the deadline is not waited for, in milliseconds.
const LATE_MS: i64 = 5_000;

type Waiting = HashMap<String, (Timestamp, oneshot::Sender<Outcome>)>;

/// What was asked of the workers and is not answered yet. Bounded by a setting.
pub(crate) struct Commands {
    name: String,
    next: AtomicU64,
    max_waiting: usize,
    waiting: Mutex<Waiting>,
}

/// A command that has been sent.
pub(crate) struct Sent {
    answer: oneshot::Receiver<Outcome>,
}

impl Commands {
    pub(crate) fn new(name: String, max_waiting: usize) -> Self {
        Self { name, next: AtomicU64::new(0), max_waiting, waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, app: &App, deadline: Timestamp) -> Result<(ReplyTo, Sent), Problem> {
        let correlation = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.len() >= self.max_waiting {
            return Err(Problem::unavailable("Too much is waiting to be answered; try again."));
        }
        waiting.insert(correlation.clone(), (deadline, sender));
        app.metrics.waiting_commands.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        Ok((ReplyTo { gateway: self.name.clone(), correlation }, Sent { answer }))
    }

    fn answered(&self, app: &App, reply: Reply) {
        if reply.to.gateway != self.name {
            return;
        }
        let mut waiting = self.waiting();
        let found = waiting.remove(&reply.to.correlation);
        app.metrics.waiting_commands.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        drop(waiting);
        if let Some((_, sender)) = found {
            // Whoever waited may have gone.
            let _ = sender.send(reply.outcome);
        }
    }

    /// Forgets what nobody will answer any more.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.waiting().retain(|_, (deadline, sender)| !sender.is_closed() && now <= deadline.plus_millis(LATE_MS));
    }
}

impl Sent {
    /// The answer, if it comes within `patience`. Afterwards it can be waited for again.
    pub(crate) async fn within(&mut self, patience: Duration) -> Option<Outcome> {
        tokio::time::timeout(patience, &mut self.answer).await.ok()?.ok()
    }

    /// The answer, whenever it comes; `None`: none will.
    pub(crate) async fn finally(self) -> Option<Outcome> {
        self.answer.await.ok()
    }
}

/// Appends a command to `topic` in the lane of `key`. `make` gets whom to answer and the deadline.
pub(crate) async fn send(
    app: &App,
    topic: &Topic,
    key: &str,
    make: impl FnOnce(ReplyTo, Timestamp) -> Bytes,
) -> Result<Sent, Problem> {
    let lanes = app.parts.log.lanes(topic).await?;
    let ms = i64::try_from(app.settings.command_deadline_ms).unwrap_or(i64::MAX);
    let deadline = app.parts.clock.now().plus_millis(ms);
    let (reply_to, sent) = app.commands.register(app, deadline)?;
    let payload = make(reply_to, deadline);
    if payload.len() > booking_core::ports::log::MAX_PAYLOAD_BYTES {
        return Err(Problem::body_too_large("This is more than the log takes in one piece."));
    }
    app.parts.log.append(topic, lane_of(key, lanes), payload).await?;
    Ok(sent)
}

/// Sends a command and waits for its answer as long as a request waits.
///
/// # Errors
/// [unavailable] where no answer came in that time.
pub(crate) async fn ask(
    app: &App,
    topic: &Topic,
    key: &str,
    make: impl FnOnce(ReplyTo, Timestamp) -> Bytes,
) -> Result<Outcome, Problem> {
    let mut sent = send(app, topic, key, make).await?;
    let patience = Duration::from_millis(app.settings.command_deadline_ms);
    let answer = sent.within(patience).await;
    answer.ok_or_else(|| Problem::unavailable("No worker has answered yet; it is safe to try again."))
}

/// Where this gateway's answers will stand from now on: its lane of `weir.replies`, and the lane's end.
pub(crate) async fn begin(app: &App) -> PortResult<(u16, u64)> {
    let lanes = app.parts.log.lanes(&Topic::Replies).await?;
    let lane = lane_of(&app.commands.name, lanes);
    let ends = app.parts.log.ends(&Topic::Replies).await?;
    Ok((lane, ends.get(usize::from(lane)).copied().unwrap_or(0)))
}

/// Follows the answers until `stop`.
pub(crate) async fn run(app: Arc<App>, (lane, mut from): (u16, u64), stop: CancellationToken) {
    let following = async {
        loop {
            match app.parts.log.read(&Topic::Replies, lane, from, READ_AT_ONCE, PATIENCE).await {
                Ok(entries) => {
                    for entry in entries {
                        from = entry.offset + 1;
                        match message::decode::<Reply>(&entry.payload) {
                            Ok(reply) => app.commands.answered(&app, reply),
                            Err(error) => tracing::warn!(%error, "an answer can't be read"),
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the answers can't be read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    };
    tokio::select! { () = following => {}, () = stop.cancelled() => {} }
}
