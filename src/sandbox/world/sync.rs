//! Commits that wait for synchronous standbys (syncrep.c).

use crate::model::Lsn;
use crate::opentenbase::SyncNames;

use super::World;
use super::instance::{DiskId, Postgres, Receiver, Standby};
use super::session::SessionId;

impl World {
    /// What a commit of the session on this master waits for. A coordinator passes its session's SET on to the
    /// datanodes; without one each uses its own setting (seen live).
    pub(super) fn waits_for(&self, session: Option<SessionId>, disk: DiskId) -> Vec<(DiskId, Lsn)> {
        let level = self.setting(session, disk, "synchronous_commit").unwrap_or_default();
        let waits = !matches!(level.as_str(), "local" | "off") && self.sync_names(disk).is_some();
        let end = self.postgres.get(&disk).map(|copy| copy.wal.end());
        end.filter(|_| waits).map(|end| (disk, end)).into_iter().collect()
    }

    /// The list of the process; one that cannot be read counts as none, as the server keeps its old one.
    pub(super) fn sync_names(&self, disk: DiskId) -> Option<SyncNames> {
        SyncNames::read(&self.setting(None, disk, "synchronous_standby_names")?).ok().flatten()
    }

    /// Whether enough synchronous standbys have `lsn` of this master, or none is asked for any more.
    pub fn is_synchronised(&self, disk: DiskId, lsn: Lsn) -> bool {
        if self.postgres.get(&disk).is_none_or(|copy| copy.process.is_none()) {
            return false;
        }
        let Some(names) = self.sync_names(disk) else { return true };
        let applies = self.setting(None, disk, "synchronous_commit").as_deref() == Some("remote_apply");
        let has = |copy: &Postgres| if applies { copy.replayed() >= lsn } else { copy.wal.end() >= lsn };
        let counts = |(copy, standby): &(&Postgres, &Standby)| {
            standby.receiver == Receiver::Streaming && names.count(name_of(standby)) && has(copy)
        };
        self.senders(disk).iter().filter(|sender| counts(sender)).count() >= names.number
    }

    /// sync_priority and sync_state of each of the master's standbys, in the order of [`World::senders`].
    pub(super) fn sync_states(&self, disk: DiskId) -> Vec<(usize, &'static str)> {
        let names = self.sync_names(disk);
        let senders = self.senders(disk);
        let priority = |standby: &Standby| names.as_ref().map_or(0, |names| names.priority(name_of(standby)));
        let mut waited_for: Vec<(usize, usize)> = senders
            .iter()
            .enumerate()
            .filter(|(_, (_, standby))| standby.receiver == Receiver::Streaming && priority(standby) > 0)
            .map(|(at, (_, standby))| (priority(standby), at))
            .collect();
        waited_for.sort_unstable();
        let number = names.as_ref().map_or(0, |names| names.number);
        let any = names.as_ref().is_some_and(|names| names.any);
        let first = |at: usize| waited_for.iter().take(number).any(|(_, other)| *other == at);
        let listed = |at: usize| waited_for.iter().any(|(_, other)| *other == at);
        let state = |at: usize, standby: &Standby| match priority(standby) {
            0 => "async",
            _ if any && listed(at) => "quorum",
            _ if first(at) => "sync",
            _ => "potential",
        };
        senders.iter().enumerate().map(|(at, (_, standby))| (priority(standby), state(at, standby))).collect()
    }

    /// How many standbys of the master count for its commits.
    pub fn synchronous_standbys(&self, disk: DiskId) -> usize {
        self.sync_states(disk).iter().filter(|(_, state)| matches!(*state, "sync" | "quorum")).count()
    }
}

fn name_of(standby: &Standby) -> &str {
    standby.upstream.as_ref().map_or("", |upstream| upstream.application_name.as_str())
}
