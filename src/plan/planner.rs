//! The planner: declared cluster and observation in, plan out. Synchronous and pure; the same input gives the
//! same bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, CheckId, Waiver};
use super::document::{Afterwards, FORMAT_VERSION, LookedAt, Plan, Unseen};
use super::independent_nodes::independent_nodes;
use super::routes::{self, RouterView};
use super::situation::{Situation, running_masters};
use super::survey::{self, NodeSurvey, RouterSurvey};
use super::{changes, checks, fingerprint, gtm, silent, situation, steps};
use crate::model::{
    Cluster, Fact, InDoubt, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation, Role, UnknownKind,
};

/// The input of a plan.
#[derive(Debug)]
pub struct Input<'a> {
    pub cluster: &'a Cluster,
    pub seen: &'a Observation,
    /// Only these nodes may change; empty: all.
    pub targets: &'a [NodeName],
    pub waivers: &'a [Waiver],
    /// RFC 3339.
    pub observed_at: String,
    /// This run has given routers another GTM address and not reloaded their pools yet.
    pub owes_reloads: bool,
}

impl Input<'_> {
    fn in_scope(&self, node: &NodeName) -> bool {
        self.names(node.as_str())
    }

    /// Whether a node of this name may change, be it declared or not.
    fn names(&self, node: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target.as_str() == node)
    }
}

/// Plans.
pub fn plan(input: &Input<'_>) -> Plan {
    let mut plan = draft(input);
    if plan.is_refused() {
        plan.independent_nodes = independent_nodes(input, &plan);
    }
    plan
}

/// The same, and does not say what of a refused plan could be done without the rest.
pub(super) fn draft(input: &Input<'_>) -> Plan {
    let aimed_at = aimed_at(input);
    let declared = input.cluster;
    let input = &Input { cluster: &aimed_at, observed_at: input.observed_at.clone(), ..*input };
    let Input { cluster, seen, .. } = input;
    let in_scope = cluster.nodes.values().filter(|node| input.in_scope(&node.name));
    let nodes: Vec<NodeSurvey<'_>> = in_scope.map(|node| survey::node(cluster, node, seen)).collect();
    let views = routes::routers(cluster, seen, &|name| input.names(name));
    let (nodes, routers, afterwards) = match gtm::stage(cluster, seen, &views, nodes) {
        Ok(stage) => {
            let checks = silent::checks_of_the_rest(input, &stage.others);
            (stage.gtm, stage.routers, Some(Afterwards { checks, ..stage.afterwards }))
        }
        Err(nodes) => {
            let routers = survey::routers(&views, &nodes, cluster, seen, input.owes_reloads);
            (nodes, routers, None)
        }
    };
    let staged = afterwards.is_some();
    let mut checks = all_checks(input, &nodes, &views, &routers, staged);
    let unused = checks::apply_waivers(&mut checks, input.waivers);
    // A waiver that names no check yet may name one of the second part.
    let unused = if staged { Vec::new() } else { unused };
    let facts = fingerprint::facts(seen, &views);
    // What is down and left aside stays down: nothing can be proved through it.
    let will_serve = |node: &Node| {
        input.in_scope(&node.name) && situation::diagnose(node, seen).allows_acting()
            || running_masters(node, seen).as_slice() == [node.master_id()]
    };
    let in_doubt: Vec<&InDoubt> =
        seen.in_doubt.iter().filter(|one| one.prepared_on.iter().any(|id| input.in_scope(&id.node))).collect();
    let mut changes = changes::changes(cluster, &nodes, &routers, seen);
    changes.extend(changes::settle_changes(cluster, seen, &in_doubt));
    let mut steps = steps::build(cluster, &nodes, &routers, &will_serve, &coordinators(cluster, seen));
    if !staged {
        let serves = |node: &Node| running_masters(node, seen).len() == 1;
        steps::settle(cluster, &mut steps, &changes, &serves);
    }
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        otb_version: env!("CARGO_PKG_VERSION").to_owned(),
        observed_at: input.observed_at.clone(),
        cluster: declared.clone(),
        targets: input.targets.to_vec(),
        fingerprint: fingerprint::digest(declared, &facts),
        facts,
        findings: Vec::new(),
        changes,
        steps,
        afterwards,
        checks,
        independent_nodes: Vec::new(),
        waivers: used(input.waivers, &unused),
        in_doubt: in_doubt.into_iter().cloned().collect(),
        looked_at: looked_at(input, &views),
        unseen: unseen(cluster, seen, &views, &|name| input.in_scope(name)),
        silent: silent::servers(cluster, seen),
        rehearsal: None,
        seen: None,
    }
}

/// The masters of coordinators that run now: whatever clients do goes through them.
fn coordinators(cluster: &Cluster, seen: &Observation) -> Vec<InstanceId> {
    let all = cluster.nodes_of(NodeKind::Coordinator).flat_map(|node| running_masters(node, seen));
    all.collect()
}

/// The declared cluster without the nodes that `--target` excludes: those stay as they are, and otb updates and proves
/// them where they are.
fn aimed_at<'a>(input: &Input<'a>) -> Cow<'a, Cluster> {
    if input.targets.is_empty() {
        return Cow::Borrowed(input.cluster);
    }
    let mut cluster = input.cluster.clone();
    for node in cluster.nodes.values_mut().filter(|node| !input.in_scope(&node.name)) {
        if let [only] = running_masters(node, input.seen).as_slice() {
            node.master.clone_from(&only.server);
        }
    }
    Cow::Owned(cluster)
}

/// The waivers of `input` that name no check of its plan: a typing error, or no longer needed.
pub fn unused_waivers<'a>(plan: &Plan, waivers: &'a [Waiver]) -> Vec<&'a CheckId> {
    waivers.iter().map(|waiver| &waiver.check).filter(|id| !plan.checks.iter().any(|check| check.id == **id)).collect()
}

fn used(waivers: &[Waiver], unused: &[CheckId]) -> Vec<Waiver> {
    waivers.iter().filter(|waiver| !unused.contains(&waiver.check)).cloned().collect()
}

fn all_checks(
    input: &Input<'_>,
    nodes: &[NodeSurvey<'_>],
    views: &[RouterView<'_>],
    routers: &[RouterSurvey],
    staged: bool,
) -> Vec<Check> {
    let Input { cluster, seen, .. } = input;
    let mut all: Vec<Check> = nodes
        .iter()
        .filter_map(|survey| checks::for_unclear(survey.node, &survey.situation, seen, input.waivers))
        .collect();
    for survey in nodes {
        if let Situation::Split { others } = &survey.situation {
            all.extend(checks::for_split(cluster, survey.node, others, seen, views));
        }
    }
    for survey in nodes.iter().filter(|survey| survey.change.is_some_and(super::ChangeKind::moves_master)) {
        let live =
            survey.from.as_ref().filter(|id| seen.instances.get(*id).is_some_and(|f| f.is_running(Role::Master)));
        all.extend(checks::for_node(cluster, survey, live, seen));
    }
    for survey in nodes.iter().filter(|survey| survey.change.is_some()) {
        all.extend(checks::for_changed(survey.node, seen));
    }
    all.extend(nodes.iter().flat_map(|survey| checks::for_promotion(survey, seen)));
    all.extend(nodes.iter().flat_map(|survey| checks::for_kept_slots(cluster, survey, seen)));
    all.extend(nodes.iter().flat_map(|survey| checks::for_restart(cluster, survey, seen)));
    all.extend(checks::for_routers(cluster, seen, views, staged));
    all.extend(checks::for_altered(routers, seen));
    all.extend(checks::for_reloads(cluster, routers, seen));
    all.extend(checks::for_gtm(cluster, seen, nodes));
    all
}

/// The facts that this plan relies on: with `--target` not all observed ones.
fn looked_at(input: &Input<'_>, views: &[RouterView<'_>]) -> LookedAt {
    LookedAt {
        instances: input.seen.instances.keys().filter(|id| input.in_scope(&id.node)).count(),
        routers: views.len(),
        routes: views.iter().map(RouterView::in_scope).sum(),
    }
}

/// The important facts that are not known: one entry per instance and fact.
fn unseen(
    cluster: &Cluster,
    seen: &Observation,
    views: &[RouterView<'_>],
    in_scope: &dyn Fn(&NodeName) -> bool,
) -> Vec<Unseen> {
    let mut list = Vec::new();
    for node in cluster.nodes.values() {
        for instance in node.instances.values().filter(|_| in_scope(&node.name)) {
            if let Some(facts) = seen.instances.get(&instance.id) {
                list.extend(hidden_facts(&instance.id, facts));
            }
        }
    }
    let blind: BTreeMap<NodeName, InstanceId> =
        gtm::blind(cluster, seen).into_iter().map(|at| (at.node.clone(), at)).collect();
    let told: BTreeSet<InstanceId> = list.iter().map(|entry: &Unseen| entry.instance.clone()).collect();
    for view in views {
        if let Some(hidden) = blind.get(&view.router.node).and_then(|at| blind_router(at, view, cluster, seen)) {
            list.push(hidden);
        } else if let Fact::Unknown(why) = &view.table
            && !told.contains(&view.router)
        {
            list.push(Unseen::of(&view.router, "routes", why));
        }
    }
    list
}

/// A master that gets no timestamp shows nothing of its table; a standby's copy is the next best, with its age.
fn blind_router(at: &InstanceId, view: &RouterView<'_>, cluster: &Cluster, seen: &Observation) -> Option<Unseen> {
    let why = seen.instances.get(at)?.routes.reason()?;
    let copy = gtm::copy_of(at, cluster, seen).map_or_else(
        || "no standby has these rows".to_owned(),
        |copy| {
            let rows = view.len();
            let replayed = seen.instances.get(copy).and_then(|facts| facts.standby.known());
            let age = replayed.and_then(|standby| standby.last_replay.clone());
            let age = age.map_or_else(|| "of unknown age".to_owned(), |at| format!("as of {at}"));
            format!("{copy} has {rows} rows, {age}")
        },
    );
    Some(Unseen { why: format!("{}; {copy}", why.why), ..Unseen::of(at, "routes", why) })
}

fn hidden_facts(id: &InstanceId, facts: &InstanceFacts) -> Option<Unseen> {
    if let Fact::Unknown(why) = &facts.process {
        return Some(Unseen::of(id, "process", why));
    }
    if facts.is_stopped() {
        return facts.control.hidden().map(|why| Unseen::of(id, "control file", why));
    }
    if let Fact::Unknown(why) = &facts.role {
        return Some(Unseen::of(id, "role", why));
    }
    if facts.is_running(Role::Standby) {
        return facts.standby.hidden().map(|why| Unseen::of(id, "replication", why));
    }
    // Without a GTM a master does not answer; its routes report that.
    let prepared = facts.prepared.hidden().filter(|why| why.kind != UnknownKind::NoTimestamp);
    prepared.map(|why| Unseen::of(id, "prepared transactions", why))
}
