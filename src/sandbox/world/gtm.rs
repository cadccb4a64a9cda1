//! The GTM: roles by gtm.conf, promotion by signal, and who gets a global timestamp (opentenbase-v2.6-live.md, "GTM").

use crate::model::{Host, Lsn};
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::answer::{Stop, Wait};
use super::effect::{Effect, Ending};
use super::gtm_log::GtmLog;
use super::instance::{DiskId, Home};
use super::lifecycle::StartFailure;
use super::net::Reach;
use super::session::SessionId;

/// One copy of the GTM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gtm {
    pub home: Home,
    pub process: Option<GtmProcess>,
    /// Timestamps it has handed out; a standby copies its master's.
    pub served: u64,
    /// Microseconds by which promotions have put its clock ahead.
    pub lead: u64,
    /// Never started yet: a cluster that was laid down stands for one that has run for long.
    pub laid_down: bool,
}

/// A running GTM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GtmProcess {
    pub pid: u32,
    pub started: Moment,
    pub host: Host,
    pub port: u16,
    pub data_directory: String,
    pub hung: bool,
    pub role: GtmRole,
    /// A promoted GTM writes a checkpoint a moment after it already answers as a master (seen live).
    pub checkpoint_due: Option<Moment>,
    /// A client connected during that checkpoint: the next standby that attaches hangs it (seen live).
    pub poisoned: bool,
    pub log: GtmLog,
    /// v5: it gives no timestamp before this.
    pub silent_until: Option<Moment>,
    /// A standby of a GTM that has lost its log ends a moment after it is listed (seen live).
    pub ends_at: Option<Moment>,
}

/// Microseconds from a GTM's promotion to the end of its checkpoint: 0.2 to 0.8 s (seen live).
const CHECKPOINT_AFTER: u64 = 300_000;

/// A standby's clock is so many microseconds ahead of its master's, and a promoted one goes on from there (seen live).
const STANDBY_AHEAD: u64 = 300_000_000;

/// Microseconds between two rounds of a v5 GTM's timekeeper: a promoted one gives timestamps from the next one on (seen
/// live: "sync time exceeded last:0" until then).
const ROUND: u64 = 5_000_000;

/// The role of a GTM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GtmRole {
    Active,
    Standby { host: String, port: u16 },
}

/// gtm.conf, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GtmConf {
    pub host: Host,
    pub port: u16,
    pub data_directory: String,
    /// `startup = STANDBY` with active_host and active_port; `None` means ACT.
    pub standby_of: Option<(String, u16)>,
}

impl Gtm {
    pub(super) fn new(home: Home) -> Self {
        Self { home, process: None, served: 0, lead: 0, laid_down: true }
    }

    pub fn is_active(&self) -> bool {
        matches!(&self.process, Some(GtmProcess { role: GtmRole::Active, .. }))
    }

    fn gives_timestamps(&self, now: Moment) -> bool {
        let silent = self.process.as_ref().and_then(|process| process.silent_until);
        self.is_active() && silent.is_none_or(|until| until <= now)
    }

    /// The global timestamp it would give: it runs with the clock, and never goes backwards.
    pub fn timestamp(&self, now: Moment) -> u64 {
        let standby = matches!(&self.process, Some(GtmProcess { role: GtmRole::Standby { .. }, .. }));
        let ahead = if standby { STANDBY_AHEAD } else { 0 };
        1_000_000_000 + now.0 % 1_000_000_000_000 + self.served + self.lead + ahead
    }

    pub fn flushed(&self) -> Lsn {
        Lsn(0x20_0000 + self.served * 132)
    }
}

impl World {
    pub fn start_gtm(&mut self, disk: DiskId, conf: GtmConf, now: Moment) -> Result<(), StartFailure> {
        let pid = self.new_pid();
        let Some(gtm) = self.gtms.get(&disk) else {
            return Err(StartFailure("FATAL:  no gtm.control".to_owned()));
        };
        if gtm.process.is_some() {
            return Err(StartFailure("FATAL:  lock file \"gtm.pid\" already exists".to_owned()));
        }
        let own = self.server_address(&gtm.home.server);
        if own != Some(&conf.host) || self.listening.contains_key(&(conf.host.to_string(), conf.port)) {
            return Err(StartFailure(format!("FATAL:  could not create listen socket for \"{}\"", conf.host)));
        }
        let role = match conf.standby_of {
            None => GtmRole::Active,
            Some((host, port)) => GtmRole::Standby { host, port },
        };
        let ends_at = self.ends_at(&role, now);
        // A standby copies the state of its active GTM when it starts, and cannot start without it.
        let copied = match &role {
            GtmRole::Active => None,
            GtmRole::Standby { host, port } => {
                match self.active_at(&self.gtms[&disk].home.server.clone(), host, *port) {
                    Some(active) => self.gtms.get(&active).map(|active| (active.served, active.lead)),
                    None => return Err(StartFailure("FATAL:  can not connect to active gtm".to_owned())),
                }
            }
        };
        self.listening.insert((conf.host.to_string(), conf.port), disk);
        if let Some(gtm) = self.gtms.get_mut(&disk) {
            let begins = role != GtmRole::Active && !std::mem::take(&mut gtm.laid_down);
            let log = if begins { GtmLog::EndUnknown } else { GtmLog::EndKnown };
            (gtm.served, gtm.lead) = copied.unwrap_or((gtm.served, gtm.lead));
            gtm.process = Some(GtmProcess {
                pid,
                started: now,
                host: conf.host,
                port: conf.port,
                data_directory: conf.data_directory,
                hung: false,
                role,
                checkpoint_due: None,
                poisoned: false,
                log,
                silent_until: None,
                ends_at,
            });
        }
        self.spring_trap(disk);
        self.effects.push(Effect::Started(disk));
        Ok(())
    }

    pub fn stop_gtm(&mut self, disk: DiskId) {
        self.end_gtm(disk, Ending::Shutdown);
    }

    pub(super) fn end_gtm(&mut self, disk: DiskId, how: Ending) {
        let Some(process) = self.gtms.get_mut(&disk).and_then(|gtm| gtm.process.take()) else { return };
        self.listening.remove(&(process.host.to_string(), process.port));
        self.effects.push(Effect::Ended { disk, how });
    }

    /// gtm_ctl promote: a signal. Ignored by an active GTM; a promoted one stays ACT (opentenbase-v2.6-live.md, "Tools").
    pub fn promote_gtm(&mut self, disk: DiskId, now: Moment) {
        let Some(gtm) = self.gtms.get_mut(&disk) else { return };
        let Some(process) = gtm.process.as_mut() else { return };
        if process.hung || process.role == GtmRole::Active {
            return;
        }
        gtm.lead += STANDBY_AHEAD;
        process.role = GtmRole::Active;
        if process.log == GtmLog::EndUnknown {
            process.log = GtmLog::Lost;
        }
        process.checkpoint_due = Some(Moment(now.0 + CHECKPOINT_AFTER));
        let next_round = (now.0 / ROUND + 1) * ROUND;
        process.silent_until = (self.flavor == Flavor::V5).then_some(Moment(next_round));
        self.effects
            .push(Effect::AppendGtmConf(disk, "# Updated due to GTM promote request\nstartup = ACT".to_owned()));
    }

    /// Promoted GTMs finish their checkpoints: gtm.control is written.
    pub(super) fn gtm_checkpoints(&mut self, now: Moment) {
        for (disk, gtm) in &mut self.gtms {
            let Some(process) = gtm.process.as_mut().filter(|process| !process.hung) else { continue };
            if process.checkpoint_due.is_some_and(|due| due <= now) {
                process.checkpoint_due = None;
                self.effects.push(Effect::TouchGtmControl(*disk));
            }
        }
    }

    /// A client made a new connection to a GTM.
    pub fn gtm_connected(&mut self, disk: DiskId) {
        if let Some(process) = self.gtms.get_mut(&disk).and_then(|gtm| gtm.process.as_mut()) {
            process.poisoned |= process.checkpoint_due.is_some();
        }
    }

    /// If the trap is set, a standby that attaches to a poisoned master hangs both; only a kill ends it.
    fn spring_trap(&mut self, standby: DiskId) {
        let process = self.gtms.get(&standby).and_then(|gtm| gtm.process.as_ref());
        let Some(GtmRole::Standby { host, port }) = process.map(|process| process.role.clone()) else { return };
        let Some(master) = self.listening.get(&(host, port)).copied() else { return };
        let poisoned =
            self.gtms.get(&master).and_then(|gtm| gtm.process.as_ref()).is_some_and(|master| master.poisoned);
        for disk in [master, standby] {
            let process = self.gtms.get_mut(&disk).and_then(|gtm| gtm.process.as_mut());
            if let Some(process) = process.filter(|_| poisoned && self.gtm_trap) {
                process.hung = true;
            }
        }
    }

    /// Standbys of a GTM, as its status lists them.
    pub fn gtm_standbys(&self, disk: DiskId) -> Vec<&Gtm> {
        let Some(own) = self.gtms.get(&disk).and_then(|gtm| gtm.process.as_ref()) else { return Vec::new() };
        let follows = |gtm: &&Gtm| match gtm.process.as_ref().map(|process| &process.role) {
            Some(GtmRole::Standby { host, port }) => {
                super::net::resolved(host) == own.host.as_str() && *port == own.port
            }
            Some(GtmRole::Active) | None => false,
        };
        self.gtms.values().filter(follows).filter(|gtm| !self.is_cut(&gtm.home.server)).collect()
    }

    fn active_at(&self, from: &crate::model::ServerName, host: &str, port: u16) -> Option<DiskId> {
        match self.reach(from, host, port) {
            Reach::Live(disk) => self.gtms.get(&disk).filter(|gtm| gtm.is_active()).map(|_| disk),
            Reach::Refused | Reach::Silent => None,
        }
    }

    /// Takes a global timestamp for a statement of `session`, from the GTM it is connected to, else from
    /// the one that pgxc_node names.
    pub(super) fn need_timestamp(&mut self, session: SessionId, now: Moment) -> Result<(), Stop> {
        let Some(known) = self.sessions.get(&session) else { return Err(Wait::NoGtm.into()) };
        let disk = known.disk;
        let Some(copy) = self.postgres.get(&disk) else { return Err(Wait::NoGtm.into()) };
        let from = copy.home.server.clone();
        let kept = known.gtm.filter(|(gtm, started)| self.gtm_runs(*gtm, *started)).map(|(gtm, _)| gtm);
        let target = match kept {
            Some(gtm) => self.reach_gtm(&from, gtm),
            None => match copy.data.gtm_route().map(|row| (row.host.clone(), row.port)) {
                Some((host, port)) => self.reach(&from, &host, port),
                None => Reach::Refused,
            },
        };
        match target {
            Reach::Silent => Err(Wait::Gtm.into()),
            Reach::Live(gtm) if self.gtms.get(&gtm).is_some_and(|gtm| gtm.gives_timestamps(now)) => {
                self.serve_timestamp(session, gtm);
                Ok(())
            }
            Reach::Live(_) | Reach::Refused => Err(Wait::NoGtm.into()),
        }
    }

    /// A timestamp from the GTM at this very address.
    pub(super) fn timestamp_from(
        &mut self,
        session: SessionId,
        host: &str,
        port: u16,
        now: Moment,
    ) -> Result<(), Stop> {
        let disk = self.sessions.get(&session).map(|session| session.disk);
        let Some(from) = disk.and_then(|disk| self.home(disk)).map(|home| home.server.clone()) else {
            return Err(Wait::NoGtm.into());
        };
        match self.reach(&from, host, port) {
            Reach::Silent => Err(Wait::Gtm.into()),
            Reach::Live(gtm) if self.gtms.get(&gtm).is_some_and(|gtm| gtm.gives_timestamps(now)) => {
                self.serve_timestamp(session, gtm);
                Ok(())
            }
            Reach::Live(_) | Reach::Refused => Err(Wait::NoGtm.into()),
        }
    }

    fn gtm_runs(&self, gtm: DiskId, started: Moment) -> bool {
        self.gtms.get(&gtm).and_then(|gtm| gtm.process.as_ref()).is_some_and(|process| process.started == started)
    }

    fn reach_gtm(&self, from: &crate::model::ServerName, gtm: DiskId) -> Reach {
        match self.gtms.get(&gtm).and_then(|gtm| gtm.process.as_ref()) {
            Some(process) => self.reach(from, process.host.as_str(), process.port),
            None => Reach::Refused,
        }
    }

    fn serve_timestamp(&mut self, session: SessionId, gtm: DiskId) {
        self.write_gtm_record(gtm);
        let started = self.gtms.get(&gtm).and_then(|gtm| gtm.process.as_ref()).map(|process| process.started);
        let is_new =
            self.sessions.get(&session).is_some_and(|known| known.gtm != started.map(|started| (gtm, started)));
        if is_new {
            self.gtm_connected(gtm);
        }
        if let (Some(session), Some(started)) = (self.sessions.get_mut(&session), started) {
            session.gtm = Some((gtm, started));
        }
    }
}
