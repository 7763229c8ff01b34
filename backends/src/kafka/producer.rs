//! Appending: one idempotent producer for all, and a new one after an error that ends it.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use booking_core::ports::{PortResult, log::Lane};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, ClientContext, Message,
    config::RDKafkaLogLevel,
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    aside::Aside,
    error::{Logged, port_error, unavailable},
};

const WHAT: &str = "an entry can't be appended";
/// How long to wait before an append is made again with a new producer: what ended the old one may end that as well.
const PAUSE: Duration = Duration::from_millis(50);

/// The most that fly together, in bytes and in number: what fits one request.
const MAX_FLIGHT_BYTES: usize = 768 << 10;
const MAX_FLIGHT: usize = 8_192;
/// What a record adds to its payload, in bytes, generously.
const RECORD_BYTES: usize = 64;
/// How often closing looks whether everything has landed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Appends entries.
///
/// Those of one lane fly together: what comes while a request of theirs is on its way waits here for its answer, and
/// then goes with the next. The library by itself would keep them from flying just the same, because an idempotent
/// producer has no second request of a lane under way beside five records or more; but its threads would spin until
/// then, and take the very cores that brokers and gateways need.
#[derive(Clone)]
pub(super) struct Producer(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    patience: Duration,
    current: Mutex<Arc<Client>>,
    /// Who waits, for each lane of which a request is on its way.
    waiting: Mutex<Waiting>,
    /// How many more may wait or fly, and how many KiB.
    room: Arc<Semaphore>,
    room_kib: Arc<Semaphore>,
}

type Client = Aside<ThreadedProducer<Reports>>;

/// Appends by topic and lane.
type Waiting = HashMap<(Arc<str>, Lane), VecDeque<Append>>;

/// What became of a record: its offset, if the brokers said it.
type Report = Result<Option<u64>, KafkaError>;

/// An append that waits.
struct Append {
    payload: Bytes,
    delivery: Delivery,
}

/// What is to be done when it has landed: telling whoever waits, and making room.
struct Delivery {
    report: oneshot::Sender<Report>,
    _room: [OwnedSemaphorePermit; 2],
    /// Gone from all that fly together: the next may.
    landing: Option<mpsc::Sender<()>>,
}

/// Hands each report to whoever waits for it.
struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        Logged.log(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logged.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Self::DeliveryOpaque) {
        let result = match result {
            // A duplicate that the brokers had dropped is reported as stored at no offset.
            Ok(record) => Ok(u64::try_from(record.offset()).ok()),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever waited may be gone.
        let _ = delivery.report.send(result);
    }
}

impl Producer {
    /// A producer by `config`, whose every append is answered within `patience`; so many may wait at once, with so many
    /// KiB together.
    pub(super) fn new(config: ClientConfig, patience: Duration, max: u32, max_kib: u32) -> PortResult<Self> {
        let room = |count: u32| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS)));
        let current = Mutex::new(client(&config)?);
        let (room, room_kib, waiting) = (room(max.max(1)), room(max_kib.max(1)), Mutex::default());
        Ok(Self(Arc::new(Inner { config, patience, current, waiting, room, room_kib })))
    }

    /// Appends `payload` to `lane` of the topic `name` and answers its offset once the brokers have it safe.
    pub(super) async fn append(&self, name: &Arc<str>, lane: Lane, payload: Bytes) -> PortResult<u64> {
        timeout(self.0.patience, self.append_until_placed(name, lane, &payload)).await.unwrap_or_else(|_| {
            Err(unavailable(format!("{WHAT}: not acknowledged in time; whether it is in the log is unknown")))
        })
    }

    /// Returns when everything that waits is acknowledged or given up, which is told to whoever appended it.
    pub(super) async fn flush(&self) {
        let landed = async {
            while !self.0.waiting().is_empty() {
                sleep(LOOK_EVERY).await;
            }
        };
        let _ = timeout(self.0.patience, landed).await;
    }

    async fn append_until_placed(&self, name: &Arc<str>, lane: Lane, payload: &Bytes) -> PortResult<u64> {
        loop {
            let before = self.0.current();
            match self.send(name, lane, payload)?.await.unwrap_or(Err(KafkaError::Canceled)) {
                Ok(Some(offset)) => return Ok(offset),
                // It is in the log, but without an offset it is no place: readers drop the one or the other.
                Ok(None) => {}
                Err(_) if before.client().fatal_error().is_some() => {
                    self.0.replace(&before)?;
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(port_error(WHAT, &error)),
            }
        }
    }

    /// Lets an append fly, now or with the next of its lane.
    fn send(&self, name: &Arc<str>, lane: Lane, payload: &Bytes) -> PortResult<oneshot::Receiver<Report>> {
        let too_many = |_| unavailable("too many appends wait for the brokers; try again later");
        let kib = u32::try_from(payload.len().div_ceil(1 << 10)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.room).try_acquire_owned().map_err(too_many)?;
        let room_kib = Arc::clone(&self.0.room_kib).try_acquire_many_owned(kib).map_err(too_many)?;
        let (report, reported) = oneshot::channel();
        let delivery = Delivery { report, _room: [room, room_kib], landing: None };
        let append = Append { payload: payload.clone(), delivery };
        match self.0.waiting().entry((Arc::clone(name), lane)) {
            Entry::Occupied(mut waiting) => waiting.get_mut().push_back(append),
            Entry::Vacant(lane_is_free) => {
                lane_is_free.insert(VecDeque::new());
                tokio::spawn(Arc::clone(&self.0).fly(Arc::clone(name), lane, vec![append]));
            }
        }
        Ok(reported)
    }
}

impl Inner {
    /// Sends `flight`, and then what came meanwhile, until nothing did.
    async fn fly(self: Arc<Self>, name: Arc<str>, lane: Lane, mut flight: Vec<Append>) {
        while !flight.is_empty() {
            let client = self.current();
            let (landing, mut landed) = mpsc::channel::<()>(1);
            // Whoever gave up waiting need not be sent any more.
            for Append { payload, mut delivery } in
                flight.into_iter().filter(|append| !append.delivery.report.is_closed())
            {
                delivery.landing = Some(landing.clone());
                let record = BaseRecord::<(), [u8], _>::with_opaque_to(&name, Box::new(delivery));
                if let Err((error, record)) = client.send(record.partition(lane.into()).payload(&payload)) {
                    let _ = record.delivery_opaque.report.send(Err(error));
                }
            }
            drop(landing);
            let _none = landed.recv().await;
            flight = self.next(&name, lane);
        }
    }

    /// Who flies next. Nobody: the lane is free.
    fn next(&self, name: &Arc<str>, lane: Lane) -> Vec<Append> {
        let mut all = self.waiting();
        let key = (Arc::clone(name), lane);
        let Some(waiting) = all.get_mut(&key) else { return Vec::new() };
        let mut bytes = 0;
        let fits = waiting.iter().take(MAX_FLIGHT).take_while(|append| {
            bytes += append.payload.len() + RECORD_BYTES;
            bytes <= MAX_FLIGHT_BYTES
        });
        // One that is larger flies alone.
        let count = fits.count().max(1).min(waiting.len());
        let flight: Vec<Append> = waiting.drain(..count).collect();
        if flight.is_empty() {
            all.remove(&key);
        }
        flight
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Arc<Client> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new producer in the place of one that an error ended, unless somebody else did already.
    fn replace(&self, ended: &Arc<Client>) -> PortResult<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, ended) {
            if let Some((code, reason)) = ended.client().fatal_error() {
                tracing::warn!(%code, reason, "the producer ended; a new one goes on");
            }
            *current = client(&self.config)?;
        }
        Ok(())
    }
}

fn client(config: &ClientConfig) -> PortResult<Arc<Client>> {
    let producer =
        config.create_with_context(Reports).map_err(|error| port_error("no producer can be made", &error))?;
    Ok(Arc::new(Aside::new(producer)))
}

#[cfg(test)]
mod tests {
    use rdkafka::{
        mocking::MockCluster,
        producer::DefaultProducerContext,
        types::{RDKafkaApiKey, RDKafkaRespErr as Refused},
    };

    use super::*;
    use crate::kafka::KafkaSettings;

    /// Brokers in this process, which answer the next records of the topic `t` as they are told.
    fn brokers(answers: &[Refused]) -> (MockCluster<'static, DefaultProducerContext>, Producer) {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic("t", 1, 1).unwrap();
        brokers.request_errors(RDKafkaApiKey::Produce, answers);
        let settings = KafkaSettings { brokers: brokers.bootstrap_servers(), ..KafkaSettings::default() };
        let producer = Producer::new(settings.producer(), Duration::from_secs(30), 100, 500).unwrap();
        (brokers, producer)
    }

    #[tokio::test]
    async fn a_report_without_an_offset_is_no_place() {
        let (_brokers, producer) = brokers(&[Refused::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER]);
        assert_eq!(producer.append(&"t".into(), 0, Bytes::from_static(b"one")).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_new_producer_goes_on_where_an_error_ended_the_old_one() {
        let (_brokers, producer) = brokers(&[Refused::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
        let old = producer.0.current();
        assert_eq!(producer.append(&"t".into(), 0, Bytes::from_static(b"one")).await.unwrap(), 0);
        assert!(old.client().fatal_error().is_some(), "it was ended");
        assert!(!Arc::ptr_eq(&old, &producer.0.current()));
        assert_eq!(producer.append(&"t".into(), 0, Bytes::from_static(b"two")).await.unwrap(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn those_of_one_lane_fly_together_and_each_has_a_place_of_its_own() {
        let (_brokers, producer) = brokers(&[]);
        let name: Arc<str> = "t".into();
        let appends = (0..90).map(|number: u8| producer.append(&name, 0, Bytes::from(vec![number; 5_000])));
        let mut places: Vec<u64> = futures_util::future::try_join_all(appends).await.unwrap();
        places.sort_unstable();
        assert_eq!(places, (0..90).collect::<Vec<_>>());
        producer.flush().await;
        assert!(producer.0.waiting().is_empty());
        assert_eq!((producer.0.room.available_permits(), producer.0.room_kib.available_permits()), (100, 500));
    }

    #[tokio::test]
    async fn an_append_that_nobody_acknowledges_ends_in_time() {
        let (brokers, _) = brokers(&[]);
        brokers.broker_round_trip_time(1, Duration::from_secs(60)).unwrap();
        let settings = KafkaSettings { brokers: brokers.bootstrap_servers(), ..KafkaSettings::default() };
        let producer = Producer::new(settings.producer(), Duration::from_millis(100), 100, 100).unwrap();
        let error = producer.append(&"t".into(), 0, Bytes::from_static(b"one")).await.unwrap_err();
        assert!(error.to_string().contains("unknown"), "{error}");
    }
}
