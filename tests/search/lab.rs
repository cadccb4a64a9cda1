//! The simulated cluster with the files beside it, and its identity as a state of the search.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use otb::model::{Cluster, Endpoint, InstanceId, Lsn, NodeKind, NodeName, Origin, ServerName};
use otb::opentenbase::hold_tables;
use otb::plan::{Check, Plan};
use otb::sandbox::sql::parse;
use otb::sandbox::world::{
    DiskId, Effect, GtmConf, GtmLog, GtmRole, Login, Ran, Replication, SessionId, StartFiles, Upstream, World,
};
use otb::sandbox::{Flavor, Moment};

/// The example cluster, with a third server that holds a second standby of dn02.
const FILE: &str = "
version: 1
cluster: c
connection: {user: opentenbase, database: postgres}
defaults: {install: /i, data: '/d/{node}', shell: {via: local}}
servers: {s29: {address: 127.0.0.29}, s47: {address: 127.0.0.47}, s61: {address: 127.0.0.61}}
gtm: {gtm_1: {master: s29, port: 21000, data: /d/gtm, instances: [{server: s29}, {server: s47}]}}
coordinators:
  cn01: {master: s29, port: 15432, instances: [{server: s29}]}
  cn02: {master: s47, port: 15432, instances: [{server: s47}]}
datanodes:
  dn01: {master: s29, port: 23001, instances: [{server: s29}, {server: s47}]}
  dn02: {master: s47, port: 23002, instances: [{server: s29}, {server: s47}, {server: s61}]}
";

/// recovery.conf, or the lines of gtm.conf that make a GTM a standby.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Recovery {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) fence: bool,
    pub(crate) writable: bool,
}

impl Recovery {
    pub(crate) fn to(endpoint: &Endpoint, fence: bool) -> Self {
        Self { host: endpoint.host.to_string(), port: endpoint.port, fence, writable: true }
    }
}

/// The pace at which everything that is due comes between two steps.
const SLOW: u64 = 10_000_000;

/// The pace at which hardly anything does: promotions' checkpoints, a GTM's next record.
pub(crate) const QUICK: u64 = 1_000;

/// What otb and the servers read and write in a data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Files {
    pub(crate) recovery: Option<Recovery>,
    pub(crate) staged: Option<Recovery>,
}

#[derive(Debug, Clone)]
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) cluster: Cluster,
    pub(crate) disks: BTreeMap<InstanceId, DiskId>,
    pub(crate) files: BTreeMap<InstanceId, Files>,
    /// How far a GTM had flushed when the run under way stopped it: nothing tells afterwards.
    pub(crate) flushed: BTreeMap<InstanceId, Lsn>,
    /// Where the WAL of a master ends that the run under way stopped at once.
    pub(crate) ended: BTreeMap<InstanceId, Lsn>,
    /// No tool reads the WAL of stopped copies.
    pub(crate) unreadable: bool,
    /// The sessions by which clients are held.
    pub(crate) held: Vec<SessionId>,
    /// Microseconds from one step to the next.
    pub(crate) pace: u64,
    /// Commits of dn01 and dn02 wait for one standby: every copy has the settings of it.
    pub(crate) synchronous: bool,
    clock: u64,
}

pub(crate) fn id(text: &str) -> InstanceId {
    InstanceId::try_from(text.to_owned()).unwrap()
}

impl Lab {
    pub(crate) fn new() -> Self {
        let cluster = otb::config::load("cluster.yaml", FILE).unwrap().cluster;
        let mut world = World::new(&cluster, Flavor::V2);
        let disks = world.lay_down(&cluster, Moment(1_000_000));
        let files = disks.keys().map(|id| (id.clone(), Files::default())).collect();
        let (flushed, ended, held, pace) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), SLOW);
        let (synchronous, unreadable, clock) = (false, false, 100_000_000);
        let mut lab = Self { world, cluster, disks, files, flushed, ended, unreadable, held, pace, synchronous, clock };
        let nodes: Vec<_> = lab.cluster.nodes.values().cloned().collect();
        for node in nodes {
            let master = node.master_id();
            lab.start(&master).unwrap();
            for standby in node.standbys() {
                let upstream = node.master_instance().unwrap().endpoint.clone();
                lab.files_of(&standby.id).recovery = Some(Recovery::to(&upstream, false));
                lab.start(&standby.id).unwrap();
            }
        }
        let now = lab.now();
        lab.world.tick(now);
        lab
    }

    /// From here on commits on datanodes wait for a standby.
    pub(crate) fn wait_for_standbys(&mut self) {
        self.synchronous = true;
        for (id, disk) in self.disks.clone() {
            let settings = self.settings_of(&id);
            self.world.reload(disk, settings);
        }
    }

    /// What postgresql.conf of an instance sets.
    pub(crate) fn settings_of(&self, id: &InstanceId) -> BTreeMap<String, String> {
        let is_datanode = self.cluster.instance(id).is_some_and(|instance| instance.kind == NodeKind::Datanode);
        if !(self.synchronous && is_datanode) {
            return BTreeMap::new();
        }
        let pairs = [("synchronous_commit", "on"), ("synchronous_standby_names", "*")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    pub(crate) fn declare(&mut self, node: &str, server: &str) {
        let node = self.cluster.nodes.get_mut(&NodeName::new(node).unwrap()).unwrap();
        node.master = ServerName::new(server).unwrap();
    }

    pub(crate) fn now(&mut self) -> Moment {
        self.clock += 1_000;
        Moment(self.clock)
    }

    /// The transactions that coordinators began and that a running master holds prepared.
    pub(crate) fn in_doubt(&self) -> BTreeSet<String> {
        let masters = self.world.disks().filter(|(_, copy)| copy.is_master());
        let held = masters.flat_map(|(_, copy)| copy.data.prepared.keys());
        held.filter(|gid| Origin::of(gid) != Origin::Client).cloned().collect()
    }

    /// The present moment, without letting any time pass.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.clock)
    }

    /// Time passes from one step to the next: what is due happens.
    pub(crate) fn later(&mut self) {
        self.pass(self.pace);
    }

    /// So much time passes that whatever is due at all has happened.
    pub(crate) fn much_later(&mut self) {
        self.pass(SLOW);
    }

    fn pass(&mut self, microseconds: u64) {
        self.clock += microseconds;
        let now = Moment(self.clock);
        self.world.tick(now);
        self.do_to_files();
    }

    pub(crate) fn files_of(&mut self, id: &InstanceId) -> &mut Files {
        self.files.get_mut(id).unwrap()
    }

    pub(crate) fn endpoint(&self, id: &InstanceId) -> Endpoint {
        self.cluster.instance(id).unwrap().endpoint.clone()
    }

    /// Starts an instance from its files.
    pub(crate) fn start(&mut self, id: &InstanceId) -> Result<(), String> {
        let instance = self.cluster.instance(id).unwrap().clone();
        let (disk, now) = (self.disks[id], self.now());
        let (host, port, data_directory) = (instance.endpoint.host, instance.endpoint.port, instance.data);
        if instance.kind == NodeKind::Gtm {
            let standby_of = self.files[id].recovery.as_ref().map(|conf| (conf.host.clone(), conf.port));
            let conf = GtmConf { host, port, data_directory, standby_of };
            return self.world.start_gtm(disk, conf, now).map_err(|failure| failure.0);
        }
        let recovery = self.files[id].recovery.clone().map(|recovery| {
            Some(Upstream {
                host: recovery.host,
                port: recovery.port,
                user: "opentenbase".to_owned(),
                application_name: format!("{}_{}", id.node, id.server),
            })
        });
        let files = StartFiles { host, port, data_directory, settings: self.settings_of(id), recovery };
        self.world.start(disk, files, now).map_err(|failure| failure.0)
    }

    /// One statement in a session of its own, as a superuser who may write on datanodes.
    pub(crate) fn sql(&mut self, id: &InstanceId, text: &str) -> Result<(), String> {
        let session = self.log_in(id)?;
        let answer = self.run(session, text);
        self.world.close(session);
        answer
    }

    fn log_in(&mut self, id: &InstanceId) -> Result<SessionId, String> {
        let settings = BTreeMap::from([("allow_dml_on_datanode".to_owned(), "on".to_owned())]);
        let login = Login {
            user: "opentenbase".to_owned(),
            database: "postgres".to_owned(),
            client: None,
            replication: Replication::No,
            settings,
        };
        let (disk, now) = (self.disks[id], self.now());
        let session = self.world.open(disk, login, now).map_err(|wait| format!("{wait:?}"))?;
        session.map_err(|error| error.message)
    }

    fn run(&mut self, session: SessionId, text: &str) -> Result<(), String> {
        let (statement, now) = (parse(text).unwrap(), self.now());
        match self.world.run(session, &statement, &[], now) {
            Ran::Done(outcome) => outcome.result.map(drop).map_err(|error| error.message),
            Ran::Wait(wait) => Err(format!("it waits: {wait:?}")),
        }
    }

    /// Holds the clients of all `coordinators`, or of none.
    pub(crate) fn hold(&mut self, coordinators: &[InstanceId]) -> Result<(), String> {
        for id in coordinators {
            let held =
                if self.world.is_silent(self.disks[id]) { Err("no answer".to_owned()) } else { self.hold_one(id) };
            if let Err(why) = held {
                self.release();
                return Err(why);
            }
        }
        Ok(())
    }

    fn hold_one(&mut self, id: &InstanceId) -> Result<(), String> {
        let session = self.log_in(id)?;
        self.held.push(session);
        let statements = hold_tables(&[], Duration::from_millis(400), Duration::from_secs(30));
        statements.iter().try_for_each(|sql| self.run(session, sql.as_str()))
    }

    pub(crate) fn release(&mut self) {
        for session in std::mem::take(&mut self.held) {
            self.world.close(session);
        }
    }

    /// What distinguishes this state from others as far as the future goes: not pids, times, or log lines.
    pub(crate) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (id, disk) in &self.disks {
            id.hash(&mut hasher);
            self.files[id].hash(&mut hasher);
            self.world.word(*disk).hash(&mut hasher);
            self.world.is_cut(&id.server).hash(&mut hasher);
            self.gtm_key(*disk).hash(&mut hasher);
            let Some(copy) = self.world.postgres(*disk) else { continue };
            for record in copy.wal.records() {
                (record.start, record.end, record.timeline).hash(&mut hasher);
            }
            (copy.wal.timeline, &copy.wal.history, copy.applied).hash(&mut hasher);
            let control = &copy.control;
            (control.state.words(), control.timeline, control.checkpoint, control.min_recovery_timeline)
                .hash(&mut hasher);
            for row in copy.data.routes.values() {
                (&row.node, &row.host, row.port).hash(&mut hasher);
            }
            let Some(process) = &copy.process else { continue };
            (process.is_master(), process.routes_read_by_fault, process.checkpoint_due.is_some()).hash(&mut hasher);
            for node in self.cluster.nodes.keys() {
                process.pooler.address(node.as_str()).hash(&mut hasher);
            }
            process.pooler.failures.hash(&mut hasher);
            if let Some(standby) = process.standby() {
                (&standby.upstream, standby.replay_paused, standby.promote_requested, standby.allowance)
                    .hash(&mut hasher);
                (format!("{:?}", standby.receiver), standby.has_streamed, standby.received_from).hash(&mut hasher);
            }
        }
        self.held.len().hash(&mut hasher);
        for node in self.cluster.nodes.values() {
            node.master.hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Lab {
    /// A GTM's state: positions only as far as they are compared with others.
    fn gtm_key(&self, disk: DiskId) -> Option<impl std::hash::Hash> {
        let gtm = self.world.gtm(disk)?;
        let most = self.disks.values().filter_map(|disk| self.world.gtm(*disk)).map(|gtm| gtm.served).max();
        let holds: Vec<bool> = self.flushed.values().map(|position| gtm.flushed() >= *position).collect();
        let process = gtm.process.as_ref().map(|process| {
            let upstream = match &process.role {
                GtmRole::Active => None,
                GtmRole::Standby { host, port } => Some((host.clone(), *port)),
            };
            (upstream, format!("{:?}", process.log), process.checkpoint_due.is_some(), process.ends_at.is_some())
        });
        Some((Some(gtm.served) == most, holds, process))
    }

    /// What servers do to their own files: a promotion renames recovery.conf, of a GTM it ends gtm.conf with ACT.
    pub(crate) fn do_to_files(&mut self) {
        for effect in self.world.take_effects() {
            let (Effect::RenameRecoveryConf(disk) | Effect::AppendGtmConf(disk, _)) = effect else { continue };
            let owner = self.disks.iter().find(|(_, own)| **own == disk).map(|(id, _)| id.clone());
            if let Some(id) = owner {
                self.files_of(&id).recovery.take_if(|conf| conf.writable);
            }
        }
    }

    /// docs/limits.md: a GTM that had to take over before it had redone a record has lost its log, and nobody can follow
    /// it until it is started anew. The operator does.
    pub(crate) fn restart_broken_gtms(&mut self) {
        let lost = |disk: DiskId| {
            let process = self.world.gtm(disk).and_then(|gtm| gtm.process.as_ref());
            process.is_some_and(|process| process.log == GtmLog::Lost)
        };
        let broken: Vec<InstanceId> =
            self.disks.iter().filter(|(_, disk)| lost(**disk)).map(|(id, _)| id.clone()).collect();
        for id in broken {
            self.world.stop_gtm(self.disks[&id]);
            self.start(&id).unwrap();
        }
    }

    /// docs/limits.md: a GTM whose gtm.conf was made read-only just before its promotion did not write there that it is
    /// the active one. Dead, it is a standby by its own account, and only a person can know better.
    pub(crate) fn make_a_gtm_active(&mut self, plan: &Plan) {
        let refuses = |check: &Check| check.verdict.refuses() && check.id.as_str() == "standby:gtm_1";
        let gtms = self.disks.iter().filter(|(id, _)| id.node.as_str() == "gtm_1");
        let none_is_active = gtms.into_iter().all(|(_, disk)| self.world.word(*disk) != "master");
        if none_is_active && plan.checks.iter().any(refuses) {
            let declared = self.cluster.nodes[&NodeName::new("gtm_1").unwrap()].master_id();
            self.files_of(&declared).recovery = None;
            self.start(&declared).unwrap();
        }
    }

    /// Everything that breaks by itself is mended by itself.
    pub(crate) fn heal(&mut self) {
        for server in self.world.cut_servers() {
            let now = self.now();
            self.world.set_cut(&server, false, now);
        }
        let disks: Vec<(InstanceId, DiskId)> = self.disks.iter().map(|(id, disk)| (id.clone(), *disk)).collect();
        for (id, disk) in disks {
            let now = self.now();
            self.world.set_hung(disk, false, now);
            self.world.set_allowance(disk, None, now);
            self.world.pause_replay(disk, false, now);
            self.world.set_routes_read(disk, false);
            if let Some(recovery) = &mut self.files_of(&id).recovery {
                recovery.writable = true;
            }
            self.do_to_files();
        }
        self.much_later();
    }
}
