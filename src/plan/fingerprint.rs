//! What a saved plan was made from, as a digest: it is applied only while the cluster still is like that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::document::Plan;
use super::routes::RouterView;
use crate::model::{Cluster, Fact, InstanceFacts, NodeName, Observation, Process};

/// The stable facts: roles, system identifiers, timelines, and each row that is not as declared. Not LSNs, not
/// lag. Rows that are as declared follow from the file, so a router that is right is one entry.
pub(crate) fn facts(cluster: &Cluster, seen: &Observation, routers: &[RouterView<'_>]) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for (id, instance) in &seen.instances {
        facts.insert(format!("{id}: role"), role(instance));
        facts.insert(format!("{id}: system identifier"), word(&instance.system_id));
        facts.insert(format!("{id}: timeline"), word(&instance.timeline));
    }
    for router in routers {
        let at = &router.router;
        let Some(_) = router.table.known() else {
            facts.insert(format!("{at}: pgxc_node"), "unknown".to_owned());
            continue;
        };
        facts.insert(format!("{at}: pgxc_node"), format!("{} rows", router.len()));
        for change in router.changes(cluster) {
            facts.insert(format!("{at}: route to {}", change.node), change.from);
        }
    }
    facts
}

fn role(instance: &InstanceFacts) -> String {
    match (&instance.process, &instance.role) {
        (Fact::Known(Process::Stopped), _) => {
            let state = instance.control.known().map_or("unknown", |control| control.state.words());
            format!("stopped ({state})")
        }
        (Fact::Known(Process::Running), role) => word(role),
        (Fact::Unknown(_), _) => "unknown".to_owned(),
    }
}

fn word<T: std::fmt::Display>(fact: &Fact<T>) -> String {
    fact.known().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// sha256 over the declared cluster and the facts, in hexadecimal.
pub(super) fn digest(cluster: &Cluster, facts: &BTreeMap<String, String>) -> String {
    // serde_json keeps struct order and our maps are sorted, so equal values give equal bytes.
    let bytes = serde_json::to_vec(&(cluster, facts)).unwrap_or_default();
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether a plan that was read from a file still has the fingerprint of what it carries.
pub fn is_intact(plan: &Plan) -> bool {
    plan.fingerprint == digest(&plan.cluster, &plan.facts)
}

/// What differs between the cluster a plan was made for and the one that is declared now, one line each.
pub fn declared_differently(then: &Cluster, now: &Cluster) -> Vec<String> {
    let mut lines = Vec::new();
    if then.name != now.name {
        lines.push(format!("cluster: the plan is for {}, the file declares {}", then.name, now.name));
    }
    let names: std::collections::BTreeSet<&NodeName> = then.nodes.keys().chain(now.nodes.keys()).collect();
    for name in names {
        match (then.nodes.get(name), now.nodes.get(name)) {
            (Some(a), Some(b)) if a.master != b.master => {
                lines.push(format!("{name}: the plan wants its master on {}, the file on {}", a.master, b.master));
            }
            (Some(a), Some(b)) if a != b => lines.push(format!("{name}: its instances are declared differently")),
            (Some(_), Some(_)) | (None, None) => {}
            (Some(_), None) => lines.push(format!("{name}: the file does not declare it")),
            (None, Some(_)) => lines.push(format!("{name}: the plan does not know it")),
        }
    }
    if lines.is_empty() && then != now {
        lines.push("connection, servers, shells or policy are declared differently".to_owned());
    }
    lines
}

/// What differs between the facts a plan was made from and those of now, one line each.
pub fn moved(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let absent = || "as declared".to_owned();
    let keys: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| {
            let was = then.get(key).cloned().unwrap_or_else(absent);
            let is = now.get(key).cloned().unwrap_or_else(absent);
            format!("{key}: was {was}, is {is}")
        })
        .collect()
}
