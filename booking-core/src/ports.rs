//! What the rules need from the world, as traits whose verbs are whole atomic acts in the domain's words.

pub mod accounts;
pub mod assignment;
pub mod catalog;
pub mod changes;
pub mod clock;
#[cfg(feature = "contracts")]
pub mod contract;
pub mod desk;
pub mod holds;
pub mod hook;
pub mod ledger;
pub mod log;
pub mod mailroom;
pub mod payments;
pub mod post;
pub mod search;

/// Why a port could not do what was asked, for every port the same two kinds.
///
/// A refusal by a rule is never an error: it is part of the port's answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// What stands behind the port can't be reached, is full or is too slow; the outcome may be unknown. Worth
    /// repeating: every verb is safe to repeat.
    #[error("{port} is unavailable: {reason}")]
    Unavailable {
        /// Which port, in a word.
        port: &'static str,
        /// What happened, in one line.
        reason: String,
    },
    /// What stands behind the port holds something that Weir can't have written, or refuses what must be accepted.
    #[error("{port} is damaged: {reason}")]
    Damaged {
        /// Which port, in a word.
        port: &'static str,
        /// What was found, in one line.
        reason: String,
    },
}

/// What a port's verb returns.
pub type PortResult<T> = Result<T, PortError>;
