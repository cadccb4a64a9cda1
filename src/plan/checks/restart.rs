//! What each copy would be after its next start. The file that decides is read at a start only: somebody removes it, or
//! leaves one behind, and nothing shows until the server is restarted for another reason.

use super::Finding;
use crate::dialect;
use crate::model::{Cluster, Instance, InstanceFacts, Node, NodeKind, Observation, RecoveryFile, Role};
use crate::plan::check::{Check, CheckCode};

/// Of every copy of `node` that would be another than it is.
pub(crate) fn for_restart(cluster: &Cluster, node: &Node, seen: &Observation) -> Vec<Check> {
    let copies = node.instances.values().filter_map(|instance| Some((instance, seen.instances.get(&instance.id)?)));
    let turning = copies.filter_map(|(instance, facts)| {
        let found = format!("{} {}", instance.id, becomes(instance, facts)?);
        Some(Finding::warn(found, hint(cluster, instance, facts)).of(CheckCode::NextStart, &instance.id))
    });
    turning.collect()
}

/// What a running process would be after its next start, if that is not what it is now. None where its files could not
/// be read, or are proved to be another process's.
pub(crate) fn becomes(instance: &Instance, facts: &InstanceFacts) -> Option<String> {
    let dir = facts.data_dir.known().filter(|dir| dir.present)?;
    if facts.pid_file.known().is_some_and(|own| !dir.pid_file.is_known_and(|seen| seen.as_ref() == Some(own))) {
        return None;
    }
    let path = dialect::recovery_path(instance);
    match &dir.recovery_conf {
        Some(file) if facts.is_running(Role::Master) => {
            let (of, whose) = (upstream(file), if file.fence { ", a fence that otb left" } else { "" });
            Some(format!("runs as master, and its next start makes it a standby{of}: {path}{whose}"))
        }
        None if facts.is_running(Role::Standby) => {
            Some(format!("runs as standby, and its next start makes it a second master: no {path} says otherwise"))
        }
        _ => None,
    }
}

fn upstream(file: &RecoveryFile) -> String {
    file.upstream.as_ref().map_or_else(String::new, |upstream| format!(" of {upstream}"))
}

fn hint(cluster: &Cluster, instance: &Instance, facts: &InstanceFacts) -> String {
    let Instance { id, kind, .. } = instance;
    let path = dialect::recovery_path(instance);
    match (kind, facts.is_running(Role::Master)) {
        (NodeKind::Gtm, true) => {
            format!("write startup = ACT into {path} on {}; nothing is restarted by that", id.server)
        }
        (_, true) => format!("move {path} on {} out of the way; the running server does not need it", id.server),
        (_, false) => {
            let master = cluster.nodes.get(&id.node).and_then(Node::master_instance);
            let of = master.map_or_else(String::new, |master| format!(" of {}", master.endpoint));
            format!("do not restart it before {path} on {} says that it is a standby{of}", id.server)
        }
    }
}
