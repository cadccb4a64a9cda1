//! A fact is known or unknown-because; it is never guessed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something asked of the live cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Fact_of_{T}")]
pub enum Fact<T> {
    /// The cluster said so.
    Known(T),
    /// It could not be learned, and why.
    Unknown(Unknown),
}

impl<T> Fact<T> {
    pub fn unknown(kind: UnknownKind, why: impl Into<String>) -> Self {
        Self::Unknown(Unknown { kind, why: why.into() })
    }

    /// For facts that otb did not ask for, because they do not apply.
    pub fn not_asked(why: impl Into<String>) -> Self {
        Self::unknown(UnknownKind::NotAsked, why)
    }

    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    pub fn reason(&self) -> Option<&Unknown> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(unknown) => Some(unknown),
        }
    }

    /// Why it is not known although it was asked for.
    pub fn hidden(&self) -> Option<&Unknown> {
        self.reason().filter(|why| why.kind != UnknownKind::NotAsked)
    }

    pub fn is_known_and(&self, test: impl FnOnce(&T) -> bool) -> bool {
        self.known().is_some_and(test)
    }

    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Unknown(unknown) => Fact::Unknown(unknown.clone()),
        }
    }
}

impl<T> From<Result<T, Unknown>> for Fact<T> {
    fn from(result: Result<T, Unknown>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(unknown) => Self::Unknown(unknown),
        }
    }
}

/// Why a fact is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unknown {
    pub kind: UnknownKind,
    /// One clause without a full stop, control characters removed: what was tried and what came back.
    pub why: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The ways not to know, as far as they call for different next actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownKind {
    /// Nothing listens there: the host answered with a refusal.
    Refused,
    /// No answer within the time limit; the other side may live.
    TimedOut,
    /// The host, the route to it, or the shell connection failed.
    Unreachable,
    /// The server turned otb's credentials down.
    Denied,
    /// The server answered with an error.
    Failed,
    /// The server runs and takes no more sessions: all its connection slots (max_connections) are taken.
    NoSlot,
    /// The server runs and gets no global timestamp, so that no SELECT works on it: the GTM that its pgxc_node names
    /// is down, mute or not the active one.
    NoTimestamp,
    /// The server answered with something that could not be read.
    Unreadable,
    /// Nobody asked: the question does not apply.
    NotAsked,
}

impl UnknownKind {
    /// Returns what to do next, if the kind alone decides it.
    pub fn way_out(self) -> Option<&'static str> {
        match self {
            Self::NoSlot => Some(
                "end idle clients, or raise max_connections and restart that server. Who holds the slots, `select \
                 application_name, client_addr, state, count(*) from pg_stat_activity group by 1, 2, 3` shows to a superuser \
                 (superuser_reserved_connections), `ps -ww -eo args | grep '[p]ostgres:'` to a shell",
            ),
            _ => None,
        }
    }
}
