//! Servers that do not answer at all: reported once, with what is lost from sight.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, command, count, finding, listed, way_of};
use crate::model::{
    Cluster, Finding, FindingKind, Instance, Node, NodeKind, Observation, ServerName, Severity, ShellVia, UnknownKind,
};

/// The servers of which no process is known to run or to be stopped.
pub(super) fn names<'a>(cluster: &'a Cluster, seen: &Observation) -> BTreeSet<&'a ServerName> {
    let mut silent: BTreeMap<&ServerName, bool> = BTreeMap::new();
    for instance in cluster.instances() {
        let unknown = seen.instances.get(&instance.id).is_some_and(|facts| facts.process.hidden().is_some());
        *silent.entry(&instance.id.server).or_insert(true) &= unknown;
    }
    silent.into_iter().filter(|(_, silent)| *silent).map(|(server, _)| server).collect()
}

pub(super) fn silent(case: &Case<'_>) -> Vec<Finding> {
    let of = |server: &&ServerName| one(case, server);
    case.silent.iter().filter_map(of).collect()
}

fn one(case: &Case<'_>, server: &ServerName) -> Option<Finding> {
    let here: Vec<&Instance> = case
        .cluster
        .instances()
        .filter(|instance| instance.id.server == *server && case.concerns(&instance.id.node))
        .collect();
    if here.is_empty() {
        return None;
    }
    let nodes = || here.iter().filter_map(|instance| case.cluster.nodes.get(&instance.id.node));
    let lost: Vec<&Node> = nodes().filter(|node| case.masters(&node.name).is_empty()).collect();
    let severity = if lost.is_empty() { Severity::Degraded } else { Severity::Outage };
    let mut found = finding(FindingKind::SilentServer, severity, what(case, server, &here), means(&lost, &here));
    found.server = Some(server.clone());
    found.instances = here.iter().map(|instance| instance.id.clone()).collect();
    found.next = next(case, server, &lost);
    Some(found)
}

fn what(case: &Case<'_>, server: &ServerName, here: &[&Instance]) -> String {
    let shell = match case.cluster.servers.get(server).map(|server| &server.shell.via) {
        Some(ShellVia::Ssh { .. }) => "ssh",
        _ => "its shell",
    };
    let kinds = here.iter().filter_map(|instance| Some(case.facts(&instance.id)?.process.reason()?.kind));
    let mut ways: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in kinds.map(|kind: UnknownKind| way_of(kind)) {
        *ways.entry(kind).or_default() += 1;
    }
    let ports = count(here.len(), "port");
    match ways.into_iter().collect::<Vec<_>>().as_slice() {
        [("timed out", _)] => format!("{server} does not answer: {shell} and {ports} timed out"),
        [(way, _)] => format!("{server} does not answer: {shell} failed and {ports} {way}"),
        several => {
            let each: Vec<String> = several.iter().map(|(way, number)| format!("{number} {way}")).collect();
            format!("{server} does not answer: {shell} failed, of {ports} {}", each.join(" and "))
        }
    }
}

fn means(lost: &[&Node], here: &[&Instance]) -> String {
    if lost.is_empty() {
        let nodes = listed(here.iter().map(|instance| &instance.id.node));
        return format!("Users are served. These nodes have no standby there now: {nodes}.");
    }
    let nodes = listed(lost.iter().map(|node| &node.name));
    let gtm = lost.iter().any(|node| node.kind == NodeKind::Gtm);
    let commits = if gtm { " NOTHING COMMITS without the GTM." } else { "" };
    format!("These nodes have no known master: {nodes}.{commits}")
}

/// The road out: the server comes back, or its masters are declared elsewhere.
fn next(case: &Case<'_>, server: &ServerName, lost: &[&Node]) -> Vec<crate::model::NextCommand> {
    let declared: Vec<&&Node> = lost.iter().filter(|node| node.master == *server).collect();
    let look = look(case, server);
    let (stuck, movable): (Vec<&Node>, Vec<&Node>) = case
        .cluster
        .nodes
        .values()
        .filter(|node| node.master == *server && !case.masters(&node.name).iter().any(|id| id.server != *server))
        .partition(|node| node.standbys().all(|instance| case.is_silent(&instance.id)));
    if !movable.is_empty() && !declared.is_empty() {
        let skip: Vec<String> = stuck.iter().map(|node| format!(" --skip {}", node.name)).collect();
        let drain = format!("{} drain {server}{} --write", case.otb, skip.concat());
        return vec![command::only_if(drain, format!("if {server} is off and stays off")), look];
    }
    let mut next = vec![look];
    if !lost.is_empty() && declared.len() < lost.len() {
        next.insert(0, command::only_if(format!("{} apply", case.otb), format!("if {server} is off and stays off")));
    }
    next
}

/// The command that shows whether the server is back.
fn look(case: &Case<'_>, server: &ServerName) -> crate::model::NextCommand {
    let known = case.cluster.servers.get(server);
    let command = match known.map(|known| (&known.shell.via, &known.address)) {
        Some((ShellVia::Ssh { .. } | ShellVia::Exec { .. }, _)) => case.on(server, "uptime"),
        Some((ShellVia::Local, address)) => format!("ping -c 1 {address}"),
        None => format!("{} status", case.otb),
    };
    command::only_if(command, "to see whether it is back")
}
