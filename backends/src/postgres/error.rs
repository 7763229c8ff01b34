//! What a failure of Postgres means: to a try, and to a port, in one line that says what to do.

use booking_core::ports::PortError;

/// The port's name where several stand on the database.
pub(super) const PORT: &str = "postgres";

/// Why a try did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// Postgres, or the way to it.
    Sql(sqlx::Error),
    /// It took longer than a try may.
    TooSlow,
    /// Something moved between looking and locking; the next look sees it.
    Moved,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// The same again, on the same connection: others were in the way.
    Again,
    /// The same again, on another connection; the server may be another one by now.
    Reconnect,
    /// Nothing: the port answers with the error.
    None,
}

/// SQLSTATEs that mean something of their own here (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
mod code {
    pub(super) const UNIQUE_VIOLATION: &str = "23505";
    pub(super) const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    pub(super) const IDLE_IN_TRANSACTION_TIMEOUT: &str = "25P03";
    pub(super) const SERIALIZATION_FAILURE: &str = "40001";
    pub(super) const DEADLOCK_DETECTED: &str = "40P01";
    pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(super) const UNDEFINED_COLUMN: &str = "42703";
    pub(super) const UNDEFINED_TABLE: &str = "42P01";
    pub(super) const INVALID_SCHEMA_NAME: &str = "3F000";
    pub(super) const DISK_FULL: &str = "53100";
    pub(super) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const QUERY_CANCELED: &str = "57014";
    pub(super) const ADMIN_SHUTDOWN: &str = "57P01";
    pub(super) const CRASH_SHUTDOWN: &str = "57P02";
    pub(super) const CANNOT_CONNECT_NOW: &str = "57P03";
    pub(super) const CLASS_CONNECTION: &str = "08";
    pub(super) const CLASS_AUTHORIZATION: &str = "28";
    pub(super) const CLASS_INTEGRITY: &str = "23";
    pub(super) const CLASS_ROLLBACK: &str = "40";
}

fn state(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(refusal) = error else { return String::new() };
    refusal.code().map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// Whether a connection that could not be made for `error` may be made in a moment: the server restarts, or another
/// is found.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(_) => {
            let state = state(error);
            // Class 57: an operator, or a crash, ended it.
            state.starts_with("57") || state.starts_with(code::CLASS_CONNECTION) || state == code::TOO_MANY_CONNECTIONS
        }
        _ => false,
    }
}

impl Failure {
    /// What is to be done about it.
    pub(super) fn cure(&self) -> Cure {
        let error = match self {
            Self::Sql(error) => error,
            Self::TooSlow => return Cure::None,
            Self::Moved => return Cure::Again,
        };
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Cure::Reconnect,
            sqlx::Error::Database(_) => match state(error).as_str() {
                // Two that made the same thing at once: the second finds it on the next look.
                code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED | code::UNIQUE_VIOLATION => Cure::Again,
                code::READ_ONLY_SQL_TRANSACTION
                | code::ADMIN_SHUTDOWN
                | code::CRASH_SHUTDOWN
                | code::CANNOT_CONNECT_NOW
                | code::IDLE_IN_TRANSACTION_TIMEOUT => Cure::Reconnect,
                other if other.starts_with(code::CLASS_CONNECTION) => Cure::Reconnect,
                _ => Cure::None,
            },
            _ => Cure::None,
        }
    }

    /// Whether the connection is still good for the next transaction.
    pub(super) fn spares_connection(&self) -> bool {
        match self {
            Self::Sql(error @ sqlx::Error::Database(_)) => {
                let state = state(error);
                self.cure() != Cure::Reconnect && !state.starts_with("XX")
            }
            Self::Sql(sqlx::Error::RowNotFound | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
            | Self::Moved => true,
            Self::Sql(_) | Self::TooSlow => false,
        }
    }

    /// Of a failed commit: whether it certainly did not happen. Otherwise nobody knows.
    pub(super) fn is_rollback(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        let state = state(error);
        state.starts_with(code::CLASS_ROLLBACK) || state.starts_with(code::CLASS_INTEGRITY)
    }

    /// What it means to `port`.
    pub(super) fn port_error(&self, port: &'static str) -> PortError {
        match self {
            Self::Sql(error) => port_error(port, error),
            Self::TooSlow => unavailable(
                port,
                "Postgres took too long; look at its load, its locks and whether its synchronous standby is up",
            ),
            Self::Moved => unavailable(port, "others changed the same again and again; ask again"),
        }
    }
}

pub(super) fn unavailable(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port, reason: reason.into() }
}

pub(super) fn damaged(port: &'static str, reason: impl Into<String>) -> PortError {
    PortError::Damaged { port, reason: reason.into() }
}

/// What `error` means to `port`.
pub(super) fn port_error(port: &'static str, error: &sqlx::Error) -> PortError {
    let refusal = match error {
        sqlx::Error::Database(refusal) => refusal.message(),
        sqlx::Error::Decode(what) => {
            return damaged(port, format!("Postgres holds something else than expected: {what}"));
        }
        sqlx::Error::ColumnDecode { index, source } => {
            return damaged(port, format!("Postgres holds something else than expected in column {index}: {source}"));
        }
        sqlx::Error::PoolClosed => return unavailable(port, "it was closed"),
        sqlx::Error::Io(error) => {
            return unavailable(port, format!("the connection to Postgres broke ({error}); look whether it is up"));
        }
        other => return unavailable(port, format!("Postgres: {other}")),
    };
    let state = state(error);
    match state.as_str() {
        code::UNDEFINED_TABLE | code::UNDEFINED_COLUMN | code::INVALID_SCHEMA_NAME => {
            unavailable(port, format!("the schema is not what this weir needs ({refusal}); run 'weir migrate'"))
        }
        code::INSUFFICIENT_PRIVILEGE => {
            unavailable(port, format!("Postgres forbids it ({refusal}); grant the role what it needs"))
        }
        code::DISK_FULL => unavailable(port, "the disk of Postgres is full; make room"),
        code::TOO_MANY_CONNECTIONS => {
            unavailable(port, "Postgres has no connection left; raise its max_connections, or give each process fewer")
        }
        code::READ_ONLY_SQL_TRANSACTION => {
            unavailable(port, "Postgres is read-only; promote a standby, or name the one that accepts writes")
        }
        code::LOCK_NOT_AVAILABLE => {
            unavailable(port, "another transaction keeps a lock too long; look for it in pg_stat_activity")
        }
        code::QUERY_CANCELED => {
            unavailable(port, "a statement took too long; look at the load of Postgres, or raise the limit")
        }
        state if state.starts_with(code::CLASS_AUTHORIZATION) => {
            unavailable(port, format!("Postgres lets nobody in: {refusal}; look at the user and its password"))
        }
        state if state.starts_with(code::CLASS_INTEGRITY) => {
            damaged(port, format!("Postgres refuses a write: {refusal}"))
        }
        _ => unavailable(port, format!("Postgres: {refusal} ({state})")),
    }
}
