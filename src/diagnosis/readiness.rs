//! Readiness: for each node, whether a standby could take over now, and what a failover would lose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Cluster, ClusterName, InstanceId, Node, NodeKind, NodeName, Observation, ServerName};
use crate::plan::{Check, CheckCode, Verdict, exposed_bytes, running_masters, shared_takeover_checks, takeover_checks};

/// The format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const READINESS_VERSION: &str = "1.0";

/// `otb ready --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// A minor version adds keys, a major one breaks.
    pub format_version: String,
    /// Which otb looked.
    pub otb_version: String,
    /// When the cluster was observed, RFC 3339 in UTC.
    pub observed_at: String,
    pub cluster: ClusterName,
    /// Nodes named by `--target`; empty: all.
    pub targets: Vec<NodeName>,
    pub verdict: Ready,
    /// The nodes that were looked at.
    pub nodes: Vec<NodeReadiness>,
    /// Every takeover depends on each router, because its routes must be updated.
    pub checks: Vec<Check>,
}

/// Whether a takeover could begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// The file declares no standby of the node: there is nothing to ask.
    NoStandby,
    /// Every check passes.
    Yes,
    /// No check refuses for sure, and not all could be made.
    Unknown,
    /// A check would refuse it.
    No,
}

impl Ready {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoStandby => "no standby",
            Self::Yes => "yes",
            Self::Unknown => "UNKNOWN",
            Self::No => "NO",
        }
    }

    /// Whether a failover would be refused now.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Unknown | Self::No)
    }

    fn of(checks: &[Check]) -> Self {
        match checks.iter().map(|check| check.verdict).max() {
            Some(Verdict::Block) => Self::No,
            Some(Verdict::Unknown) => Self::Unknown,
            _ => Self::Yes,
        }
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeReadiness {
    pub node: NodeName,
    pub kind: NodeKind,
    /// The server of its running master; null: it has none, or more than one.
    pub master: Option<ServerName>,
    /// For the best of its standbys.
    pub verdict: Ready,
    pub standbys: Vec<StandbyReadiness>,
}

/// One standby that could take over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandbyReadiness {
    pub instance: InstanceId,
    pub verdict: Ready,
    /// Bytes of WAL that its master has written and it has not received: what a failover now would lose. Null: not
    /// known; a GTM is not counted in WAL.
    pub loses_bytes: Option<u64>,
    /// The checks that a plan would make if its master were declared there.
    pub checks: Vec<Check>,
}

/// Returns the servers that could take over `node`: all but that of its running master, the declared one if none runs.
fn candidates<'a>(node: &'a Node, seen: &Observation) -> Vec<&'a ServerName> {
    let masters = running_masters(node, seen);
    let present = match masters.as_slice() {
        [only] => &only.server,
        _ => &node.master,
    };
    node.instances.keys().filter(|server| *server != present).collect()
}

/// Returns `cluster` with the masters of `targets` (empty: of all nodes) declared on their candidates of that number: from
/// an observation of it every check of those takeovers can be made. `None` means that no node has so many.
pub fn moved(cluster: &Cluster, targets: &[NodeName], seen: &Observation, number: usize) -> Option<Cluster> {
    let mut moved = cluster.clone();
    let mut any = false;
    for node in moved.nodes.values_mut().filter(|node| targets.is_empty() || targets.contains(&node.name)) {
        if let Some(server) = candidates(node, seen).get(number).map(|server| (*server).clone()) {
            node.master = server;
            any = true;
        }
    }
    any.then_some(moved)
}

/// Returns the readiness of each node; `rounds` are observations of [`moved`], by number.
pub fn readiness(
    cluster: &Cluster,
    targets: &[NodeName],
    seen: &Observation,
    rounds: &[Observation],
    observed_at: String,
) -> Readiness {
    let wanted = cluster.nodes.values().filter(|node| targets.is_empty() || targets.contains(&node.name));
    let nodes: Vec<NodeReadiness> = wanted.map(|node| of_node(cluster, node, seen, rounds)).collect();
    let checks = shared_takeover_checks(cluster, seen);
    let asked = nodes.iter().any(|node| node.verdict != Ready::NoStandby);
    let shared = if asked { Ready::of(&checks) } else { Ready::NoStandby };
    Readiness {
        format_version: READINESS_VERSION.to_owned(),
        otb_version: env!("CARGO_PKG_VERSION").to_owned(),
        observed_at,
        cluster: cluster.name.clone(),
        targets: targets.to_vec(),
        verdict: nodes.iter().map(|node| node.verdict).chain([shared]).max().unwrap_or(Ready::NoStandby),
        nodes,
        checks,
    }
}

/// Nothing is lost of a master that does not run, where the check of its last WAL passes.
fn held(checks: &[Check]) -> Option<u64> {
    let check = checks.iter().find(|check| check.code == CheckCode::DataLoss)?;
    (check.verdict == Verdict::Pass).then_some(0)
}

fn of_node(cluster: &Cluster, node: &Node, seen: &Observation, rounds: &[Observation]) -> NodeReadiness {
    let standby = |(server, round): (&&ServerName, &Observation)| {
        let instance = InstanceId::new(node.name.clone(), (*server).clone());
        let checks = takeover_checks(cluster, node, server, round);
        StandbyReadiness {
            verdict: Ready::of(&checks),
            loses_bytes: exposed_bytes(node, &instance, round).or(held(&checks)),
            instance,
            checks,
        }
    };
    let standbys: Vec<StandbyReadiness> = candidates(node, seen).iter().zip(rounds).map(standby).collect();
    let masters = running_masters(node, seen);
    NodeReadiness {
        node: node.name.clone(),
        kind: node.kind,
        master: if let [only] = masters.as_slice() { Some(only.server.clone()) } else { None },
        verdict: standbys.iter().map(|standby| standby.verdict).min().unwrap_or(Ready::NoStandby),
        standbys,
    }
}
