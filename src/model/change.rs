//! Statements about the cluster that can be checked against it, and the changes that make them true.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Endpoint, InstanceId, Lsn, NodeKind, NodeName, Role};

/// One ALTER NODE: a router's row before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteChange {
    pub node: NodeName,
    pub kind: NodeKind,
    /// `host:port` as the router has it now, with v5's forward port where it is known what that should be.
    pub from: String,
    pub to: Endpoint,
    /// What `forward=` is set to; only where the router's pgxc_node has such a column (v5).
    #[serde(default)]
    pub forward: Option<u16>,
    /// The router is started by the run, and nothing showed the row before: it is read then, and changed if it differs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

impl RouteChange {
    /// The new address of the row, for people.
    pub fn target(&self) -> String {
        with_forward(&self.to, self.forward)
    }
}

fn with_forward(to: &Endpoint, forward: Option<u16>) -> String {
    forward.map_or_else(|| to.to_string(), |port| format!("{to}, forward {port}"))
}

/// A statement about the cluster. Steps carry them as pre- and postconditions; apply checks them live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Condition {
    /// The process runs in that role.
    Runs { instance: InstanceId, role: Role },
    /// The process is there and does not answer.
    Hangs { instance: InstanceId },
    /// The process does not run.
    Stopped { instance: InstanceId },
    /// The process does not run and its control file says "shut down".
    CleanlyStopped { instance: InstanceId },
    /// recovery.conf of a stopped instance makes it a standby of `upstream` at its next start.
    Fenced { instance: InstanceId, upstream: InstanceId },
    /// The standby has replayed all that `source`, which is stopped, ever wrote.
    ReplayedAll { standby: InstanceId, source: InstanceId },
    /// The standby has replayed the WAL of `source`, a master that died, up to `position`, its end.
    ReplayedTo { standby: InstanceId, source: InstanceId, position: Lsn },
    /// The router's rows lead where these changes say, on v5 with their forward ports.
    Routed { router: InstanceId, routes: Arc<Vec<RouteChange>> },
    /// v5's forward process of `instance` listens on `port`.
    Forwards { instance: InstanceId, port: u16 },
    /// A new session on the router gets a global timestamp: a SELECT works.
    GetsTimestamp { router: InstanceId },
    /// The router's pooler agrees with its pgxc_node.
    PoolAgrees { router: InstanceId },
    /// A statement sent through `coordinator` to `instance`'s node runs in exactly that process.
    Reached { coordinator: InstanceId, instance: InstanceId },
    /// No transaction that a coordinator prepared before the run is prepared any more on one of these masters.
    Settled { masters: Arc<Vec<InstanceId>> },
    /// The master has so many standbys that commits wait for (`sync` or `quorum` in pg_stat_replication).
    Synchronous { master: InstanceId, standbys: u32 },
    /// The standby streams from `upstream`.
    Streams { standby: InstanceId, upstream: InstanceId },
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs { instance, role } => write!(f, "{instance} runs as {role}"),
            Self::Hangs { instance } => write!(f, "{instance} runs but does not answer"),
            Self::Stopped { instance } => write!(f, "{instance} is stopped"),
            Self::CleanlyStopped { instance } => write!(f, "{instance} is stopped cleanly"),
            Self::Fenced { instance, upstream } => {
                write!(f, "{instance} would start only as a standby of {upstream}")
            }
            Self::ReplayedAll { standby, source } => {
                write!(f, "{standby} has replayed everything that {source} wrote")
            }
            Self::ReplayedTo { standby, source, position } => {
                write!(f, "{standby} has replayed the WAL of {source} to its end, {position}")
            }
            Self::Routed { router, routes } => {
                let rows = routes.iter().map(|change| format!("{} to {}", change.node, change.target()));
                write!(f, "{router} routes {}", rows.collect::<Vec<_>>().join(", "))
            }
            Self::Forwards { instance, port } => write!(f, "{instance} listens on its forward port {port}"),
            Self::GetsTimestamp { router } => write!(f, "{router} gets a timestamp from the GTM"),
            Self::PoolAgrees { router } => write!(f, "the pooler of {router} agrees with its pgxc_node"),
            Self::Reached { coordinator, instance } => write!(f, "{coordinator} reaches {instance}"),
            Self::Settled { masters } => match masters.as_slice() {
                [only] => write!(f, "no transaction from before the run is in doubt on {only}"),
                all => write!(f, "no transaction from before the run is in doubt on any of {} masters", all.len()),
            },
            Self::Synchronous { master, standbys: 1 } => {
                write!(f, "commits on {master} have the standby that they wait for")
            }
            Self::Synchronous { master, standbys } => {
                write!(f, "commits on {master} have the {standbys} standbys that they wait for")
            }
            Self::Streams { standby, upstream } => write!(f, "{standby} streams from {upstream}"),
        }
    }
}
