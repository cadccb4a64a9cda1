//! cluster.yaml as it is written. The JSON schema is made from these types, and the schema is what the file
//! is checked against: a doc comment here is what an editor shows, and a bound here is enforced.
//!
//! Keys that the schema requires are optional here, so that a file that lacks one is still checked
//! to the end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::{HoldPolicy, OldMaster, SslMode};

/// Letters of model::NodeName.
const NODE_NAME: &str = r"^[^-\s/@\\\x00-\x1f\x7f-\x9f][^\s/@\\\x00-\x1f\x7f-\x9f]*$";
/// Letters of model::ServerName and model::ClusterName.
const PLAIN_NAME: &str = r"^[A-Za-z0-9_.][A-Za-z0-9_.-]*$";
/// Letters of model::Host.
const HOST: &str = r"^[A-Za-z0-9._:%][A-Za-z0-9._:%-]*$";
/// A login name, for the database, ssh or sudo.
const ACCOUNT: &str = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$";
const SSH_HOST: &str = r"^[^-\s@/\x00-\x1f\x7f-\x9f][^\s@/\x00-\x1f\x7f-\x9f]*$";
/// Text for a file name or an identifier.
const PRINTABLE: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";
const INSTALL_PATH: &str = r"^/[^{}]+$";
const DATA_PATH: &str = r"^/([^{}]|\{node\}|\{server\})+$";
const SIZE: &str = r"^([0-9]+|[0-9]+(\.[0-9]+)? ?([kKmMgGtTpPeE][iI]?[bB]?|[bB]))$";

/// The largest size: 1 EiB, more than there is.
pub(super) const MAX_SIZE: u64 = 1 << 60;

/// Declares on which servers the masters of an OpenTenBase cluster must be. A move is a one-line change: `master: s29`
/// to `master: s47`. `otb plan` shows the steps, and `otb apply` does them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "cluster.yaml")]
#[schemars(extend("required" = ["version", "cluster", "servers", "gtm", "coordinators", "datanodes"]))]
pub(super) struct File {
    /// The version of this file format.
    #[schemars(extend("const" = 1, "type" = "integer"))]
    #[serde(rename = "version")]
    _version: Option<u8>,

    /// The cluster's name, as in pgxc_node.node_cluster_name.
    #[schemars(length(min = 1, max = 63), regex(pattern = PLAIN_NAME), example = &"opentenbase_cluster")]
    pub(super) cluster: Option<String>,

    /// How otb logs in to every coordinator and datanode.
    #[serde(default)]
    pub(super) connection: Connection,

    /// Default values for nodes and servers that have no value of their own.
    #[serde(default)]
    pub(super) defaults: Defaults,

    /// The machines, by the short names used below.
    #[schemars(extend("minProperties" = 1, "propertyNames" = names(PLAIN_NAME)))]
    #[schemars(example = json!({"s29": {"address": "172.16.0.29"}}))]
    pub(super) servers: Option<BTreeMap<String, Server>>,

    /// The global transaction manager: exactly one, by its name in pgxc_node (the row of type G).
    #[schemars(example = nodes("gtm_1", 21000))]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1, "propertyNames" = names(NODE_NAME)))]
    pub(super) gtm: Option<BTreeMap<String, Node>>,

    /// The coordinators, by their names in pgxc_node.
    #[schemars(example = nodes("cn01", 15432))]
    #[schemars(extend("minProperties" = 1, "propertyNames" = names(NODE_NAME)))]
    pub(super) coordinators: Option<BTreeMap<String, Node>>,

    /// The datanodes, by their names in pgxc_node.
    #[schemars(example = nodes("dn01", 23001))]
    #[schemars(extend("minProperties" = 1, "propertyNames" = names(NODE_NAME)))]
    pub(super) datanodes: Option<BTreeMap<String, Node>>,

    /// How otb behaves where it may choose.
    #[serde(default)]
    pub(super) policy: Policy,
}

/// How otb logs in to every coordinator and datanode. Passwords are not written here: they come from
/// PGPASSWORD or ~/.pgpass.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Connection {
    /// The database user; ALTER NODE needs a superuser.
    #[schemars(length(min = 1, max = 63), regex(pattern = ACCOUNT))]
    pub(super) user: String,

    /// The database to connect to. Any will do: pgxc_node is the same in all.
    #[schemars(length(min = 1, max = 63), regex(pattern = PRINTABLE))]
    pub(super) database: String,

    /// TLS, as libpq's sslmode.
    pub(super) sslmode: SslMode,

    /// The file with the certificates of the authorities to trust, on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), regex(pattern = PRINTABLE), example = &"/etc/ssl/certs/opentenbase-ca.crt")]
    pub(super) sslrootcert: Option<String>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            user: "opentenbase".to_owned(),
            database: "postgres".to_owned(),
            sslmode: SslMode::Prefer,
            sslrootcert: None,
        }
    }
}

/// Default values for nodes and servers that have no value of their own.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Defaults {
    /// The absolute path of the OpenTenBase installation on the servers; bin/ and lib/ lie below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2), regex(pattern = INSTALL_PATH), example = &"/data/opentenbase/install/pgxz")]
    pub(super) install: Option<String>,

    /// The absolute path of the data directories. `{node}` stands for the node's name and `{server}` for the
    /// server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2), regex(pattern = DATA_PATH), example = &"/data/opentenbase/data/pgxz/{node}")]
    pub(super) data: Option<String>,

    /// How commands are run on the servers. Left out as a whole, it is `{via: ssh, user: opentenbase}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = json!({"via": "ssh", "user": "opentenbase"}))]
    pub(super) shell: Option<Shell>,
}

/// How commands are run on a server.
#[derive(Debug, Default, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Shell {
    /// The way there. Default: as in `defaults.shell`, else ssh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) via: Option<Via>,

    /// The user to log in as (ssh only). Default: what ssh_config says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = ACCOUNT), example = &"opentenbase")]
    pub(super) user: Option<String>,

    /// The port of sshd (ssh only). Default: what ssh_config says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), example = 22)]
    pub(super) port: Option<u16>,

    /// The command that leads to the server (exec only). otb adds `sh -c TEXT` and more words, which it must hand on as they
    /// are, and standard input with its end. `{server}` and `{address}` stand for the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = json!(["docker", "exec", "-i", "{server}"]))]
    pub(super) command: Option<Vec<String>>,

    /// The OS user that owns the data directories, reached by `sudo -n -u`. Default: the user logged in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = ACCOUNT), example = &"opentenbase")]
    pub(super) run_as: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Via {
    /// The system's ssh client, with its ssh_config, keys and known_hosts.
    Ssh,
    /// A shell on this machine: for clusters on one machine.
    Local,
    /// `command`: into a container, or over what ssh alone does not reach.
    Exec,
}

/// One machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["address"]), example = json!({"address": "172.16.0.29"}))]
pub(super) struct Server {
    /// The host name or address that belongs in pgxc_node, and that otb connects to.
    #[schemars(length(min = 1, max = 63), regex(pattern = HOST), example = &"172.16.0.29")]
    pub(super) address: Option<String>,

    /// The ssh destination: a host name or an alias of ssh_config. Default: the address.
    #[schemars(length(min = 1, max = 255), regex(pattern = SSH_HOST), example = &"s29.example.org")]
    pub(super) ssh: Option<String>,

    /// What is different from `defaults.shell` on this server; what it leaves out is as there.
    pub(super) shell: Option<Shell>,
}

/// A logical member of the cluster: one master and its standbys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["master", "instances"]), example = node(15432))]
pub(super) struct Node {
    /// The server on which the master must be. Change this line for a switchover.
    #[schemars(length(min = 1, max = 63), regex(pattern = PLAIN_NAME), example = &"s29")]
    pub(super) master: Option<String>,

    /// The TCP port of every instance that does not say otherwise; not needed where each says its own.
    #[schemars(range(min = 1, max = 65535), example = 15432)]
    pub(super) port: Option<u16>,

    /// OpenTenBase v5's forward_port of every instance that does not say otherwise; older versions have none.
    #[schemars(range(min = 1, max = 65535), example = 6669)]
    pub(super) forward_port: Option<u16>,

    /// The data directory of every instance that does not say otherwise. Default: `defaults.data`.
    #[schemars(length(min = 2), regex(pattern = DATA_PATH), example = &"/data/opentenbase/data/pgxz/{node}")]
    pub(super) data: Option<String>,

    /// The installation of every instance that does not say otherwise. Default: `defaults.install`.
    #[schemars(length(min = 2), regex(pattern = INSTALL_PATH), example = &"/data/opentenbase/install/pgxz")]
    pub(super) install: Option<String>,

    /// The server processes of this node: the master and its standbys, one per server.
    #[schemars(length(min = 1), example = json!([{"server": "s29"}, {"server": "s47"}]))]
    pub(super) instances: Option<Vec<Instance>>,
}

/// One server process of a node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["server"]), example = json!({"server": "s47"}))]
pub(super) struct Instance {
    /// The server it runs on, a name from `servers`.
    #[schemars(length(min = 1, max = 63), regex(pattern = PLAIN_NAME), example = &"s47")]
    pub(super) server: Option<String>,

    /// Its TCP port. Default: the node's.
    #[schemars(range(min = 1, max = 65535), example = 23101)]
    pub(super) port: Option<u16>,

    /// Its forward_port (OpenTenBase v5). Default: the node's.
    #[schemars(range(min = 1, max = 65535), example = 6669)]
    pub(super) forward_port: Option<u16>,

    /// Its data directory. Default: the node's, else `defaults.data`.
    #[schemars(length(min = 2), regex(pattern = DATA_PATH), example = &"/mnt/fast/dn01")]
    pub(super) data: Option<String>,

    /// Its installation. Default: the node's, else `defaults.install`.
    #[schemars(length(min = 2), regex(pattern = INSTALL_PATH), example = &"/data/opentenbase/install/pgxz")]
    pub(super) install: Option<String>,
}

/// How otb behaves where it may choose.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policy {
    /// The most WAL that a standby may be behind when a switchover begins: a number of bytes, or a size
    /// such as 16MiB (1024 × 1024 bytes each) or 16MB (1000 × 1000).
    pub(super) max_lag: Size,

    /// What happens to an old master.
    pub(super) old_master: OldMaster,

    /// How many seconds a fast stop of a coordinator or datanode may wait for sessions. Then otb stops it with
    /// -m immediate, and goes on if the standby has everything.
    #[schemars(range(min = 5, max = 60))]
    pub(super) fast_stop_seconds: u64,

    /// Whether the statements of clients are held while a datanode's master moves: `prefer` tries, and moves without
    /// a hold where it cannot be had; `require` moves nothing without it; `off` never holds clients.
    pub(super) hold: HoldPolicy,

    /// The longest time, in seconds, that otb tries to get the hold. A transaction that stays open keeps it away.
    #[schemars(range(min = 1, max = 600))]
    pub(super) hold_wait_seconds: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_lag: Size::Written("16MiB".to_owned()),
            old_master: OldMaster::Rejoin,
            fast_stop_seconds: crate::model::Policy::fast_stop_seconds(),
            hold: HoldPolicy::Prefer,
            hold_wait_seconds: crate::model::Policy::hold_wait_seconds(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(transform = size_schema)]
pub(super) enum Size {
    Bytes(u64),
    Written(String),
}

/// One type of two forms reads better in an editor than two types.
fn size_schema(schema: &mut schemars::Schema) {
    schema.remove("anyOf");
    schema.insert("type".to_owned(), json!(["string", "integer"]));
    schema.insert("minimum".to_owned(), json!(0));
    schema.insert("maximum".to_owned(), json!(MAX_SIZE));
    schema.insert("pattern".to_owned(), json!(SIZE));
    schema.insert("examples".to_owned(), json!(["16MiB"]));
}

fn nodes(name: &str, port: u16) -> serde_json::Value {
    json!({name: node(port)})
}

fn node(port: u16) -> serde_json::Value {
    json!({"master": "s29", "port": port, "instances": [{"server": "s29"}]})
}

fn names(pattern: &str) -> serde_json::Value {
    json!({"minLength": 1, "maxLength": 63, "pattern": pattern})
}
