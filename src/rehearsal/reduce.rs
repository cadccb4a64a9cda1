//! Symmetry: of nodes that the plan does not move, that lie alike and that it treats alike, two stand for all. The plan of
//! the smaller cluster must have the very steps of the real one, less those of the nodes that are left out; otherwise
//! nothing is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::model::{Cluster, Fact, InstanceFacts, Node, NodeName, Observation};
use crate::plan::{Alike, Plan};

/// How many of a kind take part: one whose turn has come, and one whose turn is still to come.
const KEPT: usize = 2;

type Table = Arc<Vec<crate::model::Route>>;

/// A smaller cluster, its observation, and the nodes that each node stands for.
#[derive(Debug)]
pub(super) struct Smaller {
    pub(super) cluster: Cluster,
    pub(super) seen: Observation,
    pub(super) alike: Vec<Alike>,
}

/// The cluster without the nodes that others stand for. None: there are none.
pub(super) fn smaller(plan: &Plan, seen: &Observation) -> Option<Smaller> {
    let own: BTreeSet<&NodeName> = plan
        .changes
        .iter()
        .filter(|change| change.kind != crate::plan::ChangeKind::Reroute)
        .map(|change| &change.node)
        .chain(seen.in_doubt.iter().flat_map(|one| one.prepared_on.iter().map(|id| &id.node)))
        .chain(&plan.targets)
        .collect();
    let mut kinds: BTreeMap<String, Vec<NodeName>> = BTreeMap::new();
    for node in plan.cluster.nodes.values().filter(|node| node.kind.is_router() && !own.contains(&node.name)) {
        kinds.entry(signature(node, plan, seen)).or_default().push(node.name.clone());
    }
    let alike: Vec<(Vec<NodeName>, Vec<NodeName>)> = kinds
        .into_values()
        .filter(|nodes| nodes.len() > KEPT)
        .map(|mut nodes| {
            let left_out = nodes.split_off(KEPT);
            (nodes, left_out)
        })
        .collect();
    let gone: BTreeSet<&NodeName> = alike.iter().flat_map(|(_, left_out)| left_out).collect();
    if gone.is_empty() {
        return None;
    }
    let mut cluster = plan.cluster.clone();
    cluster.nodes.retain(|name, _| !gone.contains(name));
    let mut smaller = Observation {
        instances: seen.instances.clone(),
        in_doubt: seen.in_doubt.clone(),
        spellings: seen.spellings.clone(),
    };
    smaller.instances.retain(|id, _| !gone.contains(&id.node));
    let mut known: Vec<(Table, Table)> = Vec::new();
    for facts in smaller.instances.values_mut() {
        let Fact::Known(table) = &facts.routes else { continue };
        let same = known.iter().find(|(whole, _)| Arc::ptr_eq(whole, table));
        let less = if let Some((_, less)) = same {
            Arc::clone(less)
        } else {
            let rows = table.iter().filter(|row| !gone.iter().any(|name| name.as_str() == row.node));
            let less = Arc::new(rows.cloned().collect::<Vec<_>>());
            known.push((Arc::clone(table), Arc::clone(&less)));
            less
        };
        facts.routes = Fact::Known(less);
    }
    let alike = alike
        .into_iter()
        .map(|(nodes, left_out)| Alike { nodes, stand_for: u64::try_from(left_out.len()).unwrap_or(u64::MAX) });
    Some(Smaller { cluster, seen: smaller, alike: alike.collect() })
}

/// Whether the plan of the smaller cluster has the steps of the whole one, less those of nodes that it lacks.
pub(super) fn has_the_steps_of(smaller: &Plan, whole: &Plan) -> bool {
    let stays = |step: &&crate::plan::Step| smaller.cluster.nodes.contains_key(&step.action.target().node);
    smaller.steps.iter().map(|step| &step.id).eq(whole.steps.iter().filter(stays).map(|step| &step.id))
}

/// What makes nodes equal: the places and states of their instances, and the plan's steps for them.
fn signature(node: &Node, plan: &Plan, seen: &Observation) -> String {
    let mut text = format!("{} {}", node.kind, node.master);
    for id in node.instances.values().map(|instance| &instance.id) {
        // Writing into a String cannot fail.
        let _ = write!(text, "; {} ", id.server);
        if let Some(facts) = seen.instances.get(id) {
            of_facts(&mut text, facts);
        }
    }
    for step in plan.steps.iter().filter(|step| step.action.target().node == node.name) {
        let _ = write!(text, "; {}@{}", step.action.verb(), step.action.target().server);
    }
    let routes = plan.changes.iter().filter(|change| change.routers.iter().any(|router| router.node == node.name));
    for change in routes.filter(|change| change.node != node.name) {
        let _ = write!(text, "; {}", change.node);
    }
    let own = plan.changes.iter().filter(|change| change.node == node.name);
    own.for_each(|change| {
        let _ = write!(text, "; {}", change.kind);
    });
    text
}

fn of_facts(text: &mut String, facts: &InstanceFacts) {
    let standby = facts.standby.known().map(|standby| (standby.streaming, standby.replay_paused));
    let conf = facts
        .data_dir
        .known()
        .map(|dir| dir.recovery_conf.as_ref().map(|conf| (conf.writable, conf.fence, conf.own.delay.is_some())));
    let hidden = (facts.control.hidden().is_some(), facts.settings.hidden().is_some(), facts.routes.hidden().is_some());
    let prepared = facts.prepared.known().map(|prepared| prepared.count);
    let waits = facts.settings.known().map(|settings| settings.text("synchronous_standby_names").map(str::to_owned));
    let _ = write!(
        text,
        "{:?} {:?} {:?} {standby:?} {conf:?} {hidden:?} {prepared:?} {waits:?} {:?}",
        facts.process.known(),
        facts.role.known(),
        facts.timeline.known(),
        facts.pool_agrees.known(),
    );
}
