//! Routers: those that cannot work, that lead elsewhere, and whose poolers are stale.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Case, command, count, finding, listed, of_node};
use crate::model::{
    Endpoint, Finding, FindingKind, InstanceId, Node, NodeKind, NodeName, RouteKind, Severity, UnknownKind,
};

/// Masters that answer but get no timestamp although a GTM is active. If no GTM is active, another finding reports it.
pub(super) fn cannot_work(case: &Case<'_>) -> Option<Finding> {
    let gtm = case.cluster.nodes_of(NodeKind::Gtm).next()?;
    let active = case.masters(&gtm.name).first()?;
    let blind = |id: &&InstanceId| {
        let routes = case.facts(id).and_then(|facts| facts.routes.reason());
        routes.is_some_and(|why| why.kind == UnknownKind::NoTimestamp)
    };
    let blind: Vec<InstanceId> = routers(case).filter(blind).cloned().collect();
    let first = blind.first()?;
    let what = match blind.len() {
        1 => format!("{first} answers but CANNOT WORK: it gets no timestamp"),
        n => format!("{} answer but CANNOT WORK, they get no timestamp: {}", count(n, "router"), listed(&blind)),
    };
    let at = case.endpoint(active).map_or_else(String::new, ToString::to_string);
    let means = format!("Every statement there fails. The active GTM is {active} at {at}.");
    let mut found = finding(FindingKind::CannotWork, Severity::Outage, what, means);
    let cured = [&gtm.name, &first.node].into_iter().find(|node| case.is_cured(node)).unwrap_or(&gtm.name);
    found.next = vec![case.apply(cured)];
    found.node = (blind.len() == 1).then(|| first.node.clone());
    found.instances = blind;
    Some(found)
}

/// The running masters that hold a pgxc_node table.
fn routers<'c>(case: &'c Case<'_>) -> impl Iterator<Item = &'c InstanceId> {
    let routers = case.cluster.routers().filter(|node| case.concerns(&node.name));
    // If a node has two masters, neither table counts: that finding comes first.
    routers.filter_map(|node| case.master(&node.name))
}

/// The address in a node's row; `None` means that there is no row.
type Led = Option<String>;

/// One finding for each node and each wrong place that routers lead it to.
pub(super) fn wrong(case: &Case<'_>) -> Vec<Finding> {
    let places = places(case);
    // Equal tables are one value: each is read once.
    let mut tables: HashMap<*const Vec<crate::model::Route>, Vec<(&Node, Led)>> = HashMap::new();
    let mut wrong: BTreeMap<(&NodeName, Led), (&Node, Vec<InstanceId>)> = BTreeMap::new();
    for router in routers(case) {
        let Some(rows) = case.facts(router).and_then(|facts| facts.routes.known()) else { continue };
        let differing = tables.entry(Arc::as_ptr(rows)).or_insert_with(|| {
            let found: HashMap<&str, &crate::model::Route> =
                rows.iter().filter(|row| row.kind != RouteKind::Standby).map(|row| (row.node.as_str(), row)).collect();
            let differs = places.iter().filter_map(|(node, place)| match found.get(node.name.as_str()) {
                None => Some((*node, None)),
                Some(row) if !row.leads_to(place) => Some((*node, Some(format!("{}:{}", row.host, row.port)))),
                Some(_) => None,
            });
            differs.collect()
        });
        for (node, led) in differing.iter() {
            wrong.entry((&node.name, led.clone())).or_insert_with(|| (node, Vec::new())).1.push(router.clone());
        }
    }
    let place = |name: &NodeName| places.iter().find(|(node, _)| node.name == *name).map(|(_, place)| place);
    wrong
        .into_iter()
        .filter_map(|((name, led), (node, routers))| Some(one(case, node, led.as_deref(), place(name)?, routers)))
        .collect()
}

/// The address that each node's rows must have: its only running master.
fn places<'c>(case: &Case<'c>) -> Vec<(&'c Node, Endpoint)> {
    let nodes = case.cluster.nodes.values().filter(|node| case.concerns(&node.name));
    let place = |node: &'c Node| Some((node, case.endpoint(case.master(&node.name)?)?.clone()));
    nodes.filter_map(place).collect()
}

fn one(case: &Case<'_>, node: &Node, led: Option<&str>, place: &Endpoint, routers: Vec<InstanceId>) -> Finding {
    let name = &node.name;
    let (who, verb, has) = (listed(&routers), if routers.len() == 1 { "routes" } else { "route" }, "no row for");
    let what = match led {
        Some(led) => format!("{who} {verb} {name} to {led}, but its master is at {place}"),
        None if routers.len() == 1 => format!("{who} has {has} {name}"),
        None => format!("{who} have {has} {name}"),
    };
    let means = match node.kind {
        NodeKind::Gtm => "Statements there fail, or use the wrong GTM.".to_owned(),
        _ => format!("Statements there that need {name} fail, or run in the wrong process."),
    };
    let mut found = of_node(node, FindingKind::WrongRoute, Severity::Outage, what, means);
    found.next = match (led, routers.first()) {
        (None, Some(router)) if node.kind.is_router() => {
            let create = format!(
                "create node {name} with (type = '{}', host = '{}', port = {})",
                node.kind, place.host, place.port
            );
            case.sql(router, &create).map(command::always).into_iter().collect()
        }
        _ => vec![case.apply(name)],
    };
    found.instances = routers;
    found
}

/// Routers whose pooler keeps other addresses than their pgxc_node has.
pub(super) fn poolers(case: &Case<'_>) -> Vec<Finding> {
    let is_stale =
        |id: &&InstanceId| case.facts(id).is_some_and(|facts| facts.pool_agrees.is_known_and(|agrees| !agrees));
    let one = |id: &InstanceId| {
        let node = case.cluster.nodes.get(&id.node)?;
        let what = format!("the pooler of {id} differs from its pgxc_node");
        let means = format!("Statements on {id} still go to old addresses.");
        let mut found = of_node(node, FindingKind::Pooler, Severity::Outage, what, means);
        found.instances = vec![id.clone()];
        found.next = vec![case.apply(&node.name)];
        Some(found)
    };
    routers(case).filter(is_stale).filter_map(one).collect()
}
