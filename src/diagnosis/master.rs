//! The masters of one node: none, two, one that does not answer, one on another server than declared.

use super::{Case, command, count, listed, of_node};
use crate::model::{
    ControlState, Fact, Finding, FindingKind, InDoubt, InstanceFacts, InstanceId, NextCommand, Node, NodeKind, Role,
    RouteKind, Severity, Unknown, UnknownKind,
};

pub(super) fn of(case: &Case<'_>, node: &Node) -> Vec<Finding> {
    let mut found = match case.masters(&node.name) {
        [] => none(case, node),
        [only] => elsewhere(case, node, only).into_iter().collect(),
        several => vec![two(case, node, several)],
    };
    found.extend(in_doubt(case, node));
    found
}

fn none(case: &Case<'_>, node: &Node) -> Vec<Finding> {
    let ids = || node.instances.values().map(|instance| &instance.id);
    // The server's own finding names this node.
    if ids().any(|id| case.is_silent(id)) {
        return Vec::new();
    }
    let mutes = ids().filter_map(|id| Some(mute(case, node, id, case.mute(id)?)));
    let mutes: Vec<Finding> = mutes.collect();
    if mutes.is_empty() { gone(case, node).into_iter().collect() } else { mutes }
}

/// A node of which no instance runs as master, and none hides what it does.
fn gone(case: &Case<'_>, node: &Node) -> Option<Finding> {
    let declared = node.master_id();
    let (lost, state) = lost(case, node)?;
    let (kind, what, means) = match node.kind {
        NodeKind::Gtm => (
            FindingKind::NoCommits,
            format!("NOTHING COMMITS: {} has no active instance, {state}", node.name),
            "Every statement on every coordinator fails until a GTM is active.".to_owned(),
        ),
        NodeKind::Coordinator => (
            FindingKind::NoMaster,
            format!("{} has NO MASTER: {state}", node.name),
            format!("Clients cannot connect to {}. The other coordinators serve.", node.name),
        ),
        NodeKind::Datanode => (
            FindingKind::NoMaster,
            format!("{} has NO MASTER: {state}", node.name),
            format!("Statements that need rows of {} fail.", node.name),
        ),
    };
    let mut found = of_node(node, kind, Severity::Outage, what, means);
    found.instances = vec![lost];
    found.next = vec![case.apply(&node.name)];
    let standby = case.running_standby(node);
    match standby.filter(|id| *id != declared) {
        Some(standby) if case.is_cured(&node.name) => {
            let instead = command::only_if(case.move_to(&standby), format!("if {declared} does not start"));
            found.next.push(instead);
        }
        Some(standby) => {
            let plan = command::only_if(format!("{} plan", case.otb), "to see which checks refuse it");
            found.next = vec![command::only_if(case.move_to(&standby), "to fail over"), plan];
        }
        None => {}
    }
    Some(found)
}

/// The instance that was the master, as far as that shows, and what became of it: the declared one, or the one that does
/// not run.
fn lost(case: &Case<'_>, node: &Node) -> Option<(InstanceId, String)> {
    let mut ids: Vec<InstanceId> = node.instances.values().map(|instance| instance.id.clone()).collect();
    ids.sort_by_key(|id| {
        let facts = case.facts(id);
        let was_master = facts.is_some_and(|facts| {
            facts.is_stopped() && facts.control.is_known_and(|control| control.state.is_of_a_master())
        });
        (facts.is_some_and(|facts| facts.is_running(Role::Standby)), !was_master, id.server != node.master)
    });
    let id = ids.into_iter().next()?;
    let state = state(&id, case.facts(&id)?);
    Some((id, state))
}

/// Describes the state of an instance that is not a master.
fn state(id: &InstanceId, facts: &InstanceFacts) -> String {
    if facts.is_running(Role::Standby) {
        return format!("{id} is a standby");
    }
    match (&facts.process, &facts.control) {
        (Fact::Known(_), Fact::Known(control)) => match control.state {
            ControlState::InProduction => format!("{id} crashed or was killed"),
            ControlState::ShutDown => format!("{id} was shut down"),
            other => format!("{id} is stopped ({})", other.words()),
        },
        (Fact::Known(_), Fact::Unknown(_)) => format!("{id} is stopped"),
        (Fact::Unknown(why), _) => format!("{id} was not observed: {why}"),
    }
}

/// A process that runs and does not say what it is.
pub(super) fn mute(case: &Case<'_>, node: &Node, id: &InstanceId, why: &Unknown) -> Finding {
    let endpoint = case.endpoint(id).map_or_else(String::new, ToString::to_string);
    let is_lost = case.masters(&node.name).is_empty();
    let severity = if is_lost { Severity::Outage } else { Severity::Degraded };
    let no_slot = why.kind == UnknownKind::NoSlot;
    let means = match (is_lost, node.kind) {
        _ if no_slot => "New sessions fail. End idle clients, or raise max_connections and restart it.".to_owned(),
        (false, _) => format!("{} has a master; this instance cannot take over.", node.name),
        (true, NodeKind::Gtm) => "NOTHING COMMITS until a GTM answers.".to_owned(),
        (true, NodeKind::Coordinator) => format!("Clients of {} wait or fail.", node.name),
        (true, NodeKind::Datanode) => format!("Statements that need rows of {} wait or fail.", node.name),
    };
    let (kind, what, next) = match why.kind {
        UnknownKind::NoSlot => {
            let look = case.on(&id.server, "ps -ww -eo pid,args | grep '[p]ostgres:'");
            let what = format!("{id} TAKES NO MORE SESSIONS: all its connection slots are taken");
            (FindingKind::NoSlot, what, vec![command::only_if(look, "to see which sessions hold them")])
        }
        UnknownKind::TimedOut => {
            let what = format!("{id} HANGS: it runs, but does not answer on {endpoint}");
            (FindingKind::Hung, what, hung(case, node, id))
        }
        _ => {
            let what = format!("{id} runs but does not serve: {why}");
            let wait = command::always(format!("{} status --watch", case.otb));
            (FindingKind::Hung, what, vec![wait])
        }
    };
    let mut found = of_node(node, kind, severity, what, means);
    found.instances = vec![id.clone()];
    found.next = next;
    found
}

/// The plan of a move ends a hung master and fences it before it promotes the standby. Without a standby, and for a hung
/// standby, the process is ended by SIGKILL, and otb starts it again.
fn hung(case: &Case<'_>, node: &Node, id: &InstanceId) -> Vec<NextCommand> {
    let pid = case.facts(id).and_then(|facts| facts.data_dir.known()).and_then(|dir| dir.pid_file.known()?.as_ref());
    let file = if node.kind == NodeKind::Gtm { "gtm.pid" } else { "postmaster.pid" };
    let data = case.cluster.instance(id).map_or("", |instance| instance.data.as_str());
    let pid = pid.map_or_else(
        || format!("\"$(head -1 {})\"", crate::opentenbase::quote(&format!("{data}/{file}"))),
        |pid| pid.pid.to_string(),
    );
    let kill = case.on(&id.server, &format!("kill -9 {pid}"));
    let standby = case.masters(&node.name).is_empty().then(|| case.running_standby(node)).flatten();
    match standby.filter(|standby| standby != id) {
        Some(standby) => vec![
            command::only_if(case.move_to(&standby), "to end it and fail over, if it does not come back by itself"),
            command::only_if(kill, "to end it and start it again where it is"),
        ],
        None => vec![command::only_if(kill, "if it does not come back by itself")],
    }
}

fn two(case: &Case<'_>, node: &Node, masters: &[InstanceId]) -> Finding {
    let led = |id: &InstanceId| leading_to(case, node, id);
    let counted: Vec<(usize, &InstanceId)> = masters.iter().map(|id| (led(id), id)).collect();
    let kept = kept(case, node, &counted);
    let servers: Vec<String> = masters.iter().map(|id| id.server.to_string()).collect();
    let what = format!("{}: TWO MASTERS, {}", node.name, servers.join(" and "));
    let routes: Vec<String> =
        counted.iter().map(|(routers, id)| format!("{} to {}", count(*routers, "router"), id.server)).collect();
    let means = match node.kind {
        NodeKind::Gtm => "Two GTMs assign timestamps: clients see different data.".to_owned(),
        _ => format!("Both accept writes, and their data diverges. Routes lead: {}.", routes.join(", ")),
    };
    let mut found = of_node(node, FindingKind::TwoMasters, Severity::Outage, what, means);
    found.instances = masters.to_vec();
    let otb = case.otb;
    let repair = format!("{otb} apply --waive split-brain:{} --reason \"{} is kept\"", node.name, kept.server);
    let command = if kept.server == node.master {
        repair
    } else {
        format!("{otb} move {} {} --write && {repair}", node.name, kept.server)
    };
    let others = listed(masters.iter().filter(|id| *id != kept).map(|id| &id.server));
    let cost = match node.kind {
        NodeKind::Gtm => format!("to keep {}, whose clock is not behind", kept.server),
        _ => format!("to keep {}: the writes of {others} are set aside", kept.server),
    };
    let look = command::only_if(format!("{otb} plan"), "to see what each of them has that the other lacks");
    found.next = vec![command::only_if(command, cost), look];
    found
}

/// The master that clients used: routers lead there. Of GTMs the one whose clock is ahead.
fn kept<'i>(case: &Case<'_>, node: &Node, counted: &[(usize, &'i InstanceId)]) -> &'i InstanceId {
    let gts = |id: &InstanceId| case.facts(id).and_then(|facts| facts.gts.known()).copied();
    let declared = |id: &InstanceId| id.server == node.master;
    let best = counted.iter().max_by_key(|(routers, id)| {
        let clock = if node.kind == NodeKind::Gtm { gts(id) } else { None };
        (clock, *routers, declared(id))
    });
    best.map_or_else(|| unreachable_master(counted), |(_, id)| id)
}

/// `counted` is never empty: it has at least two masters.
fn unreachable_master<'i>(counted: &[(usize, &'i InstanceId)]) -> &'i InstanceId {
    counted[0].1
}

/// How many routers lead to one master of a node.
fn leading_to(case: &Case<'_>, node: &Node, id: &InstanceId) -> usize {
    let Some(endpoint) = case.endpoint(id) else { return 0 };
    let leads = |router: &InstanceId| {
        let rows = case.facts(router).and_then(|facts| facts.routes.known());
        rows.is_some_and(|rows| {
            let mut rows = rows.iter().filter(|row| row.kind != RouteKind::Standby);
            rows.any(|row| row.node == node.name.as_str() && row.leads_to(endpoint))
        })
    };
    let routers = case.cluster.routers().filter(|router| router.name != node.name);
    routers.filter_map(|router| case.master(&router.name)).filter(|router| leads(router)).count()
}

fn elsewhere(case: &Case<'_>, node: &Node, master: &InstanceId) -> Option<Finding> {
    if master.server == node.master {
        return None;
    }
    let what = format!("the master of {} is on {}, but the file declares {}", node.name, master.server, node.master);
    let mut found = of_node(node, FindingKind::Elsewhere, Severity::Note, what, "Users are served.");
    found.instances = vec![master.clone()];
    let stay = format!("{} move {} {} --write", case.otb, node.name, master.server);
    found.next = vec![case.apply(&node.name), command::only_if(stay, format!("if it is to stay on {}", master.server))];
    Some(found)
}

/// Transactions in doubt on the node's masters.
fn in_doubt(case: &Case<'_>, node: &Node) -> Vec<Finding> {
    let of = |id: &InstanceId| {
        let held: Vec<&InDoubt> =
            case.seen.in_doubt.iter().filter(|one| one.is_of_a_coordinator() && one.prepared_on.contains(id)).collect();
        if held.is_empty() {
            return None;
        }
        let waiting = case.facts(id).and_then(|facts| facts.load.known()).map_or(0, |load| load.waiting);
        let transactions = count(held.len(), "transaction");
        let (kind, severity, what, means) = if waiting > 0 {
            let sessions = count(usize::try_from(waiting).unwrap_or(usize::MAX), "session");
            let wait = if waiting == 1 { "WAITS" } else { "WAIT" };
            (
                FindingKind::Blocked,
                Severity::Outage,
                format!("{id}: {sessions} {wait} behind {transactions} in doubt"),
                "These sessions hang until the transactions are finished. No time limit ends the wait.",
            )
        } else {
            (
                FindingKind::InDoubt,
                Severity::Degraded,
                format!("{id}: {transactions} in doubt"),
                "Half of a commit is visible. Clients that need its rows wait, and a stop may not end.",
            )
        };
        let mut found = of_node(node, kind, severity, what, means);
        found.instances = vec![id.clone()];
        found.next = vec![case.apply(&node.name)];
        Some(found)
    };
    case.masters(&node.name).iter().filter_map(of).collect()
}
