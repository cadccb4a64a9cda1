//! Checks of v5's forward ports: known, the same everywhere, and free where a master is made
//! (docs/explanation/opentenbase-v5-live.md, "Forward ports").

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Finding, LOOK_AGAIN, Takeover};
use crate::model::{Cluster, Instance, InstanceFacts, Listener, Node, NodeName, Observation, Role, Settings};
use crate::plan::check::{Check, CheckCode};
use crate::plan::routes::{RouterView, own_forward_port};

/// A wrong forward port shows only when a query moves rows between datanodes, and then the query hangs without an error.
/// On v2.6 there is nothing to say, unless the file has a port that is never sent.
pub(super) fn known(cluster: &Cluster, seen: &Observation, routers: &[RouterView<'_>]) -> Option<Finding> {
    let v5 = routers.iter().filter_map(RouterView::forwards).any(|forwards| forwards);
    let declares = |node: &&Node| node.master_instance().is_some_and(|master| master.forward_port.is_some());
    let (with, without): (Vec<&Node>, Vec<&Node>) = cluster.routers().partition(declares);
    if !v5 {
        return (!with.is_empty()).then(|| {
            Finding::warn(
                format!(
                    "the file has a forward_port of {}, but pgxc_node of this version has no such column: otb \
                        ignores it",
                    names(&with)
                ),
                "remove it, unless you will upgrade the cluster to v5",
            )
        });
    }
    other_forward_port(cluster, seen)
        .or_else(|| not_known(seen, routers, &without))
        .or_else(|| deaf(cluster, seen))
        .or_else(|| {
            Some(Finding::pass(match without.as_slice() {
                [] => "every node has a forward_port".to_owned(),
                without => {
                    format!(
                        "the file has no forward_port of {}: otb uses the ports that the processes report",
                        names(without)
                    )
                }
            }))
        })
}

fn names(nodes: &[&Node]) -> String {
    nodes.iter().map(|node| node.name.to_string()).collect::<Vec<_>>().join(", ")
}

/// Rows would keep the forward port of the old master.
fn not_known(seen: &Observation, routers: &[RouterView<'_>], without: &[&Node]) -> Option<Finding> {
    let changes = routers.iter().flat_map(RouterView::changes);
    let changed: BTreeSet<&NodeName> = changes.map(|change| &change.node).collect();
    let open: Vec<String> = without
        .iter()
        .filter(|node| changed.contains(&node.name))
        .filter_map(|node| node.master_instance())
        .filter(|master| !is_told(master, seen))
        .map(|master| master.id.to_string())
        .collect();
    (!open.is_empty()).then(|| {
        Finding::unknown(
            format!(
                "the forward_port of {} is not in the file, and the process does not report it: the routers would \
                    keep the old master's port",
                open.join(", ")
            ),
            "write forward_port of each instance into the file, as in its postgresql.conf",
        )
    })
}

fn is_told(instance: &Instance, seen: &Observation) -> bool {
    seen.instances.get(&instance.id).is_some_and(|facts| own(facts).is_some())
}

/// The process's own value; 0 means that it forwards nothing.
fn own(facts: &InstanceFacts) -> Option<u64> {
    facts.settings.known()?.number("forward_port")
}

/// A process that itself says another port than the file: of a declared master the routers would get a wrong one.
fn other_forward_port(cluster: &Cluster, seen: &Observation) -> Option<Finding> {
    let differs = |instance: &Instance| {
        let declared = u64::from(instance.forward_port?);
        let own = own(seen.instances.get(&instance.id)?)?;
        (own != declared).then(|| format!("{} has forward_port {own}, but the file declares {declared}", instance.id))
    };
    let of = |instances: &mut dyn Iterator<Item = &Instance>| instances.filter_map(differs).collect::<Vec<_>>();
    let masters = of(&mut cluster.routers().filter_map(Node::master_instance));
    let standbys = of(&mut cluster.routers().flat_map(Node::standbys));
    let hint = "correct forward_port in the file, or correct it in postgresql.conf of the instance and restart it";
    match (masters.as_slice(), standbys.as_slice()) {
        ([], []) => None,
        ([], standbys) => Some(Finding::warn(standbys.join("; "), hint)),
        _ => Some(Finding::block([masters, standbys].concat().join("; "), hint)),
    }
}

/// A master that does not listen where it says: the setting was changed and read again, and the process keeps the port
/// that it began with.
fn deaf(cluster: &Cluster, seen: &Observation) -> Option<Finding> {
    let deaf = |instance: &Instance| {
        let facts = seen.instances.get(&instance.id).filter(|facts| facts.is_running(Role::Master))?;
        let port = u16::try_from(own(facts)?).ok().filter(|port| *port != 0)?;
        let listeners = facts.host_environment.known()?.listeners.as_ref()?;
        let none = listeners.iter().all(|listener| listener.port != port);
        none.then(|| format!("{} has forward_port {port} but does not listen on it", instance.id))
    };
    let masters = cluster.routers().flat_map(|node| node.instances.values());
    let found: Vec<String> = masters.filter_map(deaf).collect();
    (!found.is_empty()).then(|| {
        let hint = "restart that server: a changed forward_port requires it; if that does not help, read its log";
        Finding::warn(found.join("; "), hint)
    })
}

/// A standby does not listen on its forward port. Promoted where that port is taken it ends and starts again without an end.
pub(super) fn free(takeover: &Takeover<'_>) -> Option<Check> {
    let settings = takeover.standby.settings.known()?;
    let port = own_forward_port(&takeover.declared, takeover.seen)?;
    let (id, server) = (&takeover.declared, &takeover.declared.server);
    let listeners = takeover.standby.host_environment.known().and_then(|around| around.listeners.as_ref());
    let finding = match listeners {
        None => Finding::warn(
            format!("otb could not find out whether port {port}, the forward_port of {id}, is free on {server}"),
            LOOK_AGAIN,
        ),
        Some(listeners) if listeners.iter().any(|listener| collides(listener, port, settings)) => Finding::block(
            format!(
                "port {port}, the forward_port of {id}, is taken on {server}: after a promotion its server would \
                    end and restart again and again"
            ),
            format!("free that port, or set another forward_port for {id} in its postgresql.conf and restart it"),
        ),
        Some(_) => Finding::pass(format!("port {port}, the forward_port of {id}, is free")),
    };
    Some(finding.of(CheckCode::Forward, id))
}

/// Whether the forward process could not listen there beside `listener`: it binds what listen_addresses says. A name in
/// there may be any address.
fn collides(listener: &Listener, port: u16, settings: &Settings) -> bool {
    let own = settings.text("listen_addresses").unwrap_or("*");
    let mut addresses = own.split(',').map(|address| address.trim().parse::<IpAddr>());
    listener.port == port
        && addresses.any(|own| match (own, listener.address) {
            (Err(_), _) | (_, None) => true,
            (Ok(own), Some(theirs)) => own.is_unspecified() || own == theirs,
        })
}
