//! The result, from which text, JSON, JUnit and Prometheus are rendered.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ClusterName, Finding, InstanceId, NodeName};
use crate::plan::{LookedAt, Unseen};

/// The format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const FORMAT_VERSION: &str = "1.0";

/// `otb drift --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// A minor version adds keys, a major one breaks.
    pub format_version: String,
    /// Which otb looked.
    pub otb_version: String,
    /// When the cluster was observed, RFC 3339 in UTC.
    pub observed_at: String,
    pub cluster: ClusterName,
    /// Nodes named by `--target`; empty: all.
    pub targets: Vec<NodeName>,
    /// The nodes that were compared.
    pub nodes: Vec<NodeName>,
    pub verdict: Verdict,
    /// What is wrong with the live cluster, worst first, as `otb status` shows it.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The differences that count.
    pub differences: Vec<Difference>,
    /// The differences that the baseline accepts for now.
    pub accepted: Vec<Accepted>,
    /// What could not be observed; it can be in any state.
    pub unseen: Vec<Unseen>,
    /// What is to be said of the baseline itself.
    pub baseline: Vec<Note>,
    pub looked_at: LookedAt,
}

/// The result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was seen, and nothing differs but what is accepted. Exit 0.
    None,
    /// There are differences. Exit 2.
    Drift,
    /// No difference was seen, but not everything was. Exit 1.
    Unknown,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal;)*) => {
        /// The kinds of drift. The word is stable: baselines and alerts name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            pub fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }
        }
    };
}

kinds! {
    /// More than one instance of a node runs as master.
    SplitBrain = "split-brain";
    /// The master runs on another server than the file declares: the file was changed, or the master was moved.
    Placement = "placement";
    /// An instance does not do what it should: no master, a standby that is down or does not follow.
    Role = "role";
    /// A running instance would not be after its next start what it is now: its recovery.conf has gone, or one lies
    /// there that should not.
    NextStart = "next-start";
    /// A router's pgxc_node leads elsewhere than to the running master, lacks a row, or has one too many.
    Routes = "routes";
    /// A router's pooler does not agree with its pgxc_node.
    Pooler = "pooler";
    /// A standby streams and could not take over: a check of its takeover refuses.
    Readiness = "readiness";
    /// A transaction stays prepared on a master for longer than a commit takes: a coordinator's, which clients hang
    /// behind, or a client's own.
    InDoubt = "in-doubt";
}

/// `KIND:SUBJECT`: the same from run to run, so that a baseline can name it. Subjects are `dn01` (split-brain,
/// placement), `dn01@s47` (role, next-start, readiness), `cn01:dn01`, a router and the node it routes (routes), `cn01`
/// (pooler), and `dn01` (in-doubt) or `dn01:client` for transactions that a client prepared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DriftId(pub(super) String);

impl DriftId {
    pub(super) fn new(kind: Kind, subject: impl fmt::Display) -> Self {
        Self(format!("{}:{subject}", kind.word()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DriftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One thing that is not as the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    pub id: DriftId,
    pub kind: Kind,
    /// The node concerned; of `routes` and `pooler` the router's.
    pub node: NodeName,
    /// The process concerned, where it is one.
    pub instance: Option<InstanceId>,
    /// The declared value, or what follows from it.
    pub expected: String,
    /// What is so instead.
    pub found: String,
}

/// A difference that the baseline accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub difference: Difference,
    /// Why, as the baseline says.
    pub reason: String,
    /// The last day on which it is accepted, YYYY-MM-DD in UTC.
    pub expires: String,
}

/// An entry of the baseline that does not do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    pub kind: NoteKind,
    pub id: DriftId,
    /// The same in words.
    pub what: String,
}

/// Why an entry does not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// Its day has passed: the difference counts again.
    Expired,
    /// There is no such difference (any more).
    MatchesNothing,
}
