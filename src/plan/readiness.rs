//! Readiness: the checks of a takeover that was not requested.

use super::check::Check;
use super::situation::running_masters;
use super::survey;
use super::{checks, routes};
use crate::model::{Cluster, InstanceFacts, InstanceId, Node, NodeKind, Observation, Role, ServerName, StandbyFacts};

/// Returns the checks that a plan would make of `node` if its master were declared on `server`.
///
/// Some of them rest on facts that are asked only of a node whose master moves: from an observation of the file as it is
/// they come out as unknown.
pub fn takeover_checks(cluster: &Cluster, node: &Node, server: &ServerName, seen: &Observation) -> Vec<Check> {
    let moved = Node { master: server.clone(), ..node.clone() };
    let survey = survey::node(cluster, &moved, seen);
    let masters = running_masters(&moved, seen);
    let mut all: Vec<Check> = checks::for_unclear(&moved, &survey.situation, seen, &[]).into_iter().collect();
    if survey.change.is_some_and(super::ChangeKind::moves_master) {
        let live = survey.from.as_ref().filter(|id| masters.contains(id));
        all.extend(checks::for_node(cluster, &survey, live, seen));
        all.extend(checks::for_changed(&moved, seen));
    }
    all.extend(checks::for_promotion(&survey, seen));
    all
}

/// Returns how many bytes of WAL a failover to `standby` would lose now: what its running master has written and it has
/// not received. `None` means that it is not known; of a GTM it is not counted in WAL.
pub fn exposed_bytes(node: &Node, standby: &InstanceId, seen: &Observation) -> Option<u64> {
    if node.kind == NodeKind::Gtm {
        return None;
    }
    let facts = |id: &InstanceId| seen.instances.get(id);
    let masters = running_masters(node, seen);
    let [master] = masters.as_slice() else { return None };
    let holds = facts(standby).filter(|facts: &&InstanceFacts| facts.is_running(Role::Standby))?;
    let holds = holds.standby.known().and_then(StandbyFacts::holds)?;
    Some(facts(master)?.wal_end.known()?.bytes_ahead_of(holds))
}

/// Returns the checks that every takeover shares: the routers can be read and updated, and a GTM is active.
pub fn shared_takeover_checks(cluster: &Cluster, seen: &Observation) -> Vec<Check> {
    let views = routes::routers(cluster, seen, &|_| true);
    let mut all = checks::for_routers(cluster, seen, &views, false);
    all.extend(checks::for_gtm(cluster, seen, &[]));
    all
}
