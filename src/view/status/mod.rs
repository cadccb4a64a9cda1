//! The live cluster as it is: what each instance says of itself in a line, and which routers disagree with it. Text,
//! Markdown and HTML are made from these lines, JSON from the document.

mod document;
mod text;

use bytesize::ByteSize;

pub use document::{Disagreement, STATUS_VERSION, StatusDocument};
pub use text::{status_text, watched_text};

use super::words::count;
use crate::model::{Cluster, Fact, InDoubt, Instance, InstanceFacts, InstanceId, Node, Observation, Process, Role};
use crate::plan::is_told_to_promote;

/// How a piece of a line is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Plain,
    Bad,
}

/// What is known of one instance, in pieces of one line.
pub(super) type Line = Vec<(Tone, String)>;

/// One node with its instances and the routers that lead elsewhere.
pub(super) struct NodeStatus<'a> {
    pub(super) node: &'a Node,
    pub(super) instances: Vec<(&'a Instance, Line)>,
    pub(super) disagreements: Vec<Disagreement>,
}

/// Every declared node that was looked at.
pub(super) fn nodes<'a>(cluster: &'a Cluster, seen: &Observation) -> Vec<NodeStatus<'a>> {
    let status = |node: &'a Node| {
        let instances = node.instances.values();
        NodeStatus {
            node,
            instances: instances
                .filter_map(|instance| {
                    Some((instance, line(node, &instance.id, seen.instances.get(&instance.id)?, seen)))
                })
                .collect(),
            disagreements: disagreements(cluster, node, seen),
        }
    };
    cluster.nodes.values().map(status).collect()
}

/// The cluster's state in one sentence, without a full stop.
pub(super) fn sentence(nodes: &[NodeStatus<'_>]) -> String {
    let instances = nodes.iter().map(|status| status.instances.len()).sum();
    let bad = nodes.iter().flat_map(|status| &status.instances).filter(|(_, line)| is_bad(line)).count();
    let wrong = nodes.iter().map(|status| status.disagreements.len()).sum();
    format!("{}, {bad} not in order, {} that disagree", count(instances, "instance"), count(wrong, "route"))
}

/// Something in the line is not as it should be.
pub(super) fn is_bad(line: &Line) -> bool {
    line.iter().any(|(tone, _)| *tone == Tone::Bad)
}

fn line(node: &Node, id: &InstanceId, facts: &InstanceFacts, seen: &Observation) -> Line {
    match (&facts.process, &facts.role) {
        (Fact::Known(Process::Stopped), _) => {
            let state = facts.control.known().map_or("state unknown", |control| control.state.words());
            vec![(Tone::Bad, format!("stopped ({state})"))]
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Master)) => {
            let mut line = vec![(Tone::Good, "master".to_owned()), (Tone::Plain, timeline(facts))];
            line.extend(in_doubt(id, facts, seen).map(|text| (Tone::Bad, text)));
            line
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Standby)) => {
            let mut line = vec![(Tone::Plain, format!("standby{}", timeline(facts)))];
            line.extend(replication(node, facts, seen));
            line.extend(is_told_to_promote(facts).then(|| (Tone::Bad, ", told to become a master".to_owned())));
            line
        }
        (Fact::Known(Process::Running), Fact::Unknown(why)) => {
            vec![(Tone::Bad, format!("running, role unknown: {why}"))]
        }
        (Fact::Unknown(why), _) => vec![(Tone::Bad, format!("unknown: {why}"))],
    }
}

/// The transactions that coordinators began and that are in doubt on a master: how many, and the oldest.
fn in_doubt(id: &InstanceId, facts: &InstanceFacts, seen: &Observation) -> Option<String> {
    let held = seen.in_doubt.iter().filter(|one| one.is_of_a_coordinator() && one.prepared_on.contains(id));
    let held: Vec<&InDoubt> = held.collect();
    let oldest = held.first()?;
    let waiting = facts.load.known().map_or(0, |load| usize::try_from(load.waiting).unwrap_or(usize::MAX));
    let waits = if waiting == 0 { String::new() } else { format!(", behind which {} wait", count(waiting, "session")) };
    Some(format!(", {} in doubt{waits}; the oldest is {oldest}", count(held.len(), "transaction")))
}

fn timeline(facts: &InstanceFacts) -> String {
    facts.timeline.known().map_or_else(String::new, |timeline| format!(", timeline {timeline}"))
}

fn replication(node: &Node, facts: &InstanceFacts, seen: &Observation) -> Line {
    let Some(standby) = facts.standby.known() else {
        let why = facts.standby.hidden();
        return why.map(|why| (Tone::Bad, format!(", replication unknown: {why}"))).into_iter().collect();
    };
    let upstream = standby.upstream.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let how = if standby.streaming {
        (Tone::Plain, format!(", streams from {upstream}"))
    } else {
        (Tone::Bad, format!(", does not stream (from {upstream})"))
    };
    let lag = || {
        let master =
            node.instances.values().filter_map(|i| seen.instances.get(&i.id)).find(|f| f.is_running(Role::Master))?;
        Some(ByteSize(master.wal_end.known()?.bytes_ahead_of(standby.replayed?)))
    };
    let lag = lag().map(|lag| (Tone::Plain, format!(", {lag} behind")));
    [how].into_iter().chain(lag).collect()
}

/// Routers whose row of `node` leads somewhere else than to its running master.
fn disagreements(cluster: &Cluster, node: &Node, seen: &Observation) -> Vec<Disagreement> {
    let is_master = |id: &InstanceId| seen.instances.get(id).is_some_and(|facts| facts.is_running(Role::Master));
    let Some(master) = node.instances.values().find(|instance| is_master(&instance.id)) else { return Vec::new() };
    let routers = cluster.routers().flat_map(|router| router.instances.values()).filter(|router| is_master(&router.id));
    let wrong = routers.filter_map(|router| {
        let rows = seen.instances.get(&router.id)?.routes.known()?;
        let row = rows.iter().find(|row| row.node == node.name.as_str())?;
        (!row.leads_to(&master.endpoint)).then(|| Disagreement {
            node: node.name.clone(),
            router: router.id.clone(),
            routed_to: format!("{}:{}", row.host, row.port),
            master: master.endpoint.clone(),
        })
    });
    wrong.collect()
}
