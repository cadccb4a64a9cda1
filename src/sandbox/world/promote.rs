//! Promotion of a standby (opentenbase-v2.6-live.md, "Tools").

use crate::model::ControlState;
use crate::sandbox::moment::Moment;

use super::World;
use super::effect::{Effect, Ending};
use super::instance::{DiskId, Forwarding, Mode, Pooler, Process};
use super::wal::Body;

/// The state of a promotion request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    Promoted,
    /// The request stays in force: replay is paused, or the process hangs.
    Pending,
    /// recovery.conf could not be opened for writing: the startup process took the server down.
    Died,
    /// Nothing runs there, or it is no standby.
    NotAStandby,
}

/// Microseconds from a promotion to its checkpoint.
const CHECKPOINT_AFTER: u64 = 2_000_000;

/// Microseconds from a promotion to v5's forward sender, which a pool reload looks for twice a second (seen live).
const FORWARDS_AFTER: u64 = 450_000;

impl World {
    /// Writes the checkpoints that are due.
    pub fn tick(&mut self, now: Moment) {
        let is_due = |copy: &super::Postgres| {
            let due = copy.process.as_ref().filter(|process| !process.hung).and_then(|process| process.checkpoint_due);
            due.is_some_and(|due| due <= now)
        };
        let due: Vec<DiskId> = self.postgres.iter().filter(|(_, copy)| is_due(copy)).map(|(disk, _)| *disk).collect();
        for disk in due {
            self.checkpoint(disk, now);
        }
        self.gtm_checkpoints(now);
        self.gtm_records(now);
        self.settle(now);
    }

    /// pg_ctl promote's signal. `writable` says whether the server's user may write recovery.conf.
    pub fn promote(&mut self, disk: DiskId, writable: bool, now: Moment) -> Promotion {
        let Some(copy) = self.postgres.get_mut(&disk) else { return Promotion::NotAStandby };
        let all_replayed = copy.applied == copy.wal.len();
        let Some(process) = copy.process.as_mut() else { return Promotion::NotAStandby };
        let hung = process.hung;
        let Some(standby) = process.standby_mut() else { return Promotion::NotAStandby };
        // PostgreSQL 10 does not look for a promotion while a record waits for replay to be resumed; with nothing to
        // replay the pause holds nothing back (seen live).
        if hung || (standby.replay_paused && !all_replayed) {
            standby.promote_requested = true;
            self.effects.push(Effect::PromotionAsked(disk));
            return Promotion::Pending;
        }
        let line = "LOG:  received promote request".to_owned();
        self.effects.push(Effect::Log(disk, line));
        if !writable {
            let line = "FATAL:  could not open file \"recovery.conf\": Permission denied".to_owned();
            self.effects.push(Effect::Log(disk, line));
            if let Some(copy) = self.postgres.get_mut(&disk) {
                let (name, text) = copy.wal.burn();
                self.effects.push(Effect::WriteHistory { disk, name, text });
            }
            self.end_process(disk, Ending::Abort, now);
            return Promotion::Died;
        }
        self.become_master(disk, now);
        Promotion::Promoted
    }

    fn become_master(&mut self, disk: DiskId, now: Moment) {
        let Some(copy) = self.postgres.get_mut(&disk) else { return };
        // All that was received is replayed before the timeline is left.
        copy.replay_all();
        let previous = copy.wal.fork();
        copy.control.state = ControlState::InProduction;
        // Live: "in production" at once, the new timeline as that of the minimum recovery point, and the old one as
        // the checkpoint's until the promotion's checkpoint is written, about two seconds later.
        copy.control.min_recovery_timeline = copy.wal.timeline;
        copy.control.modified = now;
        if let Some(process) = &mut copy.process {
            process.checkpoint_due = Some(Moment(now.0 + CHECKPOINT_AFTER));
            process.mode = Mode::Master;
            process.pooler = Pooler::from_routes(&copy.data.routes, process.pooler.fault_mode);
        }
        let timeline = copy.wal.timeline;
        self.effects.push(Effect::RenameRecoveryConf(disk));
        self.note_history(disk);
        for line in
            [format!("LOG:  selected new timeline ID: {timeline}"), "LOG:  archive recovery complete".to_owned()]
        {
            self.effects.push(Effect::Log(disk, line));
        }
        self.append(disk, Body::EndOfRecovery { previous }, now);
        self.begin_forwarding(disk, Forwarding::From(Moment(now.0 + FORWARDS_AFTER)));
        self.settle(now);
    }

    /// Promotions that a paused replay or a hang held back.
    pub(super) fn finish_waiting_promotions(&mut self, now: Moment) {
        let ready: Vec<DiskId> = self
            .postgres
            .iter()
            .filter(|(_, copy)| {
                let running = copy.process.as_ref().filter(|process| !process.hung);
                let standby = running.and_then(Process::standby);
                standby.is_some_and(|standby| standby.promote_requested && !standby.replay_paused)
            })
            .map(|(disk, _)| *disk)
            .collect();
        for disk in ready {
            self.become_master(disk, now);
        }
    }
}
