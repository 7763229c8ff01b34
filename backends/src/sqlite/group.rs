//! Group commit: what waits is written in one transaction, and answered when that is on the disk.

use std::{
    future::{Future, ready},
    sync::{Arc, Mutex, PoisonError},
};

use booking_core::ports::{PortError, PortResult};
use sqlx::{Connection as _, SqliteConnection};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    database::{Database, close},
    error::unavailable,
    queue::{Act, Queue},
};

/// How acts are written. An act carries whom to answer.
pub(super) trait Group: Send + 'static {
    /// What is asked for.
    type Act: Act;

    /// Whether acts that could not be written together are tried one by one, so that one that can't be written fails
    /// alone. Not where a later act builds on an earlier one.
    const APART: bool;

    /// Whether writing `acts` is one statement at most. It then commits by itself, which spares two more turns of the
    /// connection's thread: they cost more than the statement where the cores are busy.
    fn is_one_statement(&self, acts: &[Self::Act]) -> bool {
        let _ = acts;
        false
    }

    /// Writes `acts`, inside an open transaction unless they are one statement.
    fn write(
        &mut self,
        transaction: &mut SqliteConnection,
        acts: &mut Vec<Self::Act>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// They are on the disk: answer them.
    fn written(&mut self, acts: Vec<Self::Act>);

    /// They are not, or nobody knows: answer them so.
    fn failed(&mut self, acts: Vec<Self::Act>, why: &PortError);

    /// After a failure: learn from a fresh connection what the disk really holds. Nothing to do where nothing of it is
    /// in memory.
    fn recover(&mut self, connection: &mut SqliteConnection) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        let _ = connection;
        ready(Ok(()))
    }
}

/// Closes the queue however the writer ends, so that nobody waits for a writer that is gone.
struct Ended<A: Act>(Arc<Queue<A>>);

impl<A: Act> Drop for Ended<A> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Writes what comes through `queue` until it is closed and empty.
async fn run<G: Group>(database: Arc<Database>, connection: SqliteConnection, queue: Arc<Queue<G::Act>>, mut group: G) {
    let ended = Ended(queue);
    let mut connection = Some(connection);
    while let Some(mut acts) = ended.0.take().await {
        let outcome = write_one(&database, &mut connection, &mut group, &mut acts).await;
        if G::APART && acts.len() > 1 && matches!(outcome, Err(Failure::Writing(_))) {
            for act in acts {
                let mut alone = vec![act];
                let outcome = write_one(&database, &mut connection, &mut group, &mut alone).await;
                answer(&database, &mut group, alone, outcome);
            }
        } else {
            answer(&database, &mut group, acts, outcome);
        }
    }
    if let Some(connection) = connection {
        close(connection).await;
    }
}

fn answer<G: Group>(database: &Database, group: &mut G, acts: Vec<G::Act>, outcome: Result<(), Failure>) {
    match outcome {
        Ok(()) => group.written(acts),
        Err(Failure::Writing(error) | Failure::Storing(error)) => {
            let why = database.port_error(&error);
            tracing::error!(error = %why, acts = acts.len(), "a transaction failed; nothing of it is acknowledged");
            group.failed(acts, &why);
        }
    }
}

/// Where a transaction failed.
enum Failure {
    /// Before its commit, perhaps for what one of its acts wants.
    Writing(sqlx::Error),
    /// At its beginning or its commit: the outcome may be unknown.
    Storing(sqlx::Error),
}

/// One transaction. A connection on which one failed is not used again: what it still believes of its transaction may
/// be wrong.
async fn write_one<G: Group>(
    database: &Database,
    kept: &mut Option<SqliteConnection>,
    group: &mut G,
    acts: &mut Vec<G::Act>,
) -> Result<(), Failure> {
    let mut connection = if let Some(connection) = kept.take() {
        connection
    } else {
        let mut fresh = database.connect().await.map_err(Failure::Storing)?;
        group.recover(&mut fresh).await.map_err(Failure::Storing)?;
        fresh
    };
    if group.is_one_statement(acts) {
        group.write(&mut connection, acts).await.map_err(Failure::Storing)?;
        *kept = Some(connection);
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Failure::Storing)?;
    group.write(&mut transaction, acts).await.map_err(Failure::Writing)?;
    transaction.commit().await.map_err(Failure::Storing)?;
    *kept = Some(connection);
    Ok(())
}

/// Whom to answer, and with what once it is on the disk.
pub(super) struct Reply<T> {
    to: oneshot::Sender<PortResult<T>>,
    answer: Option<T>,
}

impl<T> Reply<T> {
    /// A reply, and where it arrives.
    pub(super) fn new() -> (Self, oneshot::Receiver<PortResult<T>>) {
        let (to, answered) = oneshot::channel();
        (Self { to, answer: None }, answered)
    }

    /// Decides the answer.
    pub(super) fn set(&mut self, answer: T) {
        self.answer = Some(answer);
    }

    /// Sends the answer that was decided. Whoever asked may have given up.
    pub(super) fn send(self) {
        if let Some(answer) = self.answer {
            let _ = self.to.send(Ok(answer));
        }
    }

    /// Sends why there is none.
    pub(super) fn fail(self, why: &PortError) {
        let _ = self.to.send(Err(why.clone()));
    }
}

/// A queue and the writer behind it, for a store whose every write is one act. Ends with the last user of the store;
/// what waits is still written.
pub(super) struct Scribe<A: Act> {
    queue: Arc<Queue<A>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl<A: Act> Scribe<A> {
    /// Begins to write what comes through `queue`.
    pub(super) fn new<G: Group<Act = A>>(
        database: Arc<Database>,
        connection: SqliteConnection,
        queue: Arc<Queue<A>>,
        group: G,
    ) -> Self {
        let writer = tokio::spawn(run(database, connection, Arc::clone(&queue), group));
        Self { queue, writer: Mutex::new(Some(writer)) }
    }

    /// The queue.
    pub(super) fn queue(&self) -> &Arc<Queue<A>> {
        &self.queue
    }

    /// Asks for the act that `act` makes of a reply, and waits for the answer.
    pub(super) async fn ask<T>(&self, act: impl FnOnce(Reply<T>) -> A) -> PortResult<T> {
        let (reply, answered) = Reply::new();
        self.queue.push(act(reply))?;
        answered.await.unwrap_or_else(|_| Err(unavailable(self.queue.port(), "its writer has ended")))
    }

    /// Writes what waits, and ends: every later write is refused.
    pub(super) async fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It ends by itself or has panicked; either way it is over.
            let _ = writer.await;
        }
    }
}

impl<A: Act> Drop for Scribe<A> {
    fn drop(&mut self) {
        self.queue.close();
    }
}
