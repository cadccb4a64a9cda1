//! The survey: each node's situation and what follows from it, before it becomes steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{Change, ChangeKind};
use super::gap::{self, ExpectedGap};
use super::gtm::{self, Repoint};
use super::hung;
use super::rejoin::{self, Rejoin};
use super::routes::{RouterView, own_forward_port};
use super::salvage::{self, Salvage};
use super::situation::{self, Situation};
use super::split;
use super::step::RejoinMethod;
use super::sync::{self, SyncCommits};
use super::unread;
use crate::model::{Cluster, InDoubt, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation, RouteChange};

/// One node with what shall become of it.
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
    /// What commits on the declared master wait for; none where they do not wait.
    pub sync: Option<SyncCommits>,
    /// What it lacks of a dead master's WAL is brought to it.
    pub salvage: Salvage,
}

/// One instance that shall become a standby.
#[derive(Debug)]
pub(crate) struct PlannedRejoin {
    pub instance: InstanceId,
    pub method: RejoinMethod,
    pub because: String,
    /// What its own recovery.conf keeps.
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
    /// It was told of another GTM before: by this run, or by one that was cut off.
    pub owed: bool,
}

impl RouterSurvey {
    /// Its rows are compared once this run has started it.
    pub(crate) fn is_unread(&self) -> bool {
        self.rows().any(|(_, row)| row.unread)
    }

    /// Every row that changes, with the process that is told.
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
fn is_cut_off(node: &Node, from: Option<&InstanceId>, seen: &Observation) -> bool {
    let holds = || seen.instances.get(&node.master_id())?.standby.known()?.holds();
    let has_all = |facts: &InstanceFacts| match (facts.wal_end.known(), holds()) {
        (Some(end), Some(holds)) => *end <= holds,
        _ => true,
    };
    from.and_then(|id| seen.instances.get(id)).is_some_and(|facts| match node.kind {
        // Only otb's fence tells: a stopped GTM leaves no control file that says how it stopped.
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
        // What cannot be seen is listed in the plan's `unseen`.
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

/// Decides what each router needs. Rows are changed only of nodes in scope whose master can be told.
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
    // Nothing tells afterwards whether the run that moved the GTM came to its reloads.
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
        // pgxc_pool_check() of a datanode is always true (field notes, section 3): after a run that was cut
        // off, whether its pool was reloaded cannot be asked, only done again.
        let serves = in_scope(&view.router.node) || view.table.known().is_some();
        // On v5 a reload ends the sessions of clients, and a router that was told of another GTM needs none (seen live:
        // old sessions and new ones get timestamps, pgxc_pool_check() says t).
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

/// The changes that people read, most important first.
pub(crate) fn changes(
    cluster: &Cluster,
    nodes: &[NodeSurvey<'_>],
    routers: &[RouterSurvey],
    seen: &Observation,
) -> Vec<Change> {
    let routers_are = (gap::slowest(routers, seen), routers.iter().any(|router| router.v5));
    let expected = |survey: &NodeSurvey<'_>| gap::expected(survey, cluster.policy.fast_stop(), routers_are, seen);
    let rows = rows_by_node(routers);
    // What is only compared is no change; a move changes it for sure.
    let of = |survey: &NodeSurvey<'_>| {
        let moves = survey.change.is_some_and(ChangeKind::moves_master);
        let rows = rows.get(&survey.node.name).into_iter().flatten().filter(|row| moves || !row.change.unread);
        rows.cloned().collect::<Vec<_>>()
    };
    let unread: BTreeSet<&NodeName> = routers.iter().filter(|r| r.is_unread()).map(|r| &r.router.node).collect();
    let moves = nodes.iter().filter_map(|survey| role_change(survey, &of(survey), (expected(survey), &unread), seen));
    let mut changes: Vec<Change> = moves.collect();
    changes.extend(
        nodes.iter().filter(|survey| survey.change.is_none()).filter_map(|survey| route_change(survey, &of(survey))),
    );
    let by_name: BTreeMap<&NodeName, &NodeSurvey<'_>> =
        nodes.iter().map(|survey| (&survey.node.name, survey)).collect();
    changes.extend(
        routers
            .iter()
            .filter(|router| router.rows().next().is_none())
            .filter_map(|router| Some(pool_change(router, by_name.get(&router.router.node)?))),
    );
    changes.extend(nodes.iter().filter(|survey| survey.change.is_none()).flat_map(rejoin_changes));
    changes
}

/// A row that changes, with the routers whose tables have it.
#[derive(Clone)]
struct Row<'a> {
    change: &'a RouteChange,
    routers: Arc<Vec<InstanceId>>,
}

/// What changes of each node's rows. Routers that share their rows are gone through once.
fn rows_by_node(routers: &[RouterSurvey]) -> BTreeMap<&NodeName, Vec<Row<'_>>> {
    let mut alike: BTreeMap<*const Vec<RouteChange>, Vec<&RouterSurvey>> = BTreeMap::new();
    let mut rows: BTreeMap<&NodeName, Vec<Row<'_>>> = BTreeMap::new();
    for router in routers {
        alike.entry(Arc::as_ptr(&router.routes)).or_default().push(router);
        if let Some(repoint) = &router.repoint {
            let row = Row { change: &repoint.route, routers: Arc::new(vec![repoint.at.clone()]) };
            rows.entry(&repoint.route.node).or_default().push(row);
        }
    }
    for alike in alike.values() {
        let routers = Arc::new(alike.iter().map(|router| router.router.clone()).collect());
        for change in alike[0].routes.iter() {
            rows.entry(&change.node).or_default().push(Row { change, routers: Arc::clone(&routers) });
        }
    }
    rows
}

/// All routers of these rows, by name.
fn routers_of(rows: &[Row<'_>]) -> Arc<Vec<InstanceId>> {
    match rows {
        [only] => Arc::clone(&only.routers),
        rows => {
            let mut all: Vec<InstanceId> = rows.iter().flat_map(|row| row.routers.iter().cloned()).collect();
            all.sort();
            Arc::new(all)
        }
    }
}

fn role_change(
    survey: &NodeSurvey<'_>,
    rows: &[Row<'_>],
    (expected_gap, unread): (Option<ExpectedGap>, &BTreeSet<&NodeName>),
    seen: &Observation,
) -> Option<Change> {
    let kind = survey.change?;
    let declared = survey.node.master_id();
    let from = survey.from.as_ref();
    let because = match (kind, from) {
        _ if !survey.hung.is_empty() => hung::because(&survey.hung),
        (ChangeKind::Repair, _) => split::because(survey.node, &survey.situation, seen),
        (ChangeKind::Restart, _) => {
            let compared = if unread.contains(&declared.node) { "; its routes are compared once it runs" } else { "" };
            format!("{declared} is stopped, and no other copy has taken over{compared}")
        }
        (ChangeKind::Switchover, Some(from)) if is_cut_off(survey.node, Some(from), seen) => {
            format!("{from} was stopped cleanly and nobody was promoted: this finishes a run that was cut off")
        }
        (ChangeKind::Switchover, Some(from)) => format!("{from} runs as master, the file says {declared}"),
        (_, Some(from)) if seen.instances.get(from).is_some_and(InstanceFacts::is_stopped) => {
            format!("{from}, the last master, is down")
        }
        (_, Some(from)) => format!("no master of {} answers, and {from} is out of sight", survey.node.name),
        (_, None) => format!("no instance of {} runs as master", survey.node.name),
    };
    Some(Change {
        node: survey.node.name.clone(),
        node_kind: survey.node.kind,
        kind,
        from: from.map(|id| id.server.clone()),
        to: survey.node.master.clone(),
        routers: routers_of(rows),
        because,
        expected_gap,
    })
}

fn route_change(survey: &NodeSurvey<'_>, rows: &[Row<'_>]) -> Option<Change> {
    let node = &survey.node.name;
    let first = rows.first()?.change;
    let same = rows.iter().all(|row| row.change.from == first.from);
    let from = if same { format!("to {}", first.from) } else { "elsewhere".to_owned() };
    let routers = routers_of(rows);
    let who = routers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let verb = if routers.len() == 1 { "routes" } else { "route" };
    Some(Change {
        node: node.clone(),
        node_kind: survey.node.kind,
        kind: ChangeKind::Reroute,
        from: None,
        to: survey.node.master.clone(),
        because: format!("{who} {verb} {node} {from}, its master is at {}", first.target()),
        routers,
        expected_gap: None,
    })
}

fn pool_change(router: &RouterSurvey, survey: &NodeSurvey<'_>) -> Change {
    let because = match survey.node.kind {
        _ if router.owed => format!("{} was told of another GTM: its pool is reloaded once, now", router.router),
        NodeKind::Datanode => {
            format!("a run was cut off, and whether the pooler of {} was reloaded cannot be asked", router.router)
        }
        _ => format!("the pooler of {} does not agree with its pgxc_node", router.router),
    };
    Change {
        node: survey.node.name.clone(),
        node_kind: survey.node.kind,
        kind: ChangeKind::Reroute,
        from: None,
        to: survey.node.master.clone(),
        routers: Arc::default(),
        because,
        expected_gap: None,
    }
}

pub(crate) fn rejoin_changes<'a>(survey: &'a NodeSurvey<'_>) -> impl Iterator<Item = Change> + 'a {
    survey.rejoins.iter().map(|rejoin| Change {
        node: survey.node.name.clone(),
        node_kind: survey.node.kind,
        kind: ChangeKind::Rejoin,
        from: None,
        to: rejoin.instance.server.clone(),
        routers: Arc::default(),
        because: format!("{}: {}", rejoin.instance, rejoin.because),
        expected_gap: None,
    })
}

/// One change for each node that holds transactions in doubt that a coordinator began.
pub(crate) fn settle_changes(cluster: &Cluster, seen: &Observation, in_doubt: &[&InDoubt]) -> Vec<Change> {
    let mut by_holder: BTreeMap<&InstanceId, Vec<&InDoubt>> = BTreeMap::new();
    for one in in_doubt.iter().filter(|one| one.is_of_a_coordinator()) {
        for holder in &one.prepared_on {
            by_holder.entry(holder).or_default().push(one);
        }
    }
    let change = |(holder, held): (&InstanceId, Vec<&InDoubt>)| {
        let node = cluster.nodes.get(&holder.node)?;
        Some(Change {
            node: node.name.clone(),
            node_kind: node.kind,
            kind: ChangeKind::Settle,
            from: None,
            to: holder.server.clone(),
            routers: Arc::default(),
            because: in_doubt_on(holder, &held, seen),
            expected_gap: None,
        })
    };
    by_holder.into_iter().filter_map(change).collect()
}

/// `dn01@s47 holds 2 transactions in doubt, behind which 3 sessions wait; the oldest is ...`
pub(crate) fn in_doubt_on(holder: &InstanceId, held: &[&InDoubt], seen: &Observation) -> String {
    let facts = seen.instances.get(holder);
    let waits = match facts.and_then(|facts| facts.load.known()).map_or(0, |load| load.waiting) {
        0 => String::new(),
        1 => ", behind which 1 session waits".to_owned(),
        several => format!(", behind which {several} sessions wait"),
    };
    let count = held.len();
    let plural = if count == 1 { "transaction" } else { "transactions" };
    let oldest = held.first().map(ToString::to_string).unwrap_or_default();
    format!("{holder} holds {count} {plural} in doubt{waits}; the oldest is {oldest}")
}
