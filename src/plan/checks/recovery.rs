//! The effects of a standby's own recovery.conf on a move: a delay, and a slot that must exist.

use super::{Finding, hints};
use crate::model::{Cluster, InstanceFacts, InstanceId, Node, Observation, RecoverySettings};
use crate::opentenbase::recovery_path;
use crate::plan::check::{Check, CheckCode};
use crate::plan::survey::NodeSurvey;

fn own(facts: &InstanceFacts) -> Option<&RecoverySettings> {
    Some(&facts.data_dir.known()?.recovery_conf.as_ref()?.own)
}

/// A standby that is kept behind on purpose, where it is to become the master. Only where there is one: `from` is the
/// running master.
pub(super) fn delay(cluster: &Cluster, node: &Node, from: Option<&InstanceId>, seen: &Observation) -> Option<Check> {
    let declared = node.master_id();
    let delay = own(seen.instances.get(&declared)?)?.delay.as_ref()?;
    let path = cluster.instance(&declared).map(recovery_path).unwrap_or_default();
    let found = format!("{declared} is a delayed standby: recovery_min_apply_delay is {delay} in {path}");
    let finding = match from {
        Some(_) => Finding::block(
            format!("{found}; clients would wait until it has replayed everything"),
            format!("declare another standby as master, or set the delay to 0 on {} and restart it", declared.server),
        ),
        None => Finding::block(
            format!("{found}; after its promotion it replays at once what it has received"),
            "declare another standby as master if one runs; first check whether it received the mistake that the \
                delay should keep out",
        ),
    };
    Some(finding.of(CheckCode::Delay, &declared))
}

/// A standby whose recovery.conf names a slot finds no upstream without it.
pub(crate) fn for_kept_slots(cluster: &Cluster, survey: &NodeSurvey<'_>, seen: &Observation) -> Vec<Check> {
    let upstream = survey.node.master_id();
    let check = |id: &InstanceId| {
        let slot = own(seen.instances.get(id)?)?.slot.as_ref()?;
        let create = format!("select pg_create_physical_replication_slot('{}')", slot.replace('\'', "''"));
        let finding = Finding::warn(
            format!("{id} streams through the replication slot {slot}: {upstream} must have it"),
            format!("if it does not exist: {}", hints::statement(cluster, &upstream, &create)),
        );
        Some(finding.of(CheckCode::Slots, id))
    };
    survey.rejoins.iter().filter_map(|rejoin| check(&rejoin.instance)).collect()
}
