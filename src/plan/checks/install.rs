//! Checks of what the file says of an instance's server: its data directory, and its installation.

use super::Finding;
use crate::model::{DataDir, Fact, Instance, InstanceFacts, InstanceId, Node, Observation, PidFile, SystemId};
use crate::plan::check::{Check, CheckCode};

/// For a node that the plan changes: a command on another node's directory would change that node.
pub(crate) fn for_changed(node: &Node, seen: &Observation) -> Vec<Check> {
    let copies: Vec<(&Instance, &InstanceFacts)> = node
        .instances
        .values()
        .filter(|instance| instance.kind.is_router())
        .filter_map(|instance| Some((instance, seen.instances.get(&instance.id)?)))
        .collect();
    [
        data_directories(&copies).map(|finding| finding.of(CheckCode::DataDirectory, &node.name)),
        tools(&copies).map(|finding| finding.of(CheckCode::ToolsVersion, &node.name)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The directory that a process reports counts. If no process reports one, the system identifier of the process, or of
/// another instance of the node, counts: all instances have the same.
fn data_directories(copies: &[(&Instance, &InstanceFacts)]) -> Option<Finding> {
    let told = |facts: &InstanceFacts| facts.started.known().and(facts.system_id.known().copied());
    let of_node = copies.iter().find_map(|(_, facts)| told(facts));
    if of_node.is_none() && copies.iter().all(|(_, facts)| facts.pid_file.known().is_none()) {
        return None;
    }
    let strange = |(instance, facts): &(&Instance, &InstanceFacts)| match facts.pid_file.known() {
        Some(own) => elsewhere(instance, own, facts.data_dir.known()?),
        None => of_another(&instance.id, told(facts).or(of_node)?, facts.control.known()?.system_id),
    };
    let strange: Vec<String> = copies.iter().filter_map(strange).collect();
    Some(if strange.is_empty() {
        Finding::pass("each directory that could be observed belongs to this node")
    } else {
        let hint = "correct `data` in the file; if the directory is right, correct the server's `shell` or `address`";
        Finding::block(strange.join("; "), hint)
    })
}

/// Why the shell looks at another directory than the process runs in. (That its own directory has gone other checks
/// say.)
fn elsewhere(instance: &Instance, own: &PidFile, seen: &DataDir) -> Option<String> {
    let (id, PidFile { pid, directory, .. }) = (&instance.id, own);
    let what = match &seen.pid_file {
        _ if !seen.present && *directory == instance.data => return None,
        _ if !seen.present => "does not exist".to_owned(),
        Fact::Known(None) => "has no postmaster.pid".to_owned(),
        Fact::Known(Some(file)) if file == own => return None,
        Fact::Known(Some(file)) => format!("belongs to process {}, which runs in {}", file.pid, file.directory),
        Fact::Unknown(_) => return None,
    };
    Some(format!("the directory declared for {id} {what}, but {id} is process {pid}, which runs in {directory}"))
}

fn of_another(id: &InstanceId, SystemId(wanted): SystemId, SystemId(found): SystemId) -> Option<String> {
    let what =
        || format!("the directory declared for {id} has system identifier {found}, but {} has {wanted}", id.node);
    (found != wanted).then(what)
}

/// The tools are compared with the node's own server: a pg_ctl of another version may do harm before it notices.
fn tools(copies: &[(&Instance, &InstanceFacts)]) -> Option<Finding> {
    let of_node = copies.iter().find_map(|(_, facts)| facts.version.known())?;
    let strange = |(instance, facts): &(&Instance, &InstanceFacts)| {
        let id = &instance.id;
        let server = facts.version.known().unwrap_or(of_node);
        match &facts.tools_version {
            Fact::Known(tools) if tools != server => {
                Some(format!("the tools of {id} have version {tools}, the server has {server}"))
            }
            _ => None,
        }
    };
    let strange: Vec<String> = copies.iter().filter_map(strange).collect();
    Some(if strange.is_empty() {
        Finding::pass(format!("the tools that could be observed have version {of_node}"))
    } else {
        Finding::block(strange.join("; "), "correct `install` in the file")
    })
}
