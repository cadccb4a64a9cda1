//! The role of each instance after its next start. The file that decides it is read only at a start: if it is removed
//! or left behind, nothing shows until the server restarts for another reason.

use super::Finding;
use crate::model::{
    Cluster, DataDir, Instance, InstanceFacts, InstanceId, NodeKind, Observation, OldMaster, RecoveryFile, Role,
};
use crate::opentenbase::{self, command};
use crate::plan::check::{Check, CheckCode};
use crate::plan::survey::NodeSurvey;

/// For every instance that would change its role, except those whose file the plan writes.
pub(crate) fn for_restart(cluster: &Cluster, survey: &NodeSurvey<'_>, seen: &Observation) -> Vec<Check> {
    let stays = |instance: &&Instance| !survey.rejoins.iter().any(|rejoin| rejoin.instance == instance.id);
    let turns = |instance: &Instance| {
        let facts = seen.instances.get(&instance.id)?;
        let found = format!("{} {}", instance.id, becomes(instance, facts)?);
        Some(Finding::warn(found, keep(cluster, instance, facts)).of(CheckCode::NextStart, &instance.id))
    };
    survey.node.instances.values().filter(stays).filter_map(turns).collect()
}

/// The data directory of a running process, where it could be looked into and is not proved to be another process's.
pub(super) fn own_directory(facts: &InstanceFacts) -> Option<&DataDir> {
    let is_own = |dir: &DataDir| match facts.pid_file.known() {
        Some(own) => dir.pid_file.is_known_and(|seen| seen.as_ref() == Some(own)),
        None => true,
    };
    facts.data_dir.known().filter(|dir| dir.present && is_own(dir))
}

/// The role of a running process after its next start, if it differs from the role now.
pub(crate) fn becomes(instance: &Instance, facts: &InstanceFacts) -> Option<String> {
    let path = opentenbase::recovery_path(instance);
    match &own_directory(facts)?.recovery_conf {
        Some(file) if facts.is_running(Role::Master) => {
            let (of, whose) = (upstream(file), if file.fence { ", a fence that otb left" } else { "" });
            Some(format!("runs as master, and its next start makes it a standby{of}: {path}{whose}"))
        }
        None if facts.is_running(Role::Standby) => Some(format!(
            "runs as standby, and its next start makes it a second master: {path} is missing or does not say standby"
        )),
        _ => None,
    }
}

fn upstream(file: &RecoveryFile) -> String {
    file.upstream.as_ref().map_or_else(String::new, |upstream| format!(" of {upstream}"))
}

/// How it keeps its role. A promotion by another program that is in progress looks the same for a moment.
pub(super) fn keep(cluster: &Cluster, instance: &Instance, facts: &InstanceFacts) -> String {
    let (server, path) = (&instance.id.server, opentenbase::recovery_path(instance));
    let cure = match (instance.kind, facts.is_running(Role::Master)) {
        (NodeKind::Gtm, true) => format!("append the line `startup = ACT` to {path} on {server}"),
        (_, true) => format!("move {path} on {server} out of the way: a running server does not need it"),
        (NodeKind::Coordinator | NodeKind::Datanode, false) if cluster.policy.old_master == OldMaster::Leave => {
            format!("write {path} on {server}, owned by the server's OS user, before the server restarts")
        }
        (_, false) => {
            let stop = command::stop(instance, command::Patience(60));
            format!("on {server} run `{stop}`, then otb apply: it writes the file and starts the standby")
        }
    };
    format!("run otb plan again; if the message stays: {cure}")
}

/// For a standby that its file does not make one: it has gone, or the directory is not the one in which it runs.
pub(super) fn way_back(cluster: &Cluster, id: &InstanceId, facts: &InstanceFacts) -> String {
    let lost = cluster.instance(id).filter(|instance| becomes(instance, facts).is_some());
    lost.map_or_else(
        || "correct `data` of this instance in the file".to_owned(),
        |instance| keep(cluster, instance, facts),
    )
}
