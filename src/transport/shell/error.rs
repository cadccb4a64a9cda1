//! Why a script did not run to its end.

use std::time::Duration;

use super::super::postgres::seconds;
use crate::model::{ServerName, Unknown, UnknownKind};

/// A script that did not run to its end. A script that did, whatever its status, is an
/// [`Output`](super::Output).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    #[error("the cluster has no server {0}")]
    NoServer(ServerName),
    /// The script never began.
    #[error("the shell of {server} cannot be reached: {why}")]
    Unreachable { server: ServerName, why: String },
    /// The script never began: no password was asked for, none would be given.
    #[error("the shell of {server} refused otb: {why}")]
    Denied { server: ServerName, why: String },
    /// The script never began: the connection holds as many sessions as sshd allows.
    #[error(
        "sshd of {server} allows no more sessions (MaxSessions in its sshd_config; otb uses up to 8), nor another connection"
    )]
    Full { server: ServerName },
    /// Opening the connection took too long; the script never began.
    #[error("no connection to the shell of {server} within {}", seconds(*limit))]
    NotOpened { server: ServerName, limit: Duration },
    /// The script was started and did not end in time. Its effect is not known.
    #[error("no answer from the shell of {server} within {}", seconds(*limit))]
    TimedOut { server: ServerName, limit: Duration },
    /// The script was started, and then contact was lost. Its effect is not known.
    #[error("contact with the shell of {server} was lost: {why}")]
    Lost { server: ServerName, why: String },
}

impl ShellError {
    /// Whether the script may have taken effect, in part or as a whole.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Lost { .. })
    }

    pub fn kind(&self) -> UnknownKind {
        match self {
            Self::NoServer(_) => UnknownKind::NotAsked,
            Self::Unreachable { .. } | Self::Full { .. } | Self::Lost { .. } => UnknownKind::Unreachable,
            Self::Denied { .. } => UnknownKind::Denied,
            Self::NotOpened { .. } | Self::TimedOut { .. } => UnknownKind::TimedOut,
        }
    }

    pub fn unknown(&self) -> Unknown {
        Unknown { kind: self.kind(), why: self.to_string() }
    }
}
