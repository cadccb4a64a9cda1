//! The result of a statement.

use crate::model::Lsn;
use crate::sandbox::sql::{Relation, SqlError};

use super::instance::DiskId;

/// Done, or not possible yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    Done(Outcome),
    /// Nothing was done: run it again when something has changed, or give up after a time limit.
    Wait(Wait),
}

/// What a statement waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// AccessExclusiveLock on pgxc_node: lock_timeout counts.
    Lock,
    /// A node that accepts and never answers: statement_timeout counts.
    Peer,
    /// A page of a session that waits for something else: nothing ends the wait.
    Page,
    /// A GTM that accepts and never answers: no timeout of the server helps (opentenbase-v2.6-live.md, "GTM").
    Gtm,
    /// No GTM that gives timestamps: the server tries three times within a second (seen live).
    NoGtm,
    /// The same at a datanode's commit: two seconds, and another error (seen live).
    NoGtmAtCommit,
}

/// Why a wait is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    LockTimeout,
    StatementTimeout,
    /// The server's own limit.
    OutOfPatience,
}

/// A finished statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub result: Result<Answer, SqlError>,
    /// How long the server took, in milliseconds, over and above the round trip.
    pub delay: u32,
    /// WARNINGs sent along.
    pub warnings: Vec<String>,
    /// The answer comes only when a synchronous standby has this much (opentenbase-v2.6-live.md, "Tools").
    pub sync: Vec<(DiskId, Lsn)>,
}

/// A successful statement's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Rows {
        relation: Relation,
        tag: &'static str,
    },
    /// INSERT 0 n and the like; the count is none where the tag has none.
    Done {
        tag: &'static str,
        rows: Option<usize>,
    },
    Began,
    /// COMMIT, or ROLLBACK (which also a COMMIT of a failed transaction answers).
    Ended {
        tag: &'static str,
    },
}

impl Outcome {
    pub fn ok(answer: Answer) -> Self {
        Self { result: Ok(answer), delay: 0, warnings: Vec::new(), sync: Vec::new() }
    }

    pub fn done(tag: &'static str) -> Self {
        Self::ok(Answer::Done { tag, rows: None })
    }

    pub fn error(error: SqlError) -> Self {
        Self { result: Err(error), delay: 0, warnings: Vec::new(), sync: Vec::new() }
    }
}

/// Why a statement stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    Error(SqlError),
    Wait(Wait),
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Error(error)
    }
}

impl From<Wait> for Stop {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}

impl From<Stop> for Ran {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Error(error) => Self::Done(Outcome::error(error)),
            Stop::Wait(wait) => Self::Wait(wait),
        }
    }
}
