//! The sandbox as it is, for `otb sandbox status`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, NodeKind};

use super::server::Daemon;
use super::world::Receiver;

/// Every instance of a running sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub dir: String,
    pub cut_servers: Vec<String>,
    pub instances: Vec<InstanceStatus>,
}

/// One instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceStatus {
    pub id: InstanceId,
    pub kind: NodeKind,
    pub address: String,
    /// `master`, `standby`, `stopped`, `hung`, `missing`.
    pub state: String,
    /// For a coordinator or datanode.
    pub timeline: Option<u32>,
    /// The end of the WAL it has, `0/3000060`.
    pub wal: Option<String>,
    /// For a running standby: whether it streams.
    pub streaming: Option<bool>,
    pub data: String,
}

impl Status {
    pub(super) fn of(daemon: &Arc<Daemon>) -> Self {
        let instances = daemon.instances();
        let describe = |(id, disk)| {
            let instance = daemon.site.cluster.instance(&id)?;
            let mut status = InstanceStatus {
                id,
                kind: instance.kind,
                address: instance.endpoint.to_string(),
                state: "missing".to_owned(),
                timeline: None,
                wal: None,
                streaming: None,
                data: instance.data.clone(),
            };
            if let Some(disk) = disk {
                daemon.with(|world, _| {
                    world.word(disk).clone_into(&mut status.state);
                    if let Some(copy) = world.postgres(disk) {
                        status.timeline = Some(copy.wal.timeline.0);
                        status.wal = Some(copy.wal.end().to_string());
                        let standby = copy.process.as_ref().and_then(|process| process.standby());
                        status.streaming = standby.map(|standby| standby.receiver == Receiver::Streaming);
                    }
                });
            }
            Some(status)
        };
        Self {
            dir: daemon.site.dir.display().to_string(),
            cut_servers: daemon.with(|world, _| world.cut_servers().iter().map(ToString::to_string).collect()),
            instances: instances.into_iter().filter_map(describe).collect(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sandbox in {}", self.dir)?;
        for server in &self.cut_servers {
            writeln!(f, "server {server} is cut off")?;
        }
        for instance in &self.instances {
            write!(f, "{:14} {:11} {:22} {:8}", instance.id, instance.kind, instance.address, instance.state)?;
            if let (Some(timeline), Some(wal)) = (instance.timeline, &instance.wal) {
                write!(f, " timeline {timeline} wal {wal}")?;
            }
            match instance.streaming {
                Some(true) => write!(f, " streaming")?,
                Some(false) => write!(f, " not streaming")?,
                None => {}
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
