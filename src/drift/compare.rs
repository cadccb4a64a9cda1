//! Declared cluster, observation and plan in, differences out.

use super::baseline::Baseline;
use super::document::{Difference, Drift, DriftId, FORMAT_VERSION, Kind, Verdict};
use crate::model::{
    Cluster, Endpoint, Finding, FindingKind, InDoubt, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation,
    OldMaster, Role, Route, RouteKind,
};
use crate::plan::{ChangeKind, Plan, Unseen, facts, in_doubt_on, is_told_to_promote, running_masters, wanted_forward};

/// What is compared.
#[derive(Debug)]
pub struct Input<'a> {
    pub cluster: &'a Cluster,
    pub seen: &'a Observation,
    /// Made from the same two: whatever it would change is a difference, whatever it could not see is unseen.
    pub plan: &'a Plan,
    pub baseline: &'a Baseline,
}

/// Compares.
pub fn drift(input: &Input<'_>) -> Drift {
    let Input { cluster, seen, plan, baseline } = input;
    let nodes: Vec<&Node> =
        cluster.nodes.values().filter(|node| plan.targets.is_empty() || plan.targets.contains(&node.name)).collect();
    let mut found: Vec<Difference> = nodes.iter().flat_map(|node| roles(cluster, node, seen)).collect();
    found.extend(nodes.iter().flat_map(|node| next_starts(node, seen)));
    found.extend(cluster.routers().flat_map(|router| routes(cluster, router, &nodes, seen)));
    found.extend(nodes.iter().filter_map(|node| pooler(node, seen)));
    found.extend(in_doubt(&nodes, seen));
    found.extend(plan.findings.iter().filter_map(not_ready));
    let missed: Vec<Difference> = plan.changes.iter().filter_map(|change| missed(change, &found)).collect();
    found.extend(missed);
    found.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    found.dedup_by(|a, b| a.id == b.id);
    let mut unseen = plan.unseen.clone();
    unseen.extend(nodes.iter().flat_map(|node| closed_directories(node, seen)));
    let today = plan.observed_at.get(..10).unwrap_or_default();
    let (differences, accepted, notes) = baseline.apply(found, today);
    let verdict = match (differences.is_empty(), unseen.is_empty()) {
        (false, _) => Verdict::Drift,
        (true, true) => Verdict::None,
        (true, false) => Verdict::Unknown,
    };
    Drift {
        format_version: FORMAT_VERSION.to_owned(),
        otb_version: plan.otb_version.clone(),
        observed_at: plan.observed_at.clone(),
        cluster: cluster.name.clone(),
        targets: plan.targets.clone(),
        nodes: nodes.iter().map(|node| node.name.clone()).collect(),
        verdict,
        findings: plan.findings.clone(),
        differences,
        accepted,
        unseen,
        baseline: notes,
        looked_at: plan.looked_at.clone(),
    }
}

/// A standby that streams and that a failover could not use.
fn not_ready(finding: &Finding) -> Option<Difference> {
    let instance = finding.instances.first().filter(|_| finding.kind == FindingKind::NotReady)?;
    Some(Difference {
        id: DriftId::new(Kind::Readiness, instance),
        kind: Kind::Readiness,
        node: instance.node.clone(),
        instance: Some(instance.clone()),
        expected: "a standby that can take over".to_owned(),
        found: finding.what.clone(),
    })
}

/// Who is master, and whether the others follow.
fn roles(cluster: &Cluster, node: &Node, seen: &Observation) -> Vec<Difference> {
    let masters = running_masters(node, seen);
    let declared = node.master_id();
    let mut found = Vec::new();
    match masters.as_slice() {
        [] => found.extend(no_master(&declared, seen)),
        [only] if *only == declared => {}
        [only] => found.push(Difference {
            id: DriftId::new(Kind::Placement, &node.name),
            kind: Kind::Placement,
            node: node.name.clone(),
            instance: Some(only.clone()),
            expected: format!("the master on {}", node.master),
            found: format!("the master on {}", only.server),
        }),
        several => found.push(split(node, several, seen)),
    }
    let others = node.instances.keys().map(|server| InstanceId::new(node.name.clone(), server.clone()));
    let others = others.filter(|id| !(masters.contains(id) || masters.is_empty() && *id == declared));
    found.extend(others.filter_map(|id| follower(cluster, node.kind, &id, seen.instances.get(&id)?)));
    found
}

fn split(node: &Node, masters: &[InstanceId], seen: &Observation) -> Difference {
    let timeline = |id: &InstanceId| {
        let known = seen.instances.get(id).and_then(|facts| facts.timeline.known());
        known.map_or_else(|| id.to_string(), |timeline| format!("{id} (timeline {timeline})"))
    };
    let list: Vec<String> = masters.iter().map(timeline).collect();
    Difference {
        id: DriftId::new(Kind::SplitBrain, &node.name),
        kind: Kind::SplitBrain,
        node: node.name.clone(),
        instance: None,
        expected: "one master".to_owned(),
        found: format!("{} masters: {}", masters.len(), list.join(", ")),
    }
}

/// The declared master is known not to be one; where it is out of sight, nothing can be said.
fn no_master(declared: &InstanceId, seen: &Observation) -> Option<Difference> {
    let facts = seen.instances.get(declared)?;
    let found = if facts.is_stopped() {
        "stopped"
    } else if facts.is_running(Role::Standby) {
        "a standby, and no master runs"
    } else {
        return None;
    };
    Some(role(declared, "the running master", found.to_owned()))
}

fn follower(cluster: &Cluster, kind: NodeKind, id: &InstanceId, facts: &InstanceFacts) -> Option<Difference> {
    if facts.is_stopped() {
        // With `old_master: leave` a stopped copy is what the file asks for.
        let meant = cluster.policy.old_master == OldMaster::Leave && kind != NodeKind::Gtm;
        return (!meant).then(|| role(id, "a running standby", "stopped".to_owned()));
    }
    if is_told_to_promote(facts) {
        return Some(role(
            id,
            "a standby",
            "a standby with a promotion request, which may become a master at any moment".to_owned(),
        ));
    }
    let standby = facts.standby.known().filter(|_| facts.is_running(Role::Standby))?;
    if standby.streaming && standby.replay_paused {
        return Some(role(id, "a standby that replays", "a standby whose replay is paused".to_owned()));
    }
    (!standby.streaming).then(|| {
        let from = standby.upstream.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        role(id, "a standby that streams", format!("a standby that does not stream (from {from})"))
    })
}

fn role(id: &InstanceId, expected: &str, found: String) -> Difference {
    Difference {
        id: DriftId::new(Kind::Role, id),
        kind: Kind::Role,
        node: id.node.clone(),
        instance: Some(id.clone()),
        expected: expected.to_owned(),
        found,
    }
}

/// A difference that nothing shows until a server restarts.
fn next_starts<'a>(node: &'a Node, seen: &'a Observation) -> impl Iterator<Item = Difference> + 'a {
    node.instances.values().filter_map(|instance| {
        Some(Difference {
            id: DriftId::new(Kind::NextStart, &instance.id),
            kind: Kind::NextStart,
            node: node.name.clone(),
            instance: Some(instance.id.clone()),
            expected: "an instance that keeps its role at its next start".to_owned(),
            found: crate::plan::becomes(instance, seen.instances.get(&instance.id)?)?,
        })
    })
}

/// For a running process whose next start is not known.
fn closed_directories<'a>(node: &'a Node, seen: &'a Observation) -> impl Iterator<Item = Unseen> + 'a {
    let running = facts(node, seen).filter(|(_, facts)| facts.role.known().is_some());
    running.filter_map(|(id, facts)| Some(Unseen::of(id, "data directory", facts.data_dir.hidden()?)))
}

/// Each row against the master that runs, not the one that is declared: a node that is only elsewhere is one
/// difference, and a router that does not know where is another.
fn routes(cluster: &Cluster, router: &Node, nodes: &[&Node], seen: &Observation) -> Vec<Difference> {
    let all = nodes.len() == cluster.nodes.len();
    let mut found = Vec::new();
    for id in running_masters(router, seen) {
        let Some(rows) = seen.instances.get(&id).and_then(|facts| facts.routes.known()) else { continue };
        let rows: Vec<&Route> = rows.iter().filter(|row| row.kind != RouteKind::Standby).collect();
        let differ = |node: &str, expected: String, found: String| Difference {
            id: DriftId::new(Kind::Routes, format!("{}:{node}", router.name)),
            kind: Kind::Routes,
            node: router.name.clone(),
            instance: Some(id.clone()),
            expected,
            found,
        };
        for node in nodes {
            let places = places(node, seen);
            let shown: Vec<String> = places.iter().map(ToString::to_string).collect();
            let expected = format!("{} at {}", node.name, shown.join(" or "));
            match rows.iter().find(|row| row.node == node.name.as_str()) {
                None => found.push(differ(node.name.as_str(), expected, "no row".to_owned())),
                Some(row) if !places.iter().any(|place| row.leads_to(place)) => {
                    let at = format!("{} at {}:{}", node.name, row.host, row.port);
                    found.push(differ(node.name.as_str(), expected, at));
                }
                Some(row) => found.extend(forward(row, node, seen).map(|wanted| {
                    let with = |port: u16| format!("{} with the forward port {port}", node.name);
                    differ(node.name.as_str(), with(wanted), with(row.forward.unwrap_or_default()))
                })),
            }
        }
        let declared = |row: &&&Route| cluster.nodes.keys().any(|name| name.as_str() == row.node);
        for row in rows.iter().filter(|row| all && !declared(row)) {
            let expected = "no row for a node that the file does not declare".to_owned();
            found.push(differ(&row.node, expected, format!("{} at {}:{}", row.node, row.host, row.port)));
        }
    }
    found
}

/// The forward port that v5's row of the node should have, where it has another one.
fn forward(row: &Route, node: &Node, seen: &Observation) -> Option<u16> {
    let masters = running_masters(node, seen);
    let [only] = masters.as_slice() else { return None };
    wanted_forward(row, node.instances.get(&only.server)?, seen).filter(|wanted| row.forward != Some(*wanted))
}

/// Where a route may lead: to the running master; if there is not exactly one, to any instance.
fn places(node: &Node, seen: &Observation) -> Vec<Endpoint> {
    let masters = running_masters(node, seen);
    let of = |id: &InstanceId| node.instances.get(&id.server).map(|instance| instance.endpoint.clone());
    match masters.as_slice() {
        [only] => of(only).into_iter().collect(),
        _ => node.instances.values().map(|instance| instance.endpoint.clone()).collect(),
    }
}

fn pooler(node: &Node, seen: &Observation) -> Option<Difference> {
    let stale =
        |id: &InstanceId| seen.instances.get(id).is_some_and(|facts| facts.pool_agrees.is_known_and(|agrees| !agrees));
    let id = running_masters(node, seen).into_iter().find(stale)?;
    Some(Difference {
        id: DriftId::new(Kind::Pooler, &node.name),
        kind: Kind::Pooler,
        node: node.name.clone(),
        instance: Some(id),
        expected: "a pooler that agrees with pgxc_node".to_owned(),
        found: "pgxc_pool_check() returns f".to_owned(),
    })
}

/// One difference for each node and kind of origin: what a client has prepared may be meant so, and a baseline can
/// accept it.
fn in_doubt(nodes: &[&Node], seen: &Observation) -> Vec<Difference> {
    let of = |node: &Node, one_of_them: fn(&InDoubt) -> bool, suffix: &str| {
        let held = |one: &&InDoubt| one.prepared_on.iter().any(|id| id.node == node.name);
        let held: Vec<&InDoubt> = seen.in_doubt.iter().filter(held).filter(|one| one_of_them(one)).collect();
        let holder = held.first()?.prepared_on.iter().find(|id| id.node == node.name)?;
        let subject = format!("{}{suffix}", node.name);
        Some(Difference {
            id: DriftId::new(Kind::InDoubt, subject),
            kind: Kind::InDoubt,
            node: node.name.clone(),
            instance: Some(holder.clone()),
            expected: "no transaction that stays prepared".to_owned(),
            found: in_doubt_on(holder, &held, seen),
        })
    };
    let of_both = |node: &&Node| {
        let of_coordinators = of(node, InDoubt::is_of_a_coordinator, "");
        of_coordinators.into_iter().chain(of(node, |one| !one.is_of_a_coordinator(), ":client"))
    };
    nodes.iter().flat_map(of_both).collect()
}

/// What the plan would change and no difference covers: a change of `otb plan` is always drift.
fn missed(change: &crate::plan::Change, found: &[Difference]) -> Option<Difference> {
    let instance = InstanceId::new(change.node.clone(), change.to.clone());
    let about = |node: &NodeName, difference: &Difference| {
        difference.node == *node || difference.id.as_str().ends_with(&format!(":{node}"))
    };
    // Only an instance itself can report that it does not follow.
    let tells = |difference: &Difference| match difference.kind {
        Kind::NextStart | Kind::Readiness => false,
        Kind::Role if change.kind == ChangeKind::Rejoin => difference.instance.as_ref() == Some(&instance),
        _ => about(&change.node, difference),
    };
    if found.iter().any(tells) {
        return None;
    }
    let (kind, id) = match change.kind {
        ChangeKind::Switchover => (Kind::Placement, DriftId::new(Kind::Placement, &change.node)),
        ChangeKind::Failover | ChangeKind::Restart | ChangeKind::Rejoin => {
            (Kind::Role, DriftId::new(Kind::Role, &instance))
        }
        ChangeKind::Repair => (Kind::SplitBrain, DriftId::new(Kind::SplitBrain, &change.node)),
        ChangeKind::Reroute => (Kind::Pooler, DriftId::new(Kind::Pooler, &change.node)),
        ChangeKind::Settle => (Kind::InDoubt, DriftId::new(Kind::InDoubt, &change.node)),
    };
    let expected = format!("nothing to {}", change.kind);
    let found = change.because.clone();
    Some(Difference { id, kind, node: change.node.clone(), instance: Some(instance), expected, found })
}
