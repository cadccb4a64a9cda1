//! A promotion that was asked for and has not come yet: of a run whose limit passed, or of somebody with a shell.

use super::Finding;
use crate::dialect::command;
use crate::model::{Fact, Instance, InstanceFacts, Node, Observation, Role};
use crate::plan::ChangeKind;
use crate::plan::check::{Check, CheckCode};

/// Of every copy but the declared master that may become a master at any moment. Who only looks on is warned; nobody
/// may be given another master meanwhile. Where the directory cannot be looked into, that is said: a cluster in need must
/// not wait for the shell of a server that serves.
pub(crate) fn for_promotion(node: &Node, change: Option<ChangeKind>, seen: &Observation) -> Vec<Check> {
    let makes_a_master = !matches!(change, None | Some(ChangeKind::Rejoin | ChangeKind::Reroute));
    let others = node.instances.values().filter(|other| other.kind.is_router() && other.id != node.master_id());
    let look = |other: &Instance| {
        let facts = seen.instances.get(&other.id).filter(|facts| facts.is_running(Role::Standby))?;
        let finding = match &facts.data_dir {
            _ if is_told_to_promote(facts) && makes_a_master => Finding::block(found(other), hint(other)),
            _ if is_told_to_promote(facts) => Finding::warn(found(other), hint(other)),
            Fact::Unknown(why) if makes_a_master => Finding::warn(
                format!("whether {} was told to become a master is not known: {}", other.id, why.why),
                format!("make sure that there is no {}/promote on {}", other.data, other.id.server),
            ),
            _ => return None,
        };
        Some(finding.of(CheckCode::Promotion, &other.id))
    };
    others.filter_map(look).collect()
}

/// Whether a running standby has yet to obey `pg_ctl promote`.
pub(crate) fn is_told_to_promote(facts: &InstanceFacts) -> bool {
    facts.is_running(Role::Standby) && facts.data_dir.is_known_and(|dir| dir.promotion_asked)
}

fn found(Instance { id, data, .. }: &Instance) -> String {
    format!("{id} was told to become a master and may do so at any moment: {data}/promote is there")
}

fn hint(instance: &Instance) -> String {
    let (server, stop) = (&instance.id.server, command::stop(instance, command::Patience(60)));
    format!("on {server} run `{stop}`: started again it is a standby; then plan again. Or declare it as master")
}
