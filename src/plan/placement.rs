//! The new places of masters when a server is drained.

use std::collections::BTreeMap;

use bytesize::ByteSize;

use super::situation::{facts, running_masters};
use crate::model::{Cluster, InstanceId, Lsn, Node, NodeKind, NodeName, Observation, Role, ServerName};

/// What a drain requires: each node whose master is declared there gets another one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Drain {
    pub moves: Vec<Move>,
    /// Nodes without another instance: nothing can become their master.
    pub stuck: Vec<NodeName>,
}

/// One `master:` line that changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Move {
    pub node: NodeName,
    pub kind: NodeKind,
    pub from: ServerName,
    pub to: ServerName,
    /// The observed state of the instance that was chosen.
    pub because: String,
}

/// Chooses new masters for the nodes that `wanted` names and that are declared on `server`, by node name.
///
/// The best state wins: an instance that already runs as master, one that streams within policy.max_lag (if no master
/// runs: one that has as much WAL as any other), one that is further behind (the smallest lag first), one that does
/// not stream, one that is delayed, one that could not be observed, one that is stopped. Among equal ones the server
/// with the fewest masters wins, then the smallest lag, then the server's name. So a file and an observation have one
/// answer.
pub fn drain(cluster: &Cluster, seen: &Observation, server: &ServerName, wanted: &dyn Fn(&NodeName) -> bool) -> Drain {
    let mut masters: BTreeMap<&ServerName, usize> = BTreeMap::new();
    for node in cluster.nodes.values() {
        *masters.entry(&node.master).or_default() += 1;
    }
    let mut drain = Drain::default();
    for node in cluster.nodes.values().filter(|node| node.master == *server && wanted(&node.name)) {
        let candidates = node.standbys().map(|instance| {
            let standing = standing(cluster, node, &instance.id, seen);
            let declared = masters.get(&instance.id.server).copied().unwrap_or_default();
            ((standing.rank(), declared, standing.lag(), &instance.id.server), standing)
        });
        match candidates.min_by(|(a, _), (b, _)| a.cmp(b)) {
            None => drain.stuck.push(node.name.clone()),
            Some(((.., to), standing)) => {
                *masters.entry(to).or_default() += 1;
                drain.moves.push(Move {
                    node: node.name.clone(),
                    kind: node.kind,
                    from: server.clone(),
                    to: to.clone(),
                    because: standing.words(),
                });
            }
        }
    }
    drain
}

/// How fit an instance is to become master, the fittest first. Lag is in bytes of WAL.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Master,
    Ready(Option<u64>),
    Behind(u64),
    Detached,
    Delayed(String),
    Unseen(String),
    Stopped,
}

impl Standing {
    /// The less the better; the second counts only among those that are too far behind.
    fn rank(&self) -> (u8, u64) {
        match self {
            Self::Master => (0, 0),
            Self::Ready(_) => (1, 0),
            Self::Behind(lag) => (2, *lag),
            Self::Detached => (3, 0),
            Self::Delayed(_) => (4, 0),
            Self::Unseen(_) => (5, 0),
            Self::Stopped => (6, 0),
        }
    }

    fn lag(&self) -> u64 {
        match self {
            Self::Ready(lag) => lag.unwrap_or(u64::MAX),
            _ => 0,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Master => "runs as master already".to_owned(),
            Self::Ready(Some(lag)) => format!("standby, {} behind", ByteSize(*lag)),
            Self::Ready(None) => "standby; its lag is not known".to_owned(),
            Self::Behind(lag) => format!("standby, {} behind: too far to promote now", ByteSize(*lag)),
            Self::Detached => "standby that does not stream, or whose WAL position is not known".to_owned(),
            Self::Delayed(delay) => format!("standby that is delayed by {delay}"),
            Self::Unseen(why) => format!("not observed: {why}"),
            Self::Stopped => "stopped".to_owned(),
        }
    }
}

fn standing(cluster: &Cluster, node: &Node, id: &InstanceId, seen: &Observation) -> Standing {
    let Some(own) = seen.instances.get(id) else { return Standing::Unseen("it was not observed".to_owned()) };
    if own.is_running(Role::Master) {
        return Standing::Master;
    }
    if own.is_stopped() {
        return Standing::Stopped;
    }
    if !own.is_running(Role::Standby) {
        let why = own.process.reason().or(own.role.reason());
        return Standing::Unseen(why.map_or_else(|| "its role is not known".to_owned(), ToString::to_string));
    }
    let file = own.data_dir.known().and_then(|dir| dir.recovery_conf.as_ref());
    if let Some(delay) = file.and_then(|file| file.own.delay.clone()) {
        return Standing::Delayed(delay);
    }
    // A GTM's standby has no WAL positions; its checks look at it when the move is planned.
    if node.kind == NodeKind::Gtm {
        return Standing::Ready(None);
    }
    let masters = running_masters(node, seen);
    let streams = own.standby.is_known_and(|facts| facts.streaming);
    let lag = end(node, &masters, seen).zip(holds(id, seen)).map(|(end, holds)| end.bytes_ahead_of(holds));
    let limit = cluster.policy.max_lag.as_u64();
    match (masters.is_empty(), lag) {
        // Without a master nothing streams, and nothing is behind that holds all there is.
        (true, Some(0)) => Standing::Ready(Some(0)),
        (true, Some(lag)) => Standing::Behind(lag),
        (true, None) if holds(id, seen).is_some() => Standing::Ready(None),
        (false, lag) if streams && lag.is_none_or(|lag| lag <= limit) => Standing::Ready(lag),
        (false, Some(lag)) if streams => Standing::Behind(lag),
        _ => Standing::Detached,
    }
}

/// The WAL that a promotion would keep.
fn holds(id: &InstanceId, seen: &Observation) -> Option<Lsn> {
    seen.instances.get(id)?.standby.known()?.holds()
}

/// How far the node's WAL goes: its running master's end, else what its copies hold.
fn end(node: &Node, master: &[InstanceId], seen: &Observation) -> Option<Lsn> {
    match master.first() {
        Some(id) => seen.instances.get(id)?.wal_end.known().copied(),
        // For one that could not be observed, nothing shows how far it went.
        None if facts(node, seen).any(|(_, facts)| !facts.is_stopped() && !facts.is_running(Role::Standby)) => None,
        None => facts(node, seen).filter_map(|(id, _)| holds(id, seen)).max(),
    }
}
