//! The live cluster as it is: findings first, then what each instance says of itself. Text is made from [`table`],
//! Markdown and HTML from the longer lines here, JSON from the document.

mod document;
mod scope;
mod table;
mod text;

use bytesize::ByteSize;

pub use document::{Disagreement, STATUS_VERSION, StatusDocument};
pub use scope::Status;
pub use text::status_text;

use super::findings::counted;
use super::words::count;
use crate::model::{
    Cluster, Fact, Finding, InDoubt, Instance, InstanceFacts, InstanceId, Node, Observation, Process, Role, UnknownKind,
};
use crate::plan::{is_told_to_promote, running_masters};

/// How a piece of a line is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Plain,
    Bad,
}

/// What is known of one instance, in pieces of one line.
pub(super) type Line = Vec<(Tone, String)>;

/// One node with its instances.
pub(super) struct NodeStatus<'a> {
    pub(super) node: &'a Node,
    pub(super) instances: Vec<(&'a Instance, Line)>,
}

/// Every declared node that was looked at.
pub(super) fn nodes<'a>(cluster: &'a Cluster, seen: &Observation) -> Vec<NodeStatus<'a>> {
    let status = |node: &'a Node| {
        let masters = running_masters(node, seen);
        let of = |instance: &'a Instance| {
            let facts = seen.instances.get(&instance.id)?;
            Some((instance, line(cluster, &masters, &instance.id, facts, seen)))
        };
        NodeStatus { node, instances: node.instances.values().filter_map(of).collect() }
    };
    cluster.nodes.values().map(status).collect()
}

/// The cluster's state in one sentence, without a full stop.
pub(super) fn sentence(cluster: &Cluster, findings: &[Finding]) -> String {
    let size = format!("{} of {}", count(cluster.instances().count(), "instance"), count(cluster.nodes.len(), "node"));
    counted(findings).map_or_else(|| format!("all in order, {size}"), |counted| format!("{counted} in {size}"))
}

/// Something in the line is not as it should be.
pub(super) fn is_bad(line: &Line) -> bool {
    line.iter().any(|(tone, _)| *tone == Tone::Bad)
}

fn line(cluster: &Cluster, masters: &[InstanceId], id: &InstanceId, facts: &InstanceFacts, seen: &Observation) -> Line {
    match (&facts.process, &facts.role) {
        (Fact::Known(Process::Stopped), _) => {
            let state = facts.control.known().map_or("state unknown", |control| control.state.words());
            vec![(Tone::Bad, format!("stopped ({state})"))]
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Master)) => {
            let alone = masters.len() == 1;
            let mut line = vec![(if alone { Tone::Good } else { Tone::Bad }, "master".to_owned())];
            line.push((Tone::Plain, timeline(facts)));
            line.extend(is_blind(facts).then(|| (Tone::Bad, ", cannot work: it gets no timestamp".to_owned())));
            line.extend(in_doubt(id, facts, seen).map(|text| (Tone::Bad, text)));
            line
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Standby)) => {
            let mut line = vec![(Tone::Plain, format!("standby{}", timeline(facts)))];
            line.extend(replication(cluster, masters, facts, seen));
            line.extend(is_told_to_promote(facts).then(|| (Tone::Bad, ", has a promotion request".to_owned())));
            line
        }
        (Fact::Known(Process::Running), Fact::Unknown(why)) => {
            vec![(Tone::Bad, format!("running, role unknown: {why}"))]
        }
        (Fact::Unknown(why), _) => vec![(Tone::Bad, format!("unknown: {why}"))],
    }
}

/// A master that gets no global timestamp: every SELECT on it fails.
fn is_blind(facts: &InstanceFacts) -> bool {
    facts.routes.reason().is_some_and(|why| why.kind == UnknownKind::NoTimestamp)
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

fn replication(cluster: &Cluster, masters: &[InstanceId], facts: &InstanceFacts, seen: &Observation) -> Line {
    let Some(standby) = facts.standby.known() else {
        let why = facts.standby.hidden();
        return why.map(|why| (Tone::Bad, format!(", replication unknown: {why}"))).into_iter().collect();
    };
    let upstream = standby.upstream.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let mut line = vec![if standby.streaming {
        (Tone::Plain, format!(", streams from {upstream}"))
    } else {
        (Tone::Bad, format!(", does not stream (from {upstream})"))
    }];
    line.extend(standby.replay_paused.then(|| (Tone::Bad, ", replay paused".to_owned())));
    line.extend(lag(masters, facts, seen).map(|lag| {
        let late = lag > cluster.policy.max_lag;
        (if late { Tone::Bad } else { Tone::Plain }, format!(", {lag} behind"))
    }));
    line
}

/// How much WAL of the node's master a standby has not replayed.
fn lag(masters: &[InstanceId], facts: &InstanceFacts, seen: &Observation) -> Option<ByteSize> {
    let replayed = facts.standby.known()?.replayed?;
    let master = seen.instances.get(masters.first()?)?;
    Some(ByteSize(master.wal_end.known()?.bytes_ahead_of(replayed)))
}
