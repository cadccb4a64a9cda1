//! The world: who is where, and how a cluster is laid down.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    Cluster, ClusterName, ControlState, Host, InstanceId, NodeKind, NodeName, ServerName, SystemId, Timeline,
};
use crate::sandbox::Flavor;
use crate::sandbox::moment::Moment;

use super::catalog_cache::CatalogCache;
use super::data::{Change, Data, RouteRow, Routes, hash};
use super::effect::Effect;
use super::gtm::Gtm;
use super::instance::{Control, DiskId, Home, Postgres};
use super::locks::Queue;
use super::session::{Session, SessionId};
use super::stream::Unsettled;
use super::wal::{Body, Wal};

/// One machine of the simulated cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub address: Host,
    /// Cut off from every other server and from clients.
    pub cut: bool,
}

/// The whole cluster. Two equal worlds behave the same from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    pub cluster: ClusterName,
    pub flavor: Flavor,
    pub(super) user: String,
    pub(super) servers: BTreeMap<ServerName, Server>,
    pub(super) postgres: BTreeMap<DiskId, Postgres>,
    pub(super) gtms: BTreeMap<DiskId, Gtm>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// Which running process owns an endpoint.
    pub(super) listening: BTreeMap<(String, u16), DiskId>,
    /// Advisory locks taken through a coordinator are cluster-wide (opentenbase-v2.6-live.md, "Tools").
    pub(super) advisory: BTreeMap<i64, SessionId>,
    /// The sessions that wait for tables.
    pub(super) queue: Queue,
    pub(super) effects: Vec<Effect>,
    /// What a function of the running statement has committed, for which its session waits.
    pub(super) committed: Vec<(DiskId, crate::model::Lsn)>,
    /// v5: until when the pid of a killed process lives on.
    pub(super) dying_until: BTreeMap<DiskId, Moment>,
    /// Something changed that replication may act upon.
    pub(super) unsettled: Unsettled,
    /// Whether a GTM that was connected to during its promotion's checkpoint hangs when a standby attaches.
    pub(super) gtm_trap: bool,
    /// The extension pg_clean is in every database.
    pub(super) has_pg_clean: bool,
    /// Sessions of coordinators that are slow in the middle of a commit, by gid.
    pub(super) committing: BTreeMap<String, super::in_doubt::Committing>,
    pub(super) catalog_cache: CatalogCache,
    /// When active GTMs write their next record unasked.
    pub(super) gtm_record_due: Moment,
    next_disk: u32,
    next_pid: u32,
    next_session: u64,
}

impl World {
    /// Servers of `cluster`, nothing on them yet.
    pub fn new(cluster: &Cluster, flavor: Flavor) -> Self {
        let servers = cluster.servers.iter();
        Self {
            cluster: cluster.name.clone(),
            flavor,
            user: cluster.connection.user.clone(),
            servers: servers
                .map(|(name, server)| (name.clone(), Server { address: server.address.clone(), cut: false }))
                .collect(),
            postgres: BTreeMap::new(),
            gtms: BTreeMap::new(),
            sessions: BTreeMap::new(),
            listening: BTreeMap::new(),
            advisory: BTreeMap::new(),
            queue: Queue::default(),
            effects: Vec::new(),
            committed: Vec::new(),
            dying_until: BTreeMap::new(),
            unsettled: Unsettled::default(),
            gtm_trap: false,
            has_pg_clean: true,
            committing: BTreeMap::new(),
            catalog_cache: CatalogCache::default(),
            gtm_record_due: Moment(0),
            next_disk: 1,
            // Beyond Linux's largest pid, so that no `kill` ever finds a real process by it.
            next_pid: 5_000_000,
            next_session: 1,
        }
    }

    /// Creates the copies of every node as initdb, CREATE NODE and a base backup would leave them:
    /// nothing runs. Returns which disk belongs to which instance.
    pub fn lay_down(&mut self, cluster: &Cluster, now: Moment) -> BTreeMap<InstanceId, DiskId> {
        let routes = seed_routes(cluster);
        let mut disks = BTreeMap::new();
        for node in cluster.nodes.values() {
            let system_id = system_id(&node.name);
            for instance in node.instances.values() {
                let disk = self.new_disk();
                let home = Home { node: node.name.clone(), kind: node.kind, server: instance.id.server.clone() };
                let standby = instance.id.server != node.master;
                match node.kind {
                    NodeKind::Gtm => {
                        self.gtms.insert(disk, Gtm::new(home));
                    }
                    NodeKind::Coordinator | NodeKind::Datanode => {
                        let copy = Postgres::initialised(home, system_id, &routes, standby, now);
                        self.postgres.insert(disk, copy);
                    }
                }
                disks.insert(instance.id.clone(), disk);
            }
        }
        disks
    }

    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub fn postgres(&self, disk: DiskId) -> Option<&Postgres> {
        self.postgres.get(&disk)
    }

    pub fn gtm(&self, disk: DiskId) -> Option<&Gtm> {
        self.gtms.get(&disk)
    }

    pub fn disks(&self) -> impl Iterator<Item = (DiskId, &Postgres)> {
        self.postgres.iter().map(|(disk, copy)| (*disk, copy))
    }

    pub fn server_address(&self, server: &ServerName) -> Option<&Host> {
        self.servers.get(server).map(|server| &server.address)
    }

    pub fn is_cut(&self, server: &ServerName) -> bool {
        self.servers.get(server).is_some_and(|server| server.cut)
    }

    /// The home of a copy, whatever it is.
    pub fn home(&self, disk: DiskId) -> Option<&Home> {
        self.postgres.get(&disk).map(|copy| &copy.home).or_else(|| self.gtms.get(&disk).map(|gtm| &gtm.home))
    }

    /// The disk of the process of this number, if there is one.
    pub fn disk_of_process(&self, pid: u32) -> Option<DiskId> {
        let node =
            self.postgres.iter().find(|(_, copy)| copy.process.as_ref().is_some_and(|process| process.pid == pid));
        let gtm = || self.gtms.iter().find(|(_, gtm)| gtm.process.as_ref().is_some_and(|process| process.pid == pid));
        node.map(|(disk, _)| *disk).or_else(|| gtm().map(|(disk, _)| *disk))
    }

    /// The disk of the process that runs as this instance, if one does.
    pub fn running(&self, id: &InstanceId) -> Option<DiskId> {
        let is_here = |home: &Home| home.node == id.node && home.server == id.server;
        let node = self.postgres.iter().find(|(_, copy)| copy.process.is_some() && is_here(&copy.home));
        let gtm = self.gtms.iter().find(|(_, gtm)| gtm.process.is_some() && is_here(&gtm.home));
        node.map(|(disk, _)| *disk).or(gtm.map(|(disk, _)| *disk))
    }

    /// The running master of a node with the highest timeline.
    pub fn master(&self, node: &NodeName) -> Option<DiskId> {
        let masters = self.postgres.iter().filter(|(_, copy)| copy.home.node == *node && copy.is_master());
        masters.max_by_key(|(_, copy)| copy.wal.timeline).map(|(disk, _)| *disk)
    }

    /// A copy of `source`'s directory as pg_basebackup makes it on `server`.
    pub fn base_backup(&mut self, source: DiskId, server: &ServerName, now: Moment) -> Option<DiskId> {
        self.checkpoint(source, now);
        let copy = self.postgres.get(&source)?;
        let mut copy = copy.clone();
        copy.home.server = server.clone();
        copy.process = None;
        copy.crash_recovered = None;
        (copy.full, copy.hidden) = (false, false);
        copy.wal.forget_burnt();
        let disk = self.new_disk();
        self.postgres.insert(disk, copy);
        Some(disk)
    }

    pub(super) fn new_disk(&mut self) -> DiskId {
        let disk = DiskId(self.next_disk);
        self.next_disk += 1;
        disk
    }

    pub(super) fn new_pid(&mut self) -> u32 {
        self.next_pid += 1;
        self.next_pid
    }

    pub(super) fn new_session_id(&mut self) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        id
    }

    /// Writes a record on a master and applies it there.
    pub(super) fn append(&mut self, disk: DiskId, body: Body, now: Moment) {
        if let Some(copy) = self.postgres.get_mut(&disk) {
            copy.wal.append(body, now);
            copy.replay_all();
            self.unsettled.grew(disk);
        }
    }

    /// CHECKPOINT on a master; a restartpoint on a standby.
    pub fn checkpoint(&mut self, disk: DiskId, now: Moment) {
        let Some(copy) = self.postgres.get_mut(&disk) else { return };
        if copy.is_master() {
            self.append(disk, Body::Checkpoint { shutdown: false }, now);
        }
        if let Some(copy) = self.postgres.get_mut(&disk) {
            copy.note_checkpoint(now);
            if let Some(process) = &mut copy.process {
                process.checkpoint_due = None;
            }
        }
    }
}

impl Postgres {
    fn initialised(home: Home, system_id: SystemId, routes: &Routes, standby: bool, now: Moment) -> Self {
        let mut wal = Wal::default();
        wal.append(Body::Commit(vec![Change::FirstRoutes(Arc::clone(routes))]), now);
        let checkpoint = wal.end();
        wal.append(Body::Checkpoint { shutdown: false }, now);
        let state = if standby { ControlState::ShutDownInRecovery } else { ControlState::ShutDown };
        let control = Control {
            state,
            timeline: Timeline(1),
            checkpoint,
            prior_checkpoint: checkpoint,
            redo: checkpoint,
            checkpoint_time: now,
            modified: now,
            min_recovery_timeline: Timeline(u32::from(standby)),
        };
        let data = Data::default();
        let mut copy = Self {
            home,
            system_id,
            wal,
            applied: 0,
            data,
            control,
            process: None,
            crash_recovered: None,
            full: false,
            hidden: false,
        };
        copy.replay_all();
        copy
    }

    /// Moves the control file's checkpoint to the last checkpoint record that is applied.
    pub(super) fn note_checkpoint(&mut self, now: Moment) {
        let last = self.wal.records()[..self.applied]
            .iter()
            .rev()
            .find(|record| matches!(record.body, Body::Checkpoint { .. }))
            .map(|record| (record.start, record.timeline, record.at));
        if let Some((lsn, timeline, at)) = last {
            if lsn != self.control.checkpoint {
                self.control.prior_checkpoint = self.control.checkpoint;
            }
            self.control.checkpoint = lsn;
            self.control.redo = lsn;
            self.control.timeline = timeline;
            self.control.checkpoint_time = at;
        }
        if self.is_master() {
            self.control.min_recovery_timeline = Timeline(0);
        }
        self.control.modified = now;
    }
}

/// What initdb would draw: stable per name, and as large as real ones.
pub(super) fn system_id(node: &NodeName) -> SystemId {
    let low = hash(node.as_str().as_bytes());
    SystemId(7_711_080_000_000_000_000 + u64::from(low) * 37)
}

/// pgxc_node as every router has it at first: one row per node, its master's endpoint.
pub(super) fn seed_routes(cluster: &Cluster) -> Routes {
    let rows = cluster.nodes.values().filter_map(|node| {
        let master = node.master_instance()?;
        let kind = match node.kind {
            NodeKind::Gtm => 'G',
            NodeKind::Coordinator => 'C',
            NodeKind::Datanode => 'D',
        };
        let row = RouteRow {
            node: node.name.to_string(),
            kind,
            host: master.endpoint.host.to_string(),
            port: master.endpoint.port,
            forward: master.forward_port.unwrap_or(0),
            // The GTM's row is nodeis_primary (seen live).
            primary: kind == 'G',
            preferred: false,
            id: node_id(node.name.as_str()),
            cluster: cluster.name.to_string(),
        };
        Some((row.node.as_str().into(), Arc::new(row)))
    });
    Arc::new(rows.collect())
}

pub(super) fn node_id(name: &str) -> i32 {
    i32::from_ne_bytes(hash(name.as_bytes()).to_ne_bytes())
}
