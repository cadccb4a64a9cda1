//! The declared cluster: cluster.yaml after checking and resolving every default.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClusterName, Endpoint, Host, InstanceId, NodeName, ServerName};

/// The declared cluster. Maps are keyed by name, so that the order is the same in each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    pub name: ClusterName,
    pub connection: Connection,
    pub servers: BTreeMap<ServerName, Server>,
    pub nodes: BTreeMap<NodeName, Node>,
    pub policy: Policy,
}

impl Cluster {
    /// Every instance, by node name and then server name.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.nodes.values().flat_map(|node| node.instances.values())
    }

    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.nodes.get(&id.node)?.instances.get(&id.server)
    }

    pub fn nodes_of(&self, kind: NodeKind) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(move |node| node.kind == kind)
    }

    /// Nodes whose masters hold a pgxc_node table: coordinators and datanodes.
    pub fn routers(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.kind.is_router())
    }
}

/// How otb logs in to every coordinator and datanode. Passwords come from PGPASSWORD or ~/.pgpass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The database user.
    pub user: String,
    /// The database that is connected to.
    pub database: String,
    pub sslmode: SslMode,
    /// The file with the trusted certificate authorities, as libpq's sslrootcert; `None` means ~/.postgresql/root.crt.
    pub sslrootcert: Option<String>,
}

/// libpq's sslmode, without `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    pub name: ServerName,
    /// The address that belongs in pgxc_node, and that otb connects to.
    pub address: Host,
    pub shell: ShellAccess,
}

/// How commands are run on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellAccess {
    pub via: ShellVia,
    /// The OS user that owns the data directories, reached with `sudo -n -u`; `None` means the login user.
    pub run_as: Option<String>,
}

/// The way to a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShellVia {
    /// `sh` on this machine.
    Local,
    /// A command of this machine that runs the words behind it where the server is: `docker exec -i NAME`.
    Exec { command: Vec<String> },
    /// The system's ssh client; `host` is an ssh destination (an alias of ssh_config works).
    Ssh { user: Option<String>, host: String, port: Option<u16> },
}

/// A logical member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    pub name: NodeName,
    pub kind: NodeKind,
    /// The server on which this node's master must be.
    pub master: ServerName,
    pub instances: BTreeMap<ServerName, Instance>,
}

impl Node {
    pub fn master_id(&self) -> InstanceId {
        InstanceId::new(self.name.clone(), self.master.clone())
    }

    /// The declared master's instance, if the node was built by the checked reader (it always has one).
    pub fn master_instance(&self) -> Option<&Instance> {
        self.instances.get(&self.master)
    }

    /// The instances that must be standbys.
    pub fn standbys(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().filter(|instance| instance.id.server != self.master)
    }
}

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    Gtm,
    Coordinator,
    Datanode,
}

impl NodeKind {
    /// Whether its master holds a pgxc_node table.
    pub fn is_router(self) -> bool {
        !matches!(self, Self::Gtm)
    }

    /// The word for `pg_ctl -Z` and `gtm_ctl -Z`, and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gtm => "gtm",
            Self::Coordinator => "coordinator",
            Self::Datanode => "datanode",
        }
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One server process of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    pub id: InstanceId,
    pub kind: NodeKind,
    pub endpoint: Endpoint,
    /// v5's forward_port: the port of the process that moves rows between nodes.
    #[serde(default)]
    pub forward_port: Option<u16>,
    /// Absolute path of the data directory on its server.
    pub data: String,
    /// Absolute path of the installation (bin/ and lib/ below it) on its server.
    pub install: String,
}

/// How otb behaves where the file may choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// The most WAL, in bytes, that a standby may be behind when a switchover begins.
    #[schemars(with = "String")]
    pub max_lag: ByteSize,
    pub old_master: OldMaster,
    /// How long a fast stop of a coordinator or datanode may wait for sessions.
    #[serde(default = "Policy::fast_stop_seconds")]
    pub fast_stop_seconds: u64,
    /// Whether clients are held while a datanode's master moves.
    #[serde(default)]
    pub hold: HoldPolicy,
    /// The longest time, in seconds, that otb tries to get the hold.
    #[serde(default = "Policy::hold_wait_seconds")]
    pub hold_wait_seconds: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_lag: ByteSize::mib(16),
            old_master: OldMaster::Rejoin,
            fast_stop_seconds: Self::fast_stop_seconds(),
            hold: HoldPolicy::default(),
            hold_wait_seconds: Self::hold_wait_seconds(),
        }
    }
}

impl Policy {
    /// The default values.
    pub const fn fast_stop_seconds() -> u64 {
        20
    }

    /// The same of the hold.
    pub const fn hold_wait_seconds() -> u32 {
        10
    }

    pub fn fast_stop(&self) -> Duration {
        Duration::from_secs(self.fast_stop_seconds)
    }
}

/// Whether a planned move of a datanode waits until it can hold the statements of all clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldPolicy {
    /// Try; a hold that cannot be had leaves the move as it is without one.
    #[default]
    Prefer,
    /// Without a hold nothing moves.
    Require,
    /// Never hold clients.
    Off,
}

/// What happens to an old master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OldMaster {
    /// It is made a standby of the new master.
    Rejoin,
    /// It stays down, fenced.
    Leave,
}
