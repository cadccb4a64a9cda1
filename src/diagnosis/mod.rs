//! What is wrong with the live cluster: findings, worst first, each with what it means for users and the next command.
//!
//! `otb status`, `otb plan` and `otb drift` show the same findings in the same words. Pure: it takes an observation
//! and the plan that was made from it. A finding that follows from another one is not reported: the instances of a
//! silent server, the standbys of a missing master, the routers of a missing GTM.

mod command;
mod master;
mod readiness;
mod routes;
mod server;
mod standby;

pub use readiness::{NodeReadiness, READINESS_VERSION, Readiness, Ready, StandbyReadiness, moved, readiness};

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Cluster, Endpoint, Fact, Finding, FindingKind, InstanceFacts, InstanceId, NextCommand, Node, NodeName, Observation,
    Process, Role, ServerName, Severity, Unknown, UnknownKind,
};
use crate::plan::{Plan, running_masters};

/// What is diagnosed.
#[derive(Debug)]
pub struct Input<'a> {
    pub cluster: &'a Cluster,
    pub seen: &'a Observation,
    /// The plan made from the same file and observation: it shows which findings `otb apply` fixes.
    pub plan: &'a Plan,
    /// How otb is called, with its `-f`, in the commands to paste.
    pub otb: &'a str,
}

/// Returns the findings, worst first.
pub fn findings(input: &Input<'_>) -> Vec<Finding> {
    let case = Case::of(input);
    let mut all = server::silent(&case);
    for node in input.cluster.nodes.values().filter(|node| case.concerns(&node.name)) {
        all.extend(master::of(&case, node));
        all.extend(standby::of(&case, node));
    }
    all.extend(routes::cannot_work(&case));
    all.extend(routes::wrong(&case));
    all.extend(routes::poolers(&case));
    all.sort_by(|a, b| (a.severity, a.kind, &a.node, &a.instances).cmp(&(b.severity, b.kind, &b.node, &b.instances)));
    all
}

/// The input with what all parts of the diagnosis look up.
struct Case<'a> {
    cluster: &'a Cluster,
    seen: &'a Observation,
    otb: &'a str,
    targets: BTreeSet<&'a NodeName>,
    masters: BTreeMap<&'a NodeName, Vec<InstanceId>>,
    silent: BTreeSet<&'a ServerName>,
    /// Nodes and routers that `otb apply` would change.
    cured: BTreeSet<&'a NodeName>,
    refused: bool,
    /// Nodes that could change while a refused plan's others stay as they are.
    independent: BTreeSet<&'a NodeName>,
}

impl<'a> Case<'a> {
    fn of(input: &Input<'a>) -> Self {
        let Input { cluster, seen, plan, otb } = *input;
        let later = plan.afterwards.iter().flat_map(|rest| &rest.expected);
        let changes = plan.changes.iter().chain(later);
        let routers = plan.changes.iter().flat_map(|change| change.routers.iter().map(|router| &router.node));
        Self {
            cluster,
            seen,
            otb,
            targets: plan.targets.iter().collect(),
            masters: cluster.nodes.values().map(|node| (&node.name, running_masters(node, seen))).collect(),
            silent: server::names(cluster, seen),
            cured: changes.map(|change| &change.node).chain(routers).collect(),
            refused: plan.is_refused(),
            independent: plan.independent_nodes.iter().collect(),
        }
    }

    /// With `--target` the other nodes are none of this plan's business.
    fn concerns(&self, node: &NodeName) -> bool {
        self.targets.is_empty() || self.targets.contains(node)
    }

    fn facts(&self, id: &InstanceId) -> Option<&'a InstanceFacts> {
        self.seen.instances.get(id)
    }

    fn masters(&self, node: &NodeName) -> &[InstanceId] {
        self.masters.get(node).map_or(&[], Vec::as_slice)
    }

    /// The node's only running master.
    fn master(&self, node: &NodeName) -> Option<&InstanceId> {
        match self.masters(node) {
            [only] => Some(only),
            _ => None,
        }
    }

    fn is_silent(&self, id: &InstanceId) -> bool {
        self.silent.contains(&id.server)
    }

    fn endpoint(&self, id: &InstanceId) -> Option<&'a Endpoint> {
        self.cluster.instance(id).map(|instance| &instance.endpoint)
    }

    /// A running standby of `node`, the declared one first; the best that a failover could promote.
    fn running_standby(&self, node: &Node) -> Option<InstanceId> {
        let mut others: Vec<InstanceId> = node.instances.values().map(|instance| instance.id.clone()).collect();
        others.sort_by_key(|id| id.server != node.master);
        others.into_iter().find(|id| self.facts(id).is_some_and(|facts| facts.is_running(Role::Standby)))
    }

    /// `otb apply`, if that cures what is wrong with `node`; else the command that shows what stands in the way.
    fn apply(&self, node: &NodeName) -> NextCommand {
        let otb = self.otb;
        let command = match (self.cured.contains(node), self.refused) {
            (true, false) => format!("{otb} apply"),
            (true, true) if self.independent.contains(node) => format!("{otb} apply --target {node}"),
            _ => format!("{otb} plan"),
        };
        command::always(command)
    }

    /// Whether `otb apply` cures what is wrong with `node`.
    fn is_cured(&self, node: &NodeName) -> bool {
        self.cured.contains(node) && (!self.refused || self.independent.contains(node))
    }

    /// Why the running process at `id` does not report its role. gtm_ctl waits for an answer of its GTM: if that one
    /// hangs, otb does not know whether it runs.
    fn mute(&self, id: &InstanceId) -> Option<&'a Unknown> {
        let facts = self.facts(id)?;
        match &facts.process {
            Fact::Known(Process::Running) => facts.role.reason(),
            Fact::Unknown(why) if why.kind == UnknownKind::TimedOut && facts.data_dir.known().is_some() => Some(why),
            _ => None,
        }
    }
}

/// A finding before it is filled in.
fn finding(kind: FindingKind, severity: Severity, what: String, means: impl Into<String>) -> Finding {
    Finding {
        kind,
        severity,
        node: None,
        server: None,
        instances: Vec::new(),
        what,
        means: means.into(),
        next: Vec::new(),
    }
}

/// The same, of a node.
fn of_node(node: &Node, kind: FindingKind, severity: Severity, what: String, means: impl Into<String>) -> Finding {
    Finding { node: Some(node.name.clone()), ..finding(kind, severity, what, means) }
}

/// All of a short list; the beginning and the number of a long one.
fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// `1 session`, `2 sessions`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// How a process that was asked did not answer, for people.
fn way_of(kind: UnknownKind) -> &'static str {
    match kind {
        UnknownKind::TimedOut => "timed out",
        UnknownKind::Refused => "refused",
        _ => "failed",
    }
}
