//! A cluster as found from one of its coordinators, without a cluster.yaml.

use std::collections::BTreeMap;

use super::{ClusterName, Endpoint, Fact, Host, NodeKind, NodeName, Role};

/// The result of one discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// `SHOW pgxc_cluster_name`.
    pub cluster: Fact<ClusterName>,
    /// The servers, by the addresses that stand in pgxc_node, or from which standbys replicate.
    pub servers: BTreeMap<Host, FoundServer>,
    pub nodes: Vec<FoundNode>,
    /// What was found and is not part of the cluster, one sentence each.
    pub left_out: Vec<String>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundServer {
    /// `uname -n`, or why the shell did not report it.
    pub name: Fact<String>,
}

/// One row of pgxc_node with the processes that serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundNode {
    pub name: NodeName,
    pub kind: NodeKind,
    /// The address in the row of the coordinator that was asked.
    pub route: Endpoint,
    /// node_forward_port of its row; `None` means that this version's pgxc_node has no such column (v2.6), or that it
    /// is a GTM's row.
    pub forward: Option<u16>,
    pub instances: Vec<FoundInstance>,
    /// Standbys that the master sees and that could not be found, as it names them.
    pub lost: Vec<String>,
}

/// One copy of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundInstance {
    pub at: Endpoint,
    pub role: Fact<Role>,
    pub data: Fact<String>,
    pub install: Option<String>,
    /// v5's forward_port; `None` means that the process has no such setting.
    pub forward: Fact<Option<u16>>,
}
