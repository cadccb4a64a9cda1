//! Everything that otb learned of the live cluster in one observation.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Endpoint, Fact, Gts, HostEnvironment, InDoubt, InstanceId, Load, Lsn, MissingWal, NodeName, PreparedTransactions,
    ReplicationAccess, Settings, Spelling, SystemId, Timeline,
};

/// Facts by instance: looked up many times each while a plan is made, and of thousands.
pub type Instances = IndexMap<InstanceId, InstanceFacts>;

/// Every declared instance, each with what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    pub instances: Instances,
    /// Two-phase transactions that some master holds prepared for longer than a commit takes, the oldest first.
    #[serde(default)]
    pub in_doubt: Vec<InDoubt>,
    /// Hosts that are written in another way than in the file. The facts have the file's way.
    #[serde(default)]
    pub spellings: Vec<Spelling>,
}

/// What is known of one instance, a GTM, coordinator or datanode process.
/// Facts that do not apply (routes of a GTM) are unknown with kind `not_asked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceFacts {
    /// Whether the server process runs: from an answer on its port, else from pg_ctl/gtm_ctl status.
    pub process: Fact<Process>,
    /// The role of a running process.
    pub role: Fact<Role>,
    /// The process's own name (`SHOW pgxc_node_name`).
    pub node_name: Fact<NodeName>,
    /// `SHOW server_version`, for example `10.0 OpenTenBase V2`.
    pub version: Fact<String>,
    /// From SQL, else from pg_controldata.
    pub system_id: Fact<SystemId>,
    /// The timeline a master writes or a standby replays; of a stopped instance its control file's.
    pub timeline: Fact<Timeline>,
    /// The ends of its timeline's ancestors (pg_wal/NNNNNNNN.history), read by the shell for masters.
    pub history: Fact<Vec<TimelineSwitch>>,
    /// The highest timeline that pg_wal has a history file of; the first timeline has none. A failed promotion leaves
    /// a history file of a timeline that no instance uses.
    pub newest_history: Fact<Timeline>,
    /// The beginning of the WAL that pg_wal still has: no standby can stream earlier WAL.
    pub oldest_wal: Fact<Lsn>,
    /// The end of the WAL it holds: a master's insert position, a standby's replay position, of a stopped
    /// instance the end of its last valid record.
    pub wal_end: Fact<Lsn>,
    /// For a stopped coordinator or datanode with more WAL than its node's declared master, a running standby: the
    /// transactions in it.
    pub unreplicated: Fact<MissingWal>,
    /// The start time of the process, in seconds since 1970 as text: it identifies one run of a process.
    pub started: Fact<String>,
    /// postmaster.pid as the process itself reads it; asked of coordinators and datanodes where the user is a superuser.
    pub pid_file: Fact<PidFile>,
    /// For a running standby.
    pub standby: Fact<StandbyFacts>,
    /// For a running master: its replication connections.
    pub senders: Fact<Vec<Sender>>,
    /// The pgxc_node table this process sees (a standby sees its master's as of the WAL it replayed).
    /// Instances that see equal tables share one.
    pub routes: Fact<Arc<Vec<Route>>>,
    /// `pgxc_pool_check()`, asked of coordinator masters: does the pooler agree with pgxc_node?
    pub pool_agrees: Fact<bool>,
    /// From pg_controldata; for a node that is not as declared, asked of all instances whose processes did not report
    /// their directory.
    pub control: Fact<Control>,
    /// The data directory as the shell sees it.
    pub data_dir: Fact<DataDir>,
    /// For a running coordinator or datanode; for a stopped one that was a master, the settings of commits that wait
    /// for standbys.
    pub settings: Fact<Settings>,
    /// For a running coordinator or datanode.
    pub load: Fact<Load>,
    /// For a running coordinator or datanode that is a master: its two-phase transactions.
    pub prepared: Fact<PreparedTransactions>,
    /// Its host environment, as the shell sees it.
    pub host_environment: Fact<HostEnvironment>,
    /// Asked of a master that is to be moved: may its server replicate from the declared master?
    pub replication_access: Fact<ReplicationAccess>,
    /// How long its first answer after the login took, in microseconds: a round trip and little else.
    pub round_trip: Fact<u64>,
    /// What `pg_ctl --version` below its `install` says, for example `10.0 OpenTenBase V2`.
    pub tools_version: Fact<String>,
    /// For a GTM: its global timestamp when it was asked.
    pub gts: Fact<Gts>,
}

impl Observation {
    /// Whom each standby replicates as, where its recovery.conf could be read and says so.
    pub fn replication_users(&self) -> BTreeMap<InstanceId, String> {
        let user = |facts: &InstanceFacts| facts.data_dir.known()?.recovery_conf.as_ref()?.user.clone();
        self.instances.iter().filter_map(|(id, facts)| Some((id.clone(), user(facts)?))).collect()
    }
}

impl InstanceFacts {
    /// Every fact unknown for the same reason.
    pub fn unknown(kind: super::UnknownKind, why: &str) -> Self {
        fn no<T>(kind: super::UnknownKind, why: &str) -> Fact<T> {
            Fact::unknown(kind, why)
        }
        Self {
            process: no(kind, why),
            role: no(kind, why),
            node_name: no(kind, why),
            version: no(kind, why),
            system_id: no(kind, why),
            timeline: no(kind, why),
            history: no(kind, why),
            newest_history: no(kind, why),
            oldest_wal: no(kind, why),
            wal_end: no(kind, why),
            unreplicated: no(kind, why),
            started: no(kind, why),
            pid_file: no(kind, why),
            standby: no(kind, why),
            senders: no(kind, why),
            routes: no(kind, why),
            pool_agrees: no(kind, why),
            control: no(kind, why),
            data_dir: no(kind, why),
            settings: no(kind, why),
            load: no(kind, why),
            prepared: no(kind, why),
            host_environment: no(kind, why),
            replication_access: no(kind, why),
            round_trip: no(kind, why),
            tools_version: no(kind, why),
            gts: no(kind, why),
        }
    }

    pub fn is_running(&self, role: Role) -> bool {
        self.process.known() == Some(&Process::Running) && self.role.known() == Some(&role)
    }

    pub fn is_stopped(&self) -> bool {
        self.process.known() == Some(&Process::Stopped)
    }

    /// Stopped, and pg_controldata says that the shutdown was clean.
    pub fn is_cleanly_stopped(&self) -> bool {
        self.is_stopped() && self.control.is_known_and(|control| control.state.is_clean())
    }
}

/// One line of a timeline history file: `timeline` was left at `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineSwitch {
    pub timeline: Timeline,
    pub at: Lsn,
}

/// Whether a server process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    Running,
    Stopped,
}

impl Process {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

/// The role of a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Master,
    Standby,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Master => "master",
            Self::Standby => "standby",
        })
    }
}

/// A standby's view of its replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandbyFacts {
    pub received: Option<Lsn>,
    pub replayed: Option<Lsn>,
    /// Whether its replay is paused (`pg_wal_replay_pause()`).
    pub replay_paused: bool,
    /// When the transaction that it replayed last was committed, RFC 3339 in UTC: what it shows is as of then.
    pub last_replay: Option<String>,
    /// Whether a WAL receiver is streaming now; of a GTM, whether its master lists it.
    pub streaming: bool,
    /// Its upstream: pg_stat_wal_receiver's conninfo, otherwise recovery.conf's primary_conninfo.
    pub upstream: Option<Endpoint>,
}

impl StandbyFacts {
    /// The end of the WAL that a promotion keeps: it replays all that was received.
    pub fn holds(&self) -> Option<Lsn> {
        self.received.max(self.replayed)
    }
}

/// One row of pg_stat_replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// How the standby calls itself.
    pub application_name: String,
    /// The address from which the standby connects; `None` means a local socket, or a GTM, which does not report it.
    pub client_addr: Option<String>,
    /// `streaming`, `catchup`, `startup`, `backup`.
    pub state: String,
    pub sent: Option<Lsn>,
    pub replayed: Option<Lsn>,
    /// `async`, `sync`, `potential`, `quorum`.
    pub sync_state: String,
}

/// One row of pgxc_node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// As the server gave it; not necessarily a name the file knows.
    pub node: String,
    pub kind: RouteKind,
    /// pgxc_node.node_host.
    pub host: String,
    /// pgxc_node.node_port.
    pub port: u16,
    /// v5's node_forward_port.
    pub forward: Option<u16>,
    /// v2.6's node_cluster_name or v5's node_plane_name.
    pub cluster: String,
}

impl Route {
    /// Whether this row leads to `endpoint`.
    pub fn leads_to(&self, endpoint: &Endpoint) -> bool {
        self.host == endpoint.host.as_str() && self.port == endpoint.port
    }
}

/// pgxc_node.node_type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// `C`
    Coordinator,
    /// `D`
    Datanode,
    /// `G`
    Gtm,
    /// `S`
    Standby,
}

/// pg_controldata, as far as a switchover needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    pub state: ControlState,
    pub system_id: SystemId,
    /// The one it has reached.
    pub timeline: Timeline,
    /// The one of its last checkpoint, and so of `redo`: an older one straight after a promotion.
    pub checkpoint_timeline: Timeline,
    pub checkpoint: Lsn,
    pub redo: Lsn,
    /// Size of one WAL file.
    pub wal_segment_bytes: u32,
}

/// "Database cluster state" of pg_controldata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlState {
    StartingUp,
    ShutDown,
    ShutDownInRecovery,
    ShuttingDown,
    InCrashRecovery,
    InArchiveRecovery,
    InProduction,
}

impl ControlState {
    /// Whether who left it so was a master, orderly stopped or not.
    pub fn is_of_a_master(self) -> bool {
        matches!(self, Self::ShutDown | Self::InProduction)
    }

    pub fn is_clean(self) -> bool {
        matches!(self, Self::ShutDown | Self::ShutDownInRecovery)
    }

    /// pg_controldata's own words.
    pub fn words(self) -> &'static str {
        match self {
            Self::StartingUp => "starting up",
            Self::ShutDown => "shut down",
            Self::ShutDownInRecovery => "shut down in recovery",
            Self::ShuttingDown => "shutting down",
            Self::InCrashRecovery => "in crash recovery",
            Self::InArchiveRecovery => "in archive recovery",
            Self::InProduction => "in production",
        }
    }

    /// Every state, for parsers and tests.
    pub const ALL: [Self; 7] = [
        Self::StartingUp,
        Self::ShutDown,
        Self::ShutDownInRecovery,
        Self::ShuttingDown,
        Self::InCrashRecovery,
        Self::InArchiveRecovery,
        Self::InProduction,
    ];
}

/// A data directory as the shell sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataDir {
    /// The directory is there and holds a node (PG_VERSION, or gtm.conf for a GTM).
    pub present: bool,
    /// recovery.conf, if there is one.
    pub recovery_conf: Option<RecoveryFile>,
    /// The file by which `pg_ctl promote` asks for a promotion is there: a running standby has yet to obey, and does so
    /// unless it is stopped first (seen live). A start removes it.
    pub promotion_asked: bool,
    /// Free bytes on its file system.
    pub free_bytes: Option<u64>,
    /// For a coordinator or datanode: its postmaster.pid, if it exists.
    pub pid_file: Fact<Option<PidFile>>,
}

/// The beginning of postmaster.pid, which identifies one run of a server: a directory with the same content is the one
/// in which that server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PidFile {
    /// Its process.
    pub pid: u32,
    /// The data directory, as its server knows it.
    pub directory: String,
    /// When it started, in seconds since 1970.
    pub started: i64,
}

/// recovery.conf of a PG10-family standby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryFile {
    /// Whether the owner of the data directory owns it and may write it. If not, promote kills the standby.
    pub writable: bool,
    /// `owner:mode`, for people.
    pub rights: String,
    /// The upstream in its primary_conninfo.
    pub upstream: Option<Endpoint>,
    /// The user in its primary_conninfo.
    pub user: Option<String>,
    /// The application_name of its primary_conninfo, by which synchronous_standby_names knows the standby.
    #[serde(default)]
    pub application_name: Option<String>,
    /// otb wrote it into a master that it moved away from: the copy must not come up as a master.
    pub fence: bool,
    /// Its other settings.
    #[serde(default)]
    pub own: RecoverySettings,
}

/// The operator's own settings in a recovery.conf, which stay when the upstream changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoverySettings {
    /// The names of settings, and of parts of primary_conninfo, that otb does not write.
    pub keeps: Vec<String>,
    /// recovery_min_apply_delay, where it is not 0.
    pub delay: Option<String>,
    /// primary_slot_name.
    pub slot: Option<String>,
}
