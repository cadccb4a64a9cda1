//! The other instances of one node: what a failover would meet.

use bytesize::ByteSize;

use super::{Case, command, master, of_node};
use crate::model::{
    Finding, FindingKind, Instance, InstanceFacts, InstanceId, NextCommand, Node, NodeKind, OldMaster, Role, Severity,
    StandbyFacts,
};
use crate::opentenbase::{command as tools, recovery_path};
use crate::plan::{Check, CheckCode, Verdict, becomes, exposed_bytes, is_told_to_promote, takeover_checks};

/// Seconds that a stop may take.
const STOP: tools::Patience = tools::Patience(60);

/// Checks with a finding of their own, and checks of a switchover that an observation of the unchanged file cannot
/// make.
const OTHERWISE: &[CheckCode] = &[
    CheckCode::Replay,
    CheckCode::Lag,
    CheckCode::Attached,
    CheckCode::Standby,
    CheckCode::Promotion,
    CheckCode::InDoubt,
    CheckCode::Backup,
];

pub(super) fn of(case: &Case<'_>, node: &Node) -> Vec<Finding> {
    let masters = case.masters(&node.name);
    let others = node.instances.values().filter(|other| !masters.contains(&other.id));
    let mut found: Vec<Finding> = others.filter_map(|other| one(case, node, other)).collect();
    found.extend(node.instances.values().filter_map(|instance| next_start(case, node, instance)));
    found
}

fn one(case: &Case<'_>, node: &Node, instance: &Instance) -> Option<Finding> {
    let id = &instance.id;
    let facts = case.facts(id)?;
    let has_master = !case.masters(&node.name).is_empty();
    if case.is_silent(id) {
        return None;
    }
    if is_told_to_promote(facts) {
        return Some(told_to_promote(case, node, instance));
    }
    if !has_master {
        // The node's own finding comes first, and says what to do.
        return None;
    }
    if facts.is_stopped() {
        return stopped(case, node, id);
    }
    if let Some(why) = case.mute(id) {
        return Some(master::mute(case, node, id, why));
    }
    if let Some(why) = facts.process.hidden() {
        let what = format!("{id} could not be observed: {why}");
        return Some(about(node, id, FindingKind::Unseen, Severity::Degraded, what, "Its state is not known."));
    }
    running(case, node, id, facts)
}

fn about(
    node: &Node,
    id: &InstanceId,
    kind: FindingKind,
    severity: Severity,
    what: String,
    means: impl Into<String>,
) -> Finding {
    Finding { instances: vec![id.clone()], ..of_node(node, kind, severity, what, means) }
}

fn stopped(case: &Case<'_>, node: &Node, id: &InstanceId) -> Option<Finding> {
    // With `old_master: leave` a stopped instance is what the file asks for.
    if case.cluster.policy.old_master == OldMaster::Leave && node.kind != NodeKind::Gtm {
        return None;
    }
    let what = format!("{id} is stopped: {} has one standby less", node.name);
    let means = format!("Users are served. {id} cannot take over.");
    let mut found = about(node, id, FindingKind::StandbyDown, Severity::Degraded, what, means);
    found.next = vec![case.apply(&node.name)];
    Some(found)
}

fn told_to_promote(case: &Case<'_>, node: &Node, instance: &Instance) -> Finding {
    let id = &instance.id;
    let what = format!("{id} has a promotion request and may become a master at any moment");
    let means = "It would be a second master beside the one that serves.";
    let mut found = about(node, id, FindingKind::PromotionAsked, Severity::Outage, what, means);
    let stop = case.tool(id, &tools::stop(instance, STOP).to_string());
    found.next = vec![command::only_if(stop, "then run otb apply: the start removes the request")];
    found
}

fn running(case: &Case<'_>, node: &Node, id: &InstanceId, facts: &InstanceFacts) -> Option<Finding> {
    if let Some(why) = facts.standby.hidden().filter(|_| facts.is_running(Role::Standby)) {
        let what = format!("replication of {id} is not known: {why}");
        return Some(about(
            node,
            id,
            FindingKind::Unseen,
            Severity::Degraded,
            what,
            "Whether it follows its master is not known.",
        ));
    }
    let standby = facts.standby.known().filter(|_| facts.is_running(Role::Standby))?;
    let master = case.master(&node.name)?;
    let lacks = exposed_bytes(node, id, case.seen).filter(|bytes| *bytes > 0);
    let lacks = lacks.map_or_else(String::new, |bytes| format!(" A failover now loses {} of WAL.", ByteSize(bytes)));
    if !standby.streaming {
        let what = format!("{id} does not stream from {master}");
        let means = format!("Users are served. The standby falls behind.{lacks}");
        let mut found = about(node, id, FindingKind::NotStreaming, Severity::Degraded, what, means);
        found.next = vec![if case.is_cured(&node.name) { case.apply(&node.name) } else { read_log(case, node, id) }];
        return Some(found);
    }
    if standby.replay_paused {
        let what = format!("replay on {id} is PAUSED");
        let means = "Users are served. The standby receives everything but cannot take over.";
        let mut found = about(node, id, FindingKind::Paused, Severity::Degraded, what, means);
        found.next = case.sql(id, "select pg_wal_replay_resume()").map(command::always).into_iter().collect();
        return Some(found);
    }
    if let Some(behind) = behind(case, master, standby).filter(|bytes| *bytes > case.cluster.policy.max_lag.as_u64()) {
        let limit = case.cluster.policy.max_lag;
        let what = format!("{id} is {} behind {master}; the limit is {limit}", ByteSize(behind));
        let means = format!("Users are served. otb refuses a switchover until it has caught up.{lacks}");
        let mut found = about(node, id, FindingKind::Lagging, Severity::Degraded, what, means);
        found.next = vec![command::only_if(format!("{} status --watch", case.otb), "to see whether it catches up")];
        return Some(found);
    }
    // Its next start has a finding of its own, with the fix.
    let turns = case.cluster.instance(id).and_then(|instance| becomes(instance, facts));
    if turns.is_some() { None } else { not_ready(case, node, id) }
}

fn behind(case: &Case<'_>, master: &InstanceId, standby: &StandbyFacts) -> Option<u64> {
    Some(case.facts(master)?.wal_end.known()?.bytes_ahead_of(standby.replayed?))
}

fn read_log(case: &Case<'_>, node: &Node, id: &InstanceId) -> NextCommand {
    let data = crate::opentenbase::quote(case.cluster.instance(id).map_or("", |instance| instance.data.as_str()));
    let log = match node.kind {
        NodeKind::Gtm => format!("tail -n 20 {data}/gtm.log"),
        _ => format!("tail -n 20 \"$(ls -t {data}/pg_log/* | head -1)\""),
    };
    command::only_if(case.on(&id.server, &log), "to read the reason in its log")
}

/// A check that would refuse the takeover and that no other finding reports.
fn not_ready(case: &Case<'_>, node: &Node, id: &InstanceId) -> Option<Finding> {
    let checks = takeover_checks(case.cluster, node, &id.server, case.seen);
    let blocks = |check: &&Check| check.verdict == Verdict::Block && !OTHERWISE.contains(&check.code);
    let blocking: Vec<&Check> = checks.iter().filter(blocks).collect();
    let first = blocking.first()?;
    let more = match blocking.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let what = format!("{id} CANNOT TAKE OVER: {}{more}", first.found);
    let means = "Users are served, until a failover is needed.";
    let mut found = about(node, id, FindingKind::NotReady, Severity::Risk, what, means);
    found.next = vec![cure(case, id, first)];
    Some(found)
}

fn cure(case: &Case<'_>, id: &InstanceId, check: &Check) -> NextCommand {
    let instance = case.cluster.instance(id);
    let file = case.facts(id).and_then(|facts| facts.data_dir.known()?.recovery_conf.as_ref());
    match (check.code, instance, file) {
        (CheckCode::RecoveryConf, Some(instance), Some(_)) => {
            let (path, data) = (recovery_path(instance), &instance.data);
            let (path, data) = (crate::opentenbase::quote(&path), crate::opentenbase::quote(data));
            command::always(case.on(&id.server, &format!("chown --reference={data} {path} && chmod u+rw {path}")))
        }
        _ => command::always(format!("{} ready --target {}", case.otb, id.node)),
    }
}

fn next_start(case: &Case<'_>, node: &Node, instance: &Instance) -> Option<Finding> {
    let id = &instance.id;
    let facts = case.facts(id)?;
    let turns = becomes(instance, facts)?;
    let means = "It takes effect at the next restart.";
    let mut found = about(node, id, FindingKind::NextStart, Severity::Risk, format!("{id} {turns}"), means);
    let (path, is_master) = (crate::opentenbase::quote(&recovery_path(instance)), facts.is_running(Role::Master));
    let command = match (node.kind, is_master) {
        (NodeKind::Gtm, true) => case.on(&id.server, &format!("echo 'startup = ACT' >> {path}")),
        (_, true) => case.on(&id.server, &format!("mv {path} {path}.aside")),
        // Stopped, it is started by otb apply, which writes the file first.
        (_, false) => case.tool(id, &tools::stop(instance, STOP).to_string()),
    };
    found.next = vec![command::always(command)];
    Some(found)
}
