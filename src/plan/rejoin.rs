//! Which instances are not the standbys they should be, and how they become so.

use super::salvage;
use super::situation::Situation;
use super::step::RejoinMethod;
use super::survey::was_master;
use super::sync;
use crate::model::{
    ControlState, Endpoint, InstanceFacts, InstanceId, Lsn, Node, NodeKind, Observation, OldMaster, Role, StandbyFacts,
};

/// An instance that must become a standby of the declared master, or why the way is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejoin {
    /// It already streams, or will keep streaming.
    NotNeeded,
    /// How, and what was seen that calls for it.
    By { method: RejoinMethod, because: String },
    /// It is not known well enough to touch it.
    Unclear { why: String },
}

/// The settings of the instance's recovery.conf that stay while its upstream changes.
pub(crate) fn keeps(facts: Option<&InstanceFacts>) -> Vec<String> {
    let file = facts.and_then(|facts| facts.data_dir.known()?.recovery_conf.as_ref());
    file.map(|file| file.own.keeps.clone()).unwrap_or_default()
}

/// Decides for one instance that is not the declared master.
pub(crate) fn decide(
    node: &Node,
    instance: &InstanceId,
    situation: &Situation,
    seen: &Observation,
    policy: OldMaster,
) -> Rejoin {
    let (Some(facts), Some(master)) = (seen.instances.get(instance), node.master_instance()) else {
        return Rejoin::Unclear { why: format!("{instance} was not observed") };
    };
    if let Situation::Split { others } = situation
        && let Some(rejoin) = beside_two_masters(node, instance, others, seen, policy)
    {
        return rejoin;
    }
    if let Some(because) = behind_a_second_master(node, facts, seen) {
        let stopped = facts.is_stopped();
        return match policy {
            OldMaster::Leave if stopped => Rejoin::NotNeeded,
            _ if stopped => Rejoin::By { method: RejoinMethod::BaseBackup, because },
            _ => Rejoin::By { method: RejoinMethod::Replace, because },
        };
    }
    if *situation == Situation::Right && node.kind.is_router() && sync::streams_behind_a_fence(facts, &master.endpoint)
    {
        return sync::unfence();
    }
    if facts.is_running(Role::Standby) {
        return running_standby(facts, &master.endpoint, seen.instances.get(&master.id), situation);
    }
    if facts.is_running(Role::Master) {
        return running_master(policy);
    }
    if !facts.is_stopped() {
        let why = facts.process.reason().or(facts.role.reason()).map_or_else(String::new, ToString::to_string);
        return Rejoin::Unclear { why: format!("otb could not find out whether {instance} runs: {why}") };
    }
    if policy == OldMaster::Leave {
        return Rejoin::NotNeeded;
    }
    if node.kind == NodeKind::Gtm {
        return stopped_gtm(instance, facts);
    }
    let salvaged = salvage::decide(node, seen).end().filter(|_| *situation == Situation::Masterless);
    stopped(instance, facts, seen.instances.get(&master.id), salvaged)
}

fn running_master(policy: OldMaster) -> Rejoin {
    match policy {
        OldMaster::Leave => Rejoin::NotNeeded,
        OldMaster::Rejoin => Rejoin::By { method: RejoinMethod::InPlace, because: "it was the master".to_owned() },
    }
}

/// A second master, or a standby of one: what they hold is no prefix of the kept one's WAL.
fn beside_two_masters(
    node: &Node,
    instance: &InstanceId,
    others: &[InstanceId],
    seen: &Observation,
    policy: OldMaster,
) -> Option<Rejoin> {
    let by = |method, because: &str| Some(Rejoin::By { method, because: because.to_owned() });
    let is_gtm = node.kind == NodeKind::Gtm;
    if others.contains(instance) {
        return match policy {
            OldMaster::Leave => Some(Rejoin::NotNeeded),
            OldMaster::Rejoin if is_gtm => by(RejoinMethod::InPlace, "it is given up"),
            OldMaster::Rejoin => by(
                RejoinMethod::BaseBackup,
                "it is given up: its WAL is not part of the master's \
                history",
            ),
        };
    }
    let facts = seen.instances.get(instance).filter(|facts| facts.is_running(Role::Standby))?;
    let upstream = facts.standby.known()?.upstream.as_ref()?;
    let its_master =
        others.iter().find(|other| node.instances.get(&other.server).is_some_and(|at| at.endpoint == *upstream))?;
    let method = if is_gtm { RejoinMethod::Repoint } else { RejoinMethod::Replace };
    by(method, &format!("it follows {its_master}, which is given up"))
}

/// Two masters wrote on one timeline number; the one that is given up is stopped, and this is its standby. Neither
/// histories nor positions show whether its WAL is a part of the kept master's WAL. If it reconnects there, it would
/// treat that WAL as its own.
fn behind_a_second_master(node: &Node, facts: &InstanceFacts, seen: &Observation) -> Option<String> {
    let upstream = if facts.is_stopped() {
        facts.data_dir.known()?.recovery_conf.as_ref().filter(|file| !file.fence)?.upstream.as_ref()?
    } else {
        facts.standby.known().filter(|_| facts.is_running(Role::Standby))?.upstream.as_ref()?
    };
    let master = seen.instances.get(&node.master_id());
    let copies = node.standbys().filter(|copy| copy.endpoint == *upstream);
    let mut copies = copies.filter_map(|copy| Some((&copy.id, seen.instances.get(&copy.id)?)));
    let (id, _) =
        copies.find(|(_, copy)| was_master(node.kind, copy) && wrote_under_the_same_timeline(copy, master))?;
    Some(format!("it follows {id}, which was a master on the timeline that the master writes"))
}

fn running_standby(
    facts: &InstanceFacts,
    master: &Endpoint,
    its_facts: Option<&InstanceFacts>,
    situation: &Situation,
) -> Rejoin {
    let Some(standby) = facts.standby.known() else {
        let why = facts.standby.reason().map_or_else(String::new, ToString::to_string);
        return Rejoin::Unclear { why: format!("its replication could not be read: {why}") };
    };
    let follows = standby.upstream.as_ref() == Some(master);
    if follows && *situation == Situation::Down {
        let because = format!("it will connect to {master} again");
        return Rejoin::By { method: RejoinMethod::Reconnect, because };
    }
    if follows && (standby.streaming || *situation != Situation::Right) {
        return Rejoin::NotNeeded;
    }
    // A receiver gets its start position only after the standby has replayed its own WAL.
    let needs = standby.received.map(|received| Some(received).max(standby.replayed));
    let never = dead_timeline(facts, its_facts)
        .or_else(|| beyond_the_fork(facts, follows, its_facts))
        .or_else(|| lacks_wal(needs.flatten()?, its_facts));
    if let Some(because) = never {
        return Rejoin::By { method: RejoinMethod::Replace, because };
    }
    let upstream = standby.upstream.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let because = if follows {
        format!("it does not stream from {master}")
    } else {
        format!("it follows {upstream}, not {master}")
    };
    Rejoin::By { method: RejoinMethod::Repoint, because }
}

/// `salvaged`: the end of the WAL that the declared master will have before its promotion, where more is brought to it.
fn stopped(
    instance: &InstanceId,
    facts: &InstanceFacts,
    master: Option<&InstanceFacts>,
    salvaged: Option<Lsn>,
) -> Rejoin {
    let Some(control) = facts.control.known() else {
        let why = facts.control.reason().map_or_else(String::new, ToString::to_string);
        return Rejoin::Unclear {
            why: format!("{instance} is stopped, and its control file could not be read: {why}"),
        };
    };
    let state = control.state.words();
    let by = |method, because: String| Rejoin::By { method, because };
    if let Some(dead) = dead_timeline(facts, master) {
        return by(RejoinMethod::BaseBackup, dead);
    }
    match control.state {
        // Two masters under one number: that its end lies before the other's says nothing.
        ControlState::ShutDown if wrote_under_the_same_timeline(facts, master) => {
            by(RejoinMethod::BaseBackup, format!("it was a master ({state}) on the timeline that the master writes"))
        }
        ControlState::ShutDownInRecovery | ControlState::InArchiveRecovery | ControlState::ShutDown
            if is_prefix(facts, master) =>
        {
            match facts.wal_end.known().and_then(|end| lacks_wal(*end, master)) {
                Some(gone) => by(RejoinMethod::BaseBackup, format!("it is stopped ({state}): {gone}")),
                None => by(RejoinMethod::InPlace, format!("it is stopped ({state})")),
            }
        }
        ControlState::ShutDown | ControlState::ShutDownInRecovery | ControlState::InArchiveRecovery => by(
            RejoinMethod::BaseBackup,
            format!("it is stopped ({state}), and its WAL may not be part of the master's history"),
        ),
        ControlState::InProduction if !wrote_under_the_same_timeline(facts, master) => {
            match crashed_without_more(facts, master, salvaged) {
                Some(because) => by(RejoinMethod::InPlace, format!("it crashed ({state}): {because}")),
                None => by(
                    RejoinMethod::BaseBackup,
                    format!("it crashed ({state}): its WAL may not be part of the master's history"),
                ),
            }
        }
        ControlState::InProduction
        | ControlState::InCrashRecovery
        | ControlState::StartingUp
        | ControlState::ShuttingDown => by(
            RejoinMethod::BaseBackup,
            format!(
                "it crashed ({state}): its WAL may not be part of the master's \
                history"
            ),
        ),
    }
}

/// A master that crashed follows the new one without a copy, where its WAL ends no later than the new timeline begins. It
/// replays its own WAL to the end first, as after any crash, and then streams (seen live).
fn crashed_without_more(
    facts: &InstanceFacts,
    master: Option<&InstanceFacts>,
    salvaged: Option<Lsn>,
) -> Option<String> {
    let end = *facts.wal_end.known()?;
    let has_all = |has: Lsn| end <= has;
    let running = master?;
    let has = if running.is_running(Role::Standby) {
        let holds = running.standby.known().and_then(StandbyFacts::holds);
        let mine = facts.timeline.known()?;
        // The control file of a standby knows of its timeline only some time after it has followed it.
        let follows =
            [&running.timeline, &running.newest_history].iter().any(|own| own.is_known_and(|own| own >= mine));
        holds.filter(|_| follows).max(salvaged).filter(|has| has_all(*has))?
    } else {
        is_prefix(facts, master).then_some(end)?
    };
    if lacks_wal(end, master).is_some() {
        return None;
    }
    Some(format!("its WAL ends at {end}, and the master has WAL up to {has}"))
}

/// A GTM standby copies its master's state when it starts, whatever it held before (opentenbase-v2.6-live.md, "Tools").
fn stopped_gtm(instance: &InstanceId, facts: &InstanceFacts) -> Rejoin {
    if facts.data_dir.is_known_and(|dir| dir.present) {
        return Rejoin::By { method: RejoinMethod::InPlace, because: "it is stopped".to_owned() };
    }
    let why = facts.data_dir.reason().map_or_else(|| "it does not exist".to_owned(), ToString::to_string);
    Rejoin::Unclear { why: format!("{instance} is stopped, and its data directory could not be observed: {why}") }
}

/// An instance with a higher timeline than the running master asks for that timeline there and never streams ("highest
/// timeline of the primary is behind recovery timeline", seen live after a failed promotion).
fn dead_timeline(facts: &InstanceFacts, master: Option<&InstanceFacts>) -> Option<String> {
    let master = master.filter(|master| master.is_running(Role::Master))?;
    let (newest, theirs) = (facts.newest_history.known()?, master.timeline.known()?);
    (newest > theirs).then(|| format!("its pg_wal has timeline {newest}, which the master never reached"))
}

/// A running standby with WAL of a timeline beyond the point where the master left it never streams ("new timeline 2
/// forked off current database system timeline 1 before current recovery point"). It is an old master that crashed
/// with WAL of its own and was started behind its fence, or a standby of a master that was given up. For a standby
/// that follows the master without a fence, the control file may only not know the new timeline yet: a restart shows
/// it.
fn beyond_the_fork(facts: &InstanceFacts, follows: bool, master: Option<&InstanceFacts>) -> Option<String> {
    let fenced = facts.data_dir.is_known_and(|dir| dir.recovery_conf.as_ref().is_some_and(|file| file.fence));
    let master = master.filter(|master| master.is_running(Role::Master) && (fenced || !follows))?;
    let (mine, standby) = (facts.timeline.known()?, facts.standby.known()?);
    let left = master.history.known()?.iter().find(|switch| switch.timeline == *mine)?.at;
    // The WAL that a standby received from the master may belong to the master's own timeline.
    let holds = if follows { standby.replayed } else { standby.received.max(standby.replayed) }?;
    (holds > left).then(|| {
        format!(
            "it has WAL of timeline {mine} up to {holds}, but the master left that timeline \
        at {left}"
        )
    })
}

/// An instance that ended before the first WAL file of its master asks again and again for a removed one ("requested
/// WAL segment … has already been removed", seen live).
fn lacks_wal(end: Lsn, master: Option<&InstanceFacts>) -> Option<String> {
    let oldest = *master?.oldest_wal.known()?;
    (end < oldest).then(|| format!("it ended at {end}, but its master's WAL now begins at {oldest}"))
}

/// Whether a copy that was stopped as a master wrote under the number that the running master writes under.
fn wrote_under_the_same_timeline(facts: &InstanceFacts, master: Option<&InstanceFacts>) -> bool {
    let master = master.filter(|master| master.is_running(Role::Master));
    master.is_some_and(|master| facts.timeline.known().is_some() && facts.timeline == master.timeline)
}

/// Whether the WAL of a stopped copy is a prefix of the master's: same timeline and not beyond the master's
/// end, or an older timeline that ends no later than the point where the master's branched off.
fn is_prefix(facts: &InstanceFacts, master: Option<&InstanceFacts>) -> bool {
    let Some(master) = master else { return false };
    let (Some(mine), Some(theirs)) = (facts.timeline.known(), master.timeline.known()) else { return false };
    let (Some(my_end), Some(their_end)) = (facts.wal_end.known(), master.wal_end.known()) else { return false };
    if mine == theirs {
        return my_end <= their_end || master.is_running(Role::Standby) && is_clean_tail(*my_end, *their_end, master);
    }
    let branched = master.history.known().and_then(|history| history.iter().find(|switch| switch.timeline == *mine));
    mine < theirs && branched.is_some_and(|switch| my_end <= &switch.at)
}

/// A master's clean stop ends with a checkpoint record that its standby may be about to replay, unless the standby never
/// received it.
fn is_clean_tail(stopped: Lsn, replayed: Lsn, standby: &InstanceFacts) -> bool {
    let received = standby.standby.known().and_then(StandbyFacts::holds);
    stopped.bytes_ahead_of(replayed) <= SHUTDOWN_RECORD_BYTES && received.is_none_or(|received| stopped <= received)
}

/// A shutdown checkpoint record with its page header, rounded up.
const SHUTDOWN_RECORD_BYTES: u64 = 256;
