//! Which faults are tried, and what they are called.

use super::act::Mishap;
use super::fault::Fault;
use super::lab::Lab;
use crate::model::{NodeKind, NodeName};
use crate::plan::Plan;

/// A fault of the run itself.
const RUN: [Fault; 7] = [
    Fault::Mishap(Mishap::Refused),
    Fault::Mishap(Mishap::AnswerLost),
    Fault::Mishap(Mishap::RequestLost),
    Fault::Mishap(Mishap::Late),
    Fault::Interrupt,
    Fault::LockLost,
    Fault::OtbKilled,
];

/// Every fault of a rehearsal, in the order of its report.
pub(super) fn kinds(lab: &Lab, plan: &Plan) -> Vec<Fault> {
    let mut all: Vec<Fault> = RUN.to_vec();
    for id in lab.disks.keys() {
        all.extend([Fault::Kill(id.clone()), Fault::Hang(id.clone()), Fault::Start(id.clone())]);
    }
    all.extend(lab.cluster.servers.keys().cloned().map(Fault::Cut));
    for node in moved(plan).filter(|node| lab.cluster.nodes.get(*node).is_some_and(|node| node.kind != NodeKind::Gtm)) {
        all.extend([Fault::Write(node.clone()), Fault::CrashLossy(node.clone())]);
        let copies = lab.disks.keys().filter(|id| id.node == *node);
        all.extend(copies.cloned().map(Fault::FallBehind));
    }
    all
}

fn moved(plan: &Plan) -> impl Iterator<Item = &NodeName> {
    plan.changes.iter().filter(|change| change.kind.moves_master()).map(|change| &change.node)
}

impl Fault {
    /// Whether it meets the cluster; the others meet the run.
    pub(super) fn is_of_the_cluster(&self) -> bool {
        !matches!(self, Self::Mishap(_) | Self::Interrupt | Self::LockLost | Self::OtbKilled)
    }

    /// The fault, for people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Kill(id) => format!("the process of {id} is killed"),
            Self::Stop(id) => format!("another program stops {id}"),
            Self::Start(id) => format!("another program starts {id}"),
            Self::Hang(id) => format!("{id} hangs"),
            Self::Cut(server) => format!("{server} is cut off from the network"),
            Self::PowerOff(server) => format!("{server} loses its power"),
            Self::Lag(id) => format!("{id} receives no more WAL"),
            Self::FallBehind(id) => format!("{id} receives no more WAL, and clients continue to commit"),
            Self::PauseReplay(id) => format!("an operator pauses the replay of {id}"),
            Self::ReadOnlyRecovery(id) => format!("recovery.conf of {id} becomes read-only"),
            Self::Write(node) => format!("a client commits on {node}"),
            Self::CrashLossy(node) => format!("the master of {node} dies with a commit that no standby has"),
            Self::CrashUncommitted(node) => format!("the master of {node} dies with WAL that no standby has"),
            Self::WrongRoute(router, node) => format!("{router} gets a wrong route to {node}"),
            Self::StalePool(router, node) => format!("the pool of {router} has a wrong address for {node}"),
            Self::InDoubt(node, _) => format!("a commit on {node} stops in the middle"),
            Self::WaitBehind(node) => format!("clients wait behind a transaction in doubt on {node}"),
            Self::LockRoutes(router) => format!("a transaction holds pgxc_node of {router}"),
            Self::Mishap(Mishap::None) => "nothing".to_owned(),
            Self::Mishap(Mishap::Refused) => "the tool fails and does nothing".to_owned(),
            Self::Mishap(Mishap::AnswerLost) => "the connection breaks after the command has run".to_owned(),
            Self::Mishap(Mishap::RequestLost) => "the connection breaks before the command arrives".to_owned(),
            Self::Mishap(Mishap::Late) => "the tool takes longer than its time limit".to_owned(),
            Self::Interrupt => "Ctrl-C".to_owned(),
            Self::LockLost => "otb loses its lock".to_owned(),
            Self::OtbKilled => "otb is killed".to_owned(),
        }
    }

    /// What must end before otb can continue; empty if the fault lasts.
    pub(super) fn is_over(&self) -> String {
        match self {
            Self::Hang(id) => format!("{id} answers again"),
            Self::Cut(server) => format!("{server} is back on the network"),
            Self::Lag(id) | Self::FallBehind(id) => format!("{id} receives WAL again"),
            Self::PauseReplay(id) => format!("the replay of {id} continues"),
            _ => "the fault has ended".to_owned(),
        }
    }
}
