//! What a failure of Redis means to a port, in one line that says what to do.

use booking_core::ports::PortError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

pub(super) fn unavailable(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port, reason: reason.into() }
}

/// What a key holds, or a script answered, that Weir can't have written.
pub(super) fn damaged(port: &'static str, what: &str) -> PortError {
    PortError::Damaged { port, reason: format!("Redis holds something else than expected: {what}") }
}

/// What `error` of the cluster means to `port`.
pub(super) fn port_error(port: &'static str, error: &RedisError) -> PortError {
    if error.is_timeout() {
        return unavailable(port, "Redis did not answer in time and may still do what was asked; repeat it");
    }
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown) => unavailable(
            port,
            format!("the Redis cluster has no primary for this event; look at 'redis-cli cluster info' ({error})"),
        ),
        ErrorKind::Server(ServerErrorKind::BusyLoading) => {
            unavailable(port, "Redis is still reading its data after a start; wait for it")
        }
        ErrorKind::Server(
            ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::NoScript,
        ) => unavailable(port, format!("the event is moving to another Redis node; repeat it ({error})")),
        ErrorKind::Server(ServerErrorKind::NoPerm) | ErrorKind::AuthenticationFailed => {
            unavailable(port, format!("Redis refuses the login; mend its user, password or rights ({error})"))
        }
        ErrorKind::Server(_) | ErrorKind::Parse | ErrorKind::UnexpectedReturnType => damaged(port, &error.to_string()),
        ErrorKind::Extension => match error.code() {
            Some("WRONGTYPE") => damaged(port, &error.to_string()),
            Some("OOM") => unavailable(port, "Redis is out of memory; raise its maxmemory"),
            Some("NOREPLICAS") => unavailable(port, "too few Redis replicas are connected; start them"),
            Some("MISCONF") => unavailable(port, format!("Redis can't write to its disk; make room there ({error})")),
            Some("NOAUTH" | "WRONGPASS") => {
                unavailable(port, format!("Redis refuses the login; mend its user or password ({error})"))
            }
            _ => unavailable(port, format!("Redis refuses: {error}")),
        },
        ErrorKind::InvalidClientConfig => {
            unavailable(port, format!("the addresses of the Redis nodes are wrong; mend them ({error})"))
        }
        _ => unavailable(port, format!("Redis can't be reached; start it or mend its addresses ({error})")),
    }
}
