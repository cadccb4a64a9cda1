//! Checks of the routers and of nodes whose situation forbids acting.

use std::collections::BTreeMap;

use super::{Finding, for_split_elsewhere, forward, hints, way_out};
use crate::model::{
    Cluster, Fact, InstanceFacts, InstanceId, Node, NodeKind, Observation, Process, Role, Unknown, UnknownKind,
    WrittenIn,
};
use crate::opentenbase::command;
use crate::plan::check::{Check, CheckCode, CheckId, Waiver};
use crate::plan::gtm::is_brought_up;
use crate::plan::routes::RouterView;
use crate::plan::situation::{self, Situation, diagnose, present_master, running_masters};
use crate::plan::survey::{NodeSurvey, RouterSurvey};

/// Every router must be readable, complete, and able to commit an ALTER NODE.
///
/// While the GTM is down, masters cannot be read and need not be: the GTM route is updated without reading.
pub(crate) fn for_routers(
    cluster: &Cluster,
    seen: &Observation,
    routers: &[RouterView<'_>],
    staged: bool,
) -> Vec<Check> {
    let look = if staged { can_be_told } else { readable };
    let mut checks: Vec<Check> =
        routers.iter().map(|router| look(router, cluster, seen).of(CheckCode::Routes, &router.router)).collect();
    checks.extend(routers.iter().filter(|router| router.table.known().is_some()).map(|router| {
        let rows = router.gtm_rows();
        let found = format!("{} has {rows} GTM {}", router.router, if rows == 1 { "row" } else { "rows" });
        match router.gtm_rows() {
            1 => Finding::pass(found),
            _ => Finding::block(found, "fix pgxc_node on this router by hand: it must have exactly one row of type G"),
        }
        .of(CheckCode::GtmRow, &router.router)
    }));
    checks.extend(forward::known(cluster, seen, routers).map(|finding| finding.of(CheckCode::Forward, &cluster.name)));
    checks.extend(routers.iter().filter_map(strangers));
    checks.extend(spellings(seen).map(|finding| finding.of(CheckCode::Spelling, &cluster.name)));
    checks
}

/// An active GTM must answer, or be brought up by the plan itself.
pub(crate) fn for_gtm(cluster: &Cluster, seen: &Observation, nodes: &[NodeSurvey<'_>]) -> Vec<Check> {
    let gtms = cluster.nodes_of(NodeKind::Gtm);
    gtms.map(|node| {
        let repaired = |survey: &NodeSurvey<'_>| {
            survey.node.name == node.name && matches!(survey.situation, Situation::Split { .. })
        };
        let finding = if nodes.iter().any(repaired) {
            Finding::pass(format!("{} is the active GTM that is kept", node.master_id()))
        } else {
            let planned = nodes.iter().any(|survey| survey.node.name == node.name);
            active(node, seen, is_brought_up(node, nodes), planned)
        };
        finding.of(CheckCode::Gtm, &node.name)
    })
    .collect()
}

/// Whether ALTER GTM NODE can reach the router, now or once another step has brought its master up.
fn can_be_told(router: &RouterView<'_>, cluster: &Cluster, seen: &Observation) -> Finding {
    let at = &router.router;
    let Some(node) = cluster.nodes.get(&at.node) else { return Finding::pass("it is not a router") };
    if let Some(master) = present_master(node, seen) {
        return Finding::pass(format!("{master} runs as master, so its GTM route can be updated"));
    }
    match diagnose(node, seen) {
        Situation::Masterless | Situation::Down => Finding::warn(
            format!("no master of {} runs: its GTM route is updated once one runs", node.name),
            "do nothing if the same run moves or starts this node",
        ),
        Situation::NoCandidate { master: None } if seen.instances.get(at).is_some_and(InstanceFacts::is_stopped) => {
            Finding::warn(
                format!("{at} is stopped, and still has the GTM's old address"),
                "plan again once it runs: its GTM route is updated then",
            )
        }
        _ => Finding::unknown(
            format!("otb does not know whether {at} runs, so it may keep the GTM's old address"),
            format!(
                "bring this router back first, or let a later plan update it: --waive {}:{at} --reason ...",
                CheckCode::Routes.word()
            ),
        ),
    }
}

fn readable(router: &RouterView<'_>, cluster: &Cluster, seen: &Observation) -> Finding {
    if let Fact::Unknown(why) = &router.table {
        let found = format!("pgxc_node of {} could not be read: {why}", router.router);
        let node = cluster.nodes.get(&router.router.node);
        // To start it is the way to bring it back: a refusal here would refuse the cure.
        if node.is_some_and(|node| diagnose(node, seen) == Situation::Down) {
            return Finding::pass(format!("{found}; otb compares its rows once this run has started it"));
        }
        let next = match why.kind {
            UnknownKind::NoTimestamp => {
                "make sure that it has a GTM that answers: plan without --target, or plan the GTM too"
            }
            kind => kind.way_out().unwrap_or("bring this router back first"),
        };
        return Finding::unknown(found, format!("{next}; with a waiver it keeps its wrong routes until the next plan"));
    }
    let missing: Vec<String> = router.missing().iter().map(ToString::to_string).collect();
    if missing.is_empty() {
        return Finding::pass(format!("otb read {} rows", router.len()));
    }
    if let Some((name, gtm)) = router.gtm_by_another_name(cluster) {
        return Finding::block(
            format!("{} calls its GTM {name}, but the file calls it {gtm}", router.router),
            format!("write {name} instead of {gtm} in the file: the name in pgxc_node counts"),
        );
    }
    Finding::block(
        format!("{} has no row for {}", router.router, missing.join(", ")),
        "create the missing row with CREATE NODE, or correct the node's name in the file",
    )
}

fn strangers(router: &RouterView<'_>) -> Option<Check> {
    let rows = router.strangers();
    let hint = "declare these nodes in the file, or remove the rows with DROP NODE";
    let found = || format!("{} also routes to {}, which the file does not declare", router.router, rows.join(", "));
    (!rows.is_empty()).then(|| Finding::warn(found(), hint).of(CheckCode::Strangers, &router.router))
}

/// The most instances that the check `spelling` names for one way to write a host.
const MOST_SPELLINGS: usize = 3;

/// Which instances write a host in another way than the file.
fn spellings(seen: &Observation) -> Option<Finding> {
    let mut found: BTreeMap<(&str, &str, WrittenIn), Vec<String>> = BTreeMap::new();
    for one in &seen.spellings {
        let way = (one.found.as_str(), one.declared.as_str(), one.place);
        found.entry(way).or_default().push(one.instance.to_string());
    }
    let lines = found.iter().map(|((other, declared, place), instances)| {
        let (first, more) = instances.split_at(instances.len().min(MOST_SPELLINGS));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        format!("{}{more}: {} has {other}, the file has {declared}", first.join(", "), place.word())
    });
    let lines: Vec<String> = lines.collect();
    let hint = "nothing must be done: both lead to the same server";
    (!lines.is_empty()).then(|| Finding::warn(lines.join("; "), hint))
}

fn active(node: &Node, seen: &Observation, brought_up: bool, planned: bool) -> Finding {
    let declared = node.master_id();
    let masters = running_masters(node, seen);
    match masters.as_slice() {
        [only] => Finding::pass(format!("{only} is the active GTM")),
        [] if brought_up => Finding::pass(format!("no active GTM answers; otb starts {declared} first")),
        [] => {
            let why = seen
                .instances
                .get(&declared)
                .and_then(|facts| facts.role.reason())
                .map_or_else(String::new, |why| format!(": {why}"));
            let next = if planned { "fix what the check standby says about" } else { "plan also" };
            let by_hand = node.master_instance().map_or_else(String::new, |gtm| {
                let start = command::start(gtm, command::Patience(60));
                format!(", or start it by hand, on {}: {start}", gtm.id.server)
            });
            Finding::unknown(
                format!("no active GTM answers{why}"),
                format!("nothing commits without a GTM: {next} {}{by_hand}", node.name),
            )
        }
        _ => Finding::block(
            "two active GTMs answer",
            format!(
                "plan {} too, and declare the GTM to keep as its master: the plan then shows what is lost",
                node.name
            ),
        ),
    }
}

/// ALTER NODE requires a superuser (opentenbase-v2.6-live.md, "Routes and poolers"): a refusal must come before
/// anything is stopped. [`for_routers`] reports a router whose settings cannot be read.
pub(crate) fn for_altered(routers: &[RouterSurvey], seen: &Observation) -> Vec<Check> {
    let check = |router: &RouterSurvey| {
        let id = &router.router;
        // The files of a stopped instance show its settings, but not the rights of a session.
        let settings = seen.instances.get(id).filter(|facts| !facts.is_stopped())?.settings.known()?;
        let finding = match settings.is_on("is_superuser") {
            Some(true) => Finding::pass(format!("otb's user is superuser on {id}")),
            Some(false) => Finding::block(
                format!("otb's user is not superuser on {id}, and ALTER NODE requires a superuser"),
                "name a superuser as connection.user in the file",
            ),
            None => Finding::unknown(
                format!("otb could not find out whether its user is superuser on {id}"),
                super::LOOK_AGAIN,
            ),
        };
        Some(finding.of(CheckCode::Superuser, id))
    };
    routers.iter().filter(|router| !router.routes.is_empty()).filter_map(check).collect()
}

/// Refusals for nodes that cannot be acted on.
/// A router out of sight, whose `routes` check is waived, is left as it is and said to be so.
pub(crate) fn for_unclear(node: &Node, situation: &Situation, seen: &Observation, waivers: &[Waiver]) -> Option<Check> {
    let declared = node.master_id();
    let finding = match situation {
        Situation::SplitElsewhere { masters } => return Some(for_split_elsewhere(node, masters, seen)),
        Situation::NoCandidate { master } => no_candidate(node, master.as_ref(), seen),
        Situation::Unclear => {
            let facts = seen.instances.get(&declared);
            let reason = facts.and_then(|f| f.process.reason().or(f.role.reason()));
            let why = reason.map_or_else(|| "it was not observed".to_owned(), ToString::to_string);
            let left_alone = CheckId::new(CheckCode::Routes, &declared);
            if waivers.iter().any(|waiver| waiver.check == left_alone) {
                let found = format!("the state of {declared} is not known: {why}; otb does not change it");
                return Some(Finding::warn(found, "plan again once it answers").of(CheckCode::Standby, &node.name));
            }
            Finding::unknown(
                format!("no master of {} was found, and the state of {declared} is not known: {why}", node.name),
                hints::hung_master(node, seen).unwrap_or_else(|| {
                    way_out(reason, "fix the connection or the shell to that server, then plan again")
                }),
            )
        }
        Situation::Right
        | Situation::Elsewhere { .. }
        | Situation::Masterless
        | Situation::Down
        | Situation::Split { .. } => return None,
    };
    Some(finding.of(CheckCode::Standby, &node.name))
}

fn no_candidate(node: &Node, master: Option<&InstanceId>, seen: &Observation) -> Finding {
    let declared = &node.master_id();
    let facts = seen.instances.get(declared);
    let Some(process) = facts.and_then(|f| f.process.known()) else {
        let why = facts.and_then(|f| f.process.reason()).map_or_else(String::new, ToString::to_string);
        return Finding::unknown(
            format!("the state of {declared} is not known: {why}"),
            "fix the connection or the shell to that server, then plan again",
        );
    };
    let is_standby = facts.is_some_and(|f| f.is_running(Role::Standby));
    let state = format!("{declared} is {}", if is_standby { "a standby" } else { process.word() });
    match master {
        Some(master) => match facts.and_then(silent) {
            Some(why) => Finding::block(
                format!("{declared} runs but does not report its role ({why}), so it cannot take over from {master}"),
                way_out(
                    Some(why),
                    format!(
                        "wait until it answers, then plan again; if it hangs, {}; then {}",
                        node.master_instance().map_or_else(String::new, hints::end),
                        as_standby(declared, master)
                    ),
                ),
            ),
            None => {
                Finding::block(format!("{state}, so it cannot take over from {master}"), as_standby(declared, master))
            }
        },
        None => match situation::facts(node, seen).find_map(|(id, facts)| Some((id, silent(facts)?))) {
            Some((other, why)) => Finding::block(
                format!("{state}, and {other}, which may have more data, runs but does not report its role ({why})"),
                way_out(
                    Some(why),
                    format!(
                        "wait until {other} answers, then plan again; if it hangs, {}",
                        node.instances.get(&other.server).map_or_else(String::new, hints::end)
                    ),
                ),
            ),
            None => Finding::block(
                format!("{state}, no master of {} runs, and another instance may have more data", declared.node),
                hints::start_the_last(node, seen),
            ),
        },
    }
}

fn as_standby(declared: &InstanceId, master: &InstanceId) -> String {
    format!(
        "start {declared} as a standby of {master} first: `otb move {} {} --write`, `otb apply`, then move it back",
        declared.node, master.server
    )
}

/// Why a running process does not report its role: it hangs, it starts, or it accepts no more sessions.
fn silent(facts: &InstanceFacts) -> Option<&Unknown> {
    facts.role.reason().filter(|_| facts.process.known() == Some(&Process::Running))
}
