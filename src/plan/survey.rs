//! The survey: each node's situation and what follows from it, before it becomes steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::ChangeKind;
use super::gtm::{self, Repoint};
use super::hung;
use super::rejoin::{self, Rejoin};
use super::routes::{RouterView, own_forward_port};
use super::salvage::{self, Salvage};
use super::situation::{self, Situation};
use super::step::RejoinMethod;
use super::sync::{self, SyncCommits};
use super::unread;
use crate::model::{Cluster, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation, RouteChange};

/// One node with its planned changes.
#[derive(Debug)]
pub(crate) struct NodeSurvey<'a> {
    pub node: &'a Node,
    pub situation: Situation,
    /// None: roles are right, or nothing may be done.
    pub change: Option<ChangeKind>,
    /// The present or last master, where the master moves.
    pub from: Option<InstanceId>,
    pub rejoins: Vec<PlannedRejoin>,
    /// Other copies that are stopped; they must still be when the declared master is promoted.
    pub stopped: Vec<InstanceId>,
    /// Those of them that could come up as masters and must be fenced before the promotion.
    pub unfenced: Vec<InstanceId>,
    /// Copies that run and do not answer, which are ended before the promotion.
    pub hung: Vec<InstanceId>,
    /// The declared master itself carries a fence of otb.
    pub fenced: bool,
    /// What commits on the declared master wait for; `None` if they do not wait.
    pub sync: Option<SyncCommits>,
    /// The WAL of a dead master that it lacks will be brought to it.
    pub salvage: Salvage,
}

/// One instance that must become a standby.
#[derive(Debug)]
pub(crate) struct PlannedRejoin {
    pub instance: InstanceId,
    pub method: RejoinMethod,
    pub because: String,
    /// The settings that its own recovery.conf keeps.
    pub keeps: Vec<String>,
}

/// One router with the rows to change and whether its pool needs a reload.
#[derive(Debug)]
pub(crate) struct RouterSurvey {
    pub router: InstanceId,
    /// Its row of the GTM, which is changed first.
    pub repoint: Option<Repoint>,
    /// Its other rows; routers whose tables are equal share them.
    pub routes: Arc<Vec<RouteChange>>,
    pub reload: bool,
    /// Its pgxc_node is v5's.
    pub v5: bool,
    /// On v5 the forward port of a master that this plan makes: it must be listened on afterwards.
    pub forward: Option<u16>,
    /// Its GTM address was changed before: by this run, or by an interrupted one.
    pub owed: bool,
}

impl RouterSurvey {
    /// Its rows are compared once this run has started it.
    pub(crate) fn is_unread(&self) -> bool {
        self.rows().any(|(_, row)| row.unread)
    }

    /// Every row that changes, with the process that gets it.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&InstanceId, &RouteChange)> {
        let gtm = self.repoint.iter().map(|repoint| (&repoint.at, &repoint.route));
        gtm.chain(self.routes.iter().map(|change| (&self.router, change)))
    }
}

/// Looks at one node.
pub(crate) fn node<'a>(cluster: &Cluster, node: &'a Node, seen: &Observation) -> NodeSurvey<'a> {
    let situation = situation::diagnose(node, seen);
    let from = match &situation {
        Situation::Elsewhere { master } => Some(master.clone()),
        Situation::Masterless => last_master(node, seen),
        _ => None,
    };
    let change = match &situation {
        Situation::Elsewhere { .. } => Some(ChangeKind::Switchover),
        Situation::Masterless if is_cut_off(node, from.as_ref(), seen) => Some(ChangeKind::Switchover),
        Situation::Masterless => Some(ChangeKind::Failover),
        Situation::Down => Some(ChangeKind::Restart),
        Situation::Split { .. } => Some(ChangeKind::Repair),
        _ => None,
    };
    let mut rejoins = if situation.allows_acting() { rejoins(cluster, node, &situation, seen) } else { Vec::new() };
    let hung = hung::to_be_ended(node, &situation, seen);
    rejoins.extend(hung::rejoins(cluster, node, &hung));
    let moves = matches!(situation, Situation::Masterless | Situation::Elsewhere { .. });
    let stopped = if moves { others(node, seen, InstanceFacts::is_stopped) } else { Vec::new() };
    let unfenced = if moves { others(node, seen, is_unfenced) } else { Vec::new() };
    let fenced = seen.instances.get(&node.master_id()).is_some_and(carries_fence);
    let salvage = if situation == Situation::Masterless { salvage::decide(node, seen) } else { Salvage::NotNeeded };
    let mut survey =
        NodeSurvey { node, situation, change, from, rejoins, stopped, unfenced, hung, fenced, sync: None, salvage };
    survey.sync = sync::of(&survey, seen);
    survey
}

pub(crate) fn was_master(kind: NodeKind, facts: &InstanceFacts) -> bool {
    if kind == NodeKind::Gtm {
        return facts.is_stopped() && (gtm::starts_as_master(facts) || carries_fence(facts));
    }
    facts.is_stopped() && facts.control.is_known_and(|control| control.state.is_of_a_master())
}

/// The copy that was master last: a stopped one whose control file says so, else one that is out of sight.
fn last_master(node: &Node, seen: &Observation) -> Option<InstanceId> {
    let others = || situation::facts(node, seen).filter(|(id, _)| id.server != node.master);
    let stopped = others().find(|(_, facts)| was_master(node.kind, facts));
    let hidden = || others().find(|(_, facts)| facts.role.known().is_none());
    stopped.or_else(hidden).map(|(id, _)| id.clone())
}

/// A switchover that was cut off after its clean stop. A standby that has not received all WAL of the stopped master never
/// catches up with it: that is a failover.
pub(super) fn is_cut_off(node: &Node, from: Option<&InstanceId>, seen: &Observation) -> bool {
    let holds = || seen.instances.get(&node.master_id())?.standby.known()?.holds();
    let has_all = |facts: &InstanceFacts| match (facts.wal_end.known(), holds()) {
        (Some(end), Some(holds)) => *end <= holds,
        _ => true,
    };
    from.and_then(|id| seen.instances.get(id)).is_some_and(|facts| match node.kind {
        // Only otb's fence shows it: a stopped GTM leaves no control file about its stop.
        NodeKind::Gtm => facts.is_stopped() && carries_fence(facts),
        NodeKind::Coordinator | NodeKind::Datanode => facts.is_cleanly_stopped() && has_all(facts),
    })
}

fn rejoins(cluster: &Cluster, node: &Node, situation: &Situation, seen: &Observation) -> Vec<PlannedRejoin> {
    let decide = |id: &InstanceId| match rejoin::decide(node, id, situation, seen, cluster.policy.old_master) {
        Rejoin::By { method, because } => {
            let keeps = rejoin::keeps(seen.instances.get(id));
            Some(PlannedRejoin { instance: id.clone(), method, because, keeps })
        }
        // The plan's `unseen` lists what could not be observed.
        Rejoin::NotNeeded | Rejoin::Unclear { .. } => None,
    };
    node.standbys().filter_map(|instance| decide(&instance.id)).collect()
}

fn others(node: &Node, seen: &Observation, test: fn(&InstanceFacts) -> bool) -> Vec<InstanceId> {
    let others = situation::facts(node, seen).filter(|(id, _)| id.server != node.master);
    others.filter(|(_, facts)| test(facts)).map(|(id, _)| id.clone()).collect()
}

/// A recovery.conf of any kind keeps a stopped copy from coming up as a master.
fn is_unfenced(facts: &InstanceFacts) -> bool {
    facts.is_stopped() && facts.data_dir.is_known_and(|dir| dir.recovery_conf.is_none())
}

fn carries_fence(facts: &InstanceFacts) -> bool {
    facts.data_dir.is_known_and(|dir| dir.recovery_conf.as_ref().is_some_and(|file| file.fence))
}

/// Decides what each router needs. Only rows of nodes in scope with a known master are changed.
pub(crate) fn routers(
    views: &[RouterView<'_>],
    nodes: &[NodeSurvey<'_>],
    cluster: &Cluster,
    seen: &Observation,
    owed: bool,
) -> Vec<RouterSurvey> {
    let acting: BTreeMap<&NodeName, bool> =
        nodes.iter().map(|survey| (&survey.node.name, survey.situation.allows_acting())).collect();
    let may_change = |name: &NodeName| acting.get(name).is_some_and(|may| *may);
    let in_scope = |name: &NodeName| acting.contains_key(name);
    let leftover = |of_the_gtm: bool| {
        nodes.iter().any(|survey| (survey.node.kind == NodeKind::Gtm) == of_the_gtm && is_leftover(survey, seen))
    };
    // Later, nothing shows whether the run that moved the GTM reached its reloads.
    let (gtm_left, left) = (leftover(true), leftover(false));
    let made: BTreeSet<&NodeName> =
        nodes.iter().filter(|survey| makes_a_master(survey)).map(|survey| &survey.node.name).collect();
    let mut known: BTreeMap<*const RouteChange, (Option<RouteChange>, Arc<Vec<RouteChange>>)> = BTreeMap::new();
    let started = unread::started(nodes, views);
    let unread = unread::Rows::of(cluster, nodes, views);
    let survey = |view: &RouterView<'_>| {
        if started.contains(&view.router) {
            return unread.survey(&view.router);
        }
        let (gtm, routes) = known.entry(view.changes().as_ptr()).or_insert_with(|| {
            let allowed = view.changes().iter().filter(|change| may_change(&change.node)).cloned();
            let (gtm, routes): (Vec<_>, Vec<_>) = allowed.partition(|change| change.kind == NodeKind::Gtm);
            (gtm.into_iter().next(), Arc::new(routes))
        });
        let repoint = gtm.as_ref().map(|route| gtm::repoint(view, route, cluster, seen));
        let routes = Arc::clone(routes);
        let stale = view.pool_agrees.is_known_and(|agrees| !agrees) && in_scope(&view.router.node);
        // pgxc_pool_check() of a datanode is always true (opentenbase-v2.6-live.md, "Routes and poolers"): after a run that was cut
        // off, whether its pool was reloaded cannot be asked, only done again.
        let serves = in_scope(&view.router.node) || view.table.known().is_some();
        // On v5 a reload ends the sessions of clients, and a router with a new GTM address needs none (seen live: old
        // and new sessions get timestamps, pgxc_pool_check() returns t).
        let v5 = view.forwards() == Some(true);
        let unaskable = (left || gtm_left && !v5) && view.kind == NodeKind::Datanode && serves;
        let changes = !routes.is_empty() || repoint.is_some() && !v5;
        let owed = (owed || gtm_left) && view.table.known().is_some() && !v5;
        let reload = changes || stale || unaskable || owed;
        let is_made = v5 && made.contains(&view.router.node);
        let forward = is_made.then(|| own_forward_port(&view.router, seen)).flatten();
        RouterSurvey { router: view.router.clone(), repoint, routes, reload, v5, forward, owed }
    };
    views.iter().map(survey).filter(|survey| survey.reload || survey.repoint.is_some()).collect()
}

fn makes_a_master(survey: &NodeSurvey<'_>) -> bool {
    survey.change.is_some_and(|change| change.moves_master() || change == ChangeKind::Restart)
}

/// The roles are right but an old master waits to rejoin: the mark of a run that did not reach its end.
fn is_leftover(survey: &NodeSurvey<'_>, seen: &Observation) -> bool {
    let old_master = |rejoin: &PlannedRejoin| {
        seen.instances
            .get(&rejoin.instance)
            .is_some_and(|facts| was_master(survey.node.kind, facts) || facts.is_stopped() && carries_fence(facts))
            || rejoin.method == RejoinMethod::Unfence
    };
    survey.situation == Situation::Right && survey.rejoins.iter().any(old_master)
}
