//! The ways a statement can fail, as far as they call for different next actions.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use crate::model::{Endpoint, Fact, InstanceId, Unknown, UnknownKind};
use crate::opentenbase::sanitize_for_display;

/// too_many_connections: of the server, a database or a role (errcodes.txt).
const TOO_MANY_CONNECTIONS: &str = "53300";

/// The failure of a login or a statement. Texts name the endpoint; text from the server is sanitised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    #[error("the cluster has no instance {0}")]
    NoInstance(InstanceId),
    #[error("{at} refused the connection")]
    Refused { at: Endpoint },
    #[error("no answer from {at} within {}", seconds(*limit))]
    TimedOut { at: Endpoint, limit: Duration },
    #[error("{at} cannot be reached: {why}")]
    Unreachable { at: Endpoint, why: String },
    #[error("{at} refused the login: {why}")]
    Denied { at: Endpoint, why: String },
    #[error("{0}")]
    Server(Box<ServerError>),
    #[error("{at} sent an answer that is not the PostgreSQL protocol: {why}")]
    Unreadable { at: Endpoint, why: String },
    /// The statement was sent, and then contact was lost: it is not known whether it took effect.
    #[error("contact with {at} was lost after sending, so the outcome is unknown: {why}")]
    Lost { at: Endpoint, why: String },
}

/// An ErrorResponse of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at} answered {sqlstate}: {message}{}", detail.as_ref().map(|d| format!(" ({d})")).unwrap_or_default())]
pub struct ServerError {
    pub at: Endpoint,
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// FATAL or PANIC: the session is over.
    pub fatal: bool,
}

impl SqlError {
    /// Whether the statement may or may not have taken effect: observe again before doing anything.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// The server's own error, if it gave one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }

    /// Whether nothing more can be asked in the session that gave this error.
    pub fn ends_session(&self) -> bool {
        self.server().is_none_or(|error| error.fatal)
    }

    /// Whether a server process answered, in whatever way: then it runs.
    pub fn proves_a_process(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Denied { .. })
    }

    pub fn kind(&self) -> UnknownKind {
        match self {
            Self::NoInstance(_) => UnknownKind::NotAsked,
            Self::Refused { .. } => UnknownKind::Refused,
            Self::TimedOut { .. } => UnknownKind::TimedOut,
            Self::Unreachable { .. } | Self::Lost { .. } => UnknownKind::Unreachable,
            Self::Denied { .. } => UnknownKind::Denied,
            Self::Server(error) if error.sqlstate == TOO_MANY_CONNECTIONS => UnknownKind::NoSlot,
            Self::Server(_) => UnknownKind::Failed,
            Self::Unreadable { .. } => UnknownKind::Unreadable,
        }
    }

    pub fn unknown(&self) -> Unknown {
        let why = match self.kind() {
            UnknownKind::NoSlot => format!("{self}: all its connection slots (max_connections) are taken"),
            _ => self.to_string(),
        };
        Unknown { kind: self.kind(), why }
    }

    pub fn fact<T>(&self) -> Fact<T> {
        Fact::Unknown(self.unknown())
    }

    /// Reads the failure of a login, for a connection that was not made.
    pub(super) fn of_connect(at: &Endpoint, limit: Duration, error: &io::Error) -> Self {
        let at = at.clone();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { at },
            io::ErrorKind::TimedOut => Self::TimedOut { at, limit },
            _ => Self::Unreachable { at, why: error.to_string() },
        }
    }

    pub(super) fn of_login(at: &Endpoint, limit: Duration, error: &tokio_postgres::Error) -> Self {
        let at = at.clone();
        if let Some(db) = error.as_db_error() {
            let error = Self::of_server(&at, db);
            // Class 28 is "invalid authorization specification".
            return if error.sqlstate.starts_with("28") {
                Self::Denied { at, why: error.message }
            } else {
                Self::Server(Box::new(error))
            };
        }
        if let Some(io) = io_cause(error) {
            return match io.kind() {
                io::ErrorKind::ConnectionRefused => Self::Refused { at },
                io::ErrorKind::TimedOut => Self::TimedOut { at, limit },
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    Self::Unreachable { at, why: "it closed the connection before answering".to_owned() }
                }
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if !is_tls(error) => {
                    Self::Unreadable { at, why: cause(error) }
                }
                // tokio-util's words for an end within a message: what HTTP looks like to a PostgreSQL client.
                io::ErrorKind::Other if io.to_string() == "bytes remaining on stream" => {
                    Self::Unreadable { at, why: "the connection ended in the middle of a message".to_owned() }
                }
                _ => Self::Unreachable { at, why: cause(error) },
            };
        }
        // tokio-postgres does not expose its error kinds, only their texts (src/error/mod.rs, 0.7.18).
        match error.to_string().as_str() {
            "authentication error" | "invalid configuration" => Self::Denied { at, why: cause(error) },
            "unexpected message from server" | "error parsing response from server" => {
                Self::Unreadable { at, why: cause(error) }
            }
            "connection closed" => {
                Self::Unreachable { at, why: "it closed the connection before answering".to_owned() }
            }
            _ => Self::Unreachable { at, why: cause(error) },
        }
    }

    /// Reads the failure of a statement that changes nothing.
    pub(super) fn of_query(at: &Endpoint, error: &tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::Server(Box::new(Self::of_server(at, db)));
        }
        let at = at.clone();
        match error.to_string().as_str() {
            "unexpected message from server" | "error parsing response from server" => {
                Self::Unreadable { at, why: cause(error) }
            }
            _ => Self::Unreachable { at, why: cause(error) },
        }
    }

    /// The same error where the statement may have changed something: without a complete answer of a living
    /// session its outcome is unknown.
    pub(super) fn after_sending(self) -> Self {
        let why = self.to_string();
        match self {
            Self::NoInstance(id) => Self::NoInstance(id),
            Self::Server(error) if !error.fatal => Self::Server(error),
            Self::Server(error) => Self::Lost { at: error.at, why: error.message },
            Self::Refused { at }
            | Self::TimedOut { at, .. }
            | Self::Unreachable { at, .. }
            | Self::Denied { at, .. }
            | Self::Unreadable { at, .. }
            | Self::Lost { at, .. } => Self::Lost { at, why },
        }
    }

    fn of_server(at: &Endpoint, db: &tokio_postgres::error::DbError) -> ServerError {
        use tokio_postgres::error::Severity;
        ServerError {
            at: at.clone(),
            sqlstate: sanitize_for_display(db.code().code()),
            message: sanitize_for_display(db.message()),
            detail: db.detail().map(sanitize_for_display),
            hint: db.hint().map(sanitize_for_display),
            fatal: matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
                || matches!(db.severity(), "FATAL" | "PANIC"),
        }
    }
}

/// Whether the TLS handshake is what failed.
pub(super) fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("TLS")
}

fn io_cause(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        source = error.source();
    }
    None
}

/// tokio-postgres' own text leaves the cause out, so both are given.
fn cause(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => sanitize_for_display(&format!("{error}: {source}")),
        None => sanitize_for_display(&error.to_string()),
    }
}

/// `5 s`, `0.3 s`.
pub(in crate::transport) fn seconds(limit: Duration) -> String {
    format!("{} s", (limit.as_secs_f64() * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Host;

    #[test]
    fn a_server_without_a_free_slot_is_told_by_its_sqlstate() {
        let answered = |sqlstate: &str| {
            let at = Endpoint { host: Host::new("172.16.0.29").unwrap(), port: 23001 };
            let (sqlstate, message) = (sqlstate.to_owned(), "sorry, too many clients already".to_owned());
            SqlError::Server(Box::new(ServerError { at, sqlstate, message, detail: None, hint: None, fatal: true }))
        };
        let full = answered("53300");
        assert!(full.proves_a_process());
        assert_eq!(full.unknown().kind, UnknownKind::NoSlot);
        assert!(full.unknown().why.ends_with("all its connection slots (max_connections) are taken"));
        assert_eq!(answered("57P03").unknown().kind, UnknownKind::Failed);
    }
}
