//! From a cluster as it was found.

use std::collections::BTreeMap;

use super::draft::{CopyDraft, Draft, NodeDraft, Site, name_servers};
use crate::model::{Discovery, Fact, FoundInstance, FoundNode, Host, Role, ServerName};

/// `given` are names for servers, by address.
pub fn from_discovery(found: &Discovery, given: &BTreeMap<Host, ServerName>, install: Option<&str>) -> Draft {
    let mut draft = Draft::default();
    match &found.cluster {
        Fact::Known(name) => draft.cluster = Some(name.clone()),
        Fact::Unknown(why) => draft.open("cluster", format!("its name is not known: {why}")),
    }
    let used = found.servers.iter().filter(|(host, _)| {
        found.nodes.iter().flat_map(|node| &node.instances).any(|instance| instance.at.host == **host)
    });
    let hosts = used.map(|(host, server)| (host.clone(), server.name.known().cloned()));
    let names = name_servers(hosts, given);
    for node in &found.nodes {
        let node = node_draft(node, install, &mut draft);
        draft.nodes.push(node);
    }
    draft.name_sites(&names);
    for sentence in &found.left_out {
        draft.remark("missing", sentence.clone());
    }
    draft.settle();
    draft
}

fn node_draft(found: &FoundNode, install: Option<&str>, draft: &mut Draft) -> NodeDraft {
    let running = |role: Role| move |one: &&FoundInstance| one.role.known() == Some(&role);
    let masters: Vec<&FoundInstance> = found.instances.iter().filter(running(Role::Master)).collect();
    let master = match masters.as_slice() {
        [only] => {
            if only.at != found.route {
                let what = format!("its master runs at {}, but the coordinator routes it to {}", only.at, found.route);
                draft.remark(found.name.to_string(), what);
            }
            &only.at
        }
        [] => {
            let why = found.instances.iter().find(|one| one.at == found.route).and_then(|one| one.role.reason());
            let what = match why {
                Some(why) => format!("otb could not find out whether its master runs: {why}"),
                None => "no master of it runs".to_owned(),
            };
            let what = format!("{what}; `master` is the place where the coordinator routes it");
            draft.remark(found.name.to_string(), what);
            &found.route
        }
        several => {
            let places: Vec<String> = several.iter().map(|one| one.at.to_string()).collect();
            let what = format!(
                "{} run as its masters; `master` is the place where the coordinator routes it",
                places.join(" and ")
            );
            draft.remark(found.name.to_string(), what);
            &found.route
        }
    };
    for lost in &found.lost {
        let what = format!("a standby is attached that may be missing below: {lost}; add it to `instances`");
        draft.open(found.name.to_string(), what);
    }
    let mut copies: Vec<CopyDraft> = Vec::new();
    // If several are on one machine, the master has the plain name.
    let (first, others): (Vec<_>, Vec<_>) = found.instances.iter().partition(|one| one.at == *master);
    for one in first.into_iter().chain(others) {
        let mut copy =
            CopyDraft { server: Some(Site::beside(&copies, one.at.host.clone())), ..copy_draft(one, install) };
        copy.forward = forward_port(found, one, draft);
        copies.push(copy);
    }
    NodeDraft { name: found.name.clone(), kind: found.kind, master: Some(master.host.clone().into()), copies }
}

fn copy_draft(one: &FoundInstance, install: Option<&str>) -> CopyDraft {
    let mut todo = Vec::new();
    if let Fact::Unknown(why) = &one.data {
        todo.push(format!("its data directory is not known: {why}"));
    }
    CopyDraft {
        server: None,
        port: Some(one.at.port),
        forward: None,
        forward_is_open: false,
        data: one.data.known().cloned(),
        install: install.map(str::to_owned).or_else(|| one.install.clone()),
        todo,
    }
}

/// The value that the process or its configuration has; for a master without either, the one in the coordinator's row.
/// The file is valid without it, so an unknown value is only a note.
fn forward_port(node: &FoundNode, one: &FoundInstance, draft: &mut Draft) -> Option<u16> {
    // v2.6 has none.
    let routed = node.forward?;
    let port = |port: &u16| Some(*port).filter(|port| *port > 0);
    let is_routed_to = one.at == node.route;
    let what = match &one.forward {
        Fact::Known(own) => match own.as_ref().and_then(port) {
            Some(own) if is_routed_to && own != routed => {
                let what = format!("{} has forward_port {own}, but the coordinator's pgxc_node has {routed}", one.at);
                draft.remark(node.name.to_string(), what);
                return Some(own);
            }
            Some(own) => return Some(own),
            None => "has no forward_port that can be declared".to_owned(),
        },
        Fact::Unknown(_) if is_routed_to && routed > 0 => return Some(routed),
        Fact::Unknown(why) => format!("did not report its forward_port: {why}"),
    };
    let next = "`forward_port` of it is missing; without it a move to it keeps the old master's port in pgxc_node";
    draft.remark(node.name.to_string(), format!("{} {what}; {next}", one.at));
    None
}
