//! The first part of a plan for people: the changes, made from the surveys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{Change, ChangeKind};
use super::gap::{self, ExpectedGap};
use super::hung;
use super::split;
use super::survey::{NodeSurvey, RouterSurvey, is_cut_off};
use crate::model::{Cluster, InDoubt, InstanceFacts, InstanceId, NodeKind, NodeName, Observation, RouteChange};

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

/// The changes of each node's rows. Routers with equal rows are compared once.
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
            let compared = if unread.contains(&declared.node) { "; otb compares its routes once it runs" } else { "" };
            format!("{declared} is stopped, and no other instance has taken over{compared}")
        }
        (ChangeKind::Switchover, Some(from)) if is_cut_off(survey.node, Some(from), seen) => {
            format!("{from} was stopped cleanly and no instance was promoted: this finishes an interrupted run")
        }
        (ChangeKind::Switchover, Some(from)) => format!("{from} runs as master, but the file declares {declared}"),
        (_, Some(from)) if seen.instances.get(from).is_some_and(InstanceFacts::is_stopped) => {
            format!("{from}, the last master, is down")
        }
        (_, Some(from)) => format!("no master of {} answers, and {from} cannot be observed", survey.node.name),
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
        because: format!("{who} {verb} {node} {from}, but its master is at {}", first.target()),
        routers,
        expected_gap: None,
    })
}

fn pool_change(router: &RouterSurvey, survey: &NodeSurvey<'_>) -> Change {
    let because = match survey.node.kind {
        _ if router.owed => format!("{} got another GTM address: its pool is reloaded once, now", router.router),
        NodeKind::Datanode => {
            format!(
                "a run was interrupted, and otb cannot find out whether the pooler of {} was reloaded",
                router.router
            )
        }
        _ => format!("the pooler of {} differs from its pgxc_node", router.router),
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
