//! What a failure of tantivy means to the port, in one line that says what to do.

use std::path::Path;

use booking_core::ports::PortError;
use tantivy::{TantivyError, directory::error::OpenReadError};

const PORT: &str = "search";

pub(super) fn unavailable(reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port: PORT, reason: reason.into() }
}

/// What `error` of the index in the folder at `path` means.
pub(super) fn port_error(path: &Path, error: &TantivyError) -> PortError {
    let folder = path.display();
    match error {
        TantivyError::DataCorruption(_)
        | TantivyError::DeserializeError(_)
        | TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_) | OpenReadError::IncompatibleIndex(_)) => {
            let reason = format!("{folder} can't be read ({error}); stop Weir and remove the folder: it is made anew");
            PortError::Damaged { port: PORT, reason }
        }
        TantivyError::LockFailure(..) => unavailable(format!("{folder} is in use by another process; stop that one")),
        other => unavailable(format!("{folder}: {other}")),
    }
}
