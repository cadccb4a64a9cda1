//! The plan itself: one immutable value from which text, Markdown and JSON are rendered and which apply obeys.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{Check, Waiver};
use super::gap::ExpectedGap;
use super::kept::KeptObservation;
use super::rehearsal::Rehearsal;
use super::step::{Phase, Step};
use crate::model::{Cluster, Finding, InDoubt, InstanceId, NodeKind, NodeName, ServerName, Unknown, UnknownKind};

/// The plan format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const FORMAT_VERSION: &str = "2.0";

/// What is to be done, why, in which order, and what was seen when it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The version of this document: a minor version adds, a major one breaks.
    pub format_version: String,
    /// The otb that planned.
    pub otb_version: String,
    /// When the cluster was observed, RFC 3339 in UTC.
    pub observed_at: String,
    /// The declared cluster, so that a saved plan stands alone.
    pub cluster: Cluster,
    /// Nodes named by `--target`; empty: all.
    pub targets: Vec<NodeName>,
    /// sha256 over the declared cluster and `facts`, in hexadecimal.
    pub fingerprint: String,
    /// The stable live facts the fingerprint covers: what a saved plan is held against.
    pub facts: BTreeMap<String, String>,
    /// The problems of the live cluster when it was observed, worst first, as `otb status` shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The changes per node, most important first; empty if there is nothing to do, or nothing that can be done.
    pub changes: Vec<Change>,
    /// In order of phase; `needs` shows which steps may run in parallel.
    pub steps: Vec<Step>,
    /// Present if the rest cannot be planned before these steps are done: apply then observes again, plans the rest of
    /// the file, and continues in the same run. Approving this plan approves the rest.
    #[serde(default)]
    pub afterwards: Option<Afterwards>,
    /// All that were made, passed or not.
    pub checks: Vec<Check>,
    /// If a check refuses: the nodes that could change while the others stay as they are, with `--target`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub independent_nodes: Vec<NodeName>,
    /// The `--waive`s that name one of `checks`.
    pub waivers: Vec<Waiver>,
    /// Two-phase transactions that were in doubt when the cluster was observed, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_doubt: Vec<InDoubt>,
    /// How much "nothing to do" rests on.
    pub looked_at: LookedAt,
    /// Facts that could not be learned. Never empty silently: each is shown.
    pub unseen: Vec<Unseen>,
    /// Servers of which neither the shell nor a process answers; `unseen` has their facts one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<SilentServer>,
    /// Present where it was asked for: how the plan ends with each fault at each moment.
    #[serde(default)]
    pub rehearsal: Option<Box<Rehearsal>>,
    /// What the plan was made from, in a plan that was saved: it can be rehearsed later.
    #[serde(default)]
    pub seen: Option<KeptObservation>,
}

impl Plan {
    /// Nothing to do, and nothing that could not be seen.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.unseen.is_empty() && !self.is_refused()
    }

    /// A check refuses: nothing may be applied.
    pub fn is_refused(&self) -> bool {
        self.refusing().next().is_some()
    }

    /// The checks that stand in the way.
    pub fn refusing(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict.refuses())
    }

    /// The checks that stand in the way of the whole run, each once: of this plan, and those of its rest that are known.
    pub fn refusing_in_all(&self) -> impl Iterator<Item = &Check> {
        let rest = self.afterwards.iter().flat_map(|rest| &rest.checks).filter(|check| check.verdict.refuses());
        let new = |check: &&Check| self.checks.iter().all(|own| own.id != check.id);
        self.refusing().chain(rest.filter(new))
    }

    /// How long clients of a node are expected to wait while its master moves.
    pub fn expected_gap(&self, node: &NodeName) -> Option<ExpectedGap> {
        self.changes.iter().find(|change| change.node == *node).and_then(|change| change.expected_gap)
    }

    pub fn steps_in(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.phase == phase)
    }
}

/// The part of a run that cannot be planned yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Afterwards {
    /// Why not: what the routers lack.
    pub because: String,
    /// The expected changes, as far as roles are known; routes are not known yet.
    pub expected: Vec<Change>,
    /// The checks of it that can be made already: of nodes without a master that answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// A server of which nothing answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilentServer {
    pub server: ServerName,
    /// Everything that is declared there.
    pub instances: Vec<InstanceId>,
    /// What was tried and what came back.
    pub why: String,
}

/// The change of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub node: NodeName,
    pub node_kind: NodeKind,
    pub kind: ChangeKind,
    /// The server of the master now, where that changes.
    pub from: Option<ServerName>,
    /// The server concerned: of the new master, or of the instance that rejoins.
    pub to: ServerName,
    /// Routers whose row of this node changes.
    // Nodes that move from the same routers share them.
    pub routers: Arc<Vec<InstanceId>>,
    /// One sentence: what was seen that calls for it.
    pub because: String,
    /// How long clients are expected to wait for the node: of a switchover from a running master.
    #[serde(default)]
    pub expected_gap: Option<ExpectedGap>,
}

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The old master lives, or was stopped cleanly by a run that was cut off.
    Switchover,
    /// The old master does not live.
    Failover,
    /// The declared master is down and no other instance took over: otb starts it again.
    Restart,
    /// A second master runs beside the declared one: it is given up.
    Repair,
    /// Roles are right, routes or a pooler are not.
    Reroute,
    /// A transaction is in doubt on its master: it is finished.
    Settle,
    /// An instance that should be a standby of the master is not.
    Rejoin,
}

impl ChangeKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Restart => "restart",
            Self::Repair => "repair",
            Self::Reroute => "reroute",
            Self::Settle => "settle",
            Self::Rejoin => "rejoin",
        }
    }

    /// Whether the node gets another master.
    pub fn moves_master(self) -> bool {
        matches!(self, Self::Switchover | Self::Failover)
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How much was looked at: "nothing to do" means nothing without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LookedAt {
    /// Server processes; with `targets` only theirs.
    pub instances: usize,
    /// Masters with a pgxc_node table.
    pub routers: usize,
    /// pgxc_node rows compared; with `targets` only theirs.
    pub routes: usize,
}

/// A fact that matters and could not be learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unseen {
    pub instance: InstanceId,
    /// `process`, `role`, `routes`, …
    pub fact: String,
    pub kind: UnknownKind,
    /// What was tried and what came back.
    pub why: String,
}

impl Unseen {
    pub(crate) fn of(instance: &InstanceId, fact: &str, why: &Unknown) -> Self {
        Self { instance: instance.clone(), fact: fact.to_owned(), kind: why.kind, why: why.why.clone() }
    }
}
