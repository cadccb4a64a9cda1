//! The log of a GTM: who redoes it, and how a promotion that comes too early breaks it.

use crate::sandbox::moment::Moment;

use super::World;
use super::effect::Ending;
use super::gtm::{Gtm, GtmRole};
use super::instance::DiskId;

/// How a GTM stands to its own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GtmLog {
    /// A standby that has redone nothing since it attached: it does not know where the log ends.
    EndUnknown,
    EndKnown,
    /// Promoted in the first of these states: it goes on in a place that is not the end (seen live: "redo
    /// exit,recovery finish upto 0/0"), and who attaches asks for log that is not there.
    Lost,
}

/// Microseconds between two records of an idle GTM: 5 s live, less here so that tests are fast.
pub(super) const RECORD_EVERY: u64 = 200_000;

/// Microseconds from attaching to "xlog file not found in master, exit now".
const ENDS_AFTER: u64 = 700_000;

impl Gtm {
    /// Whether it follows a GTM that has lost its log, and has found out.
    fn ends_by(&self, now: Moment) -> bool {
        self.process.as_ref().and_then(|process| process.ends_at).is_some_and(|at| at <= now)
    }
}

impl World {
    /// When a GTM that starts now in `role` ends by itself, for it follows one that has lost its log.
    pub(super) fn ends_at(&self, role: &GtmRole, now: Moment) -> Option<Moment> {
        let GtmRole::Standby { host, port } = role else { return None };
        let master = self.gtms.get(self.listening.get(&(host.clone(), *port))?)?.process.as_ref()?;
        (master.log == GtmLog::Lost).then(|| Moment(now.0 + ENDS_AFTER))
    }

    /// Idle GTMs still write a record now and then, and their standbys replay it.
    pub(super) fn gtm_records(&mut self, now: Moment) {
        let ended: Vec<DiskId> = self.gtms.iter().filter(|(_, gtm)| gtm.ends_by(now)).map(|(disk, _)| *disk).collect();
        for disk in ended {
            self.end_gtm(disk, Ending::Killed);
        }
        if now.0 < self.gtm_record_due.0 {
            return;
        }
        self.gtm_record_due = Moment(now.0 + RECORD_EVERY);
        let active: Vec<DiskId> = self.gtms.iter().filter(|(_, gtm)| gtm.is_active()).map(|(disk, _)| *disk).collect();
        for disk in active {
            self.write_gtm_record(disk);
        }
    }

    /// The log of an active GTM grows by a record; the standbys that stream have it at once.
    pub(super) fn write_gtm_record(&mut self, disk: DiskId) {
        let lost = self
            .gtms
            .get(&disk)
            .and_then(|gtm| gtm.process.as_ref())
            .is_some_and(|process| process.log == GtmLog::Lost);
        let streams = |other: &Gtm| !lost && self.gtm_standbys(disk).contains(&other);
        let standbys: Vec<DiskId> =
            self.gtms.iter().filter(|(_, other)| streams(other)).map(|(disk, _)| *disk).collect();
        let Some(active) = self.gtms.get_mut(&disk) else { return };
        active.served += 1;
        let served = active.served;
        for standby in standbys {
            let Some(standby) = self.gtms.get_mut(&standby) else { continue };
            standby.served = served;
            if let Some(process) = &mut standby.process {
                process.log = GtmLog::EndKnown;
            }
        }
    }
}
