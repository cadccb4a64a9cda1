//! v5's forward process: a master's, and what becomes of the master where its port is taken (seen live). Rows that it
//! would move between datanodes are not simulated.

use crate::model::Host;
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::effect::Effect;
use super::instance::{DiskId, Forwarding};

impl World {
    /// A master begins.
    pub(super) fn begin_forwarding(&mut self, disk: DiskId, forwarding: Forwarding) {
        if self.flavor != Flavor::V5 {
            return;
        }
        if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) {
            process.forwarding = forwarding;
            self.effects.push(Effect::Forwarding(disk));
        }
    }

    /// The port of the forward process of `disk`. `None` means that it has none: a standby, v2.6, or a port of 0.
    pub fn forwards_at(&self, disk: DiskId) -> Option<(Host, u16)> {
        let copy = self.postgres.get(&disk).filter(|copy| self.flavor == Flavor::V5 && copy.is_master())?;
        let port = self.setting(None, disk, "forward_port")?.parse().ok().filter(|port| *port != 0)?;
        Some((copy.process.as_ref()?.host.clone(), port))
    }

    /// Its port is taken.
    pub fn cannot_forward(&mut self, disk: DiskId) {
        let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) else { return };
        process.forwarding = Forwarding::CrashLoop;
        self.end_sessions(disk);
        let line = "FATAL:  forward manager could not create any TCP/IP sockets".to_owned();
        self.effects.push(Effect::Log(disk, line));
    }

    /// Milliseconds that a pool reload on `disk` takes longer.
    pub(super) fn reload_waits(&self, disk: DiskId, now: Moment) -> u32 {
        let process = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref());
        match process.map(|process| process.forwarding) {
            // It looks again after half a second, whatever is left.
            Some(Forwarding::From(from)) if now < from => 500,
            _ => 0,
        }
    }
}
