//! The state of a node compared with the file: everything else follows from this decision.

use crate::model::{InstanceFacts, InstanceId, Node, NodeKind, Observation, Process, RecoveryFile, Role};

/// A node's state, seen from its declared master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Situation {
    /// The declared master runs as the only master.
    Right,
    /// Another instance runs as master, the declared one can take over.
    Elsewhere { master: InstanceId },
    /// No instance runs as master; the declared one runs as standby.
    Masterless,
    /// No instance runs as master, and the declared one is the copy that stopped last: start it again.
    Down,
    /// The declared master runs, and others beside it: they are given up, if a waiver says so.
    Split { others: Vec<InstanceId> },
    /// More than one instance runs as master, and the declared one is none of them.
    SplitElsewhere { masters: Vec<InstanceId> },
    /// The declared master is not there to take over.
    NoCandidate { master: Option<InstanceId> },
    /// The roles of the instances are not known well enough to act.
    Unclear,
}

/// Facts of each of the node's instances. An instance that was not observed is unknown.
pub(crate) fn facts<'a>(
    node: &'a Node,
    seen: &'a Observation,
) -> impl Iterator<Item = (&'a InstanceId, &'a InstanceFacts)> {
    node.instances.values().filter_map(|instance| Some((&instance.id, seen.instances.get(&instance.id)?)))
}

/// The running masters of a node.
pub(crate) fn running_masters(node: &Node, seen: &Observation) -> Vec<InstanceId> {
    facts(node, seen).filter(|(_, f)| f.is_running(Role::Master)).map(|(id, _)| id.clone()).collect()
}

/// The running master to query and update: of two masters the declared one.
pub(crate) fn present_master(node: &Node, seen: &Observation) -> Option<InstanceId> {
    let masters = running_masters(node, seen);
    let declared = masters.iter().find(|id| id.server == node.master).cloned();
    declared.or_else(|| masters.into_iter().next())
}

impl Situation {
    /// Whether anything may be done for the node, its routes included.
    pub(crate) fn allows_acting(&self) -> bool {
        match self {
            Self::Right | Self::Elsewhere { .. } | Self::Masterless | Self::Down | Self::Split { .. } => true,
            Self::SplitElsewhere { .. } | Self::NoCandidate { .. } | Self::Unclear => false,
        }
    }
}

/// The instance that will be the node's master once the plan is done; none where that cannot be said.
pub(crate) fn serving(node: &Node, seen: &Observation) -> Option<InstanceId> {
    match diagnose(node, seen) {
        Situation::NoCandidate { master } => master,
        situation => situation.allows_acting().then(|| node.master_id()),
    }
}

/// Decides which situation `node` is in.
pub(crate) fn diagnose(node: &Node, seen: &Observation) -> Situation {
    let declared = node.master_id();
    let masters = running_masters(node, seen);
    let Some(wanted) = seen.instances.get(&declared) else { return Situation::Unclear };
    match masters.as_slice() {
        [only] if *only == declared => Situation::Right,
        [only] if wanted.is_running(Role::Standby) => Situation::Elsewhere { master: only.clone() },
        [only] => Situation::NoCandidate { master: Some(only.clone()) },
        [] if wanted.is_running(Role::Standby) => Situation::Masterless,
        [] if wanted.process.known().is_none() || wanted.role.known().is_none() && !wanted.is_stopped() => {
            Situation::Unclear
        }
        [] if stopped_last(node, seen, wanted) => Situation::Down,
        [] => Situation::NoCandidate { master: None },
        several if several.contains(&declared) => {
            Situation::Split { others: several.iter().filter(|id| **id != declared).cloned().collect() }
        }
        _ => Situation::SplitElsewhere { masters },
    }
}

/// Whether the declared master, which is stopped, was the node's master when it stopped, and no other copy
/// has gone further since: then starting it loses nothing.
fn stopped_last(node: &Node, seen: &Observation, wanted: &InstanceFacts) -> bool {
    if node.kind == NodeKind::Gtm {
        return gtm_stopped_last(node, seen, wanted);
    }
    let (Some(control), Some(end)) = (wanted.control.known(), wanted.wal_end.known()) else { return false };
    let was_master = control.state.is_of_a_master();
    // A recovery.conf that otb did not write makes it a standby on purpose.
    let meant_as_master =
        wanted.data_dir.is_known_and(|dir| dir.recovery_conf.as_ref().is_none_or(|recovery| recovery.fence));
    was_master
        && meant_as_master
        && wanted.process.known() == Some(&Process::Stopped)
        && facts(node, seen).filter(|(id, _)| id.server != node.master).all(|(_, other)| {
            let behind = other.wal_end.is_known_and(|reached| reached <= end);
            let same_history = other.timeline.is_known_and(|timeline| *timeline <= control.timeline);
            behind && same_history
        })
}

/// The same for a GTM, for which only gtm.conf decides: it would start as the active one, or only otb's fence prevents
/// that, and every other instance is a standby by its own report. A promoted GTM writes this into its gtm.conf
/// (opentenbase-v2.6-live.md, "Tools"), so none of them was promoted. An old one with otb's fence counts if its fence
/// leads here: then this is the one that was promoted, and it ended during the promotion (seen live once).
fn gtm_stopped_last(node: &Node, seen: &Observation, wanted: &InstanceFacts) -> bool {
    let conf = |facts: &InstanceFacts| facts.data_dir.known().map(|dir| dir.recovery_conf.clone());
    let was_active = conf(wanted).is_some_and(|conf| conf.is_none_or(|conf| conf.fence));
    let unfenced = conf(wanted).is_some_and(|conf| conf.is_none());
    let here = node.master_instance().map(|instance| &instance.endpoint);
    let is_standby = |facts: &InstanceFacts| {
        let leads_here = |conf: &RecoveryFile| unfenced && conf.upstream.as_ref() == here;
        facts.is_running(Role::Standby)
            || facts.is_stopped() && conf(facts).flatten().is_some_and(|conf| !conf.fence || leads_here(&conf))
    };
    was_active
        && wanted.is_stopped()
        && facts(node, seen).filter(|(id, _)| id.server != node.master).all(|(_, other)| is_standby(other))
}
