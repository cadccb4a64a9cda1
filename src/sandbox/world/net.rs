//! Who can reach whom: refused, silent, or answered.

use crate::model::ServerName;

use super::World;
use super::instance::DiskId;

/// What a connection attempt meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing listens there.
    Refused,
    /// It is accepted, or dropped on the way, and nobody answers.
    Silent,
    Live(DiskId),
}

impl World {
    /// What a process on `from` meets at host:port.
    pub fn reach(&self, from: &ServerName, host: &str, port: u16) -> Reach {
        let target = self.servers.iter().find(|(_, server)| server.address.as_str() == host);
        if let Some((name, server)) = target {
            let apart = name != from && (server.cut || self.is_cut(from));
            if apart {
                return Reach::Silent;
            }
        }
        match self.listening.get(&(host.to_owned(), port)) {
            None => Reach::Refused,
            Some(disk) if self.is_hung(*disk) => Reach::Silent,
            Some(disk) => Reach::Live(*disk),
        }
    }

    /// Whether the process on `disk` answers nobody.
    pub fn is_hung(&self, disk: DiskId) -> bool {
        let node = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref()).is_some_and(|process| process.hung);
        node || self.gtms.get(&disk).and_then(|gtm| gtm.process.as_ref()).is_some_and(|process| process.hung)
    }

    /// Whether clients get no answer from the process on `disk`: it hangs, or its server is cut off.
    pub fn is_silent(&self, disk: DiskId) -> bool {
        self.is_hung(disk) || self.home(disk).is_some_and(|home| self.is_cut(&home.server))
    }
}
