//! Checks of what the file says of an instance's server: its data directory, and its installation.

use super::Finding;
use crate::model::{Fact, InstanceFacts, InstanceId, Node, Observation, SystemId};
use crate::plan::check::{Check, CheckCode};

/// Of a node on which anything is to be done: a command on the directory of another node would hit that one.
pub(crate) fn for_changed(node: &Node, seen: &Observation) -> Vec<Check> {
    let copies: Vec<(&InstanceId, &InstanceFacts)> = node
        .instances
        .values()
        .filter(|instance| instance.kind.is_router())
        .filter_map(|instance| Some((&instance.id, seen.instances.get(&instance.id)?)))
        .collect();
    [
        data_directories(&copies).map(|finding| finding.of(CheckCode::DataDirectory, &node.name)),
        tools(&copies).map(|finding| finding.of(CheckCode::ToolsVersion, &node.name)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a process says of itself counts; of one that does not run, what another copy of the node says.
fn data_directories(copies: &[(&InstanceId, &InstanceFacts)]) -> Option<Finding> {
    let told = |facts: &InstanceFacts| facts.started.known().and(facts.system_id.known().copied());
    let of_node = copies.iter().find_map(|(_, facts)| told(facts))?;
    let strange = |(id, facts): &(&InstanceId, &InstanceFacts)| {
        let wanted = told(facts).unwrap_or(of_node);
        let SystemId(found) = facts.control.known()?.system_id;
        (SystemId(found) != wanted).then(|| {
            format!("the directory declared for {id} has system identifier {found}, {} has {}", id.node, wanted.0)
        })
    };
    let strange: Vec<String> = copies.iter().filter_map(strange).collect();
    Some(if strange.is_empty() {
        Finding::pass("each directory that could be looked at is this node's")
    } else {
        Finding::block(strange.join("; "), "correct `data` in the file: it leads to another node's directory")
    })
}

/// The tools are compared with the node's own server: a pg_ctl of another version may do harm before it notices.
fn tools(copies: &[(&InstanceId, &InstanceFacts)]) -> Option<Finding> {
    let of_node = copies.iter().find_map(|(_, facts)| facts.version.known())?;
    let strange = |(id, facts): &(&InstanceId, &InstanceFacts)| {
        let server = facts.version.known().unwrap_or(of_node);
        match &facts.tools_version {
            Fact::Known(tools) if tools != server => {
                Some(format!("the tools of {id} are of version {tools}, the server is of {server}"))
            }
            _ => None,
        }
    };
    let strange: Vec<String> = copies.iter().filter_map(strange).collect();
    Some(if strange.is_empty() {
        Finding::pass(format!("the tools that could be looked at are of version {of_node}"))
    } else {
        Finding::block(strange.join("; "), "correct `install` in the file")
    })
}
