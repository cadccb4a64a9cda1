//! As JSON: everything that was learned.

use super::Status;
use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    Cluster, Endpoint, Finding, InDoubt, InstanceId, Instances, Node, NodeName, Observation, Route, RouteKind,
};
use crate::plan::running_masters;

/// The status format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const STATUS_VERSION: &str = "2.0";

/// `otb status --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusDocument {
    /// The version of this document: a minor version adds, a major one breaks.
    pub format_version: String,
    /// The otb that looked.
    pub otb_version: String,
    /// When the cluster was observed, RFC 3339 in UTC.
    pub observed_at: String,
    /// What is wrong, worst first, with the next commands.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The declared cluster.
    pub cluster: Cluster,
    /// What is known of each declared instance.
    pub instances: Instances,
    /// Two-phase transactions that some master holds prepared for longer than a commit takes, the oldest first.
    #[serde(default)]
    pub in_doubt: Vec<InDoubt>,
    /// Rows of pgxc_node that lead elsewhere than to the node's running master; of two masters, to the declared one.
    pub disagreements: Vec<Disagreement>,
}

/// A router that leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// The node that its row is of.
    pub node: NodeName,
    /// The router with this pgxc_node.
    pub router: InstanceId,
    /// `host:port` of the row.
    pub routed_to: String,
    /// The address of the node's running master.
    pub master: Endpoint,
}

impl StatusDocument {
    pub fn new(status: Status<'_>, observed_at: String) -> Self {
        let Status { cluster, seen, findings, .. } = status;
        Self {
            format_version: STATUS_VERSION.to_owned(),
            otb_version: env!("CARGO_PKG_VERSION").to_owned(),
            observed_at,
            findings,
            disagreements: disagreements(&cluster, &seen),
            instances: seen.instances.clone(),
            in_doubt: seen.in_doubt.clone(),
            cluster: cluster.into_owned(),
        }
    }
}

/// Rows that lead elsewhere. Equal tables are one value, which is read once: each of N routers has N rows.
fn disagreements(cluster: &Cluster, seen: &Observation) -> Vec<Disagreement> {
    let masters: HashMap<&str, (&Node, &Endpoint)> =
        cluster.nodes.values().filter_map(|node| Some((node.name.as_str(), (node, master(node, seen)?)))).collect();
    let mut known: HashMap<*const Vec<Route>, Vec<(&Node, &Endpoint, String)>> = HashMap::new();
    let mut all = Vec::new();
    let routers = cluster.routers().flat_map(|node| running_masters(node, seen));
    for router in routers {
        let Some(rows) = seen.instances.get(&router).and_then(|facts| facts.routes.known()) else { continue };
        let wrong = known.entry(Arc::as_ptr(rows)).or_insert_with(|| {
            let rows = rows.iter().filter(|row| row.kind != RouteKind::Standby);
            let wrong = rows.filter_map(|row| {
                let (node, master) = masters.get(row.node.as_str())?;
                (!row.leads_to(master)).then(|| (*node, *master, format!("{}:{}", row.host, row.port)))
            });
            wrong.collect()
        });
        all.extend(wrong.iter().map(|(node, master, routed_to)| Disagreement {
            node: node.name.clone(),
            router: router.clone(),
            routed_to: routed_to.clone(),
            master: (*master).clone(),
        }));
    }
    all.sort_by(|a, b| (&a.node, &a.router).cmp(&(&b.node, &b.router)));
    all
}

fn master<'a>(node: &'a Node, seen: &Observation) -> Option<&'a Endpoint> {
    let masters = running_masters(node, seen);
    let declared = node.master_id();
    let id = masters.iter().find(|id| **id == declared).or(masters.first())?;
    node.instances.get(&id.server).map(|instance| &instance.endpoint)
}
