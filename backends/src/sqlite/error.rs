//! What a failure of SQLite means to a port, in one line that says what to do.

use std::path::Path;

use booking_core::ports::{PortError, PortResult};

/// SQLite's primary result codes (`sqlite3.h`), as far as they mean something of their own here.
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const READONLY: u32 = 8;
    pub(super) const IOERR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const CONSTRAINT: u32 = 19;
    pub(super) const NOTADB: u32 = 26;
}

pub(super) use crate::sql::stored::{from_json, from_text, to_i64, to_json, to_u64, unreadable};

pub(super) fn unavailable(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port, reason: reason.into() }
}

pub(super) fn damaged(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Damaged { port, reason: reason.into() }
}

/// What `error` of the database at `path` means to `port`.
pub(super) fn port_error(port: &'static str, path: &Path, error: &sqlx::Error) -> PortError {
    let file = path.display();
    match error {
        sqlx::Error::Database(refusal) => {
            let extended: u32 = refusal.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            match extended & 0xff {
                code::NOTADB => {
                    damaged(port, format!("{file} is not a database; restore it from a copy, or move it away"))
                }
                code::CORRUPT => damaged(port, format!("{file} is corrupt; restore it from a copy")),
                code::CONSTRAINT => damaged(port, format!("{file} refuses a write: {}", refusal.message())),
                code::FULL => unavailable(port, format!("the disk is full below {file}; make room")),
                code::READONLY => unavailable(port, format!("{file} can't be written; let this user write there")),
                code::CANTOPEN => {
                    unavailable(port, format!("{file} can't be opened; let this user write in its folder"))
                }
                code::BUSY => unavailable(port, format!("{file} is in use by another program; stop that one")),
                code::IOERR => unavailable(port, format!("{file} can't be read or written: {}", refusal.message())),
                _ => unavailable(port, format!("{file}: {}", refusal.message())),
            }
        }
        sqlx::Error::Decode(what) => damaged(port, format!("{file} holds something else than expected: {what}")),
        sqlx::Error::ColumnDecode { index, source } => {
            damaged(port, format!("{file} holds something else than expected in column {index}: {source}"))
        }
        sqlx::Error::PoolTimedOut => unavailable(port, "too many reads at once"),
        other => unavailable(port, format!("{file}: {other}")),
    }
}

/// Turns SQLite's failures into the port's.
pub(super) trait OrPortError<T> {
    /// See [`port_error`].
    fn or_port_error(self, port: &'static str, path: &Path) -> PortResult<T>;
}

impl<T> OrPortError<T> for Result<T, sqlx::Error> {
    fn or_port_error(self, port: &'static str, path: &Path) -> PortResult<T> {
        self.map_err(|error| port_error(port, path, &error))
    }
}
