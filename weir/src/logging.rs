//! Diagnostics: on the standard error stream, as text or JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::config::{Config, LogFormat};

/// Starts writing diagnostics.
///
/// # Errors
/// If the filter is none.
pub(crate) fn start(config: &Config) -> Result<(), String> {
    let level = &config.tracing.level;
    let filter = EnvFilter::try_new(level).map_err(|error| format!("tracing.level '{level}' is no filter: {error}"))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.tracing.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second start in one process, as tests do, leaves the first as it is.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Ok(())
}
