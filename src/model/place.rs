//! Places: hosts, endpoints, and the identity of an instance.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::name::{NameError, text_type};
use super::{NodeName, ServerName};

fn host_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%')
}

text_type! {
    /// A host name or address as it stands in pgxc_node. At most 63 bytes, no white space, no leading dash.
    Host, "host", host_letter
}

/// A host and a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    pub host: Host,
    /// 1 to 65535.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.as_str().contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One server process of a node, written `dn01@s29`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct InstanceId {
    pub node: NodeName,
    pub server: ServerName,
}

impl InstanceId {
    pub fn new(node: NodeName, server: ServerName) -> Self {
        Self { node, server }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (node, server) = text.rsplit_once('@').ok_or_else(|| format!("{text:?} is not NODE@SERVER"))?;
        Ok(Self {
            node: NodeName::new(node).map_err(|e| format!("{node:?} is not a node name: {e}"))?,
            server: ServerName::new(server).map_err(|e| format!("{server:?} is not a server name: {e}"))?,
        })
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() || f.precision().is_some() {
            return f.pad(&format!("{}@{}", self.node, self.server));
        }
        // Written where it goes: plans for thousands of processes say little else.
        f.write_str(self.node.as_str())?;
        f.write_str("@")?;
        f.write_str(self.server.as_str())
    }
}
