//! Where things stand in files, so that a mistake can be found.

use std::{fmt, sync::Arc};

/// Where something stands: `events.csv:12`, or `events.json: $[2]`.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: Option<u64>,
    /// Within the file, or within the line where there is one.
    pub(super) path: String,
}

impl Place {
    /// What is wrong here with `field`, which may be empty, in one line.
    pub(super) fn mistake(&self, field: &str, what: impl fmt::Display) -> String {
        let mut text = self.file.to_string();
        if let Some(line) = self.line {
            text = format!("{text}:{line}");
        }
        for part in [&joined(&self.path, field), &what.to_string()] {
            if !part.is_empty() {
                text = format!("{text}: {part}");
            }
        }
        // A control character of the file would break the line, or do worse to a terminal.
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistake("", ""))
    }
}

/// The path of `field` of what is at `path`.
pub(super) fn joined(path: &str, field: &str) -> String {
    let dot = if path.is_empty() || field.is_empty() { "" } else { "." };
    format!("{path}{dot}{field}")
}
