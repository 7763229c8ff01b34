//! What the program says on its standard output.

use std::io::Write as _;

/// Writes one line. A reader who has gone away is no failure.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
