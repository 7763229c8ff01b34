//! The real servers, killed and started again.

use std::{path::PathBuf, process::Command};

/// Calls `scripts/servers`.
pub(crate) fn servers(words: &[&str]) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers");
    let output = Command::new(script).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Brings the servers of these kinds back, however the test ends.
pub(crate) struct Guarded(pub(crate) &'static [&'static str]);

impl Drop for Guarded {
    fn drop(&mut self) {
        servers(&[&["up"], self.0].concat());
    }
}
