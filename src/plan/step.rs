//! A step: one act on one process, with everything needed to decide, do, verify and undo it.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use crate::model::{Condition, InstanceId, Lsn, NodeName, Role, RouteChange, Timeline};
use crate::opentenbase::salvage::SalvageRange;

/// Names a step within its plan: `promote:dn01@s47`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
// Copies share the text, for whatever needs it names it.
pub struct StepId(Arc<str>);

impl StepId {
    pub fn new(verb: &str, instance: &InstanceId) -> Self {
        Self(format!("{verb}:{instance}").into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The act of a step. Apply chooses nothing: everything it needs is here and in the declared cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Lay the recovery.conf that will fence the old master beside its place, before the write gap opens.
    StageFence { instance: InstanceId, upstream: InstanceId },
    /// Put recovery.conf into the data directory of a master that does not run.
    Fence { instance: InstanceId, upstream: InstanceId },
    /// CHECKPOINT on a datanode's master, so that its shutdown checkpoint is short.
    Checkpoint { instance: InstanceId },
    /// Wait until a GTM standby has redone something of its master's log: promoted before, it would break its own.
    AwaitRedo { standby: InstanceId, upstream: InstanceId },
    /// Lock every table of every database, locally on each coordinator: clients' transactions end first, and their next
    /// statements wait. `masters` move meanwhile.
    Hold {
        coordinator: InstanceId,
        coordinators: Arc<Vec<InstanceId>>,
        masters: Arc<Vec<InstanceId>>,
        wait_seconds: u32,
        /// Without it nothing moves.
        required: bool,
    },
    /// End the transactions that hold the locks.
    Release { coordinator: InstanceId, coordinators: Arc<Vec<InstanceId>> },
    /// `pg_ctl stop -m fast`, and the staged fence moved into place in the same breath.
    Stop { instance: InstanceId, fenced: bool },
    /// End a process that hangs: `pg_ctl stop -m immediate`, then SIGKILL; the staged fence is moved into place in the same
    /// breath.
    End { instance: InstanceId },
    /// Wait until the standby has replayed what the stopped master wrote last.
    CatchUp { standby: InstanceId, source: InstanceId },
    /// Bring the WAL of `source`, a master that died, to the standby that lacks it, and let it replay that.
    Salvage { standby: InstanceId, source: InstanceId, timeline: Timeline, from: Lsn, to: Lsn, segment_bytes: u32 },
    /// `pg_ctl promote`, then poll the role.
    Promote { instance: InstanceId },
    /// Starts the declared master, which is down while no other instance took over; `unfence` removes otb's
    /// recovery.conf.
    Restart { instance: InstanceId, unfence: bool },
    /// ALTER GTM NODE: the one row without which the router cannot commit, nor even read. Nothing has to be known of it.
    RepointGtm {
        router: InstanceId,
        route: RouteChange,
        /// Its pooler need not be reloaded afterwards: v5's does without.
        #[serde(default)]
        spares_pool: bool,
    },
    /// ALTER NODE for each row that differs.
    Reroute { router: InstanceId, routes: Arc<Vec<RouteChange>> },
    /// `select pgxc_pool_reload()`.
    Reload { router: InstanceId },
    /// EXECUTE DIRECT through a coordinator to each moved node: the wanted process must answer.
    Prove { coordinator: InstanceId, instances: Vec<InstanceId> },
    /// Wait until no transaction from before the run is prepared on one of `masters`, and finish what stays with pg_clean
    /// through a coordinator.
    Settle { coordinator: InstanceId, masters: Arc<Vec<InstanceId>> },
    /// A commit on a master that waits for its synchronous standbys.
    ProveCommit { instance: InstanceId },
    /// Start a copy that commits on the new master wait for, before the routers know of it. The mark of the fence stays in
    /// its recovery.conf.
    Return { instance: InstanceId, upstream: InstanceId, method: RejoinMethod },
    /// Make an instance a standby of the master.
    Rejoin {
        instance: InstanceId,
        upstream: InstanceId,
        method: RejoinMethod,
        /// The settings of its own recovery.conf that stay: only the upstream changes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keeps: Vec<String>,
    },
}

impl Action {
    /// The process that is acted on.
    pub fn target(&self) -> &InstanceId {
        match self {
            Self::StageFence { instance, .. }
            | Self::Fence { instance, .. }
            | Self::Checkpoint { instance }
            | Self::AwaitRedo { standby: instance, .. }
            | Self::Stop { instance, .. }
            | Self::End { instance }
            | Self::CatchUp { standby: instance, .. }
            | Self::Salvage { standby: instance, .. }
            | Self::Promote { instance }
            | Self::Restart { instance, .. }
            | Self::RepointGtm { router: instance, .. }
            | Self::Reroute { router: instance, .. }
            | Self::Reload { router: instance }
            | Self::Prove { coordinator: instance, .. }
            | Self::Settle { coordinator: instance, .. }
            | Self::ProveCommit { instance }
            | Self::Return { instance, .. }
            | Self::Hold { coordinator: instance, .. }
            | Self::Release { coordinator: instance, .. }
            | Self::Rejoin { instance, .. } => instance,
        }
    }

    /// The nodes that are shown to serve again by its being done.
    pub fn proves(&self) -> Vec<&NodeName> {
        match self {
            Self::Prove { instances, .. } => instances.iter().map(|instance| &instance.node).collect(),
            Self::RepointGtm { route, .. } => vec![&route.node],
            Self::ProveCommit { instance } => vec![&instance.node],
            _ => Vec::new(),
        }
    }

    /// The WAL that a salvage brings.
    pub fn salvage_range(&self) -> Option<SalvageRange> {
        match *self {
            Self::Salvage { timeline, from, to, segment_bytes, .. } => {
                Some(SalvageRange { timeline, from, to, segment_bytes })
            }
            _ => None,
        }
    }

    /// The word for people and step ids.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::StageFence { .. } => "stage-fence",
            Self::Fence { .. } => "fence",
            Self::Checkpoint { .. } => "checkpoint",
            Self::AwaitRedo { .. } => "await-redo",
            Self::Stop { .. } => "stop",
            Self::End { .. } => "end",
            Self::CatchUp { .. } => "catch-up",
            Self::Salvage { .. } => "salvage",
            Self::Promote { .. } => "promote",
            Self::Restart { .. } => "restart",
            Self::RepointGtm { .. } => "repoint-gtm",
            Self::Reroute { .. } => "reroute",
            Self::Reload { .. } => "reload",
            Self::Prove { .. } => "prove",
            Self::Settle { .. } => "settle",
            Self::ProveCommit { .. } => "prove-commit",
            Self::Return { .. } => "return",
            Self::Hold { .. } => "hold",
            Self::Release { .. } => "release",
            Self::Rejoin { .. } => "rejoin",
        }
    }

    pub fn id(&self) -> StepId {
        StepId::new(self.verb(), self.target())
    }
}

/// How an instance becomes a standby again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejoinMethod {
    /// recovery.conf and a start: its WAL is a prefix of the master's.
    InPlace,
    /// It runs as a standby of the master that is started again: it is waited for. A standby looks for a lost
    /// master every five seconds only (wal_retrieve_retry_interval).
    Reconnect,
    /// It streams, and the mark of the fence in its recovery.conf is all that is left to do.
    Unfence,
    /// It runs as a standby of another instance: recovery.conf and a restart.
    Repoint,
    /// It runs as a standby and cannot follow: stopped, then as `BaseBackup`.
    Replace,
    /// pg_basebackup into a fresh directory; the old one is kept aside. Never pg_rewind, which destroys an
    /// OpenTenBase datanode.
    BaseBackup,
}

impl RejoinMethod {
    /// How much it takes until the copy streams: those of one kind compare equal.
    pub(crate) fn effort(self) -> u8 {
        match self {
            Self::Unfence | Self::Reconnect => 0,
            Self::InPlace => 1,
            Self::Repoint => 2,
            Self::BaseBackup => 3,
            Self::Replace => 4,
        }
    }

    /// What must be true before `instance` becomes a standby of `upstream` in this way.
    pub(crate) fn before(self, instance: &InstanceId, upstream: &InstanceId) -> Vec<Condition> {
        let own = match self {
            Self::InPlace | Self::BaseBackup => Condition::Stopped { instance: instance.clone() },
            Self::Reconnect | Self::Unfence | Self::Repoint | Self::Replace => {
                Condition::Runs { instance: instance.clone(), role: Role::Standby }
            }
        };
        vec![own, Condition::Runs { instance: upstream.clone(), role: Role::Master }]
    }
}

/// The parts of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before anything is interrupted.
    Prepare,
    /// The GTM, first and alone: stop, catch up, promote, and update each router.
    Gtm,
    /// Clients wait from here on.
    Hold,
    /// Stop, catch up, promote; coordinators and datanodes side by side.
    Move,
    /// Copies that commits on a new master wait for start, beside the reroutes.
    Return,
    /// ALTER NODE on all routers, side by side.
    Reroute,
    /// Pool reload on all routers, side by side.
    Reload,
    /// Through every coordinator.
    Prove,
    /// Clients go on.
    Release,
    /// Transactions that were prepared before the run are finished.
    Settle,
    /// Old masters become standbys.
    Rejoin,
}

/// Whether a step can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// It leaves nothing that would need undoing.
    NotNeeded,
    /// It can; how, in one clause.
    Possible(String),
    /// It cannot: otb rolls forward from here.
    Never,
}

impl Step {
    /// One of those by which its node gets another master, or loses a second one: failed before the point of no return, they are undone.
    pub fn prepares_or_moves(&self) -> bool {
        matches!(self.phase, Phase::Prepare | Phase::Gtm | Phase::Move)
            && !matches!(self.action, Action::RepointGtm { .. })
    }

    /// Whether the gap in which its node does not serve may begin with it.
    pub(crate) fn interrupts_its_node(&self) -> bool {
        self.phase != Phase::Prepare && self.prepares_or_moves() && !self.gives_up()
    }

    /// Tried for the sake of clients: the run ends well without it, too.
    pub fn is_optional(&self) -> bool {
        matches!(self.action, Action::Hold { required: false, .. })
    }

    /// The stop of a second master, which is never started as a master again.
    pub fn gives_up(&self) -> bool {
        matches!(self.action, Action::Stop { .. }) && self.undo == Undo::Never
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub id: StepId,
    pub phase: Phase,
    pub action: Action,
    /// The exact SQL statements or commands, in order, as text for people.
    #[schemars(with = "Vec<String>")]
    pub run: Lines,
    /// Must hold when the step begins; otherwise otb stops before it.
    pub before: Vec<Condition>,
    /// Holds when the step is done.
    pub after: Vec<Condition>,
    /// Seconds within which `after` must hold.
    pub limit_seconds: u64,
    pub undo: Undo,
    /// From this step on otb rolls forward: a promotion, or the end of a second master.
    pub point_of_no_return: bool,
    /// One sentence.
    pub why: String,
    /// Steps that must be done first.
    pub needs: Vec<StepId>,
}
