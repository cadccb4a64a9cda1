//! The live cluster as it is, as text.

use std::fmt::Write as _;

use bytesize::ByteSize;

use super::style;
use crate::model::{Cluster, Fact, InstanceFacts, InstanceId, Node, Observation, Process, Role};

/// One block per node, one line per instance.
pub fn status_text(cluster: &Cluster, seen: &Observation) -> String {
    let mut out = format!("{}\n", style::bold(&cluster.name));
    for node in cluster.nodes.values() {
        let _ = writeln!(out, "\n{} {}, master declared on {}", style::bold(&node.name), node.kind, node.master);
        for instance in node.instances.values() {
            if let Some(facts) = seen.instances.get(&instance.id) {
                let _ = writeln!(
                    out,
                    "  {:<14} {:<22} {}",
                    instance.id,
                    instance.endpoint.to_string(),
                    line(node, facts, seen)
                );
            }
        }
        for text in disagreements(cluster, node, seen) {
            let _ = writeln!(out, "  {}", style::careful(text));
        }
    }
    out
}

fn line(node: &Node, facts: &InstanceFacts, seen: &Observation) -> String {
    match (&facts.process, &facts.role) {
        (Fact::Known(Process::Stopped), _) => {
            let state = facts.control.known().map_or("state unknown", |control| control.state.words());
            style::bad(format!("stopped ({state})"))
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Master)) => {
            format!("{}{}", style::good("master"), timeline(facts))
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Standby)) => {
            format!("standby{}{}", timeline(facts), replication(node, facts, seen))
        }
        (Fact::Known(Process::Running), Fact::Unknown(why)) => style::bad(format!("running, role unknown: {why}")),
        (Fact::Unknown(why), _) => style::bad(format!("unknown: {why}")),
    }
}

fn timeline(facts: &InstanceFacts) -> String {
    facts.timeline.known().map_or_else(String::new, |timeline| format!(", timeline {timeline}"))
}

fn replication(node: &Node, facts: &InstanceFacts, seen: &Observation) -> String {
    let Some(standby) = facts.standby.known() else { return String::new() };
    let upstream = standby.upstream.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let how = if standby.streaming {
        format!(", streams from {upstream}")
    } else {
        style::bad(format!(", does not stream (from {upstream})"))
    };
    let lag = || {
        let master =
            node.instances.values().filter_map(|i| seen.instances.get(&i.id)).find(|f| f.is_running(Role::Master))?;
        Some(ByteSize(master.wal_end.known()?.bytes_ahead_of(standby.replayed?)))
    };
    lag().map_or(how.clone(), |lag| format!("{how}, {lag} behind"))
}

/// Routers whose row of `node` leads somewhere else than to its running master.
fn disagreements(cluster: &Cluster, node: &Node, seen: &Observation) -> Vec<String> {
    let is_master = |id: &InstanceId| seen.instances.get(id).is_some_and(|facts| facts.is_running(Role::Master));
    let Some(master) = node.instances.values().find(|instance| is_master(&instance.id)) else { return Vec::new() };
    let routers = cluster.routers().flat_map(|router| router.instances.values()).filter(|router| is_master(&router.id));
    let wrong = routers.filter_map(|router| {
        let rows = seen.instances.get(&router.id)?.routes.known()?;
        let row = rows.iter().find(|row| row.node == node.name.as_str())?;
        (!row.leads_to(&master.endpoint)).then(|| format!("{} routes it to {}:{}", router.id, row.host, row.port))
    });
    wrong.collect()
}
