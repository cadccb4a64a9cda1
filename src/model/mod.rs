//! The words of the domain: names, endpoints, WAL positions, the declared cluster, and what was
//! observed of the live one. Pure data, shared by every other room.

mod change;
mod cluster;
mod discovery;
mod fact;
mod finding;
mod in_doubt;
mod missing;
mod name;
mod observation;
mod place;
mod spelling;
mod vitals;
mod wal;

pub use change::{Condition, RouteChange};
pub use cluster::{
    Cluster, Connection, HoldPolicy, Instance, Node, NodeKind, OldMaster, Policy, Server, ShellAccess, ShellVia,
    SslMode,
};
pub use discovery::{Discovery, FoundInstance, FoundNode, FoundServer};
pub use fact::{Fact, Unknown, UnknownKind};
pub use finding::{Finding, FindingKind, NextCommand, Severity};
pub use in_doubt::{IN_DOUBT_SECONDS, InDoubt, Origin, PreparedTransaction, PreparedTransactions, TransactionState};
pub use missing::{MissingEnd, MissingTransaction, MissingWal};
pub use name::{ClusterName, NameError, NodeName, ServerName};
pub use observation::{
    Control, ControlState, DataDir, InstanceFacts, Instances, Observation, PidFile, Process, RecoveryFile,
    RecoverySettings, Role, Route, RouteKind, Sender, StandbyFacts, TimelineSwitch,
};
pub use place::{Endpoint, Host, InstanceId};
pub use spelling::{Spelling, WrittenIn};
pub use vitals::{ClockOffset, HostEnvironment, Listener, Load, ReplicationAccess, Settings};
pub use wal::{Gts, Lsn, SystemId, Timeline};
