//! Why a step failed.

use booking_core::ports::PortError;

/// Why a step failed. What it had not finished is done again by the next step, of the same part or of a new one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A port could not do what was asked.
    #[error(transparent)]
    Port(#[from] PortError),
}
