//! A sandbox on disk: its specification and where things lie below its directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::socket::socket_path;
use crate::model::{Cluster, InstanceId, Observation, ServerName};

/// The configuration of the daemon; written to `DIR/sandbox.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    pub format_version: u32,
    /// Absolute.
    pub dir: PathBuf,
    pub cluster: Cluster,
    #[serde(default)]
    pub flavor: super::Flavor,
    /// Milliseconds before each answer.
    pub latency_ms: u64,
    /// If given, sessions must bring it.
    pub password: Option<String>,
    /// Seconds after which the daemon ends by itself.
    pub ttl_seconds: Option<u64>,
    /// What was seen of the cluster in whose image it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Box<Observation>>,
}

impl Site {
    pub fn read(dir: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(dir.join("sandbox.json"))?;
        serde_json::from_str(&text).map_err(io::Error::from)
    }

    pub fn write(&self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(self.dir.join("sandbox.json"), text)
    }

    /// Whether a sandbox's specification lies in `dir`.
    pub fn is_at(dir: &Path) -> bool {
        dir.join("sandbox.json").exists()
    }

    /// The data directory of an instance.
    pub fn data_dir(&self, id: &InstanceId) -> Option<PathBuf> {
        self.cluster.instance(id).map(|instance| PathBuf::from(&instance.data))
    }

    /// The server on which a path lies: `DIR/SERVER/…`.
    pub fn server_of(&self, path: &Path) -> Option<&ServerName> {
        let inside = path.strip_prefix(&self.dir).ok()?;
        let first = inside.components().next()?.as_os_str().to_str()?;
        self.cluster.servers.keys().find(|server| server.as_str() == first)
    }

    pub fn socket(&self) -> PathBuf {
        socket_path(&self.dir)
    }
}
