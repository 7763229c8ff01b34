//! Why a step failed.

use booking_core::{id::EventId, ports::PortError};

/// Why a step failed. What it had not finished is done again by the next step, of the same part or of a new one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A port could not do what was asked.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Another keeper has taken the lane over: this one must stop, and a new one may take it back.
    #[error("another keeper has taken over the line of {event}")]
    Superseded {
        /// Where it was seen.
        event: EventId,
    },
}

impl Error {
    /// Whether the part can go on as it is. Otherwise a new one is to be made.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Port(PortError::Unavailable { .. }))
    }
}
