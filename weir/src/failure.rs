//! How a run of the program fails: one line that says what to do, and an exit status.

use std::{net::SocketAddr, process::ExitCode};

use crate::{api::ApiError, config::ConfigError, data::DataError};

/// Why the program ends otherwise than well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A check failed; its result is printed already.
    #[error("a check failed")]
    Check,
    /// The configuration, or what was asked for on the command line.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A database of the data folder.
    #[error("{0}")]
    Store(String),
    /// An address.
    #[error(
        "{address} can't be listened on: {source}; stop what uses it, or choose another with --listen, --admin-listen or, for the demo, --port"
    )]
    Bind { address: SocketAddr, source: std::io::Error },
    /// An address that does not answer as it should.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Anything that went wrong while running.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The exit status, as `--help` explains it.
    pub(crate) fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Check | Self::Api(_) | Self::Other(_) => 1,
            Self::Config(_) => 2,
            Self::Data(_) | Self::Store(_) => 3,
            Self::Bind { .. } => 4,
        })
    }

    /// The whole chain in one line.
    pub(crate) fn line(&self) -> String {
        let text = match self {
            Self::Other(error) => format!("{error:#}"),
            other => other.to_string(),
        };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
