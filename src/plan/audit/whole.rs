//! Invariants of the whole plan: nothing that was not requested, no node forgotten, nothing without a proof.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::PlanUnderAudit;
use crate::model::{Condition, InstanceId, Node, NodeKind, NodeName, Role, RouteChange};
use crate::plan::{Action, ChangeKind, Phase, Step};

pub(super) fn steps_stand_in_their_phase(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let stray = audited.steps().filter(|step| {
        let phases: &[Phase] = match step.action {
            Action::StageFence { .. } | Action::Checkpoint { .. } | Action::AwaitRedo { .. } => &[Phase::Prepare],
            Action::Fence { .. } => &[Phase::Prepare, Phase::Gtm, Phase::Move],
            Action::Stop { .. }
            | Action::End { .. }
            | Action::CatchUp { .. }
            | Action::Promote { .. }
            | Action::Restart { .. } => &[Phase::Gtm, Phase::Move],
            Action::Salvage { .. } => &[Phase::Move],
            Action::RepointGtm { .. } => &[Phase::Gtm, Phase::Reroute],
            Action::Reroute { .. } => &[Phase::Reroute],
            Action::Reload { .. } => &[Phase::Reload],
            Action::Prove { .. } | Action::ProveCommit { .. } => &[Phase::Prove],
            Action::Return { .. } => &[Phase::Return],
            Action::Settle { .. } => &[Phase::Settle],
            Action::Hold { .. } => &[Phase::Hold],
            Action::Release { .. } => &[Phase::Release],
            Action::Rejoin { .. } => &[Phase::Rejoin],
        };
        !phases.contains(&step.phase)
    });
    stray.map(|step| format!("{} is in a phase where it does not belong", step.id)).collect()
}

/// The proof that a step is done: without it only the command's word would count.
fn proofs(audited: &PlanUnderAudit<'_>, step: &Step) -> Vec<Condition> {
    let runs = |instance: &InstanceId| Condition::Runs { instance: instance.clone(), role: Role::Master };
    let routed =
        |router: &InstanceId, routes: Arc<Vec<RouteChange>>| Condition::Routed { router: router.clone(), routes };
    match &step.action {
        Action::Promote { instance } | Action::Restart { instance, .. } => vec![runs(instance)],
        Action::Fence { instance, upstream } => {
            let fenced = Condition::Fenced { instance: instance.clone(), upstream: upstream.clone() };
            vec![fenced, Condition::Stopped { instance: instance.clone() }]
        }
        Action::Salvage { standby, source, to, .. } => {
            let (standby, source) = (standby.clone(), source.clone());
            let stopped = Condition::Stopped { instance: source.clone() };
            vec![Condition::ReplayedTo { standby, source, position: *to }, stopped]
        }
        Action::Stop { instance, .. } => vec![Condition::CleanlyStopped { instance: instance.clone() }],
        Action::End { instance } => vec![Condition::Stopped { instance: instance.clone() }],
        Action::RepointGtm { router, route, .. } => vec![routed(router, Arc::new(vec![route.clone()]))],
        Action::Reroute { router, routes } => vec![routed(router, Arc::clone(routes))],
        Action::Reload { router } => {
            let asked =
                audited.plan.cluster.nodes.get(&router.node).is_some_and(|node| node.kind == NodeKind::Coordinator);
            asked.then(|| Condition::PoolAgrees { router: router.clone() }).into_iter().collect()
        }
        Action::Prove { coordinator, instances } => {
            let reached = |instance: &InstanceId| Condition::Reached {
                coordinator: coordinator.clone(),
                instance: instance.clone(),
            };
            instances.iter().map(reached).collect()
        }
        Action::Settle { masters, .. } => vec![Condition::Settled { masters: Arc::clone(masters) }],
        Action::Return { instance, upstream, .. } | Action::Rejoin { instance, upstream, .. } => {
            vec![Condition::Streams { standby: instance.clone(), upstream: upstream.clone() }]
        }
        Action::ProveCommit { .. } => super::sync::proofs(step),
        // No other session can prove the locks of an open transaction better than the answer to the lock statement.
        Action::StageFence { .. }
        | Action::Checkpoint { .. }
        | Action::AwaitRedo { .. }
        | Action::CatchUp { .. }
        | Action::Hold { .. }
        | Action::Release { .. } => Vec::new(),
    }
}

pub(super) fn what_is_done_is_proved(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let missing = proofs(audited, step).into_iter().filter(|proof| !step.after.contains(proof));
        wrong.extend(missing.map(|proof| format!("{} does not ensure that {proof}", step.id)));
    }
    wrong
}

/// Whoever approves the plan reads its changes.
pub(super) fn each_step_serves_a_change(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let has = |node: &NodeName, kind: &dyn Fn(ChangeKind) -> bool| {
        audited.plan.changes.iter().any(|change| change.node == *node && kind(change.kind))
    };
    let named = |node: &NodeName| has(node, &|_| true);
    let is_told = |router: &NodeName| {
        audited.steps().any(|step| {
            matches!(step.action, Action::RepointGtm { .. } | Action::Reroute { .. })
                && step.action.target().node == *router
        })
    };
    let gets_a_master = |node: &NodeName| has(node, &acts_on_copies);
    let serves = |step: &Step| {
        let node = &step.action.target().node;
        match &step.action {
            Action::RepointGtm { route, .. } => named(&route.node) || route.unread && gets_a_master(node),
            Action::Reroute { routes, .. } => {
                routes.iter().all(|change| named(&change.node) || change.unread && gets_a_master(node))
            }
            Action::Reload { .. } => is_told(node) || named(node),
            Action::Hold { masters, .. } => masters.iter().all(|master| named(&master.node)),
            Action::Release { .. } => audited.steps().any(|hold| matches!(hold.action, Action::Hold { .. })),
            Action::Prove { instances, .. } => {
                gets_a_master(node) || instances.iter().all(|instance| named(&instance.node))
            }
            Action::Settle { .. } => !audited.plan.changes.is_empty(),
            Action::Return { .. } | Action::ProveCommit { .. } | Action::Rejoin { .. } => {
                has(node, &|kind| acts_on_copies(kind) || kind == ChangeKind::Rejoin)
            }
            _ => has(node, &acts_on_copies),
        }
    };
    let stray = audited.steps().filter(|step| !serves(step));
    stray.map(|step| format!("{} serves no change of the plan", step.id)).collect()
}

/// If a node gets a master, every router with another row for it is updated; for a GTM also every running router whose
/// rows could not be read. A router without a master that gets none in this plan cannot be updated.
pub(super) fn every_router_is_told(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let routers: Vec<Listener<'_>> =
        audited.plan.cluster.routers().map(|router| Listener::new(audited, router)).collect();
    let told: BTreeSet<(&NodeName, &NodeName)> = audited.steps().flat_map(tells).collect();
    let mut wrong = Vec::new();
    for takeover in audited.steps().filter(|step| takes_over(step)) {
        let node = &takeover.action.target().node;
        let is_gtm = audited.plan.cluster.nodes.get(node).is_some_and(|node| node.kind == NodeKind::Gtm);
        for router in &routers {
            let concerned = router.is_astray(audited, node) && router.listens || is_gtm && router.hidden;
            if concerned && !told.contains(&(&router.node.name, node)) {
                wrong.push(format!(
                    "{} is not followed by an update of the routes of {}",
                    takeover.id, router.node.name
                ));
            }
        }
    }
    wrong
}

/// If the plan starts a router and nothing showed its rows, it may have missed any move: its routes to the GTM and to
/// every node that gets a master are updated.
pub(super) fn started_routers_are_told(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let in_scope = |node: &Node| audited.plan.targets.is_empty() || audited.plan.targets.contains(&node.name);
    let gtms: Vec<&NodeName> =
        audited.plan.cluster.nodes_of(NodeKind::Gtm).filter(|node| in_scope(node)).map(|node| &node.name).collect();
    let takeovers: Vec<&Step> = audited.steps().filter(|step| takes_over(step)).collect();
    let told: BTreeSet<(&NodeName, &NodeName)> = audited.steps().flat_map(tells).collect();
    let mut wrong = Vec::new();
    for step in &takeovers {
        let router = &step.action.target().node;
        let Some(node) = audited.plan.cluster.nodes.get(router).filter(|node| node.kind.is_router()) else { continue };
        if own_fact(audited, node, "pgxc_node") != Some("unknown") {
            continue;
        }
        let moved = takeovers.iter().map(|step| &step.action.target().node);
        let missing = gtms.iter().copied().chain(moved).filter(|other| !told.contains(&(router, *other)));
        wrong.extend(
            missing.map(|other| format!("{} starts {router}, but no step updates its route to {other}", step.id)),
        );
    }
    wrong
}

/// A router, by what the plan says of it.
struct Listener<'a> {
    node: &'a Node,
    /// A router with the same rows as another one refers to it, instead of listing each row.
    like: Option<&'a str>,
    /// It runs, and its rows could not be seen.
    hidden: bool,
    /// It has a master that can be updated, or gets one by this plan.
    listens: bool,
}

impl<'a> Listener<'a> {
    fn new(audited: &PlanUnderAudit<'a>, node: &'a Node) -> Self {
        let rows = own_fact(audited, node, "pgxc_node");
        let (runs, gets) =
            (runs(audited, node), |step: &Step| takes_over(step) && step.action.target().node == node.name);
        Self {
            node,
            like: rows.and_then(|rows| rows.split_once(", as ")).map(|(_, other)| other),
            hidden: rows == Some("unknown") && runs,
            listens: runs || audited.steps().any(gets),
        }
    }

    /// Whether its row of `node` was seen to lead elsewhere.
    fn is_astray(&self, audited: &PlanUnderAudit<'_>, node: &NodeName) -> bool {
        let row = format!("route to {node}");
        own_fact(audited, self.node, &row).is_some()
            || self.like.is_some_and(|other| audited.plan.facts.contains_key(&format!("{other}: {row}")))
    }
}

/// The plan's facts about one of the node's instances.
fn own_fact<'a>(audited: &PlanUnderAudit<'a>, node: &Node, what: &str) -> Option<&'a str> {
    node.instances.values().find_map(|own| audited.plan.facts.get(&format!("{}: {what}", own.id))).map(String::as_str)
}

/// Whether such a change stops, fences or starts copies of its node.
fn acts_on_copies(kind: ChangeKind) -> bool {
    kind.moves_master() || matches!(kind, ChangeKind::Restart | ChangeKind::Repair)
}

fn takes_over(step: &Step) -> bool {
    matches!(step.action, Action::Promote { .. } | Action::Restart { .. })
}

fn runs(audited: &PlanUnderAudit<'_>, router: &Node) -> bool {
    let mut roles = router.instances.values().map(|instance| audited.plan.facts.get(&format!("{}: role", instance.id)));
    roles.any(|role| role.is_some_and(|role| role == "master"))
}

/// The router whose routes change, with each node of these routes.
fn tells(step: &Step) -> Vec<(&NodeName, &NodeName)> {
    let nodes: Vec<&NodeName> = match &step.action {
        Action::RepointGtm { route, .. } => vec![&route.node],
        Action::Reroute { routes, .. } => routes.iter().map(|change| &change.node).collect(),
        _ => Vec::new(),
    };
    nodes.into_iter().map(|node| (&step.action.target().node, node)).collect()
}
