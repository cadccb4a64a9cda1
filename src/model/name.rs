//! Names of clusters, nodes and servers: validated once, trusted afterwards.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// The longest name or host OpenTenBase stores, in bytes (NAMEDATALEN - 1); longer ones are cut silently.
pub(super) const MAX_NAME_BYTES: usize = 63;

/// Why a text cannot be a name or a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("it is empty")]
    Empty,
    #[error("it has {0} bytes, but OpenTenBase keeps only the first 63")]
    TooLong(usize),
    #[error("it contains {0:?}, which is not allowed in a {1}")]
    Character(char, &'static str),
    #[error("it begins with '-', which commands would read as an option")]
    LeadingDash,
}

pub(super) fn check(text: &str, what: &'static str, allowed: fn(char) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    if text.starts_with('-') {
        return Err(NameError::LeadingDash);
    }
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(NameError::Character(c, what)),
        None => Ok(()),
    }
}

/// Declares a text newtype whose constructor checks it. Its copies share the text: a plan for thousands of routers
/// names each node thousands of times.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        pub struct $name(#[schemars(with = "String", length(min = 1, max = 63))] Arc<str>);

        impl $name {
            /// Checks `text` and wraps it.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $crate::model::name::check(&text, $what, $allowed)?;
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}
pub(super) use text_type;

/// Letters of a server or cluster name: they become parts of paths and of lock names.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// A node name is an SQL identifier and a directory name (`{node}` in `data`); quotes and Unicode are legal
/// in the first, a slash and the instance separator `@` never in the second.
fn node_letter(c: char) -> bool {
    !c.is_control() && !matches!(c, '/' | '@' | '\\') && !c.is_whitespace()
}

text_type! {
    /// The name of a logical member: `dn01`. At most 63 bytes.
    NodeName, "node name", node_letter
}
text_type! {
    /// A server's short name in cluster.yaml: `s29`. At most 63 bytes of `[A-Za-z0-9_.-]`.
    ServerName, "server name", plain
}
text_type! {
    /// The cluster's name (`pgxc_cluster_name`, `pgxc_node.node_cluster_name`).
    ClusterName, "cluster name", plain
}
