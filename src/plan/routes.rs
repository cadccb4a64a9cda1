//! Which rows of which router differ from the declared placement.

use std::collections::BTreeMap;

use super::situation::{running_masters, serving};
use crate::model::{
    Cluster, Fact, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation, Role, Route, RouteChange,
    RouteKind, UnknownKind,
};

/// A router with what shall change in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouterView<'a> {
    /// Where the table will be served once the plan is done.
    pub router: InstanceId,
    pub kind: NodeKind,
    pub table: Fact<&'a [Route]>,
    pub pool_agrees: &'a Fact<bool>,
}

/// Every router of the cluster, by node.
pub(crate) fn routers<'a>(cluster: &'a Cluster, seen: &'a Observation) -> Vec<RouterView<'a>> {
    cluster.routers().filter_map(|node| view(node, seen)).collect()
}

fn view<'a>(node: &'a Node, seen: &'a Observation) -> Option<RouterView<'a>> {
    let serving = serving(node, seen);
    let router = serving.clone().unwrap_or_else(|| node.master_id());
    let facts = seen.instances.get(&router)?;
    let table = match (&table_source(node, seen).unwrap_or(facts).routes, serving) {
        (Fact::Known(rows), Some(_)) => Fact::Known(rows.as_slice()),
        (Fact::Known(_), None) => {
            Fact::unknown(UnknownKind::NotAsked, format!("no master of {} can be named", node.name))
        }
        (Fact::Unknown(unknown), _) => Fact::Unknown(unknown.clone()),
    };
    Some(RouterView { router, kind: node.kind, table, pool_agrees: &facts.pool_agrees })
}

/// pgxc_node reaches standbys by WAL (field notes, section 2): the present master's table is the one the
/// promoted standby will have; without a master the copy of a running standby is the best there is.
fn table_source<'a>(node: &Node, seen: &'a Observation) -> Option<&'a InstanceFacts> {
    let facts = |id: &InstanceId| seen.instances.get(id);
    let readable = |f: &&InstanceFacts| f.routes.known().is_some();
    running_masters(node, seen)
        .iter()
        .filter_map(facts)
        .find(readable)
        .or_else(|| facts(&node.master_id()).filter(readable))
        .or_else(|| {
            let standbys = node.instances.values().filter_map(|i| facts(&i.id));
            standbys.filter(|f| f.is_running(Role::Standby)).find(readable)
        })
}

impl RouterView<'_> {
    /// The rows that do not lead to the declared masters.
    pub(crate) fn changes(&self, cluster: &Cluster) -> Vec<RouteChange> {
        let rows = self.rows_by_name();
        let differs = |node: &Node| {
            let row = rows.get(node.name.as_str())?;
            let to = &node.master_instance()?.endpoint;
            (!row.leads_to(to)).then(|| RouteChange {
                node: node.name.clone(),
                kind: node.kind,
                from: format!("{}:{}", row.host, row.port),
                to: to.clone(),
            })
        };
        cluster.nodes.values().filter_map(differs).collect()
    }

    /// Declared nodes for which the table has no row.
    pub(crate) fn missing(&self, cluster: &Cluster) -> Vec<NodeName> {
        let Fact::Known(_) = self.table else { return Vec::new() };
        let rows = self.rows_by_name();
        cluster.nodes.keys().filter(|name| !rows.contains_key(name.as_str())).cloned().collect()
    }

    /// Rows of masters that the file does not name.
    pub(crate) fn strangers(&self, cluster: &Cluster) -> Vec<String> {
        let declared = |row: &&Route| cluster.nodes.keys().any(|name| name.as_str() == row.node);
        let rows = self.master_rows().filter(|row| !declared(row));
        rows.map(|row| format!("{} ({}:{})", row.node, row.host, row.port)).collect()
    }

    /// The number of GTM rows; exactly one is right.
    pub(crate) fn gtm_rows(&self) -> usize {
        self.master_rows().filter(|row| row.kind == RouteKind::Gtm).count()
    }

    /// How many rows there are to compare.
    pub(crate) fn len(&self) -> usize {
        self.table.known().map_or(0, |rows| rows.len())
    }

    fn master_rows(&self) -> impl Iterator<Item = &Route> {
        self.table.known().into_iter().flat_map(|rows| rows.iter()).filter(|row| row.kind != RouteKind::Standby)
    }

    fn rows_by_name(&self) -> BTreeMap<&str, &Route> {
        self.master_rows().map(|row| (row.node.as_str(), row)).collect()
    }
}
