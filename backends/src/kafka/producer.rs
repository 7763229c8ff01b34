//! Appending: one idempotent producer for all, and a new one after an error that ends it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use booking_core::ports::{PortResult, log::Lane};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    aside::Aside,
    error::{Logged, port_error, unavailable},
};

const WHAT: &str = "an entry can't be appended";
/// How long to wait before an append is made again with a new producer: what ended the old one may end that as well.
const PAUSE: Duration = Duration::from_millis(50);

/// Appends entries.
pub(super) struct Producer {
    config: ClientConfig,
    patience: Duration,
    current: Mutex<Arc<Client>>,
}

type Client = Aside<ThreadedProducer<Reports>>;

/// What became of a record: its offset, if the brokers said it.
type Report = Result<Option<u64>, KafkaError>;

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
    type DeliveryOpaque = Box<oneshot::Sender<Report>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        let result = match result {
            // A duplicate that the brokers had dropped is reported as stored at no offset.
            Ok(record) => Ok(u64::try_from(record.offset()).ok()),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever waited may be gone.
        let _ = report.send(result);
    }
}

impl Producer {
    /// A producer by `config`, whose every append is answered within `patience`.
    pub(super) fn new(config: ClientConfig, patience: Duration) -> PortResult<Self> {
        let current = Mutex::new(client(&config)?);
        Ok(Self { config, patience, current })
    }

    /// Appends `payload` to `lane` of the topic `name` and answers its offset once the brokers have it safe.
    pub(super) async fn append(&self, name: &str, lane: Lane, payload: Bytes) -> PortResult<u64> {
        timeout(self.patience, self.append_until_placed(name, lane, &payload)).await.unwrap_or_else(|_| {
            Err(unavailable(format!("{WHAT}: not acknowledged in time; whether it is in the log is unknown")))
        })
    }

    /// Sends everything that waits; returns when it is acknowledged or given up.
    pub(super) fn flush(&self) {
        // What is given up is told to whoever appended it.
        let _ = self.current().flush(self.patience);
    }

    async fn append_until_placed(&self, name: &str, lane: Lane, payload: &[u8]) -> PortResult<u64> {
        loop {
            let producer = self.current();
            let (report, reported) = oneshot::channel();
            let sent = {
                let record = BaseRecord::<(), [u8], _>::with_opaque_to(name, Box::new(report));
                producer.send(record.partition(lane.into()).payload(payload)).map_err(|(error, _)| error)
            };
            let report = match sent {
                Ok(()) => reported.await.unwrap_or(Err(KafkaError::Canceled)),
                Err(error) => Err(error),
            };
            match report {
                Ok(Some(offset)) => return Ok(offset),
                // It is in the log, but without an offset it is no place: readers drop the one or the other.
                Ok(None) => {}
                Err(_) if producer.client().fatal_error().is_some() => {
                    self.replace(&producer)?;
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(failed(&error)),
            }
        }
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

fn failed(error: &KafkaError) -> booking_core::ports::PortError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => unavailable("too many appends wait for the brokers; try again later"),
        _ => port_error(WHAT, error),
    }
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
        let producer = Producer::new(settings.producer(), Duration::from_secs(30)).unwrap();
        (brokers, producer)
    }

    #[tokio::test]
    async fn a_report_without_an_offset_is_no_place() {
        let (_brokers, producer) = brokers(&[Refused::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER]);
        assert_eq!(producer.append("t", 0, Bytes::from_static(b"one")).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_new_producer_goes_on_where_an_error_ended_the_old_one() {
        let (_brokers, producer) = brokers(&[Refused::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
        let old = producer.current();
        assert_eq!(producer.append("t", 0, Bytes::from_static(b"one")).await.unwrap(), 0);
        assert!(old.client().fatal_error().is_some(), "it was ended");
        assert!(!Arc::ptr_eq(&old, &producer.current()));
        assert_eq!(producer.append("t", 0, Bytes::from_static(b"two")).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_append_that_nobody_acknowledges_ends_in_time() {
        let (brokers, _) = brokers(&[]);
        brokers.broker_round_trip_time(1, Duration::from_secs(60)).unwrap();
        let settings = KafkaSettings { brokers: brokers.bootstrap_servers(), ..KafkaSettings::default() };
        let producer = Producer::new(settings.producer(), Duration::from_millis(100)).unwrap();
        let error = producer.append("t", 0, Bytes::from_static(b"one")).await.unwrap_err();
        assert!(error.to_string().contains("unknown"), "{error}");
    }
}
