//! Start, stop, kill (opentenbase-v2.6-live.md, "GTM").

use std::collections::BTreeMap;

use crate::model::{ControlState, Host, Timeline};
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::effect::{Effect, Ending};
use super::instance::{DiskId, FaultMode, Forwarding, Mode, Pooler, Process, Receiver, Standby, Upstream, Waiters};
use super::stream::Unsettled;
use super::wal::{Body, segment_start};

/// Microseconds for which the pid of a killed v5 lives on: 1.4 to 2.3 s (seen live).
const DIES_WITHIN: u64 = 1_500_000;

/// What a starting server reads from its data directory.
#[derive(Debug, Clone)]
pub struct StartFiles {
    /// The address it may bind: its listen_addresses, `*` resolved to the server's own.
    pub host: Host,
    pub port: u16,
    pub data_directory: String,
    /// postgresql.conf.
    pub settings: BTreeMap<String, String>,
    /// recovery.conf with standby_mode on: the upstream, if one is given.
    pub recovery: Option<Option<Upstream>>,
}

/// Why a server did not start: the last line of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure(pub String);

impl World {
    /// Starts the server on `disk`.
    pub fn start(&mut self, disk: DiskId, files: StartFiles, now: Moment) -> Result<(), StartFailure> {
        self.check_start(disk, &files)?;
        let pid = self.new_pid();
        let Some(copy) = self.postgres.get_mut(&disk) else {
            return Err(StartFailure("FATAL:  could not open pg_control".to_owned()));
        };
        let crashed = copy.control.state == ControlState::InProduction;
        // Whatever the state: all WAL on disk is replayed first, a crashed master's lost rows too.
        copy.replay_all();
        let mode = if let Some(upstream) = files.recovery {
            copy.control.state = ControlState::InArchiveRecovery;
            copy.control.min_recovery_timeline = copy.wal.timeline;
            Mode::Standby(Standby::new(upstream, copy.replayed(), now))
        } else {
            // Without recovery.conf even a standby's directory comes up as a master, on the same timeline.
            copy.control.state = ControlState::InProduction;
            copy.control.min_recovery_timeline = Timeline(0);
            copy.crash_recovered = crashed.then(|| copy.replayed());
            Mode::Master
        };
        copy.control.modified = now;
        let is_master = matches!(mode, Mode::Master);
        let pooler = Pooler::from_routes(&copy.data.routes, FaultMode::Keeps);
        self.listening.insert((files.host.to_string(), files.port), disk);
        copy.process = Some(Process {
            pid,
            started: now,
            host: files.host,
            port: files.port,
            data_directory: files.data_directory,
            settings: files.settings,
            hung: false,
            mode,
            pooler,
            stop_pending: None,
            alters_waiting: std::collections::BTreeSet::new(),
            routes_read_by_fault: false,
            slots_taken_by_fault: false,
            waiters: Waiters::None,
            forwarding: Forwarding::default(),
            checkpoint_due: None,
        });
        self.effects.push(Effect::Started(disk));
        let lines: &[&str] = match (is_master, crashed) {
            (true, true) => &["LOG:  database system was not properly shut down; automatic recovery in progress"],
            (true, false) => &[],
            (false, _) => &["LOG:  entering standby mode", "LOG:  consistent recovery state reached"],
        };
        for line in lines.iter().chain(&["LOG:  database system is ready to accept connections"]) {
            self.effects.push(Effect::Log(disk, (*line).to_owned()));
        }
        if is_master {
            self.checkpoint(disk, now);
            self.begin_forwarding(disk, Forwarding::AsItShould);
        }
        self.unsettled = Unsettled::Everything;
        self.settle(now);
        Ok(())
    }

    fn check_start(&self, disk: DiskId, files: &StartFiles) -> Result<(), StartFailure> {
        let Some(copy) = self.postgres.get(&disk) else {
            return Err(StartFailure("FATAL:  could not open pg_control".to_owned()));
        };
        if copy.process.is_some() {
            return Err(StartFailure("FATAL:  lock file \"postmaster.pid\" already exists".to_owned()));
        }
        let own = self.server_address(&copy.home.server);
        let problem = if own != Some(&files.host) {
            Some("Cannot assign requested address")
        } else if self.listening.contains_key(&(files.host.to_string(), files.port)) {
            Some("Address already in use")
        } else {
            None
        };
        match problem {
            Some(why) => Err(StartFailure(format!(
                "LOG:  could not bind IPv4 address \"{}\": {why}\nFATAL:  could not create any TCP/IP sockets",
                files.host
            ))),
            None => Ok(()),
        }
    }

    /// A clean shutdown: a master's last checkpoint still reaches every standby that streams.
    pub fn shut_down(&mut self, disk: DiskId, now: Moment) {
        let Some(copy) = self.postgres.get(&disk) else { return };
        let Some(process) = &copy.process else { return };
        if process.is_master() {
            // Open transactions are rolled back before the checkpoint is written.
            self.end_sessions(disk);
            self.append(disk, Body::Checkpoint { shutdown: true }, now);
            self.settle(now);
        }
        if let Some(copy) = self.postgres.get_mut(&disk) {
            copy.control.state =
                if copy.is_master() { ControlState::ShutDown } else { ControlState::ShutDownInRecovery };
            copy.note_checkpoint(now);
        }
        self.effects.push(Effect::Log(disk, "LOG:  database system is shut down".to_owned()));
        self.end_process(disk, Ending::Shutdown, now);
    }

    /// SIGKILL, power: the control file stays as it was.
    pub fn kill(&mut self, disk: DiskId, now: Moment) {
        let runs = self.postgres.get(&disk).is_some_and(|copy| copy.process.is_some());
        if self.flavor == Flavor::V5 && runs {
            self.dying_until.insert(disk, Moment(now.0 + DIES_WITHIN));
        }
        self.end_process(disk, Ending::Killed, now);
        self.end_gtm(disk, Ending::Killed);
    }

    /// Whether the pid of a killed process lives on.
    pub fn is_dying(&self, disk: DiskId, now: Moment) -> bool {
        self.dying_until.get(&disk).is_some_and(|until| now < *until)
    }

    /// An immediate shutdown: as a crash, but the pid file is removed.
    pub fn abort(&mut self, disk: DiskId, now: Moment) {
        self.end_process(disk, Ending::Abort, now);
    }

    /// Whether a fast stop does not end: its sessions wait behind a prepared transaction (docs/explanation/in-doubt.md).
    pub fn is_stuck(&self, disk: DiskId) -> bool {
        let Some(copy) = self.postgres.get(&disk) else { return false };
        copy.process.as_ref().is_some_and(|process| process.waiters != Waiters::None) && !copy.data.prepared.is_empty()
    }

    /// The signal of pg_ctl stop: true unless the process hangs and will see it only when it goes on, or its sessions do not
    /// end.
    pub fn signal_stop(&mut self, disk: DiskId, how: Ending, now: Moment) -> bool {
        if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut())
            && process.hung
        {
            process.stop_pending = Some(how);
            return false;
        }
        let is_stuck = self.is_stuck(disk);
        if how == Ending::Abort {
            self.abort(disk, now);
        } else if is_stuck {
            // The others end.
            self.end_sessions(disk);
            if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) {
                process.waiters = Waiters::WaitInShutdown;
            }
            return false;
        } else {
            self.shut_down(disk, now);
        }
        true
    }

    pub(super) fn end_process(&mut self, disk: DiskId, how: Ending, now: Moment) {
        let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.take()) else { return };
        self.end_sessions(disk);
        self.listening.remove(&(process.host.to_string(), process.port));
        self.effects.push(Effect::Ended { disk, how });
        self.unsettled = Unsettled::Everything;
        self.settle(now);
    }

    /// SIGHUP, pg_reload_conf(): postgresql.conf was read again.
    pub fn reload(&mut self, disk: DiskId, settings: BTreeMap<String, String>) {
        if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) {
            process.settings = settings;
        }
    }
}

impl Standby {
    fn new(upstream: Option<Upstream>, from: crate::model::Lsn, now: Moment) -> Self {
        Self {
            upstream,
            receiver: Receiver::Down(String::new()),
            // The walreceiver will ask for the whole segment.
            received_from: segment_start(from),
            has_streamed: false,
            last_message: now,
            replay_paused: false,
            promote_requested: false,
            allowance: None,
            last_replayed: None,
        }
    }
}
