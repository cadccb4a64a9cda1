//! Next commands, ready to paste.

use crate::model::{Cluster, ControlState, Instance, InstanceId, Node, NodeKind, Observation, Role};
use crate::opentenbase::{command, psql_line, quote};
use crate::plan::hung::is_hung;
use crate::plan::situation;

/// A statement on one instance, by psql.
pub(super) fn statement(cluster: &Cluster, id: &InstanceId, sql: &str) -> String {
    let connection = &cluster.connection;
    cluster.instance(id).map_or_else(
        || format!("run `{sql}` on {id}"),
        |instance| psql_line(&instance.endpoint, &connection.user, &connection.database, sql),
    )
}

/// Gives a file to the owner of the data directory beside it; `chown` requires root.
pub(super) fn give_to_the_server(instance: &Instance, path: &str) -> String {
    let (data, path) = (quote(&instance.data), quote(path));
    format!("as root on {}: chown --reference={data} {path} && chmod u+rw {path}", instance.id.server)
}

/// How a process that hangs is ended by hand.
pub(super) fn end(instance: &Instance) -> String {
    format!("on {}: {}", instance.id.server, command::end(instance))
}

/// The way out if the declared master itself hangs; `None` if it does not.
pub(super) fn hung_master(node: &Node, seen: &Observation) -> Option<String> {
    let declared = node.master_instance()?;
    seen.instances.get(&declared.id).filter(|facts| is_hung(facts))?;
    let by_hand = format!("{}, then `otb apply`, which starts it again", end(declared));
    let standby = situation::facts(node, seen).find(|(_, facts)| facts.is_running(Role::Standby));
    Some(match standby {
        Some((id, _)) => format!(
            "it hangs: `otb move {} {} --write`; otb then ends it before it promotes {id}; or {by_hand}",
            node.name, id.server
        ),
        None => format!("it hangs: {by_hand}"),
    })
}

/// The instance of a node without a master that was the master last: starting it loses nothing. `None` where that is not
/// known of one alone.
fn stopped_last<'a>(node: &'a Node, seen: &'a Observation) -> Option<&'a InstanceId> {
    let all: Vec<_> = situation::facts(node, seen).collect();
    if node.kind == NodeKind::Gtm {
        // A GTM has no control file: its gtm.conf shows which one would be the active one.
        let mut active = all.iter().filter(|(_, facts)| {
            facts.is_stopped() && facts.data_dir.is_known_and(|dir| dir.present && dir.recovery_conf.is_none())
        });
        return active.next().map(|(id, _)| *id).filter(|_| active.next().is_none());
    }
    let reached = |facts: &crate::model::InstanceFacts| Some((*facts.timeline.known()?, *facts.wal_end.known()?));
    let ends: Option<Vec<_>> = all.iter().map(|(id, facts)| Some((reached(facts)?, *id, *facts))).collect();
    let ends = ends?;
    let furthest = ends.iter().map(|(end, ..)| *end).max()?;
    let was_master = |state: ControlState| state.is_of_a_master();
    let mut last = ends
        .iter()
        .filter(|(end, _, facts)| *end == furthest && facts.control.is_known_and(|control| was_master(control.state)));
    last.next().map(|(_, id, _)| *id).filter(|_| last.next().is_none())
}

/// The way out if no instance runs and the declared one must not be started.
pub(super) fn start_the_last(node: &Node, seen: &Observation) -> String {
    match stopped_last(node, seen) {
        Some(id) => {
            format!("{id} stopped last: `otb move {} {} --write`, `otb apply`, then move it back", node.name, id.server)
        }
        None => "declare the instance that stopped last as master (`otb status` shows how far each one went), apply, \
                then move"
            .to_owned(),
    }
}
