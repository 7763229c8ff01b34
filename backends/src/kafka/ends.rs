//! Asking where lanes end.
//!
//! Whoever asks while others' questions are under way is asked for together with all who do: a crowd of readers costs
//! a few requests, and the answer is never older than the question.

use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

use booking_core::ports::{PortError, PortResult, log::Lane};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};

use super::{
    aside::Aside,
    error::{Logged, port_error, unavailable},
};

/// The most questions that wait; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;
/// The most questions put together.
const MAX_TOGETHER: usize = 512;
/// The most requests under way: one that hangs on a broker that is away must not hold up the others.
const MAX_UNDER_WAY: usize = 4;
/// How long one request may take before it is made again, in milliseconds.
const ATTEMPT_MS: u64 = 1_000;
/// How long to wait before a request is made again.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks for the ends of lanes.
#[derive(Clone)]
pub(super) struct Ends {
    asks: mpsc::Sender<Ask>,
    patience: Duration,
}

struct Ask {
    name: Arc<str>,
    lanes: Range<Lane>,
    until: Instant,
    /// Put together with others it failed, perhaps because of them.
    is_alone: bool,
    answer: oneshot::Sender<PortResult<Vec<u64>>>,
}

impl Ends {
    /// Asks through `client`, each question for at most `patience`. Must be called on a Tokio runtime.
    pub(super) fn new(client: Arc<Aside<BaseConsumer<Logged>>>, patience: Duration) -> Self {
        let (asks, asked) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run(client, asks.downgrade(), asked));
        Self { asks, patience }
    }

    /// The ends of `lanes` of the topic `name`: after everything that was acknowledged before the call.
    pub(super) async fn of(&self, name: &Arc<str>, lanes: Range<Lane>) -> PortResult<Vec<u64>> {
        let (answer, answered) = oneshot::channel();
        let until = Instant::now() + self.patience;
        let ask = Ask { name: Arc::clone(name), lanes, until, is_alone: false, answer };
        self.asks.try_send(ask).map_err(|_| unavailable("too many ask where lanes end; try again"))?;
        answered.await.unwrap_or_else(|_| Err(unavailable("the log is closed")))
    }

    /// The end of one lane.
    pub(super) async fn of_lane(&self, name: &Arc<str>, lane: Lane) -> PortResult<u64> {
        let ends = self.of(name, lane..lane + 1).await?;
        ends.first().copied().ok_or_else(|| unavailable("no end was answered"))
    }
}

async fn run(client: Arc<Aside<BaseConsumer<Logged>>>, again: mpsc::WeakSender<Ask>, mut asked: mpsc::Receiver<Ask>) {
    let under_way = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    while let Some(first) = asked.recv().await {
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        let mut together = vec![first];
        while !together[0].is_alone && together.len() < MAX_TOGETHER {
            match asked.try_recv() {
                Ok(ask) if ask.is_alone => {
                    tokio::spawn(answer(Arc::clone(&client), again.clone(), vec![ask]));
                }
                Ok(ask) => together.push(ask),
                Err(_) => break,
            }
        }
        let answering = answer(Arc::clone(&client), again.clone(), together);
        tokio::spawn(async move {
            answering.await;
            drop(permit);
        });
    }
}

async fn answer(client: Arc<Aside<BaseConsumer<Logged>>>, again: mpsc::WeakSender<Ask>, together: Vec<Ask>) {
    let now = Instant::now();
    let left = together.iter().map(|ask| ask.until).max().unwrap_or(now).saturating_duration_since(now);
    let timeout = left.min(Duration::from_millis(ATTEMPT_MS));
    let done = tokio::task::spawn_blocking(move || {
        let found = query(&client, &together, timeout);
        (together, found)
    });
    let Ok((together, found)) = done.await else { return };
    match found {
        Ok(found) => {
            for (ask, ends) in together.into_iter().zip(found) {
                // Whoever asked may be gone.
                let _ = ask.answer.send(Ok(ends));
            }
        }
        Err(error) => {
            let what = "where lanes end can't be asked";
            tokio::time::sleep(PAUSE).await;
            let now = Instant::now();
            for mut ask in together {
                let error = port_error(what, &error);
                ask.is_alone = true;
                match again.upgrade() {
                    Some(again) if ask.until > now => put_back(&again, ask, error),
                    _ => drop(ask.answer.send(Err(error))),
                }
            }
        }
    }
}

fn put_back(again: &mpsc::Sender<Ask>, ask: Ask, error: PortError) {
    if let Err(refused) = again.try_send(ask) {
        let _ = refused.into_inner().answer.send(Err(error));
    }
}

/// The ends of the lanes of each ask, in one request to each broker concerned.
fn query(client: &BaseConsumer<Logged>, asks: &[Ask], timeout: Duration) -> Result<Vec<Vec<u64>>, KafkaError> {
    let wanted: BTreeSet<(&str, Lane)> =
        asks.iter().flat_map(|ask| ask.lanes.clone().map(move |lane| (&*ask.name, lane))).collect();
    let mut lanes = TopicPartitionList::with_capacity(wanted.len());
    for (name, lane) in wanted {
        // Asked as the offset of a time, where the end stands for the latest.
        lanes.add_partition_offset(name, i32::from(lane), Offset::End)?;
    }
    let found = client.offsets_for_times(lanes, timeout)?.to_topic_map();
    let end = |name: &str, lane: Lane| match found.get(&(name.to_owned(), i32::from(lane))) {
        Some(Offset::Offset(end)) => u64::try_from(*end).map_err(|_| missing()),
        _ => Err(missing()),
    };
    asks.iter().map(|ask| ask.lanes.clone().map(|lane| end(&ask.name, lane)).collect()).collect()
}

fn missing() -> KafkaError {
    KafkaError::OffsetFetch(RDKafkaErrorCode::OffsetNotAvailable)
}
