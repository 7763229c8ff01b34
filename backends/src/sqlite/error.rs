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

pub(super) fn unavailable(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port, reason: reason.into() }
}

pub(super) fn damaged(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Damaged { port, reason: reason.into() }
}

/// A stored value that Weir can't have written; [`port_error`] makes [`PortError::Damaged`] of it.
pub(super) fn unreadable(what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(what.to_string().into())
}

/// Reads `text`, stored as JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(unreadable)
}

/// `value` as JSON to be stored.
pub(super) fn to_json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("what is stored is plain data with text keys")
}

/// Reads `text`, stored in its type's text form.
pub(super) fn from_text<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, sqlx::Error> {
    text.parse().map_err(unreadable)
}

/// A number as SQLite stores it. Offsets, versions and counts never come near 2^63.
pub(super) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stored number that can't be negative.
pub(super) fn to_u64(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(unreadable)
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
