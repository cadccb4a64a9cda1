//! Hosts that the cluster writes in another way than the file, although both lead to the same server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Endpoint, Host, InstanceId};

/// The place of a host in an instance's files or catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrittenIn {
    /// A row of its pgxc_node.
    PgxcNode,
    /// primary_conninfo of recovery.conf, or active_host of gtm.conf.
    Upstream,
}

impl WrittenIn {
    /// The name for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::PgxcNode => "pgxc_node",
            Self::Upstream => "the standby's upstream",
        }
    }
}

/// One host of one instance that is written in another way than in the file. The other facts of the observation have the
/// file's way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Spelling {
    pub instance: InstanceId,
    pub place: WrittenIn,
    /// As the instance has it.
    pub found: String,
    /// The address of the server in the file.
    pub declared: Host,
}

impl Spelling {
    /// Whether `found`, as an instance has it, is `declared`: written in the same way, or in a way of `known`.
    pub fn is_same(known: &[Self], found: &Endpoint, declared: &Endpoint) -> bool {
        let other = |one: &Self| one.found == found.host.as_str() && one.declared == declared.host;
        found.port == declared.port && (found.host == declared.host || known.iter().any(other))
    }
}
