//! Commits that wait for standbys: which copies count for a node's declared master, and which of them must return at
//! once because no commit ends without them.

use super::rejoin::Rejoin;
use super::situation::Situation;
use super::step::RejoinMethod;
use super::survey::{NodeSurvey, PlannedRejoin};
use crate::model::{Endpoint, InstanceFacts, InstanceId, Node, Observation, RecoveryFile, Role};
use crate::opentenbase::{NAMELESS_STANDBY, SyncNames, standby_name};

/// What the declared master's commits wait for, and the instances that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncCommits {
    /// How many standbys a commit waits for.
    pub number: usize,
    /// The copies that count, each with its application_name. Those that come first are there first.
    pub copies: Vec<(InstanceId, String)>,
    /// The copies that will stream and do not count.
    pub others: Vec<(InstanceId, String)>,
    /// The rejoins of instances that commits wait for: they run beside the reroutes.
    pub early: Vec<InstanceId>,
}

impl SyncCommits {
    pub(crate) fn is_met(&self) -> bool {
        self.copies.len() >= self.number
    }
}

/// Judges what commits on the declared master of `node` will wait for. `Ok(None)` means that they do not wait.
pub(crate) fn judge(
    node: &Node,
    situation: &Situation,
    rejoins: &[PlannedRejoin],
    seen: &Observation,
) -> Result<Option<SyncCommits>, String> {
    let settings = seen.instances.get(&node.master_id()).and_then(|facts| facts.settings.known());
    let Some(names) = settings.map_or(Ok(None), SyncNames::of)? else { return Ok(None) };
    let applies = settings.is_some_and(|settings| settings.text("synchronous_commit") == Some("remote_apply"));
    let mut present = present(node, rejoins, seen);
    // A commit that waits for its replay never hears of one that replays nothing.
    present.retain(|(id, _)| !applies || !seen.instances.get(id).is_some_and(is_paused));
    // A copy that only has to start is there before one that has to be copied.
    let mut planned: Vec<&PlannedRejoin> = rejoins.iter().collect();
    planned.sort_by_key(|rejoin| rejoin.method.effort());
    present.extend(planned.iter().map(|rejoin| (rejoin.instance.clone(), standby_name(&rejoin.instance))));
    let (copies, others): (Vec<_>, Vec<_>) = present.into_iter().partition(|(_, name)| names.count(name));
    let first = || copies.iter().take(names.number).map(|(id, _)| id);
    let acts = |rejoin: &&PlannedRejoin| rejoin.method.effort() > RejoinMethod::Unfence.effort();
    let is_first = |rejoin: &&PlannedRejoin| first().any(|id| *id == rejoin.instance);
    let mut early: Vec<&PlannedRejoin> = planned.into_iter().filter(acts).filter(is_first).collect();
    if early.iter().any(|rejoin| rejoin.method == RejoinMethod::BaseBackup) {
        // Only the other instance, unchanged, shows what an instance followed that must be replaced.
        let replaced = |rejoin: &&PlannedRejoin| rejoin.method == RejoinMethod::Replace && !is_first(rejoin);
        early.splice(..0, rejoins.iter().filter(replaced));
    }
    // If a node has two masters, nothing happens before the routes are updated.
    if matches!(situation, Situation::Split { .. }) {
        early.clear();
    }
    let early = early.into_iter().map(|rejoin| rejoin.instance.clone()).collect();
    Ok(Some(SyncCommits { number: names.number, copies, others, early }))
}

/// The copies that follow the declared master by themselves, with the names that they have given themselves.
fn present(node: &Node, rejoins: &[PlannedRejoin], seen: &Observation) -> Vec<(InstanceId, String)> {
    let Some(master) = node.master_instance() else { return Vec::new() };
    let follows = |facts: &&InstanceFacts| follows(facts, &master.endpoint);
    let is_planned = |id: &InstanceId| rejoins.iter().any(|rejoin| rejoin.instance == *id);
    let copies = node.standbys().map(|copy| &copy.id).filter(|id| !is_planned(id));
    copies
        .filter_map(|id| Some((id.clone(), seen.instances.get(id).filter(follows)?)))
        .map(|(id, facts)| (id, own_name(facts)))
        .collect()
}

fn is_paused(facts: &InstanceFacts) -> bool {
    facts.standby.is_known_and(|standby| standby.replay_paused)
}

fn follows(facts: &InstanceFacts, master: &Endpoint) -> bool {
    facts.is_running(Role::Standby) && facts.standby.is_known_and(|standby| standby.upstream.as_ref() == Some(master))
}

/// The application_name of a standby's own recovery.conf.
pub(crate) fn own_name(facts: &InstanceFacts) -> String {
    let file: Option<&RecoveryFile> = facts.data_dir.known().and_then(|dir| dir.recovery_conf.as_ref());
    file.and_then(|file| file.application_name.clone()).unwrap_or_else(|| NAMELESS_STANDBY.to_owned())
}

/// A copy that streams behind the fence of a run that was cut off: its recovery.conf still has the mark.
pub(super) fn streams_behind_a_fence(facts: &InstanceFacts, master: &Endpoint) -> bool {
    let fenced = |file: &RecoveryFile| file.fence && file.upstream.as_ref() == Some(master);
    follows(facts, master)
        && facts.standby.is_known_and(|standby| standby.streaming)
        && facts.data_dir.is_known_and(|dir| dir.recovery_conf.as_ref().is_some_and(fenced))
}

/// What happens to such an instance.
pub(super) fn unfence() -> Rejoin {
    let because = "it streams, and its recovery.conf still has the mark of an interrupted move".to_owned();
    Rejoin::By { method: RejoinMethod::Unfence, because }
}

/// The outlook of a surveyed node. The check reports an unreadable list.
pub(super) fn of(survey: &NodeSurvey<'_>, seen: &Observation) -> Option<SyncCommits> {
    if !survey.node.kind.is_router() || !survey.situation.allows_acting() {
        return None;
    }
    judge(survey.node, &survey.situation, &survey.rejoins, seen).ok().flatten()
}
