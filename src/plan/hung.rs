//! A process that runs and does not answer: where another instance of its node becomes master, otb ends it first.
//!
//! A stopped postmaster (SIGSTOP, a frozen disk) keeps its old sessions, and these go on writing: only its end makes a
//! promotion safe, and only then it can be read how far its WAL goes (docs/explanation/opentenbase-v2.6-live.md, A hung
//! server).

use super::situation::{self, Situation};
use super::step::RejoinMethod;
use super::survey::PlannedRejoin;
use crate::model::{Cluster, InstanceFacts, InstanceId, Node, NodeKind, Observation, OldMaster, Process, UnknownKind};

/// Whether the shell sees its process and its files, and the process itself does not answer in time.
pub(crate) fn is_hung(facts: &InstanceFacts) -> bool {
    let silent = facts.role.reason().is_some_and(|why| why.kind == UnknownKind::TimedOut);
    silent && facts.process.known() == Some(&Process::Running) && facts.data_dir.is_known_and(|dir| dir.present)
}

/// The instances of `node` that are to be ended before its declared master is promoted.
pub(super) fn to_be_ended(node: &Node, situation: &Situation, seen: &Observation) -> Vec<InstanceId> {
    if *situation != Situation::Masterless {
        return Vec::new();
    }
    let others = situation::facts(node, seen).filter(|(id, _)| id.server != node.master);
    others.filter(|(_, facts)| is_hung(facts)).map(|(id, _)| id.clone()).collect()
}

/// How those become standbys again: ended as after a crash, only a fresh copy is safe; a GTM standby copies its master's
/// state anyway.
pub(super) fn rejoins(cluster: &Cluster, node: &Node, ended: &[InstanceId]) -> Vec<PlannedRejoin> {
    let method = match (cluster.policy.old_master, node.kind) {
        (OldMaster::Leave, _) => return Vec::new(),
        (OldMaster::Rejoin, NodeKind::Gtm) => RejoinMethod::InPlace,
        (OldMaster::Rejoin, NodeKind::Coordinator | NodeKind::Datanode) => RejoinMethod::BaseBackup,
    };
    let rejoin = |id: &InstanceId| PlannedRejoin {
        instance: id.clone(),
        method,
        because: "this run ends it, because it hangs".to_owned(),
        keeps: Vec::new(),
    };
    ended.iter().map(rejoin).collect()
}

/// Why the node fails over, where an instance of it hangs.
pub(super) fn because(ended: &[InstanceId]) -> String {
    let names: Vec<String> = ended.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [only] => format!("{only} runs but does not answer: this run ends and fences it first"),
        several => format!("{} run but do not answer: this run ends and fences them first", several.join(", ")),
    }
}
