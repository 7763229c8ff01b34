//! The real servers that `scripts/servers` starts.

use anyhow::{Context as _, Result};

/// Where those of a kind are, as `scripts/servers env` says.
///
/// # Errors
/// If it does not.
pub(crate) fn address(kind: &str) -> Result<String> {
    std::env::var(format!("WEIR_TEST_{kind}"))
        .context("no servers: scripts/servers up, then eval \"$(scripts/servers env)\"")
}
