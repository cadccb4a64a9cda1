//! As JSON: everything that was learned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nodes;
use crate::model::{Cluster, Endpoint, InDoubt, InstanceId, Instances, NodeName, Observation};

/// The status format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const STATUS_VERSION: &str = "1.0";

/// `otb status --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusDocument {
    /// Of this document: a minor version adds, a major one breaks.
    pub format_version: String,
    /// The otb that looked.
    pub otb_version: String,
    /// When the cluster was observed, RFC 3339 in UTC.
    pub observed_at: String,
    /// The declared cluster.
    pub cluster: Cluster,
    /// What is known of each declared instance.
    pub instances: Instances,
    /// Two-phase transactions that some master holds prepared for longer than a commit takes, the oldest first.
    #[serde(default)]
    pub in_doubt: Vec<InDoubt>,
    /// Rows of pgxc_node that lead elsewhere than to the node's running master.
    pub disagreements: Vec<Disagreement>,
}

/// A router that leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// The node that its row is of.
    pub node: NodeName,
    /// Whose pgxc_node it is.
    pub router: InstanceId,
    /// `host:port` of the row.
    pub routed_to: String,
    /// Where the node's running master is.
    pub master: Endpoint,
}

impl StatusDocument {
    pub fn new(cluster: &Cluster, seen: &Observation, observed_at: String) -> Self {
        Self {
            format_version: STATUS_VERSION.to_owned(),
            otb_version: env!("CARGO_PKG_VERSION").to_owned(),
            observed_at,
            disagreements: nodes(cluster, seen).into_iter().flat_map(|status| status.disagreements).collect(),
            cluster: cluster.clone(),
            instances: seen.instances.clone(),
            in_doubt: seen.in_doubt.clone(),
        }
    }
}
