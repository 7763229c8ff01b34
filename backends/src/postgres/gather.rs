//! What many ask for at once, gathered into one statement or transaction: who asks while another's is awaited goes with
//! the next. Only for what is safe to do again, since what came of one may be unknown, and then it is simply repeated.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use booking_core::ports::{PortError, PortResult};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::error::unavailable;

/// The most who wait; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;
/// The most of one transaction.
const MAX_TOGETHER: usize = 512;
/// Transactions at once: one decides while the other waits for its commit.
const AT_ONCE: usize = 2;
/// How far apart they begin at least: a steady stream would otherwise cost a transaction each. Who comes alone does not
/// wait.
const GAP: Duration = Duration::from_millis(5);

/// Those who ask for `A` and are answered `T`. A clone gathers with the others.
#[derive(Debug)]
pub(super) struct Gather<A, T> {
    port: &'static str,
    asks: mpsc::Sender<Asked<A, T>>,
}

impl<A, T> Clone for Gather<A, T> {
    fn clone(&self) -> Self {
        Self { port: self.port, asks: self.asks.clone() }
    }
}

#[derive(Debug)]
struct Asked<A, T> {
    ask: A,
    answer: oneshot::Sender<PortResult<T>>,
}

impl<A: Send + 'static, T: Send + 'static> Gather<A, T> {
    /// `run` does what is asked, in order, and answers each, or fails as a whole. Must be called on a Tokio runtime;
    /// ends with its last handle.
    pub(super) fn new<R>(port: &'static str, run: impl Fn(Vec<A>) -> R + Clone + Send + 'static) -> Self
    where
        R: Future<Output = PortResult<Vec<T>>> + Send + 'static,
    {
        Self::paced(port, GAP, run)
    }

    /// The same, transactions `gap` apart.
    pub(super) fn paced<R>(
        port: &'static str,
        gap: Duration,
        run: impl Fn(Vec<A>) -> R + Clone + Send + 'static,
    ) -> Self
    where
        R: Future<Output = PortResult<Vec<T>>> + Send + 'static,
    {
        let (asks, asked) = mpsc::channel(MAX_WAITING);
        let asked = Arc::new(Mutex::new(Waiting { asked, last: None }));
        for _ in 0..AT_ONCE {
            tokio::spawn(answer(Arc::clone(&asked), gap, run.clone()));
        }
        Self { port, asks }
    }

    /// The answer to `ask`.
    ///
    /// # Errors
    /// As `run` says, and `Unavailable` where too many ask.
    pub(super) async fn ask(&self, ask: A) -> PortResult<T> {
        let (answer, answered) = oneshot::channel();
        let full = || unavailable(self.port, "too much is asked for at once; try again");
        self.asks.try_send(Asked { ask, answer }).map_err(|_| full())?;
        answered.await.unwrap_or_else(|_| Err(unavailable(self.port, "the database is closed")))
    }
}

/// Who waits.
#[derive(Debug)]
struct Waiting<A, T> {
    asked: mpsc::Receiver<Asked<A, T>>,
    /// When the last transaction began.
    last: Option<Instant>,
}

impl<A, T> Waiting<A, T> {
    /// Those who go together next; nobody: nobody ever will.
    async fn next(&mut self, gap: Duration, together: &mut Vec<Asked<A, T>>) {
        self.asked.recv_many(together, MAX_TOGETHER).await;
        let rest = self.last.map_or(Duration::ZERO, |last| gap.saturating_sub(last.elapsed()));
        if !rest.is_zero() && !together.is_empty() {
            tokio::time::sleep(rest).await;
            while together.len() < MAX_TOGETHER
                && let Ok(more) = self.asked.try_recv()
            {
                together.push(more);
            }
        }
        self.last = Some(Instant::now());
    }
}

async fn answer<A, T, R>(waiting: Arc<Mutex<Waiting<A, T>>>, gap: Duration, run: impl Fn(Vec<A>) -> R)
where
    R: Future<Output = PortResult<Vec<T>>>,
{
    let mut together = Vec::with_capacity(MAX_TOGETHER);
    loop {
        waiting.lock().await.next(gap, &mut together).await;
        if together.is_empty() {
            return;
        }
        let (asks, who): (Vec<A>, Vec<_>) = together.drain(..).map(|Asked { ask, answer }| (ask, answer)).unzip();
        // Whoever asked may be gone.
        match run(asks).await {
            Ok(answers) => who.into_iter().zip(answers).for_each(|(who, answer)| drop(who.send(Ok(answer)))),
            Err(error) => who.into_iter().for_each(|who| drop(who.send(Err(PortError::clone(&error))))),
        }
    }
}
