//! Copies of nodes on disk, and the processes that run on them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ControlState, Host, Lsn, NodeKind, NodeName, ServerName, SystemId, Timeline};
use crate::sandbox::moment::Moment;

use super::data::{Data, Routes};
use super::session::SessionId;
use super::wal::Wal;

/// Identity of one data directory's content: it moves with the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskId(pub u32);

/// Which node a copy belongs to, and on which server it lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Home {
    pub node: NodeName,
    pub kind: NodeKind,
    pub server: ServerName,
}

/// One copy of a coordinator or datanode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    pub home: Home,
    pub system_id: SystemId,
    pub wal: Wal,
    /// How many records of `wal` are in `data`.
    pub applied: usize,
    pub data: Data,
    pub control: Control,
    pub process: Option<Process>,
    /// The end of crash recovery: pg_last_wal_replay_lsn() on a master that crashed before (seen live).
    pub crash_recovered: Option<Lsn>,
    /// The file system is full: commits fail.
    pub full: bool,
    /// Its directory is not where it was: what a process opens by its whole path is not found.
    pub hidden: bool,
}

/// pg_control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    pub state: ControlState,
    pub timeline: Timeline,
    pub checkpoint: Lsn,
    pub prior_checkpoint: Lsn,
    pub redo: Lsn,
    pub checkpoint_time: Moment,
    pub modified: Moment,
    /// The timeline of the minimum recovery point; 0 on a master.
    pub min_recovery_timeline: Timeline,
}

/// A running server process (or one that hangs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub started: Moment,
    pub host: Host,
    pub port: u16,
    pub data_directory: String,
    /// postgresql.conf as it was read at start or reload.
    pub settings: BTreeMap<String, String>,
    pub hung: bool,
    pub mode: Mode,
    pub pooler: Pooler,
    /// Sessions whose ALTER NODE waits for its lock on pgxc_node; new logins queue behind them (seen live).
    /// A stop that was asked for while it hung: it sees the signal when it goes on (seen live).
    pub stop_pending: Option<super::effect::Ending>,
    pub alters_waiting: BTreeSet<SessionId>,
    /// `sandbox fault lock-routes`: an open transaction that has read pgxc_node, which ALTER NODE waits for.
    pub routes_read_by_fault: bool,
    /// All its connection slots are taken, by clients that are not simulated.
    pub slots_taken_by_fault: bool,
    pub waiters: Waiters,
    pub forwarding: Forwarding,
    /// A promotion's checkpoint is still to come: pg_controldata shows the old timeline until then (seen live).
    pub checkpoint_due: Option<Moment>,
}

/// Clients that wait for a page behind a transaction that is prepared here, and hear no signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Waiters {
    #[default]
    None,
    Wait,
    /// One that writes has the page to itself while it waits: a checkpoint waits for the page as well.
    WaitToWrite,
    /// A fast stop was asked for meanwhile: the server takes no logins any more.
    WaitInShutdown,
}

/// v5's forward process of a master.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// It is there, or there is none.
    #[default]
    AsItShould,
    /// The master is new, and its forward sender is there from then on; a pool reload waits for it.
    From(Moment),
    /// Its port is taken, so that the master ends and starts again without an end (seen live).
    CrashLoop,
}

/// The role of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    Master,
    Standby(Standby),
}

/// Recovery of a standby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standby {
    pub upstream: Option<Upstream>,
    pub receiver: Receiver,
    /// The position that the walreceiver asked for first.
    pub received_from: Lsn,
    /// Whether it has streamed since the process began: until then pg_last_wal_receive_lsn() says where it
    /// would begin, which lies before what is replayed (seen live).
    pub has_streamed: bool,
    pub last_message: Moment,
    pub replay_paused: bool,
    /// A promotion that waits for replay to be resumed.
    pub promote_requested: bool,
    /// `sandbox fault lag`: bytes that may still be received; `None` means no limit.
    pub allowance: Option<u64>,
    pub last_replayed: Option<Moment>,
}

/// recovery.conf's primary_conninfo.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub application_name: String,
}

/// The walreceiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    Streaming,
    /// Connected, but the upstream's timeline forked off before this copy's end: it waits for ever, and the
    /// upstream shows it in state `startup` (seen live).
    Forked(String),
    /// Not connected, for this reason (its last log line).
    Down(String),
}

/// A pooler's own idea of the routes (opentenbase-v2.6-live.md, "Routes and poolers").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pooler {
    /// pgxc_node as it was when they were read; only nodes' addresses count.
    pub routes: Routes,
    pub fault_mode: FaultMode,
    /// Failed attempts since the last reload.
    pub failures: BTreeMap<String, u8>,
    /// Nodes that a session has got a connection to since the last reload.
    pub used: BTreeSet<String>,
}

/// What a pooler does about a route that changed without a reload; both were seen live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum FaultMode {
    /// It keeps the old address.
    #[default]
    Keeps,
    /// After two failing statements it reads the catalog.
    Heals,
}

impl Process {
    /// postmaster.pid, with the lines of a live v2.6: pid, directory, start, port, socket directory, address, shared
    /// memory, state.
    pub fn pid_file(&self, disk: DiskId) -> String {
        let Self { pid, data_directory, port, host, .. } = self;
        let started = self.started.seconds();
        format!("{pid}\n{data_directory}\n{started}\n{port}\n/tmp\n{host}\n {port}001        {}\nready   \n", disk.0)
    }

    pub fn is_master(&self) -> bool {
        matches!(self.mode, Mode::Master)
    }

    /// Whether it ends and starts again without an end.
    pub fn crash_loops(&self) -> bool {
        self.forwarding == Forwarding::CrashLoop
    }

    pub fn standby(&self) -> Option<&Standby> {
        match &self.mode {
            Mode::Standby(standby) => Some(standby),
            Mode::Master => None,
        }
    }

    pub fn standby_mut(&mut self) -> Option<&mut Standby> {
        match &mut self.mode {
            Mode::Standby(standby) => Some(standby),
            Mode::Master => None,
        }
    }

    /// A setting of postgresql.conf.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}

impl Postgres {
    /// The position up to which `data` has everything.
    pub fn replayed(&self) -> Lsn {
        self.wal.end_of(self.applied)
    }

    /// Applies the next record of the log to the data.
    pub fn replay_one(&mut self) -> bool {
        let Some(record) = self.wal.record(self.applied).cloned() else { return false };
        if let super::wal::Body::Commit(changes) = &record.body {
            for change in changes {
                self.data.apply(change);
            }
        }
        self.applied += 1;
        if let Some(standby) = self.process.as_mut().and_then(Process::standby_mut) {
            standby.last_replayed = Some(record.at);
        }
        true
    }

    pub fn replay_all(&mut self) {
        while self.replay_one() {}
    }

    pub fn is_master(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_master)
    }
}
