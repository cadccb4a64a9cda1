//! Which rows of which router differ from the declared placement.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::situation::{present_master, serving};
use crate::model::{
    Cluster, Fact, Instance, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation, Role, Route,
    RouteChange, RouteKind, UnknownKind,
};

/// A router with its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouterView<'a> {
    /// The place where the table will be after the plan.
    pub router: InstanceId,
    pub kind: NodeKind,
    pub table: Fact<&'a [Route]>,
    pub pool_agrees: &'a Fact<bool>,
    /// Routers whose tables are equal share one.
    compared: Rc<Compared>,
}

/// The declared nodes by the names that rows give them.
type Declared<'a> = HashMap<&'a str, Wanted<'a>>;

/// The wanted address of a declared node's rows.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    node: &'a Node,
    forward: Option<ForwardPort>,
}

/// v5's forward port of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ForwardPort {
    /// The file says it.
    Declared(u16),
    /// The file says nothing, the running process does.
    Own(u16),
}

impl ForwardPort {
    fn port(self) -> u16 {
        match self {
            Self::Declared(port) | Self::Own(port) => port,
        }
    }
}

/// The forward port by which `instance` is reached. `None` means that neither the file nor the process says one: a GTM
/// and v2.6 have none, and a setting of 0 turns the forward process off.
fn forward_port(instance: &Instance, seen: &Observation) -> Option<ForwardPort> {
    instance
        .forward_port
        .map(ForwardPort::Declared)
        .or_else(|| own_forward_port(&instance.id, seen).map(ForwardPort::Own))
}

/// The forward port that the running process itself says. `None` means that it has none, or is not known.
pub(crate) fn own_forward_port(id: &InstanceId, seen: &Observation) -> Option<u16> {
    let port = u16::try_from(seen.instances.get(id)?.settings.known()?.number("forward_port")?).ok();
    port.filter(|port| *port != 0)
}

/// Tables that were compared already, by where observation keeps them.
type Known = BTreeMap<*const Vec<Route>, Rc<Compared>>;

/// Every router of the cluster, by node.
pub(crate) fn routers<'a>(
    cluster: &'a Cluster,
    seen: &'a Observation,
    in_scope: &dyn Fn(&str) -> bool,
) -> Vec<RouterView<'a>> {
    let wanted = |node: &'a Node| {
        let forward = node.master_instance().filter(|_| node.kind.is_router());
        Wanted { node, forward: forward.and_then(|master| forward_port(master, seen)) }
    };
    let declared: Declared<'_> = cluster.nodes.values().map(|node| (node.name.as_str(), wanted(node))).collect();
    let mut known = Known::new();
    cluster.routers().filter_map(|node| view(node, in_scope, seen, &declared, &mut known)).collect()
}

fn view<'a>(
    node: &'a Node,
    in_scope: &dyn Fn(&str) -> bool,
    seen: &'a Observation,
    declared: &Declared<'_>,
    known: &mut Known,
) -> Option<RouterView<'a>> {
    // Out of scope, no instance is promoted or started.
    let serving = serving(node, seen).filter(|id| in_scope(node.name.as_str()) || is_running_master(id, seen));
    let router = serving.clone().unwrap_or_else(|| node.master_id());
    let facts = seen.instances.get(&router)?;
    let mut found = Rc::default();
    let table = match (&table_source(node, seen).unwrap_or(facts).routes, serving) {
        (Fact::Known(rows), Some(_)) => {
            let entry = known.entry(Arc::as_ptr(rows));
            found = Rc::clone(entry.or_insert_with(|| Rc::new(compared(rows, declared, in_scope))));
            Fact::Known(rows.as_slice())
        }
        (Fact::Known(_), None) => Fact::unknown(UnknownKind::NotAsked, format!("no master of {} is known", node.name)),
        (Fact::Unknown(unknown), _) => Fact::Unknown(unknown.clone()),
    };
    Some(RouterView { router, kind: node.kind, table, pool_agrees: &facts.pool_agrees, compared: found })
}

fn is_running_master(id: &InstanceId, seen: &Observation) -> bool {
    seen.instances.get(id).is_some_and(|facts| facts.is_running(Role::Master))
}

/// pgxc_node reaches standbys by WAL (opentenbase-v2.6-live.md, "Routes and poolers"): the present master's table is the one the
/// promoted standby will have; without a master the copy of a running standby is the best there is.
fn table_source<'a>(node: &Node, seen: &'a Observation) -> Option<&'a InstanceFacts> {
    let facts = |id: &InstanceId| seen.instances.get(id);
    let readable = |f: &&InstanceFacts| f.routes.known().is_some();
    present_master(node, seen)
        .and_then(|id| facts(&id))
        .filter(readable)
        .or_else(|| facts(&node.master_id()).filter(readable))
        .or_else(|| {
            let standbys = node.instances.values().filter_map(|i| facts(&i.id));
            standbys.filter(|f| f.is_running(Role::Standby)).find(readable)
        })
}

/// The differences of a table from the file, found in one pass: hundreds of routers have hundreds of rows each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Compared {
    changes: Vec<RouteChange>,
    missing: Vec<NodeName>,
    strangers: Vec<String>,
    /// The names that rows of type G have.
    gtms: Vec<String>,
    /// How many rows are of nodes in scope, whatever their type.
    in_scope: usize,
}

fn compared(rows: &[Route], declared: &Declared<'_>, in_scope: &dyn Fn(&str) -> bool) -> Compared {
    let mut found: HashMap<&str, &Route> = HashMap::with_capacity(rows.len());
    let mut strangers = Vec::new();
    for row in masters_of(rows) {
        if declared.contains_key(row.node.as_str()) {
            found.insert(&row.node, row);
        } else {
            strangers.push(format!("{} ({}:{})", row.node, row.host, row.port));
        }
    }
    let mut changes: Vec<RouteChange> =
        found.iter().filter_map(|(name, row)| change(row, declared.get(name)?)).collect();
    changes.sort_unstable_by(|a, b| a.node.cmp(&b.node));
    let missing = declared.values().filter(|wanted| !found.contains_key(wanted.node.name.as_str()));
    let mut missing: Vec<NodeName> = missing.map(|wanted| wanted.node.name.clone()).collect();
    missing.sort_unstable();
    let gtms = rows.iter().filter(|row| row.kind == RouteKind::Gtm).map(|row| row.node.clone()).collect();
    let in_scope = rows.iter().filter(|row| in_scope(&row.node)).count();
    Compared { changes, missing, strangers, gtms, in_scope }
}

/// Returns the wanted forward port of `row`, whose node's master is or will be `instance`. `None` means that otb does
/// not change it.
pub(crate) fn wanted_forward(row: &Route, instance: &Instance, seen: &Observation) -> Option<u16> {
    wanted(row, forward_port(instance, seen)).filter(|_| instance.kind.is_router())
}

/// A table without the column is v2.6's, whose ALTER NODE refuses `forward=`. A row that never got a forward port
/// (opentenbase_ctl gives none) gets one only where the file asks for it.
fn wanted(row: &Route, port: Option<ForwardPort>) -> Option<u16> {
    row.forward.zip(port).and_then(|(routed, wanted)| match wanted {
        ForwardPort::Own(_) if routed == 0 => None,
        wanted => Some(wanted.port()),
    })
}

fn change(row: &Route, Wanted { node, forward }: &Wanted<'_>) -> Option<RouteChange> {
    let to = &node.master_instance()?.endpoint;
    let forward = wanted(row, *forward);
    let right = row.leads_to(to) && (forward.is_none() || row.forward == forward);
    let was = forward.and(row.forward).map(|port| format!(", forward {port}")).unwrap_or_default();
    (!right).then(|| RouteChange {
        node: node.name.clone(),
        kind: node.kind,
        from: format!("{}:{}{was}", row.host, row.port),
        to: to.clone(),
        forward,
        unread: false,
    })
}

fn masters_of(rows: &[Route]) -> impl Iterator<Item = &Route> {
    rows.iter().filter(|row| row.kind != RouteKind::Standby)
}

impl RouterView<'_> {
    /// The rows that do not lead to the declared masters, by node.
    pub(crate) fn changes(&self) -> &[RouteChange] {
        &self.compared.changes
    }

    /// Declared nodes for which the table has no row; none of a table that could not be read.
    pub(crate) fn missing(&self) -> &[NodeName] {
        &self.compared.missing
    }

    /// Rows of masters that the file does not name.
    pub(crate) fn strangers(&self) -> &[String] {
        &self.compared.strangers
    }

    /// The number of GTM rows; exactly one is right.
    pub(crate) fn gtm_rows(&self) -> usize {
        self.compared.gtms.len()
    }

    /// Whether its pgxc_node has v5's forward ports; `None` means that it could not be read, or is empty.
    pub(crate) fn forwards(&self) -> Option<bool> {
        self.table.known()?.first().map(|row| row.forward.is_some())
    }

    /// The one GTM row's name and the file's, where they differ.
    pub(crate) fn gtm_by_another_name<'c>(&self, cluster: &'c Cluster) -> Option<(&str, &'c NodeName)> {
        let [row] = self.compared.gtms.as_slice() else { return None };
        let declared = cluster.nodes_of(NodeKind::Gtm).next()?;
        (row != declared.name.as_str()).then_some((row.as_str(), &declared.name))
    }

    /// How many of its rows are of nodes in scope.
    pub(crate) fn in_scope(&self) -> usize {
        self.compared.in_scope
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.table.known().map_or(0, |rows| rows.len())
    }
}
