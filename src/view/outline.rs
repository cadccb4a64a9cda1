//! The common part of all views of a plan: its one sentence, the scope of the observation, the parts of its steps.

use std::borrow::Cow;
use std::fmt::Display;

use crate::model::NodeName;
use crate::plan::{Action, Check, Phase, Plan, SilentServer, Step, Unseen};
use crate::view::words::{brief, count, listed};

/// How many changes the one sentence names.
const NAMED: usize = 3;

/// The plan in one sentence, without the cluster's name and without a full stop.
pub(super) fn sentence(plan: &Plan) -> String {
    if plan.is_empty() {
        return format!("nothing to do{}, observed {}", only(plan), looked_at(plan));
    }
    let refused = match plan.refusing().count() {
        0 => String::new(),
        n => format!(", refused by {}", count(n, "check")),
    };
    if plan.changes.is_empty() {
        let unseen = if plan.unseen.is_empty() {
            String::new()
        } else {
            format!(", {} could not be observed", count(plan.unseen.len(), "fact"))
        };
        return format!("no change can be planned{}{refused}{unseen}", only(plan));
    }
    let named: Vec<String> = plan.changes.iter().take(NAMED).map(|change| brief(change, "→")).collect();
    let more = match plan.changes.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let (changes, steps) = (count(plan.changes.len(), "change"), count(plan.steps.len(), "step"));
    format!("{changes} in {steps}{}{refused}: {}{more}", only(plan), named.join(", "))
}

/// ` for dn01 only (--target)`, if that is so.
fn only(plan: &Plan) -> String {
    let names: Vec<String> = plan.targets.iter().map(ToString::to_string).collect();
    if names.is_empty() { String::new() } else { format!(" for {} only (--target)", listed(&names)) }
}

/// Without it, "nothing to do" says nothing.
pub(super) fn looked_at(plan: &Plan) -> String {
    let looked = &plan.looked_at;
    let (instances, routes) = (count(looked.instances, "instance"), count(looked.routes, "row"));
    format!("{instances}, {routes} of pgxc_node on {}", count(looked.routers, "router"))
}

/// The subject of a plan: the cluster, or the nodes that `--target` names.
pub(super) fn subject(cluster: &impl Display, targets: &[NodeName]) -> String {
    let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        cluster.to_string()
    } else {
        format!("{} of {cluster} (only these, by --target)", listed(&names))
    }
}

/// `X is as declared`.
pub(super) fn as_declared(cluster: &impl Display, targets: &[NodeName]) -> String {
    let are = if targets.len() > 1 { "are" } else { "is" };
    format!("{} {are} as declared", subject(cluster, targets))
}

/// The longest command line that is written for the reader.
const MOST_NAMED: usize = 40;

/// The part of a refused plan that does not need to wait for the rest.
pub(super) fn independent_nodes(plan: &Plan) -> Option<String> {
    let wait = match plan.independent_nodes.as_slice() {
        [] => return None,
        [only] => format!("{only} does not need to wait for that"),
        several => format!("{} do not need to wait for that", count(several.len(), "node")),
    };
    let named: Vec<String> = plan.independent_nodes.iter().map(|node| format!("--target {node}")).collect();
    let targets = if named.len() > MOST_NAMED {
        "--target NODE for each (`independent_nodes` in the JSON)"
    } else {
        &named.join(" ")
    };
    Some(format!("{wait}: plan with only {targets}"))
}

/// The unknown facts of these instances, for one reason.
pub(super) struct Hidden<'a> {
    /// Each with what its own process said, or did not, before its server was asked.
    pub(super) instances: Vec<(String, Option<&'a str>)>,
    pub(super) fact: &'a str,
    /// Their common text.
    pub(super) shared: &'a str,
}

impl Hidden<'_> {
    /// `dn01@s29, dn02@s29`.
    pub(super) fn names(&self) -> String {
        self.instances.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// All of why, in one sentence.
    pub(super) fn why(&self) -> String {
        let own: Vec<String> = self.instances.iter().filter_map(|(_, own)| own.map(ToOwned::to_owned)).collect();
        if own.is_empty() { self.shared.to_owned() } else { listed(&own) + THEN + self.shared }
    }
}

/// The facts that could not be observed, each reason once: a silent server hides many facts for the same reason, and
/// its ssh message is long.
pub(super) fn hidden(unseen: &[Unseen]) -> Vec<Hidden<'_>> {
    let mut all: Vec<Hidden<'_>> = Vec::new();
    for entry in unseen {
        let (own, shared) = own_and_shared(&entry.why);
        let instance = (entry.instance.to_string(), own);
        match all.iter_mut().find(|one| one.shared == shared && one.fact == entry.fact) {
            Some(one) => one.instances.push(instance),
            None => all.push(Hidden { instances: vec![instance], fact: &entry.fact, shared }),
        }
    }
    all
}

/// The facts that could not be observed, without those that a silent server hides.
pub(super) fn unseen_besides(plan: &Plan) -> Vec<Unseen> {
    let is_silent = |entry: &&Unseen| plan.silent.iter().any(|silent| silent.server == entry.instance.server);
    plan.unseen.iter().filter(|entry| !is_silent(entry)).cloned().collect()
}

/// What is said once of a server of which nothing answers.
pub(super) fn silence(silent: &SilentServer) -> String {
    let instances = count(silent.instances.len(), "instance");
    let first = silent.instances.first().map(ToString::to_string).unwrap_or_default();
    format!("does not answer, and its shell does not either: {instances}; of {first}: {}", silent.why)
}

/// The command that leads on where a server of which nothing answers has masters that can go elsewhere; its words after
/// `otb`.
pub fn road(plan: &Plan) -> Option<(&SilentServer, Vec<String>)> {
    plan.silent.iter().find_map(|silent| {
        let here = plan.cluster.nodes.values().filter(|node| node.master == silent.server);
        let (stuck, movable): (Vec<_>, Vec<_>) = here.partition(|node| node.standbys().next().is_none());
        let skips = stuck.iter().flat_map(|node| ["--skip".to_owned(), node.name.to_string()]);
        let words = ["drain".to_owned(), silent.server.to_string()].into_iter().chain(skips);
        (!movable.is_empty()).then(|| (silent, words.chain(["--write".to_owned()]).collect()))
    })
}

/// The same as a sentence.
pub(super) fn road_sentence(plan: &Plan) -> Option<String> {
    road(plan).map(|(silent, words)| {
        format!("{} does not answer. If it is off and stays off: otb {}", silent.server, words.join(" "))
    })
}

/// What to do next about facts that could not be observed, each once, if its kind decides it.
pub(super) fn ways_out(unseen: &[Unseen]) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = unseen.iter().filter_map(|entry| entry.kind.way_out()).collect();
    all.dedup();
    all
}

/// Stands between what a process said and what was learned by its server's shell then.
const THEN: &str = ", and ";

fn own_and_shared(why: &str) -> (Option<&str>, &str) {
    why.split_once(THEN).map_or((None, why), |(own, shared)| (Some(own), shared))
}

/// The result of a check, without the facts that are listed once as not observed.
pub(super) fn found<'a>(check: &'a Check, unseen: &[Unseen]) -> Cow<'a, str> {
    let many = |shared: &str| unseen.iter().filter(|other| own_and_shared(&other.why).1 == shared).count() > 1;
    let shorter = unseen.iter().find_map(|entry| {
        let (own, shared) = own_and_shared(&entry.why);
        let before = check.found.strip_suffix(shared).filter(|_| many(shared))?.strip_suffix(THEN)?;
        own.map(|_| format!("{before}; for more see Not observed"))
    });
    shorter.map_or(Cow::Borrowed(&check.found), Cow::Owned)
}

/// The nodes that change, each once.
pub(super) fn changing(plan: &Plan) -> Vec<&NodeName> {
    let mut nodes: Vec<&NodeName> = plan.changes.iter().map(|change| &change.node).collect();
    nodes.dedup();
    nodes
}

/// A step as it is listed.
pub(super) struct Item<'a> {
    pub(super) number: usize,
    pub(super) step: &'a Step,
    /// Steps of a phase often share their reason; once is enough.
    pub(super) why: Option<&'a str>,
}

/// The steps in order, part by part.
pub(super) fn phases(plan: &Plan) -> Vec<(&'static str, Vec<Item<'_>>)> {
    let mut number = 0;
    let phases = [
        Phase::Prepare,
        Phase::Gtm,
        Phase::Hold,
        Phase::Move,
        Phase::Return,
        Phase::Reroute,
        Phase::Reload,
        Phase::Prove,
        Phase::Release,
        Phase::Settle,
        Phase::Rejoin,
    ];
    let parts = phases.into_iter().filter_map(|phase| {
        let mut said = "";
        let items = plan.steps_in(phase).map(|step| {
            number += 1;
            let why = (step.why != said).then_some(step.why.as_str());
            said = &step.why;
            Item { number, step, why }
        });
        let steps: Vec<Item<'_>> = items.collect();
        (!steps.is_empty()).then(|| (title(phase, &steps), steps))
    });
    parts.collect()
}

fn title(phase: Phase, steps: &[Item<'_>]) -> &'static str {
    let stops = steps.iter().any(|item| matches!(item.step.action, Action::Stop { .. }));
    match phase {
        Phase::Move if !stops => "Move",
        Phase::Gtm if stops => {
            "GTM (first and alone; nothing commits from its stop until the first router is \
            updated)"
        }
        Phase::Gtm => "GTM (first and alone)",
        Phase::Prepare => "Prepare (nothing is interrupted yet)",
        Phase::Move => "Move (the write gap begins with the stop)",
        Phase::Return => "Return (standbys that commits wait for; they run beside the reroutes)",
        Phase::Reroute => "Reroute (all routers at the same time)",
        Phase::Reload => "Reload (one pool reload per router)",
        Phase::Prove => "Prove (through every coordinator)",
        Phase::Hold => "Hold (clients wait from here until the release)",
        Phase::Release => "Release (clients continue)",
        Phase::Settle => "Settle (finish transactions that are in doubt)",
        Phase::Rejoin => "Rejoin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, UnknownKind};

    fn unseen(instance: &str, why: &str) -> Unseen {
        let instance = InstanceId::try_from(instance.to_owned()).unwrap();
        Unseen { instance, fact: "process".to_owned(), kind: UnknownKind::Unreachable, why: why.to_owned() }
    }

    #[test]
    fn what_hides_many_facts_is_said_once() {
        let all = [
            unseen("dn01@s29", "no answer from h:1, and ssh says no"),
            unseen("dn02@s29", "no answer from h:2, and ssh says no"),
            unseen("dn03@s29", "ssh says no"),
            unseen("dn01@s47", "no answer from i:1"),
        ];
        let said: Vec<_> = hidden(&all).into_iter().map(|one| (one.names(), one.why())).collect();
        let together = "no answer from h:1, no answer from h:2, and ssh says no".to_owned();
        assert_eq!(said[0], ("dn01@s29, dn02@s29, dn03@s29".to_owned(), together));
        assert_eq!(said[1..], [("dn01@s47".to_owned(), "no answer from i:1".to_owned())]);
    }
}
