//! One instance's facts from what it said itself and what its server's shell saw.

use crate::model::{Fact, InstanceFacts, Process, Timeline, Unknown, UnknownKind};
use crate::opentenbase::{Probe, USUAL_SEGMENT};

/// Puts both together. An answer on the port counts more than a pid file; a refusal alone never means stopped.
pub(super) fn merge(mut facts: InstanceFacts, probe: Probe) -> InstanceFacts {
    let silent = facts.process.known().is_none();
    facts.process = either(facts.process, probe.process);
    if silent && facts.is_stopped() {
        let why = "it does not run";
        facts.role = Fact::not_asked(why);
        facts.node_name = Fact::not_asked(why);
        facts.version = Fact::not_asked(why);
        facts.started = Fact::not_asked(why);
        facts.pid_file = Fact::not_asked(why);
        facts.standby = Fact::not_asked(why);
        facts.senders = Fact::not_asked(why);
        facts.routes = Fact::not_asked(why);
        facts.pool_agrees = Fact::not_asked(why);
        facts.settings = Fact::not_asked(why);
        facts.load = Fact::not_asked(why);
    }
    if let (None, Some(role), Some(Process::Running)) = (facts.role.known(), probe.role, facts.process.known()) {
        facts.role = Fact::Known(role);
    }
    facts.system_id = either(facts.system_id, probe.control.map(|control| control.system_id));
    facts.timeline = either(facts.timeline, probe.control.map(|control| control.timeline));
    if let Fact::Known(standby) = &mut facts.standby
        && standby.upstream.is_none()
    {
        let file = probe.data_dir.known().and_then(|dir| dir.recovery_conf.as_ref());
        standby.upstream = file.and_then(|file| file.upstream.clone());
    }
    facts.history = match facts.timeline {
        // The first timeline has no ancestors and no file.
        Fact::Known(Timeline(1)) => Fact::Known(Vec::new()),
        Fact::Known(timeline) => probe.histories.get(&timeline).cloned().map_or_else(
            || Fact::unknown(UnknownKind::Failed, format!("pg_wal has no history file of timeline {timeline}")),
            Fact::Known,
        ),
        Fact::Unknown(ref unknown) => Fact::Unknown(unknown.clone()),
    };
    // Whoever could look at the directory has seen all of its history files.
    facts.newest_history = probe.data_dir.map(|_| probe.histories.keys().next_back().copied().unwrap_or(Timeline(1)));
    facts.oldest_wal = match facts.settings.known().and_then(|settings| settings.text("wal_segment_size")) {
        Some(USUAL_SEGMENT) => probe.oldest_wal,
        size => {
            let size = size.map_or_else(|| "unknown".to_owned(), ToOwned::to_owned);
            Fact::unknown(UnknownKind::Unreadable, format!("wal_segment_size is {size}"))
        }
    };
    facts.unreplicated = Fact::not_asked("no other instance is known to lack WAL that it has");
    facts.control = probe.control;
    facts.host_environment = probe.host_environment;
    facts.data_dir = probe.data_dir;
    facts.tools_version = probe.tools_version;
    facts
}

/// The first if it is known, else the second, else why neither is.
fn either<T>(first: Fact<T>, second: Fact<T>) -> Fact<T> {
    match (first, second) {
        (Fact::Known(value), _) | (Fact::Unknown(_), Fact::Known(value)) => Fact::Known(value),
        (Fact::Unknown(first), Fact::Unknown(second)) => Fact::Unknown(both(first, second)),
    }
}

fn both(first: Unknown, second: Unknown) -> Unknown {
    match (first.kind, second.kind) {
        (_, UnknownKind::NotAsked) => first,
        (UnknownKind::NotAsked, _) => second,
        _ if first.why == second.why => first,
        _ => Unknown { kind: first.kind, why: format!("{}, and {}", first.why, second.why) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SystemId;
    use crate::model::{
        Control, ControlState, DataDir, Endpoint, Host, Lsn, RecoveryFile, Role, Settings, StandbyFacts,
    };
    use crate::opentenbase::no_probe;

    fn stopped() -> Probe {
        Probe {
            process: Fact::Known(Process::Stopped),
            role: None,
            control: Fact::Known(Control {
                state: ControlState::ShutDown,
                system_id: SystemId(7),
                timeline: Timeline(2),
                checkpoint_timeline: Timeline(2),
                checkpoint: Lsn(1),
                redo: Lsn(1),
                wal_segment_bytes: 16 << 20,
            }),
            data_dir: Fact::Known(DataDir {
                present: true,
                recovery_conf: None,
                promotion_asked: false,
                free_bytes: None,
                pid_file: Fact::Known(None),
            }),
            histories: std::collections::BTreeMap::new(),
            oldest_wal: Fact::unknown(UnknownKind::NotAsked, "not asked"),
            host_environment: Fact::not_asked("not asked"),
            clock: None,
            tools_version: Fact::not_asked("not asked"),
        }
    }

    #[test]
    fn a_refusal_alone_is_not_stopped() {
        let refused = InstanceFacts::unknown(UnknownKind::Refused, "h:1 refused the connection");
        let probe = no_probe(UnknownKind::TimedOut, "no answer from the shell of s29 within 15 s");
        let facts = merge(refused, probe);
        assert_eq!(
            facts.process.reason().unwrap().why,
            "h:1 refused the connection, and no answer from the shell of s29 within 15 s"
        );
        assert!(!facts.is_stopped());
    }

    #[test]
    fn the_shell_tells_of_a_stopped_process() {
        let facts = merge(InstanceFacts::unknown(UnknownKind::Refused, "h:1 refused the connection"), stopped());
        assert!(facts.is_cleanly_stopped());
        assert_eq!((facts.system_id, facts.timeline), (Fact::Known(SystemId(7)), Fact::Known(Timeline(2))));
        assert_eq!(facts.role.reason().unwrap().kind, UnknownKind::NotAsked);
    }

    #[test]
    fn an_answer_on_the_port_counts_more_than_a_pid_file() {
        let mut answered = InstanceFacts::unknown(UnknownKind::Failed, "x");
        answered.process = Fact::Known(Process::Running);
        answered.role = Fact::Known(Role::Master);
        assert!(merge(answered, stopped()).is_running(Role::Master));
    }

    #[test]
    fn recovery_conf_names_the_upstream_of_a_standby_that_does_not_stream() {
        let upstream = Endpoint { host: Host::new("h").unwrap(), port: 1 };
        let mut facts = InstanceFacts::unknown(UnknownKind::Failed, "x");
        facts.process = Fact::Known(Process::Running);
        facts.standby = Fact::Known(StandbyFacts {
            received: None,
            replayed: None,
            replay_paused: false,
            last_replay: None,
            streaming: false,
            upstream: None,
        });
        let file = RecoveryFile {
            writable: true,
            rights: "a:600".to_owned(),
            upstream: Some(upstream.clone()),
            user: None,
            application_name: None,
            fence: false,
            own: crate::model::RecoverySettings::default(),
        };
        let Probe { data_dir: Fact::Known(dir), .. } = stopped() else { panic!("it was seen") };
        let dir = DataDir { recovery_conf: Some(file), ..dir };
        let facts = merge(facts, Probe { data_dir: Fact::Known(dir), ..stopped() });
        assert_eq!(facts.standby.known().unwrap().upstream, Some(upstream));
    }

    #[test]
    fn where_wal_begins_is_known_of_the_usual_segments_only() {
        let of = |segment: Option<&str>| {
            let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "not asked");
            let settings = segment.map(|size| ("wal_segment_size".to_owned(), size.to_owned()));
            facts.settings = Fact::Known(Settings(settings.into_iter().collect()));
            facts.process = Fact::Known(Process::Running);
            merge(facts, Probe { oldest_wal: Fact::Known(Lsn(3 << 24)), ..stopped() }).oldest_wal
        };
        assert_eq!(of(Some("16MB")).known(), Some(&Lsn(3 << 24)));
        assert_eq!(of(Some("1MB")).reason().unwrap().why, "wal_segment_size is 1MB");
        assert_eq!(of(None).known(), None);
    }
}
