//! The part that the hold of clients will not cover, as far as known before (docs/explanation/hold.md).

use super::{Finding, Takeover};
use crate::model::{Cluster, HoldPolicy, InstanceId, Load, NodeKind, Observation};
use crate::plan::check::{Check, CheckCode};
use crate::plan::situation::running_masters;

/// A session that is idle in a transaction of this age, in seconds, has been forgotten.
const IDLE: u64 = 5;

/// For a datanode whose running master moves, and for a coordinator whose stop ends client sessions.
pub(super) fn hold(takeover: &Takeover<'_>) -> Option<Check> {
    let Takeover { cluster, node, seen, .. } = takeover;
    let (id, master) = takeover.from?;
    match node.kind {
        NodeKind::Datanode => {}
        NodeKind::Coordinator => {
            let busy = master.load.known().map_or(0, |load| load.busy);
            return (busy > 0).then(|| ended_sessions(id, busy).of(CheckCode::Hold, &node.name));
        }
        NodeKind::Gtm => return None,
    }
    let finding = if cluster.policy.hold == HoldPolicy::Off {
        Finding::pass("policy.hold is off: client statements may fail during the move")
    } else if let Some(finding) = kept_away(cluster, seen) {
        finding
    } else {
        // On v5 these connections look like those that were given back.
        let is_v5 = master.settings.known().is_some_and(|settings| settings.number("forward_port").is_some());
        match master.load.known().filter(|_| !is_v5).map_or(0, |load| load.kept_connections) {
            0 => Finding::pass("no open transaction prevents a hold"),
            count => kept_connections(id, count),
        }
    };
    Some(finding.of(CheckCode::Hold, &node.name))
}

/// A transaction that is open on a coordinator: the hold waits for its end.
fn kept_away(cluster: &Cluster, seen: &Observation) -> Option<Finding> {
    let policy = &cluster.policy;
    let masters = cluster.nodes_of(NodeKind::Coordinator).flat_map(|node| running_masters(node, seen));
    let loads = masters.filter_map(|id| Some((seen.instances.get(&id)?.load.known()?, id)));
    let long = |load: &Load| {
        // A client that is busy is idle for a moment, too.
        let wait = u64::from(policy.hold_wait_seconds);
        load.oldest_transaction_seconds >= if load.idle_in_transaction > 0 { wait.min(IDLE) } else { wait }
    };
    let (load, coordinator) = loads.into_iter().find(|(load, _)| long(load))?;
    let Load { idle_in_transaction: idle, oldest_transaction_seconds: oldest, .. } = load;
    let sessions = match idle {
        1 => "1 session is idle in a transaction".to_owned(),
        count => format!("{count} sessions are idle in a transaction"),
    };
    let wait = policy.hold_wait_seconds;
    Some(Finding::warn(
        format!(
            "on {coordinator} {sessions}, and the oldest transaction is {oldest} s old: otb may not be able to hold \
                clients within {wait} s"
        ),
        match policy.hold {
            HoldPolicy::Require => {
                "end it first (pg_stat_activity there shows its session): policy.hold is require, and nothing moves \
                    without a hold"
            }
            HoldPolicy::Prefer | HoldPolicy::Off => {
                "end it first (pg_stat_activity there shows its session), or the move continues without a hold, and \
                    statements may fail"
            }
        },
    ))
}

/// A hold cannot help the clients of a coordinator that moves.
fn ended_sessions(id: &InstanceId, busy: u64) -> Finding {
    let sessions = match busy {
        1 => "1 session".to_owned(),
        _ => format!("{busy} sessions"),
    };
    Finding::warn(
        format!("{sessions} of clients on {id} worked in the last 5 s: its stop ends all client sessions there"),
        "let clients connect to another coordinator first, then plan again until this warning is gone",
    )
}

/// What clients with prepared statements will notice.
fn kept_connections(id: &InstanceId, count: u64) -> Finding {
    let sessions = match count {
        1 => "1 session keeps a connection".to_owned(),
        _ => format!("{count} sessions keep connections"),
    };
    Finding::warn(
        format!(
            "{sessions} to {id} for server-side prepared statements: each one that is idle during the hold gets one \
                error afterwards"
        ),
        "do nothing if the application repeats failed statements; otherwise move when these sessions are closed",
    )
}
