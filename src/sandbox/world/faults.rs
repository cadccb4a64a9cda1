//! The faults that an operator or a test may cause.

use crate::model::{Lsn, NodeName, ServerName};
use crate::sandbox::moment::Moment;

use super::World;
use super::data::{Change, Prepared, RouteRow};
use super::effect::Effect;
use super::instance::{DiskId, FaultMode, Mode, Process, Waiters};
use super::stream::Unsettled;
use super::wal::Body;

impl World {
    /// A hung process accepts connections and answers nothing.
    pub fn set_hung(&mut self, disk: DiskId, hung: bool, now: Moment) -> bool {
        let mut found = false;
        if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) {
            process.hung = hung;
            found = true;
        }
        if let Some(process) = self.gtms.get_mut(&disk).and_then(|gtm| gtm.process.as_mut()) {
            process.hung = hung;
            found = true;
        }
        self.unsettled = Unsettled::Everything;
        self.settle(now);
        let waiting = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref()?.stop_pending);
        if let Some(how) = waiting.filter(|_| !hung) {
            self.signal_stop(disk, how, now);
        }
        found
    }

    /// Cuts a server off from all others, or joins it again.
    pub fn set_cut(&mut self, server: &ServerName, cut: bool, now: Moment) -> bool {
        let Some(server) = self.servers.get_mut(server) else { return false };
        server.cut = cut;
        self.unsettled = Unsettled::Everything;
        self.settle(now);
        true
    }

    pub fn cut_servers(&self) -> Vec<ServerName> {
        self.servers.iter().filter(|(_, server)| server.cut).map(|(name, _)| name.clone()).collect()
    }

    fn standby_of(&mut self, disk: DiskId) -> Option<&mut super::Standby> {
        self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()).and_then(Process::standby_mut)
    }

    /// The standby may receive only so many bytes more; none lifts the limit.
    pub fn set_allowance(&mut self, disk: DiskId, bytes: Option<u64>, now: Moment) -> bool {
        let Some(standby) = self.standby_of(disk) else { return false };
        standby.allowance = bytes;
        self.unsettled = Unsettled::Everything;
        self.settle(now);
        true
    }

    pub fn pause_replay(&mut self, disk: DiskId, paused: bool, now: Moment) -> bool {
        let Some(standby) = self.standby_of(disk) else { return false };
        standby.replay_paused = paused;
        self.unsettled = Unsettled::Everything;
        self.settle(now);
        true
    }

    /// Work on a master, and a transaction that commits it.
    pub fn commit_work(&mut self, disk: DiskId, bytes: u64, now: Moment) -> bool {
        if !self.postgres.get(&disk).is_some_and(super::Postgres::is_master) {
            return false;
        }
        self.append(disk, Body::Filler(bytes), now);
        self.append(disk, Body::Commit(Vec::new()), now);
        self.settle(now);
        true
    }

    /// A master goes on to another WAL file and throws away those before it, as after a checkpoint without
    /// wal_keep_segments: who has not got them yet never will.
    pub fn recycle_wal(&mut self, disk: DiskId, now: Moment) -> bool {
        if !self.postgres.get(&disk).is_some_and(super::Postgres::is_master) {
            return false;
        }
        self.append(disk, Body::Switch, now);
        self.settle(now);
        let Some(copy) = self.postgres.get_mut(&disk) else { return false };
        let oldest = super::wal::segment_start(copy.wal.end());
        copy.wal.kept_from = Some(oldest);
        let left = super::wal::Wal::file_name(copy.wal.timeline, Lsn(oldest.0 + 1));
        self.effects.push(Effect::RecycleWal { disk, left });
        self.unsettled.grew(disk);
        self.settle(now);
        true
    }

    /// Kills a master after letting it work and commit so many transactions, of which no standby has received anything.
    pub fn crash_lossy(&mut self, disk: DiskId, bytes: u64, commits: u64, now: Moment) -> bool {
        if !self.postgres.get(&disk).is_some_and(super::Postgres::is_master) {
            return false;
        }
        self.append(disk, Body::Filler(bytes), now);
        for _ in 0..commits {
            self.append(disk, Body::Commit(Vec::new()), now);
        }
        // Nobody streams between the two: settle only after the process is gone.
        self.kill(disk, now);
        true
    }

    /// Writes a route behind everybody's back, as an operator's slip would.
    pub fn force_route(&mut self, disk: DiskId, node: &str, host: &str, port: u16, now: Moment) -> bool {
        let row = self.postgres.get(&disk).filter(|copy| copy.is_master()).and_then(|copy| copy.data.routes.get(node));
        let Some(mut row) = row.map(|row| RouteRow::clone(row)) else { return false };
        host.clone_into(&mut row.host);
        row.port = port;
        self.append(disk, Body::Commit(vec![Change::Route(row)]), now);
        self.pool_reload(disk);
        self.settle(now);
        true
    }

    /// The router loses a row.
    pub fn forget_route(&mut self, disk: DiskId, node: &str, now: Moment) -> bool {
        let known =
            self.postgres.get(&disk).is_some_and(|copy| copy.is_master() && copy.data.routes.contains_key(node));
        if known {
            self.append(disk, Body::Commit(vec![Change::DropRoute(node.to_owned())]), now);
            self.pool_reload(disk);
            self.settle(now);
        }
        known
    }

    /// The pooler forgets that it was reloaded: `node` leads to host:port there, whatever the catalog says.
    pub fn stale_pool(&mut self, disk: DiskId, node: &str, host: &str, port: u16) -> bool {
        let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) else { return false };
        process.pooler.redirect(node, host, port);
        process.pooler.used.insert(node.to_owned());
        true
    }

    pub fn set_temper(&mut self, disk: DiskId, fault_mode: FaultMode) {
        if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) {
            process.pooler.fault_mode = fault_mode;
        }
    }

    /// Somebody reads pgxc_node in a transaction that stays open.
    pub fn set_routes_read(&mut self, disk: DiskId, read: bool) -> bool {
        let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) else { return false };
        process.routes_read_by_fault = read;
        true
    }

    /// Clients wait for a page behind a transaction that is prepared here, or go on.
    pub fn set_waiting(&mut self, disk: DiskId, waits: bool) -> bool {
        self.set_waiters(disk, if waits { Waiters::Wait } else { Waiters::None })
    }

    /// The same, and the one that waits for the transaction is about to write.
    pub fn set_writer_waiting(&mut self, disk: DiskId) -> bool {
        self.set_waiters(disk, Waiters::WaitToWrite)
    }

    fn set_waiters(&mut self, disk: DiskId, waiters: Waiters) -> bool {
        let process = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut());
        process.map(|process| process.waiters = waiters).is_some()
    }

    /// Clients take all its connection slots, or leave.
    pub fn set_slots_taken(&mut self, disk: DiskId, taken: bool) -> bool {
        let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) else { return false };
        process.slots_taken_by_fault = taken;
        true
    }

    /// Its directory was renamed, or got its name back.
    pub fn set_hidden(&mut self, disk: DiskId, hidden: bool) {
        if let Some(copy) = self.postgres.get_mut(&disk) {
            copy.hidden = hidden;
        }
    }

    pub fn set_full(&mut self, disk: DiskId, full: bool) -> bool {
        self.postgres.get_mut(&disk).map(|copy| copy.full = full).is_some()
    }

    /// Leaves a two-phase transaction in doubt, or clears it.
    pub fn set_prepared(&mut self, disk: DiskId, gid: &str, prepared: bool, now: Moment) -> bool {
        if !self.postgres.get(&disk).is_some_and(super::Postgres::is_master) {
            return false;
        }
        let change = if prepared {
            let (owner, database) = (self.user.clone(), "postgres".to_owned());
            let participants = self.home(disk).map(|home| home.node.to_string()).into_iter().collect();
            Change::Prepare(Prepared { gid: gid.to_owned(), at: now, owner, database, participants })
        } else {
            Change::FinishPrepared { gid: gid.to_owned(), committed: None }
        };
        self.append(disk, Body::Commit(vec![change]), now);
        self.settle(now);
        true
    }

    /// Whether the extension pg_clean is there.
    pub fn set_pg_clean(&mut self, there: bool) {
        self.has_pg_clean = there;
    }

    /// Other standbys and masters of the same node, running or not.
    pub fn copies_of(&self, node: &NodeName) -> Vec<DiskId> {
        self.postgres.iter().filter(|(_, copy)| copy.home.node == *node).map(|(disk, _)| *disk).collect()
    }

    /// Whether the GTM's rejoin trap is set.
    pub fn set_gtm_trap(&mut self, on: bool) {
        self.gtm_trap = on;
    }

    /// A log line that a fault leaves behind.
    pub fn note(&mut self, disk: DiskId, line: &str) {
        self.effects.push(Effect::Log(disk, line.to_owned()));
    }

    /// The state of the process on `disk`, in one word.
    pub fn word(&self, disk: DiskId) -> &'static str {
        if let Some(copy) = self.postgres.get(&disk) {
            return match &copy.process {
                None => "stopped",
                Some(process) if process.hung => "hung",
                Some(process) => match process.mode {
                    Mode::Master => "master",
                    Mode::Standby(_) => "standby",
                },
            };
        }
        match self.gtms.get(&disk).and_then(|gtm| gtm.process.as_ref()) {
            None => "stopped",
            Some(process) if process.hung => "hung",
            Some(process) => match process.role {
                super::GtmRole::Active => "master",
                super::GtmRole::Standby { .. } => "standby",
            },
        }
    }
}
