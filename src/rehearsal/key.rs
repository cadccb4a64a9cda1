//! The identity of a simulated cluster as a state.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::lab::Lab;
use crate::sandbox::world::{DiskId, GtmRole};

impl Lab {
    /// The parts of a state that matter for the future: not pids, times, or log lines.
    pub fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (id, disk) in &self.disks {
            id.hash(&mut hasher);
            self.files.get(id).hash(&mut hasher);
            self.world.word(*disk).hash(&mut hasher);
            self.world.is_cut(&id.server).hash(&mut hasher);
            self.gtm_key(*disk).hash(&mut hasher);
            let Some(copy) = self.world.postgres(*disk) else { continue };
            for record in copy.wal.records() {
                (record.start, record.end, record.timeline).hash(&mut hasher);
            }
            (copy.wal.timeline, &copy.wal.history, copy.applied).hash(&mut hasher);
            let control = &copy.control;
            (control.state.words(), control.timeline, control.checkpoint, control.min_recovery_timeline)
                .hash(&mut hasher);
            for row in copy.data.routes.values() {
                (&row.node, &row.host, row.port).hash(&mut hasher);
            }
            let Some(process) = &copy.process else { continue };
            (process.is_master(), process.routes_read_by_fault, process.checkpoint_due.is_some()).hash(&mut hasher);
            for node in self.cluster.nodes.keys() {
                process.pooler.address(node.as_str()).hash(&mut hasher);
            }
            process.pooler.failures.hash(&mut hasher);
            if let Some(standby) = process.standby() {
                (&standby.upstream, standby.replay_paused, standby.promote_requested, standby.allowance)
                    .hash(&mut hasher);
                (format!("{:?}", standby.receiver), standby.has_streamed, standby.received_from).hash(&mut hasher);
            }
        }
        self.held.len().hash(&mut hasher);
        for node in self.cluster.nodes.values() {
            node.master.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// A GTM's state: positions only as far as they are compared with others.
    fn gtm_key(&self, disk: DiskId) -> Option<impl std::hash::Hash> {
        let gtm = self.world.gtm(disk)?;
        let most = self.disks.values().filter_map(|disk| self.world.gtm(*disk)).map(|gtm| gtm.served).max();
        let holds: Vec<bool> = self.flushed.values().map(|position| gtm.flushed() >= *position).collect();
        let process = gtm.process.as_ref().map(|process| {
            let upstream = match &process.role {
                GtmRole::Active => None,
                GtmRole::Standby { host, port } => Some((host.clone(), *port)),
            };
            (upstream, format!("{:?}", process.log), process.checkpoint_due.is_some(), process.ends_at.is_some())
        });
        Some((Some(gtm.served) == most, holds, process))
    }
}
