//! What a failure of the brokers means to the port, in one line that says what to do.

use booking_core::ports::PortError;
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

pub(super) const PORT: &str = "log";

pub(super) fn unavailable(reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port: PORT, reason: reason.into() }
}

pub(super) fn damaged(reason: impl Into<String>) -> PortError {
    PortError::Damaged { port: PORT, reason: reason.into() }
}

/// What `error` means that came while doing `what`.
pub(super) fn port_error(what: &str, error: &KafkaError) -> PortError {
    use RDKafkaErrorCode as Code;
    let reason = match error.rdkafka_error_code() {
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve) => {
            format!("{what}: no broker can be reached; start the brokers, or correct their addresses")
        }
        Some(Code::OperationTimedOut | Code::RequestTimedOut | Code::TimedOutQueue | Code::MessageTimedOut) => {
            format!("{what}: the brokers did not answer in time; see whether enough of them are up")
        }
        Some(Code::InvalidReplicationFactor) => {
            format!("{what}: there are fewer brokers than replicas; start more, or set the replication lower")
        }
        Some(Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend) => {
            format!("{what}: too few brokers are up to store it safely; start the missing ones")
        }
        Some(
            code @ (Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed | Code::GroupAuthorizationFailed),
        ) => format!("{what}: the brokers do not allow it ({code}); give this client the right"),
        Some(code @ (Code::MessageSizeTooLarge | Code::InvalidMessageSize)) => {
            return damaged(format!(
                "{what}: the brokers refuse a size that must fit ({code}); raise max.message.bytes"
            ));
        }
        Some(Code::UnknownPartition) => return damaged(format!("{what}: this lane is not there any more")),
        _ => format!("{what}: {error}"),
    };
    unavailable(reason)
}

/// Hands the library's own log lines on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "kafka", fac, "{log_message}");
            }
            // A broker that is away is told of by whoever needs it.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::info!(target: "kafka", fac, "{log_message}"),
            _ => tracing::debug!(target: "kafka", fac, "{log_message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, "{reason}");
    }
}

impl ConsumerContext for Logged {}
