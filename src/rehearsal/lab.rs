//! The simulated cluster with the files beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Cluster, Endpoint, InstanceId, Lsn, NodeKind, Observation, Origin};
use crate::opentenbase::hold_tables;
use crate::sandbox::Moment;
use crate::sandbox::sql::parse;
use crate::sandbox::world::{
    DiskId, Effect, Files, GtmConf, Image, Login, Ran, Recovery, Replication, SessionId, StartFiles, Upstream, World,
};

/// The pace at which everything that is due comes between two steps, in microseconds.
pub const SLOW: u64 = 10_000_000;

/// The pace at which hardly anything does: promotions' checkpoints, a GTM's next record.
pub const QUICK: u64 = 1_000;

/// When a simulated cluster begins, in microseconds.
const BEGINS: u64 = 100_000_000;

/// No disk has this number: what is not declared does not run.
const NOWHERE: DiskId = DiskId(0);

/// A simulated cluster between two steps of a run.
#[derive(Debug, Clone)]
pub struct Lab {
    pub world: World,
    pub cluster: Arc<Cluster>,
    pub disks: BTreeMap<InstanceId, DiskId>,
    pub files: BTreeMap<InstanceId, Files>,
    /// The flush position of a GTM when the current run stopped it: nothing shows it afterwards.
    pub flushed: BTreeMap<InstanceId, Lsn>,
    /// The end of the WAL of a master that the current run stopped immediately.
    pub ended: BTreeMap<InstanceId, Lsn>,
    /// No tool reads the WAL of stopped copies.
    pub unreadable: bool,
    /// The sessions by which clients are held.
    pub held: Vec<SessionId>,
    /// Microseconds from one step to the next.
    pub pace: u64,
    /// The settings in the postgresql.conf of an instance.
    pub settings: Arc<BTreeMap<InstanceId, BTreeMap<String, String>>>,
    /// The observation of the real cluster: facts that the simulation does not change stay as they were.
    pub base: Arc<Observation>,
    clock: u64,
}

impl Lab {
    /// A simulated cluster whose world is made.
    pub fn new(cluster: Cluster, world: World, disks: BTreeMap<InstanceId, DiskId>) -> Self {
        let files = disks.keys().map(|id| (id.clone(), Files::default())).collect();
        Self {
            world,
            cluster: Arc::new(cluster),
            disks,
            files,
            flushed: BTreeMap::new(),
            ended: BTreeMap::new(),
            unreadable: false,
            held: Vec::new(),
            pace: SLOW,
            settings: Arc::default(),
            base: Arc::default(),
            clock: BEGINS,
        }
    }

    /// The image of the cluster that was seen.
    pub fn in_the_image(cluster: &Cluster, seen: &Observation, image: Image) -> Self {
        let mut lab = Self::new(cluster.clone(), image.world, image.disks);
        lab.files = image.files;
        let set = |(id, facts): (&InstanceId, &crate::model::InstanceFacts)| {
            Some((id.clone(), facts.settings.known()?.0.clone()))
        };
        lab.settings = Arc::new(seen.instances.iter().filter_map(set).collect());
        lab.unreadable =
            seen.instances.values().any(|facts| facts.is_stopped() && facts.unreplicated.hidden().is_some());
        lab.base = Arc::new(seen.clone());
        lab.pace = QUICK;
        lab
    }

    /// The moment in which an image is taken.
    pub fn begins() -> Moment {
        Moment(BEGINS)
    }

    /// The disk of an instance.
    pub fn disk(&self, id: &InstanceId) -> DiskId {
        self.disks.get(id).copied().unwrap_or(NOWHERE)
    }

    /// The settings in its postgresql.conf.
    pub fn settings_of(&self, id: &InstanceId) -> BTreeMap<String, String> {
        self.settings.get(id).cloned().unwrap_or_default()
    }

    /// Whether commits of some node wait for standbys.
    pub fn commits_wait(&self) -> bool {
        let waits = |settings: &BTreeMap<String, String>| {
            let names = settings.get("synchronous_standby_names").is_some_and(|names| !names.is_empty());
            let level = settings.get("synchronous_commit").map_or("on", String::as_str);
            names && !matches!(level, "local" | "off")
        };
        self.settings.values().any(waits)
    }

    pub fn now(&mut self) -> Moment {
        self.clock += 1_000;
        Moment(self.clock)
    }

    /// The transactions that coordinators began and that a running master holds prepared.
    pub fn in_doubt(&self) -> BTreeSet<String> {
        let masters = self.world.disks().filter(|(_, copy)| copy.is_master());
        let held = masters.flat_map(|(_, copy)| copy.data.prepared.keys());
        held.filter(|gid| Origin::of(gid) != Origin::Client).cloned().collect()
    }

    /// The present moment, without letting any time pass.
    pub fn moment(&self) -> Moment {
        Moment(self.clock)
    }

    /// Time passes from one step to the next: what is due happens.
    pub fn later(&mut self) {
        self.pass(self.pace);
    }

    /// So much time passes that whatever is due at all has happened.
    pub fn much_later(&mut self) {
        self.pass(SLOW);
    }

    fn pass(&mut self, microseconds: u64) {
        self.clock += microseconds;
        let now = Moment(self.clock);
        self.world.tick(now);
        self.do_to_files();
    }

    /// The files in an instance's data directory.
    pub fn files_of(&mut self, id: &InstanceId) -> &mut Files {
        self.files.entry(id.clone()).or_default()
    }

    /// Whether its files make it a standby at its next start, and its upstream.
    pub fn recovery(&self, id: &InstanceId) -> Option<&Recovery> {
        self.files.get(id)?.recovery.as_ref()
    }

    pub fn endpoint(&self, id: &InstanceId) -> Option<&Endpoint> {
        self.cluster.instance(id).map(|instance| &instance.endpoint)
    }

    /// Whether that host and port are this instance's.
    pub fn is_at(&self, id: &InstanceId, host: &str, port: u16) -> bool {
        self.endpoint(id).is_some_and(|at| at.host.as_str() == host && at.port == port)
    }

    /// Starts an instance from its files.
    pub fn start(&mut self, id: &InstanceId) -> Result<(), String> {
        let instance = self.cluster.instance(id).cloned().ok_or("it is not declared")?;
        let (disk, now) = (self.disk(id), self.now());
        let (host, port, data_directory) = (instance.endpoint.host, instance.endpoint.port, instance.data);
        if instance.kind == NodeKind::Gtm {
            let standby_of = self.recovery(id).map(|conf| (conf.host.clone(), conf.port));
            let conf = GtmConf { host, port, data_directory, standby_of };
            return self.world.start_gtm(disk, conf, now).map_err(|failure| failure.0);
        }
        let recovery = self.recovery(id).cloned().map(|recovery| {
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
    pub fn sql(&mut self, id: &InstanceId, text: &str) -> Result<(), String> {
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
        let (disk, now) = (self.disk(id), self.now());
        let session = self.world.open(disk, login, now).map_err(|wait| format!("{wait:?}"))?;
        session.map_err(|error| error.message)
    }

    fn run(&mut self, session: SessionId, text: &str) -> Result<(), String> {
        let statement = parse(text).map_err(|error| error.message)?;
        let now = self.now();
        match self.world.run(session, &statement, &[], now) {
            Ran::Done(outcome) => outcome.result.map(drop).map_err(|error| error.message),
            Ran::Wait(wait) => Err(format!("it waits: {wait:?}")),
        }
    }

    /// Holds the clients of all `coordinators`, or of none.
    pub fn hold(&mut self, coordinators: &[InstanceId]) -> Result<(), String> {
        for id in coordinators {
            let held =
                if self.world.is_silent(self.disk(id)) { Err("no answer".to_owned()) } else { self.hold_one(id) };
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

    /// Lets the clients go on.
    pub fn release(&mut self) {
        for session in std::mem::take(&mut self.held) {
            self.world.close(session);
        }
    }

    /// The changes of servers to their own files: a promotion renames recovery.conf; a GTM's promotion ends gtm.conf
    /// with ACT.
    pub fn do_to_files(&mut self) {
        for effect in self.world.take_effects() {
            let (Effect::RenameRecoveryConf(disk) | Effect::AppendGtmConf(disk, _)) = effect else { continue };
            let owner = self.disks.iter().find(|(_, own)| **own == disk).map(|(id, _)| id.clone());
            if let Some(id) = owner {
                self.files_of(&id).recovery.take_if(|conf| conf.writable);
            }
        }
    }

    /// Faults that end by themselves end here.
    pub fn heal(&mut self) {
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
