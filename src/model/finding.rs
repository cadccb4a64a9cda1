//! Findings: what is wrong with the live cluster, what it means for users, and the next command.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InstanceId, NodeName, ServerName};

/// One thing that is wrong, reported once however many instances show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub kind: FindingKind,
    /// How bad it is; the worst findings come first.
    pub severity: Severity,
    /// The node concerned, where it is one.
    pub node: Option<NodeName>,
    /// The server concerned, where it is one.
    pub server: Option<ServerName>,
    /// The instances concerned.
    pub instances: Vec<InstanceId>,
    /// What is wrong, in one line.
    pub what: String,
    /// What it means for users.
    pub means: String,
    /// The next commands, the best first.
    pub next: Vec<NextCommand>,
}

/// A command line, ready to paste.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextCommand {
    /// The command line.
    pub command: String,
    /// When or why to type it, in words; null: whatever the case.
    pub when: Option<String>,
}

/// How bad a finding is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Users get errors or wait now, or data diverges.
    Outage,
    /// Users are served; something that protects them is not in order.
    Degraded,
    /// Everything serves; a failover or a restart would go wrong.
    Risk,
    /// The live cluster differs from the file and serves.
    Note,
}

impl Severity {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Degraded => "degraded",
            Self::Risk => "risk",
            Self::Note => "note",
        }
    }

    /// Whether the finding counts as a problem: a note does not.
    pub fn is_problem(self) -> bool {
        self != Self::Note
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

macro_rules! kinds {
    ($($kind:ident = $word:literal, $about:literal;)*) => {
        /// The kind of a problem; within one severity, findings come in this order. The word is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum FindingKind { $(#[doc = $about] $kind,)* }

        impl FindingKind {
            /// Every kind, the worst first.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The stable word: `two-masters`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// One sentence for the reference.
            pub fn about(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }
        }
    };
}

kinds! {
    TwoMasters = "two-masters", "Two instances of a node run as masters, or two GTMs are active.";
    SilentServer = "silent-server", "A server does not answer: neither its processes nor its shell.";
    NoCommits = "no-commits", "No GTM is active: nothing commits.";
    NoMaster = "no-master", "A node has no running master.";
    CannotWork = "cannot-work", "A master answers, but every statement on it fails: it gets no timestamp.";
    NoSlot = "no-slot", "A server accepts no more sessions: all its connection slots are taken.";
    Hung = "hung", "A process runs but does not answer.";
    Blocked = "blocked", "Sessions wait behind transactions in doubt.";
    WrongRoute = "wrong-route", "A router's pgxc_node leads to another place than the running master, or lacks a \
        row.";
    Pooler = "pooler", "A router's pooler differs from its pgxc_node.";
    InDoubt = "in-doubt", "A two-phase transaction is in doubt, and no session waits behind it yet.";
    StandbyDown = "standby-down", "A standby is stopped.";
    NotStreaming = "not-streaming", "A standby runs but does not stream from its master.";
    Paused = "paused", "The replay of a standby is paused.";
    Lagging = "lagging", "A standby is more than policy.max_lag behind.";
    PromotionAsked = "promotion-asked", "A standby has a promotion request and may become a master at any moment.";
    NotReady = "not-ready", "A standby streams but cannot take over.";
    NextStart = "next-start", "An instance has another role after its next start.";
    Unseen = "unseen", "An instance could not be observed.";
    Elsewhere = "elsewhere", "A node's master runs on another server than the file declares.";
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
