//! What went wrong, in the words of the port.

use booking_core::ports::PortError;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

const PORT: &str = "catalog";

pub(super) fn unavailable(reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port: PORT, reason: reason.into() }
}

/// Something that Weir can't have written.
pub(super) fn damaged(what: impl std::fmt::Display) -> PortError {
    PortError::Damaged { port: PORT, reason: format!("the keyspace holds something else than expected: {what}") }
}

/// What `error` means: where nothing else is known, it is worth repeating.
pub(super) fn port_error(error: &ExecutionError) -> PortError {
    match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, why)) => {
            unavailable(format!("the tables are not what this weir needs ({why}); see scylla.migrate"))
        }
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Unauthorized, why)) => {
            unavailable(format!("the login may not do this ({why})"))
        }
        other => unavailable(format!("{other}; see whether enough of its nodes are up")),
    }
}
