//! What `observe` would learn of the simulated cluster: what a cut server or a hanging process would say stays unknown.

use std::collections::BTreeMap;

use crate::model::{
    ClockOffset, Control, DataDir, Endpoint, Fact, Host, HostEnvironment, InDoubt, InstanceFacts, InstanceId, Load,
    Lsn, MissingWal, NodeKind, Observation, PreparedTransaction, PreparedTransactions, Process, RecoveryFile,
    RecoverySettings, ReplicationAccess, Role, Route, RouteKind, Sender, Settings, StandbyFacts, TimelineSwitch,
    UnknownKind,
};
use crate::sandbox::world::{Body, Gtm, GtmRole, Postgres, Prepared, Reach, Receiver, Recovery, RouteRow, Upstream};

use super::as_seen::as_seen;
use super::lab::Lab;

pub fn observe(lab: &Lab) -> Observation {
    let one = |id: &InstanceId| {
        let mut facts = facts(lab, id);
        lab.base.instances.get(id).into_iter().for_each(|was| as_seen(&mut facts, was));
        (id.clone(), facts)
    };
    let instances = lab.disks.keys().map(one).collect();
    let mut seen = Observation { in_doubt: InDoubt::among(&instances), instances, spellings: Vec::new() };
    for node in lab.cluster.nodes.values().filter(|node| node.kind.is_router()) {
        let declared = seen.instances.get(&node.master_id()).filter(|facts| facts.is_running(Role::Standby));
        let Some(beyond) = declared.and_then(|facts| facts.standby.known()?.holds()) else { continue };
        for id in node.standbys().map(|instance| &instance.id) {
            let Some(facts) = seen.instances.get_mut(id) else { continue };
            if facts.is_stopped() && facts.wal_end.is_known_and(|end| *end > beyond) {
                facts.unreplicated = if lab.unreadable {
                    Fact::unknown(UnknownKind::Unreadable, "pg_waldump printed nothing")
                } else {
                    lab.world
                        .postgres(lab.disk(id))
                        .map_or_else(|| Fact::not_asked("a GTM has none"), |copy| Fact::Known(missing(copy, beyond)))
                };
            }
        }
    }
    seen
}

fn missing(copy: &Postgres, beyond: Lsn) -> MissingWal {
    let commits = copy.wal.records().iter().filter(|record| matches!(record.body, Body::Commit(_)));
    let lost = commits.filter(|record| record.end > beyond).count();
    MissingWal { beyond, lost: u64::try_from(lost).unwrap_or(u64::MAX), complete: true, ..MissingWal::default() }
}

fn facts(lab: &Lab, id: &InstanceId) -> InstanceFacts {
    let disk = lab.disk(id);
    if lab.world.is_cut(&id.server) {
        return InstanceFacts::unknown(UnknownKind::TimedOut, "no answer");
    }
    let word = lab.world.word(disk);
    let Some(copy) = lab.world.postgres(disk) else { return gtm(lab, id, word) };
    let mut facts = match word {
        "stopped" => InstanceFacts::unknown(UnknownKind::NotAsked, "it does not run"),
        "hung" => InstanceFacts::unknown(UnknownKind::TimedOut, "no answer"),
        _ => answered(lab, id, copy),
    };
    facts.process = Fact::Known(if word == "stopped" { Process::Stopped } else { Process::Running });
    by_shell(lab, id, copy, &mut facts);
    if word == "stopped" {
        facts.wal_end = Fact::Known(copy.wal.end());
        facts.settings = Fact::Known(settings(lab, id));
    }
    facts
}

fn gtm(lab: &Lab, id: &InstanceId, word: &str) -> InstanceFacts {
    let mut facts = InstanceFacts::unknown(UnknownKind::NotAsked, "a GTM has none");
    facts.process = Fact::Known(if word == "stopped" { Process::Stopped } else { Process::Running });
    facts.data_dir = data_dir(lab, id);
    facts.host_environment = host_environment();
    let Some(gtm) = lab.world.gtm(lab.disk(id)).filter(|_| matches!(word, "master" | "standby")) else {
        facts.role = Fact::unknown(UnknownKind::TimedOut, "no answer");
        facts.wal_end = facts.role.map(|_| Lsn(0));
        return facts;
    };
    facts.wal_end = Fact::Known(gtm.flushed());
    if gtm.is_active() {
        facts.role = Fact::Known(Role::Master);
        let standbys = lab.world.gtm_standbys(lab.disk(id));
        facts.senders = Fact::Known(standbys.into_iter().map(gtm_sender).collect());
        return facts;
    }
    facts.role = Fact::Known(Role::Standby);
    facts.standby = Fact::Known(StandbyFacts {
        received: Some(gtm.flushed()),
        replayed: Some(gtm.flushed()),
        replay_paused: false,
        last_replay: None,
        streaming: is_listed(lab, id),
        upstream: lab.recovery(id).and_then(|conf| endpoint(&conf.host, conf.port)),
    });
    facts
}

fn gtm_sender(standby: &Gtm) -> Sender {
    let port = standby.process.as_ref().map_or(0, |process| process.port);
    Sender {
        application_name: format!("localhost:{port}"),
        client_addr: None,
        state: "streaming".to_owned(),
        sent: None,
        replayed: Some(standby.flushed()),
        sync_state: "async".to_owned(),
    }
}

/// Whether the GTM that this one follows answers as the active one, and lists it.
pub(super) fn is_listed(lab: &Lab, id: &InstanceId) -> bool {
    let Some(gtm) = lab.world.gtm(lab.disk(id)) else { return false };
    let Some(GtmRole::Standby { host, port }) = gtm.process.as_ref().map(|process| &process.role) else { return false };
    let own = |other: &&InstanceId| lab.is_at(other, host, *port);
    let Some(disk) = lab.disks.keys().find(own).map(|id| lab.disk(id)) else { return false };
    let active = lab.world.gtm(disk).is_some_and(Gtm::is_active);
    active && !lab.world.is_silent(disk) && lab.world.gtm_standbys(disk).contains(&gtm)
}

fn data_dir(lab: &Lab, id: &InstanceId) -> Fact<DataDir> {
    let standby = lab.world.postgres(lab.disk(id)).and_then(|copy| copy.process.as_ref());
    let recovery = lab.recovery(id).map(recovery_file);
    Fact::Known(DataDir {
        present: true,
        recovery_conf: recovery,
        promotion_asked: standby.and_then(|process| process.standby()).is_some_and(|standby| standby.promote_requested),
        free_bytes: Some(1 << 40),
        pid_file: Fact::not_asked("not asked"),
    })
}

fn host_environment() -> Fact<HostEnvironment> {
    let clock = Some(ClockOffset { at_least_ms: 0, at_most_ms: 1 });
    Fact::Known(HostEnvironment { clock, ..HostEnvironment::default() })
}

fn by_shell(lab: &Lab, id: &InstanceId, copy: &Postgres, facts: &mut InstanceFacts) {
    let control = copy.control;
    let reached = if control.min_recovery_timeline.0 > 0 { control.min_recovery_timeline } else { control.timeline };
    facts.control = Fact::Known(Control {
        state: control.state,
        system_id: copy.system_id,
        timeline: reached,
        checkpoint_timeline: control.timeline,
        checkpoint: control.checkpoint,
        redo: control.redo,
        wal_segment_bytes: 16 << 20,
    });
    facts.system_id = Fact::Known(copy.system_id);
    if facts.timeline.known().is_none() {
        facts.timeline = Fact::Known(reached);
    }
    let switches = copy.wal.history.iter().map(|(timeline, at)| TimelineSwitch { timeline: *timeline, at: *at });
    facts.history = Fact::Known(switches.collect());
    facts.newest_history = Fact::Known(copy.wal.newest());
    facts.data_dir = data_dir(lab, id);
    facts.host_environment = host_environment();
}

fn endpoint(host: &str, port: u16) -> Option<Endpoint> {
    Some(Endpoint { host: Host::new(host).ok()?, port })
}

fn recovery_file(recovery: &Recovery) -> RecoveryFile {
    RecoveryFile {
        writable: recovery.writable,
        rights: "otb:600".to_owned(),
        upstream: endpoint(&recovery.host, recovery.port),
        user: None,
        application_name: None,
        fence: recovery.fence,
        own: RecoverySettings::default(),
    }
}

/// For a process that answers SQL. Without a GTM a master answers SHOW only (opentenbase-v2.6-live.md, "GTM").
fn answered(lab: &Lab, id: &InstanceId, copy: &Postgres) -> InstanceFacts {
    let mut facts = InstanceFacts::unknown(UnknownKind::NoTimestamp, "GTM error, could not obtain global timestamp");
    let Some(process) = &copy.process else { return facts };
    facts.node_name = Fact::Known(copy.home.node.clone());
    facts.version = Fact::Known("10.0 OpenTenBase V2".to_owned());
    facts.role = Fact::Known(if process.is_master() { Role::Master } else { Role::Standby });
    if process.is_master() && !has_gtm(lab, id, copy) {
        return facts;
    }
    facts.started = Fact::Known(process.started.epoch_text());
    facts.routes = Fact::Known(routes(copy).into());
    facts.settings = Fact::Known(settings(lab, id));
    if process.is_master() {
        let now = lab.moment();
        let old = |one: &Prepared| PreparedTransaction {
            gid: one.gid.clone(),
            database: one.database.clone(),
            age_seconds: now.seconds().saturating_sub(one.at.seconds()),
        };
        let oldest: Vec<_> = copy.data.prepared.values().map(old).collect();
        let count = u64::try_from(oldest.len()).unwrap_or(u64::MAX);
        facts.prepared = Fact::Known(PreparedTransactions { count, oldest });
    }
    facts.load = Fact::Known(Load { pg_clean: true, ..Load::default() });
    match process.standby() {
        None => {
            facts.timeline = Fact::Known(copy.wal.newest());
            facts.wal_end = Fact::Known(copy.wal.end());
            facts.senders = Fact::Known(senders(lab, id));
            facts.replication_access = Fact::Known(ReplicationAccess::Admitted { user: "opentenbase".to_owned() });
            facts.pool_agrees = match copy.home.kind {
                NodeKind::Coordinator => Fact::Known(lab.world.pool_agrees(lab.disk(id))),
                _ => Fact::not_asked("only a coordinator that is a master can report it"),
            };
        }
        Some(standby) => {
            facts.timeline = match standby.receiver {
                Receiver::Down(_) => Fact::not_asked("no WAL receiver runs"),
                Receiver::Streaming | Receiver::Forked(_) => Fact::Known(copy.wal.timeline),
            };
            facts.wal_end = Fact::Known(copy.replayed());
            facts.standby = Fact::Known(StandbyFacts {
                received: Some(if standby.has_streamed { copy.wal.end() } else { standby.received_from }),
                replayed: Some(copy.replayed()),
                replay_paused: standby.replay_paused,
                last_replay: None,
                streaming: standby.receiver == Receiver::Streaming,
                upstream: standby
                    .upstream
                    .as_ref()
                    .and_then(|upstream| endpoint(&upstream.host, upstream.port))
                    .or_else(|| lab.recovery(id).and_then(|conf| endpoint(&conf.host, conf.port))),
            });
        }
    }
    facts
}

/// Whether this master's GTM row leads to an active GTM that it can reach.
pub(super) fn has_gtm(lab: &Lab, id: &InstanceId, copy: &Postgres) -> bool {
    let Some(row) = copy.data.routes.values().find(|row| row.kind == 'G') else { return false };
    match lab.world.reach(&id.server, &row.host, row.port) {
        Reach::Live(disk) => lab.world.gtm(disk).is_some_and(Gtm::is_active),
        Reach::Refused | Reach::Silent => false,
    }
}

fn routes(copy: &Postgres) -> Vec<Route> {
    let row = |row: &std::sync::Arc<RouteRow>| Route {
        node: row.node.clone(),
        kind: match row.kind {
            'G' => RouteKind::Gtm,
            'C' => RouteKind::Coordinator,
            _ => RouteKind::Datanode,
        },
        host: row.host.clone(),
        port: row.port,
        forward: None,
        cluster: row.cluster.clone(),
    };
    copy.data.routes.values().map(row).collect()
}

fn senders(lab: &Lab, id: &InstanceId) -> Vec<Sender> {
    let streams = |copy: &Postgres| {
        let standby = copy.process.as_ref().and_then(|process| process.standby());
        standby.is_some_and(|standby| {
            let here = |up: &Upstream| lab.is_at(id, &up.host, up.port);
            standby.receiver == Receiver::Streaming && standby.upstream.as_ref().is_some_and(here)
        })
    };
    let found = lab.world.disks().filter(|(_, copy)| streams(copy));
    let sender = |copy: &Postgres| Sender {
        application_name: copy.home.server.to_string(),
        client_addr: None,
        state: "streaming".to_owned(),
        sent: Some(copy.wal.end()),
        replayed: Some(copy.replayed()),
        sync_state: "async".to_owned(),
    };
    found.map(|(_, copy)| sender(copy)).collect()
}

fn settings(lab: &Lab, id: &InstanceId) -> Settings {
    let pairs = [
        ("archive_mode", "off"),
        ("hot_standby", "on"),
        ("is_superuser", "on"),
        ("max_prepared_transactions", "60"),
        ("max_replication_slots", "10"),
        ("max_wal_senders", "10"),
        ("pgxc_cluster_name", lab.cluster.name.as_str()),
        ("synchronous_commit", "local"),
        ("synchronous_standby_names", ""),
        ("wal_keep_segments", "32"),
    ];
    let mut settings: BTreeMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    settings.extend(lab.settings_of(id));
    Settings(settings)
}
