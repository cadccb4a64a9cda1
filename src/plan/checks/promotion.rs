//! A promotion request that has not been obeyed yet: from a run whose time limit passed, or from an operator.

use super::restart::{becomes, own_directory};
use super::{Finding, hints};
use crate::model::{Cluster, Fact, Instance, InstanceFacts, InstanceId, Node, Observation, Role};
use crate::opentenbase::{command, recovery_path};
use crate::plan::ChangeKind;
use crate::plan::check::{Check, CheckCode};
use crate::plan::situation::running_masters;
use crate::plan::survey::NodeSurvey;

/// For every standby that may become a master at any moment: beside one that serves, or instead of the one that this
/// plan makes. If no master serves, the declared standby only does what the plan does anyway.
pub(crate) fn for_promotion(survey: &NodeSurvey<'_>, seen: &Observation) -> Vec<Check> {
    let node = survey.node;
    let masters = running_masters(node, seen);
    let (declared, makes_a_master) = (node.master_id(), survey.change.is_some_and(makes_a_master));
    let meant = |other: &Instance| other.id == declared && masters.is_empty();
    let others = node.instances.values().filter(|other| other.kind.is_router() && !meant(other));
    let look = |other: &Instance| {
        let facts = seen.instances.get(&other.id).filter(|facts| facts.is_running(Role::Standby))?;
        let finding = match &facts.data_dir {
            _ if is_told_to_promote(facts) => {
                let say = if makes_a_master { Finding::block } else { Finding::warn };
                say(found(other), hint(other, facts, &masters))
            }
            // Said, and no more: a cluster in need must not wait for the shell of a server that serves.
            Fact::Unknown(why) if makes_a_master && other.id != declared => Finding::warn(
                format!("otb could not find out whether {} has a promotion request: {}", other.id, why.why),
                format!("make sure that {}/promote does not exist on {}", other.data, other.id.server),
            ),
            _ => return None,
        };
        Some(finding.of(CheckCode::Promotion, &other.id))
    };
    others.filter_map(look).collect()
}

fn makes_a_master(change: ChangeKind) -> bool {
    !matches!(change, ChangeKind::Rejoin | ChangeKind::Reroute | ChangeKind::Settle)
}

/// Whether a running standby has yet to obey `pg_ctl promote`.
pub(crate) fn is_told_to_promote(facts: &InstanceFacts) -> bool {
    facts.is_running(Role::Standby) && own_directory(facts).is_some_and(|dir| dir.promotion_asked)
}

fn found(Instance { id, data, .. }: &Instance) -> String {
    format!("{id} has a promotion request and may become a master at any moment: {data}/promote exists")
}

fn hint(instance: &Instance, facts: &InstanceFacts, masters: &[InstanceId]) -> String {
    let (server, stop) = (&instance.id.server, command::stop(instance, command::Patience(60)));
    let careful = match becomes(instance, facts) {
        Some(_) => format!("; do not start it before {} makes it a standby", recovery_path(instance)),
        None => String::new(),
    };
    let stop = format!("on {server} run `{stop}` and plan again: its next start removes the request{careful}");
    if masters.is_empty() {
        format!("declare `master: {server}`, which finishes the promotion; or {stop}")
    } else {
        stop
    }
}

/// How a paused standby continues: not with a requested promotion beside a master that serves.
pub(super) fn resume(cluster: &Cluster, id: &InstanceId, node: &Node, seen: &Observation) -> String {
    if seen.instances.get(id).is_some_and(is_told_to_promote) && !running_masters(node, seen).is_empty() {
        format!("a start would promote {id} at once: first do what promotion:{id} says")
    } else {
        hints::statement(cluster, id, "select pg_wal_replay_resume()")
    }
}
