//! The cost of v5's pool reloads for clients (docs/explanation/opentenbase-v5-live.md, "A pool reload ends sessions").

use super::Finding;
use crate::model::{Cluster, InstanceId, NodeKind, Observation};
use crate::plan::check::{Check, CheckCode};
use crate::plan::survey::RouterSurvey;

/// How many sessions of clients the reloads of coordinators would end now. `None` means that no reload ends any: there is
/// none, or the version is another one.
pub(crate) fn for_reloads(cluster: &Cluster, routers: &[RouterSurvey], seen: &Observation) -> Option<Check> {
    let is_coordinator =
        |id: &InstanceId| cluster.nodes.get(&id.node).is_some_and(|node| node.kind == NodeKind::Coordinator);
    let reloads = routers.iter().filter(|router| router.v5 && router.reload && is_coordinator(&router.router));
    let busy = |id: &InstanceId| seen.instances.get(id)?.load.known().map(|load| load.busy);
    let counted: Vec<(&InstanceId, Option<u64>)> =
        reloads.map(|router| (&router.router, busy(&router.router))).collect();
    if counted.is_empty() {
        return None;
    }
    let total: u64 = counted.iter().filter_map(|(_, busy)| *busy).sum();
    let each: Vec<String> = counted
        .iter()
        .map(|(id, busy)| format!("{id} {}", busy.map_or_else(|| "unknown".to_owned(), |busy| busy.to_string())))
        .collect();
    let each = each.join(", ");
    let finding = if total == 0 && counted.iter().all(|(_, busy)| busy.is_some()) {
        Finding::pass(format!("the pool reloads would end no session of a client now ({each})"))
    } else {
        let sessions = if total == 1 { "session" } else { "sessions" };
        Finding::warn(
            format!("the pool reloads would end {total} {sessions} of clients now ({each})"),
            "each gets 57P01 and must reconnect; sessions that are idle for more than 5 s continue",
        )
    };
    Some(finding.of(CheckCode::Sessions, &cluster.name))
}
