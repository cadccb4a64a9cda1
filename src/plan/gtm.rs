//! The GTM goes first and alone: which routers get its new address, and when the rest of a plan must wait for it.
//!
//! Without a timestamp every SELECT on a master fails (opentenbase-v2.6-live.md, "GTM"), so routes and positions are
//! not known. Then otb can plan only the GTM's own part, whose statements need no other facts: ALTER GTM NODE works
//! while the GTM is down and fixes the router at once. otb plans the rest after another observation.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::changes;
use super::document::{Afterwards, ChangeKind};
use super::routes::RouterView;
use super::situation::{Situation, present_master, running_masters};
use super::survey::{NodeSurvey, RouterSurvey};
use crate::model::{Cluster, Fact, InstanceFacts, InstanceId, Node, NodeKind, Observation, RouteChange, UnknownKind};

/// A router's row of the GTM.
#[derive(Debug, Clone)]
pub(crate) struct Repoint {
    /// The process whose row is updated: the present master (its standby gets the row with the WAL), or the one that
    /// will be master.
    pub at: InstanceId,
    pub route: RouteChange,
    /// `at` already runs as a master, so its row is updated before anything else.
    pub now: bool,
    /// v5: its pooler needs no reload afterwards.
    pub spares_pool: bool,
}

/// What is planned while routers have no timestamps.
pub(crate) struct Stage<'a> {
    pub gtm: Vec<NodeSurvey<'a>>,
    /// The nodes of the second part.
    pub others: Vec<NodeSurvey<'a>>,
    pub routers: Vec<RouterSurvey>,
    pub afterwards: Afterwards,
}

/// Whether a stopped GTM would come up as the active one: nothing in its gtm.conf says STANDBY.
pub(super) fn starts_as_master(facts: &InstanceFacts) -> bool {
    facts.data_dir.is_known_and(|dir| dir.recovery_conf.is_none())
}

/// Returns the routers whose GTM row changes to `route`.
pub(super) fn repoint(view: &RouterView<'_>, route: &RouteChange, cluster: &Cluster, seen: &Observation) -> Repoint {
    let present = cluster.nodes.get(&view.router.node).and_then(|node| present_master(node, seen));
    let now = present.is_some();
    let spares_pool = view.forwards() == Some(true);
    Repoint { at: present.unwrap_or_else(|| view.router.clone()), route: route.clone(), now, spares_pool }
}

/// The routers whose running master gets no timestamp.
pub(crate) fn blind(cluster: &Cluster, seen: &Observation) -> Vec<InstanceId> {
    let masters = cluster.routers().filter_map(|node| present_master(node, seen));
    let blind = |id: &InstanceId| {
        let routes = seen.instances.get(id).and_then(|facts| facts.routes.reason());
        routes.is_some_and(|why| why.kind == UnknownKind::NoTimestamp)
    };
    masters.filter(blind).collect()
}

/// Splits off the GTM's part if the rest cannot be planned yet; gives the surveys back if it can.
pub(crate) fn stage<'a>(
    cluster: &Cluster,
    seen: &Observation,
    views: &[RouterView<'_>],
    nodes: Vec<NodeSurvey<'a>>,
) -> Result<Stage<'a>, Vec<NodeSurvey<'a>>> {
    let blind = blind(cluster, seen);
    let Some(gtm) = nodes.iter().find(|survey| survey.node.kind == NodeKind::Gtm) else { return Err(nodes) };
    let refused = !gtm.situation.allows_acting();
    let brought_up = matches!(gtm.situation, Situation::Masterless | Situation::Down);
    if blind.is_empty() && !brought_up {
        return Err(nodes);
    }
    let silent = running_masters(gtm.node, seen).is_empty();
    let because = if silent { "no active GTM answers" } else { "some routers get no timestamp from the active GTM" };
    // If nothing may be done for the GTM, no router is updated, and the rest lacks its timestamps.
    let listening: BTreeSet<InstanceId> = if refused {
        BTreeSet::new()
    } else {
        blind.into_iter().chain(astray(gtm.node, cluster, seen, views)).collect()
    };
    let routers: Vec<RouterSurvey> = listening.into_iter().filter_map(|at| told(at, gtm.node, views)).collect();
    let (mut gtm, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|survey| survey.node.kind == NodeKind::Gtm);
    let mut expected = changes::changes(cluster, &others, &[], seen);
    for survey in &mut gtm {
        expected.extend(changes::rejoin_changes(survey));
        survey.rejoins.clear();
    }
    let afterwards = Afterwards { because: because.to_owned(), expected, checks: Vec::new() };
    Ok(Stage { gtm, others, routers, afterwards })
}

/// Running routers that still read from another GTM than the declared one: they would go blind once that one stops.
fn astray(gtm: &Node, cluster: &Cluster, seen: &Observation, views: &[RouterView<'_>]) -> Vec<InstanceId> {
    let leads_elsewhere = |view: &&RouterView<'_>| view.changes().iter().any(|change| change.node == gtm.name);
    let node = |view: &RouterView<'_>| cluster.nodes.get(&view.router.node);
    views.iter().filter(leads_elsewhere).filter_map(|view| present_master(node(view)?, seen)).collect()
}

/// ALTER GTM NODE for a router whose row cannot be read: of a standby's copy it may be known what it was.
fn told(at: InstanceId, gtm: &Node, views: &[RouterView<'_>]) -> Option<RouterSurvey> {
    let to = gtm.master_instance()?.endpoint.clone();
    // Both come by node name; there may be thousands of either.
    let view = views.binary_search_by(|view| view.router.node.cmp(&at.node)).ok().and_then(|at| views.get(at));
    let copy = view.and_then(|view| view.changes().iter().find(|change| change.node == gtm.name));
    let from = copy.map_or_else(|| "unknown facts".to_owned(), |change| change.from.clone());
    let route = RouteChange { node: gtm.name.clone(), kind: NodeKind::Gtm, from, to, forward: None, unread: false };
    let repoint = Repoint { at: at.clone(), route, now: true, spares_pool: false };
    Some(RouterSurvey {
        router: at,
        repoint: Some(repoint),
        routes: Arc::default(),
        reload: false,
        v5: false,
        forward: None,
        owed: false,
    })
}

/// Whether the plan brings an active GTM up.
pub(crate) fn is_brought_up(gtm: &Node, nodes: &[NodeSurvey<'_>]) -> bool {
    let takes_over = |kind: ChangeKind| kind.moves_master() || kind == ChangeKind::Restart;
    nodes.iter().any(|survey| survey.node.name == gtm.name && survey.change.is_some_and(takes_over))
}

/// The standby whose copy of a router's table can be read, if its master's cannot.
pub(crate) fn copy_of<'a>(router: &InstanceId, cluster: &'a Cluster, seen: &'a Observation) -> Option<&'a InstanceId> {
    let node = cluster.nodes.get(&router.node)?;
    let known = |id: &&InstanceId| seen.instances.get(*id).is_some_and(|facts| matches!(facts.routes, Fact::Known(_)));
    node.instances.values().map(|instance| &instance.id).find(known)
}
