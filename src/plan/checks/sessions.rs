//! The cost of v5's pool reloads for clients (docs/explanation/opentenbase-v5-live.md, "A pool reload ends sessions").

use super::{Finding, hints};
use crate::model::{Cluster, HoldPolicy, InstanceId, NodeKind, Observation};
use crate::opentenbase::query::KEPT_SETTING;
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
    let keeps = |id: &InstanceId| {
        let settings = seen.instances.get(id).and_then(|facts| facts.settings.known());
        settings.is_none_or(|settings| settings.number(KEPT_SETTING) != Some(0))
    };
    let keeping: Vec<&InstanceId> = counted.iter().map(|(id, _)| *id).filter(|id| keeps(id)).collect();
    let finding = if total == 0 && counted.iter().all(|(_, busy)| busy.is_some()) {
        Finding::pass(format!("the pool reloads would end no session of a client now ({each})"))
    } else {
        let sessions = if total == 1 { "session" } else { "sessions" };
        Finding::warn(
            format!("the pool reloads would end {total} {sessions} of clients now ({each})"),
            advice(cluster, &keeping),
        )
    };
    Some(finding.of(CheckCode::Sessions, &cluster.name))
}

/// How to spare these sessions. Held clients are in no transaction; without the setting they still have connections.
fn advice(cluster: &Cluster, keeping: &[&InstanceId]) -> String {
    let Some(first) = keeping.first() else {
        return match cluster.policy.hold {
            HoldPolicy::Off => "each session that is in a transaction then gets 57P01 and must reconnect".to_owned(),
            HoldPolicy::Prefer | HoldPolicy::Require => {
                "none of them while otb holds clients; otherwise each session in a transaction gets 57P01".to_owned()
            }
        };
    };
    let all: Vec<String> = keeping.iter().map(ToString::to_string).collect();
    let set = hints::statement(cluster, first, &format!("alter system set {KEPT_SETTING} = 0"));
    format!(
        "each gets 57P01 and must reconnect; to spare the sessions that otb holds, run on each of {}: {set} -c 'select \
         pg_reload_conf()'",
        all.join(", ")
    )
}
