//! The simulated cluster with the files beside it, and its identity as a state of the search.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use otb::model::{Cluster, Endpoint, InstanceId, NodeKind, NodeName, ServerName};
use otb::sandbox::sql::parse;
use otb::sandbox::world::{DiskId, GtmConf, Login, Ran, Replication, StartFiles, Upstream, World};
use otb::sandbox::{Flavor, Moment};

/// The seed's cluster, with a third server that holds a second standby of dn02.
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

/// recovery.conf.
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
        let mut lab = Self { world, cluster, disks, files, clock: 2_000_000 };
        let nodes: Vec<_> = lab.cluster.nodes.values().cloned().collect();
        for node in nodes {
            let master = node.master_id();
            lab.start(&master).unwrap();
            for standby in node.standbys().filter(|standby| standby.kind != NodeKind::Gtm) {
                let upstream = node.master_instance().unwrap().endpoint.clone();
                lab.files_of(&standby.id).recovery = Some(Recovery::to(&upstream, false));
                lab.start(&standby.id).unwrap();
            }
        }
        lab.start(&id("gtm_1@s47")).unwrap();
        lab
    }

    pub(crate) fn declare(&mut self, node: &str, server: &str) {
        let node = self.cluster.nodes.get_mut(&NodeName::new(node).unwrap()).unwrap();
        node.master = ServerName::new(server).unwrap();
    }

    pub(crate) fn now(&mut self) -> Moment {
        self.clock += 1_000;
        Moment(self.clock)
    }

    /// Time passes: checkpoints that are due are written.
    pub(crate) fn later(&mut self) {
        self.clock += 10_000_000;
        let now = Moment(self.clock);
        self.world.tick(now);
    }

    pub(crate) fn files_of(&mut self, id: &InstanceId) -> &mut Files {
        self.files.get_mut(id).unwrap()
    }

    pub(crate) fn endpoint(&self, id: &InstanceId) -> Endpoint {
        self.cluster.instance(id).unwrap().endpoint.clone()
    }

    /// Starts an instance from its files; a GTM other than the file's master as its standby.
    pub(crate) fn start(&mut self, id: &InstanceId) -> Result<(), String> {
        let instance = self.cluster.instance(id).unwrap().clone();
        let (disk, now) = (self.disks[id], self.now());
        let (host, port, data_directory) = (instance.endpoint.host, instance.endpoint.port, instance.data);
        if instance.kind == NodeKind::Gtm {
            let master = self.cluster.nodes[&id.node].master_instance().unwrap().clone();
            let standby_of = (master.id != *id).then(|| (master.endpoint.host.to_string(), master.endpoint.port));
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
        let files = StartFiles { host, port, data_directory, settings: BTreeMap::new(), recovery };
        self.world.start(disk, files, now).map_err(|failure| failure.0)
    }

    /// One statement in a session of its own, as a superuser who may write on datanodes.
    pub(crate) fn sql(&mut self, id: &InstanceId, text: &str) -> Result<(), String> {
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
        let session = session.map_err(|error| error.message)?;
        let (statement, now) = (parse(text).unwrap(), self.now());
        let ran = self.world.run(session, &statement, &[], now);
        self.world.close(session);
        match ran {
            Ran::Done(outcome) => outcome.result.map(drop).map_err(|error| error.message),
            Ran::Wait(wait) => Err(format!("it waits: {wait:?}")),
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
        for node in self.cluster.nodes.values() {
            node.master.hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Lab {
    /// What servers do to their own files: a promotion renames recovery.conf.
    pub(crate) fn rename_recovery_files(&mut self) {
        for effect in self.world.take_effects() {
            let otb::sandbox::world::Effect::RenameRecoveryConf(disk) = effect else { continue };
            let owner = self.disks.iter().find(|(_, own)| **own == disk).map(|(id, _)| id.clone());
            if let Some(id) = owner {
                self.files_of(&id).recovery = None;
            }
        }
    }

    /// Everything that breaks by itself is mended by itself, and a human starts the GTMs.
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
            self.rename_recovery_files();
        }
        for gtm in ["gtm_1@s29", "gtm_1@s47"] {
            let gtm = id(gtm);
            if self.world.word(self.disks[&gtm]) == "stopped" {
                self.start(&gtm).unwrap();
            }
        }
        self.later();
        self.rename_recovery_files();
    }
}
