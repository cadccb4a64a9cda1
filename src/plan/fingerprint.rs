//! A digest of the facts that a saved plan was made from: otb applies it only if they have not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::document::Plan;
use super::routes::RouterView;
use super::step::StepId;
use crate::model::{Cluster, Fact, InstanceFacts, NodeName, Observation, Process};

/// The text of a fact that could not be read.
const UNKNOWN: &str = "unknown";

/// For a stopped instance: its role after a start, by its files.
const STARTS_AS: &str = ": starts as";

fn starts_as(instance: &InstanceFacts) -> &'static str {
    match &instance.data_dir {
        Fact::Known(dir) if dir.recovery_conf.is_some() => "standby",
        Fact::Known(_) => "master",
        Fact::Unknown(_) => UNKNOWN,
    }
}

fn table_key(router: impl std::fmt::Display) -> String {
    format!("{router}: pgxc_node")
}

fn route_key(router: impl std::fmt::Display, node: impl std::fmt::Display) -> String {
    format!("{router}: route to {node}")
}

/// Stands between a router's number of rows and the router whose rows that are not as declared it has as well.
const AS: &str = ", as ";

/// The stable facts: roles, system identifiers, timelines, what a stopped copy would start as, and each row that is not
/// as declared. Not LSNs, not lag. Rows that are as declared follow from the file, so a router that is right is one entry; and so is one whose
/// other rows are those of a router before it: a move makes the same rows wrong on every router.
pub(crate) fn facts(seen: &Observation, routers: &[RouterView<'_>]) -> BTreeMap<String, String> {
    let mut facts = Vec::with_capacity(3 * seen.instances.len() + routers.len());
    for (id, instance) in &seen.instances {
        let id = id.to_string();
        let mut fact = |what: &str, is: String| facts.push(([&id, what].concat(), is));
        fact(": role", role_words(instance));
        if instance.is_stopped() {
            fact(STARTS_AS, starts_as(instance).to_owned());
        }
        fact(": system identifier", word(&instance.system_id));
        fact(": timeline", word(&instance.timeline));
    }
    let mut first: Vec<&RouterView<'_>> = Vec::new();
    for router in routers {
        let (at, wrong) = (&router.router, router.changes());
        let Some(_) = router.table.known() else {
            facts.push((table_key(at), UNKNOWN.to_owned()));
            continue;
        };
        let same = |other: &&&RouterView<'_>| std::ptr::eq(other.changes(), wrong) || other.changes() == wrong;
        if let Some(other) = first.iter().find(same) {
            facts.push((table_key(at), format!("{} rows{AS}{}", router.len(), other.router)));
            continue;
        }
        facts.push((table_key(at), format!("{} rows", router.len())));
        facts.extend(wrong.iter().map(|change| (route_key(at, &change.node), change.from.clone())));
        if !wrong.is_empty() {
            first.push(router);
        }
    }
    facts.into_iter().collect()
}

/// The same with each router's rows under its own name.
fn spelled_out(facts: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = facts.clone();
    for (key, value) in facts {
        let (Some(router), Some((rows, other))) = (key.strip_suffix(&table_key("")), value.split_once(AS)) else {
            continue;
        };
        let theirs = route_key(other, "");
        let rows_of_it = facts.range(theirs.clone()..).take_while(|(key, _)| key.starts_with(&theirs));
        all.extend(rows_of_it.map(|(key, from)| (route_key(router, &key[theirs.len()..]), from.clone())));
        all.insert(key.clone(), rows.to_owned());
    }
    all
}

/// The state of an instance, as plans and drawings show it: `master`, `standby`, `stopped (in production)`, `unknown`.
pub fn role_words(instance: &InstanceFacts) -> String {
    match (&instance.process, &instance.role) {
        (Fact::Known(Process::Stopped), _) => {
            let state = instance.control.known().map_or(UNKNOWN, |control| control.state.words());
            format!("stopped ({state})")
        }
        (Fact::Known(Process::Running), role) => word(role),
        (Fact::Unknown(_), _) => UNKNOWN.to_owned(),
    }
}

fn word<T: std::fmt::Display>(fact: &Fact<T>) -> String {
    fact.known().map_or_else(|| UNKNOWN.to_owned(), ToString::to_string)
}

/// sha256 over the declared cluster and the facts, in hexadecimal.
pub(super) fn digest(cluster: &Cluster, facts: &BTreeMap<String, String>) -> String {
    // serde_json keeps struct order and our maps are sorted, so equal values give equal bytes.
    let mut bytes = Vec::with_capacity(1024 * cluster.nodes.len() + 64 * facts.len());
    // Into memory, and no map of theirs has keys that JSON does not: it cannot fail.
    let _ = serde_json::to_writer(&mut bytes, &(cluster, facts));
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether a plan that was read from a file still has the fingerprint of what it carries.
pub fn is_intact(plan: &Plan) -> bool {
    plan.fingerprint == digest(&plan.cluster, &plan.facts)
}

/// The differences between the cluster of a plan and the one that is declared now, one line each.
pub fn declared_differently(then: &Cluster, now: &Cluster) -> Vec<String> {
    let mut lines = Vec::new();
    if then.name != now.name {
        lines.push(format!("cluster: the plan is for {}, the file declares {}", then.name, now.name));
    }
    let names: BTreeSet<&NodeName> = then.nodes.keys().chain(now.nodes.keys()).collect();
    for name in names {
        match (then.nodes.get(name), now.nodes.get(name)) {
            (Some(a), Some(b)) if a.master != b.master => {
                lines.push(format!("{name}: the plan declares its master on {}, the file on {}", a.master, b.master));
            }
            (Some(a), Some(b)) if a != b => lines.push(format!("{name}: its instances are declared differently")),
            (Some(_), Some(_)) | (None, None) => {}
            (Some(_), None) => lines.push(format!("{name}: the file does not declare it")),
            (None, Some(_)) => lines.push(format!("{name}: the plan does not contain it")),
        }
    }
    if lines.is_empty() && then != now {
        lines.push("connection, servers, shells or policy are declared differently".to_owned());
    }
    lines
}

/// The changes since a plan was made, one line each: facts of the live cluster. If none changed, the steps that are
/// needed no longer or only now, because of facts outside the fingerprint (a pooler, a standby's state).
pub fn moved(then: &Plan, now: &Plan) -> Vec<String> {
    let (was, is) = (spelled_out(&then.facts), spelled_out(&now.facts));
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let line = |key: &String| {
        // The role shows whether it was stopped or started.
        let by_role = key.ends_with(STARTS_AS) && !(was.contains_key(key) && is.contains_key(key));
        let (was, is) = (fact(&was, key), fact(&is, key));
        (was != is && !by_role).then(|| format!("{key}: was {was}, is now {is}"))
    };
    let facts: Vec<String> = keys.into_iter().filter_map(line).collect();
    if facts.is_empty() { steps_moved(then, now) } else { facts }
}

/// A fact that has no entry is not simply absent: rows are left out when they are as declared, and when their table
/// could not be read.
fn fact<'a>(facts: &'a BTreeMap<String, String>, key: &str) -> &'a str {
    if let Some(value) = facts.get(key) {
        return value;
    }
    match key.split_once(": route to ") {
        Some((router, _)) => match facts.get(&table_key(router)).map(String::as_str) {
            Some(UNKNOWN) => UNKNOWN,
            Some(_) => "as declared",
            None => "not observed",
        },
        None => "not observed",
    }
}

fn steps_moved(then: &Plan, now: &Plan) -> Vec<String> {
    let actions =
        |plan: &Plan| plan.steps.iter().map(|step| (step.id.clone(), step.action.clone())).collect::<BTreeMap<_, _>>();
    let (was, is) = (actions(then), actions(now));
    let ids: BTreeSet<&StepId> = was.keys().chain(is.keys()).collect();
    let line = |id: &StepId| match (was.get(id), is.get(id)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(_), Some(_)) => Some(format!("step {id}: was planned, but would now be done differently")),
        (Some(_), None) => Some(format!("step {id}: was planned, but is not needed now")),
        (None, _) => Some(format!("step {id}: was not planned, but is needed now")),
    };
    let lines: Vec<String> = ids.into_iter().filter_map(line).collect();
    if lines.is_empty() && !then.steps.iter().map(|step| &step.id).eq(now.steps.iter().map(|step| &step.id)) {
        return vec!["steps: the same steps, in another order".to_owned()];
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn rows_that_are_as_another_routers_are_compared_under_their_own_name() {
        let short = facts(&[
            ("cn01@s29: pgxc_node", "5 rows"),
            ("cn01@s29: route to dn01", "h:1"),
            ("cn02@s47: pgxc_node", "6 rows, as cn01@s29"),
            ("cn02@s47: role", "master"),
        ]);
        let long = facts(&[
            ("cn01@s29: pgxc_node", "5 rows"),
            ("cn01@s29: route to dn01", "h:1"),
            ("cn02@s47: pgxc_node", "6 rows"),
            ("cn02@s47: role", "master"),
            ("cn02@s47: route to dn01", "h:1"),
        ]);
        assert_eq!(spelled_out(&short), long);
        assert_eq!(spelled_out(&long), long);
    }

    #[test]
    fn a_row_without_an_entry_is_as_declared_only_where_its_table_was_read() {
        let key = "cn01@s29: route to dn01";
        assert_eq!(fact(&facts(&[(key, "h:1"), ("cn01@s29: pgxc_node", "5 rows")]), key), "h:1");
        assert_eq!(fact(&facts(&[("cn01@s29: pgxc_node", "5 rows")]), key), "as declared");
        assert_eq!(fact(&facts(&[("cn01@s29: pgxc_node", "unknown")]), key), "unknown");
        assert_eq!(fact(&facts(&[]), key), "not observed");
        assert_eq!(fact(&facts(&[]), "dn01@s29: role"), "not observed");
    }
}
