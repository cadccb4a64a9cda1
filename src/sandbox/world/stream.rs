//! Streaming replication: each standby takes what its upstream has, if its timeline history fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Timeline;
use crate::sandbox::moment::Moment;

use super::World;
use super::effect::Effect;
use super::instance::{DiskId, Postgres, Process, Receiver, Standby};
use super::net::Reach;
use super::wal::{CannotFollow, Wal, segment_start};

/// The changes after which replication may have work to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unsettled {
    /// These logs grew: it concerns who streams from them.
    Grown(BTreeSet<DiskId>),
    /// A process started or ended, or the network changed.
    Everything,
}

impl Default for Unsettled {
    fn default() -> Self {
        Self::Grown(BTreeSet::new())
    }
}

impl Unsettled {
    pub(super) fn grew(&mut self, disk: DiskId) {
        if let Self::Grown(disks) = self {
            disks.insert(disk);
        }
    }
}

impl World {
    /// Lets every standby receive and replay what it can, until nothing moves.
    pub fn settle(&mut self, now: Moment) {
        let mut rounds = 0;
        // A paused replay or a hang holds promotions back, and neither ends by a log that grows.
        let may_promote = self.unsettled == Unsettled::Everything;
        // A chain of cascading standbys needs one round per link.
        while self.unsettled != Unsettled::default() && rounds < 64 {
            rounds += 1;
            for disk in self.affected() {
                if self.receive(disk, now) | self.replay(disk) {
                    self.unsettled.grew(disk);
                }
            }
        }
        if may_promote {
            self.finish_waiting_promotions(now);
        }
    }

    /// The standbys that have to look again.
    fn affected(&mut self) -> Vec<DiskId> {
        match std::mem::take(&mut self.unsettled) {
            Unsettled::Everything => {
                self.catalog_cache.followers = None;
                self.standbys().map(|(disk, _)| disk).collect()
            }
            Unsettled::Grown(disks) => {
                let followers = self.catalog_cache.followers.take().unwrap_or_else(|| self.followers());
                let affected = disks.iter().filter_map(|disk| followers.get(disk)).flatten().copied().collect();
                self.catalog_cache.followers = Some(followers);
                affected
            }
        }
    }

    fn standbys(&self) -> impl Iterator<Item = (DiskId, &Standby)> {
        self.postgres.iter().filter_map(|(disk, copy)| Some((*disk, copy.process.as_ref()?.standby()?)))
    }

    fn followers(&self) -> BTreeMap<DiskId, Vec<DiskId>> {
        let mut followers: BTreeMap<DiskId, Vec<DiskId>> = BTreeMap::new();
        for (disk, standby) in self.standbys() {
            let upstream =
                standby.upstream.as_ref().map(|upstream| (super::net::resolved(&upstream.host), upstream.port));
            if let Some(source) = upstream.and_then(|endpoint| self.listening.get(&endpoint)) {
                followers.entry(*source).or_default().push(disk);
            }
        }
        followers
    }

    /// One standby connects to its upstream and takes what there is. True if its log grew.
    fn receive(&mut self, disk: DiskId, now: Moment) -> bool {
        let Some(copy) = self.postgres.get(&disk) else { return false };
        let Some(standby) = copy.process.as_ref().filter(|process| !process.hung).and_then(Process::standby) else {
            return false;
        };
        let found = self.upstream_of(copy, standby);
        let taken = match found {
            Ok(upstream) => match self.postgres.get(&upstream) {
                Some(source) => Ok((pending(copy, source, standby), upstream)),
                None => return false,
            },
            Err(why) => Err(why),
        };
        match taken {
            Ok((Ok(records), _)) => self.take(disk, records, now),
            Ok((Err(CannotFollow::Behind(why)), _)) => self.receiver_is(disk, Receiver::Down(format!("FATAL:  {why}"))),
            Ok((Err(CannotFollow::Ahead(why) | CannotFollow::Removed(why)), _)) => {
                let line = format!("FATAL:  could not receive data from WAL stream: ERROR:  {why}");
                self.receiver_is(disk, Receiver::Down(line))
            }
            Ok((Err(CannotFollow::Forked(why)), _)) => self.receiver_is(disk, Receiver::Forked(format!("LOG:  {why}"))),
            Err(why) => self.receiver_is(disk, Receiver::Down(why)),
        }
    }

    /// The running process that primary_conninfo leads to, or the walreceiver's complaint.
    fn upstream_of(&self, copy: &Postgres, standby: &Standby) -> Result<DiskId, String> {
        let Some(upstream) = &standby.upstream else { return Err("no primary_conninfo".to_owned()) };
        let (host, port) = (&upstream.host, upstream.port);
        match self.reach(&copy.home.server, host, port) {
            Reach::Refused => Err(format!(
                "FATAL:  could not connect to the primary server: could not connect to server: Connection refused\n\
                 \t\tIs the server running on host \"{host}\" and accepting\n\t\tTCP/IP connections on port {port}?"
            )),
            Reach::Silent => Err("FATAL:  terminating walreceiver due to timeout".to_owned()),
            Reach::Live(disk) => match self.postgres.get(&disk) {
                Some(source) if source.system_id == copy.system_id => Ok(disk),
                Some(source) => Err(format!(
                    "FATAL:  database system identifier differs between the primary and standby\n\
                     DETAIL:  The primary's identifier is {}, the standby's identifier is {}.",
                    source.system_id, copy.system_id
                )),
                None => Err("FATAL:  could not connect to the primary server: invalid response".to_owned()),
            },
        }
    }

    fn take(&mut self, disk: DiskId, records: Vec<std::sync::Arc<super::wal::Record>>, now: Moment) -> bool {
        let Some(copy) = self.postgres.get_mut(&disk) else { return false };
        let grew = !records.is_empty();
        let from = copy.wal.end();
        let timeline = copy.wal.timeline;
        for record in records {
            if let Some(standby) = copy.process.as_mut().and_then(Process::standby_mut) {
                let length = record.end.bytes_ahead_of(record.start);
                standby.allowance = standby.allowance.map(|bytes| bytes.saturating_sub(length));
            }
            copy.wal.push(record);
        }
        let moved_on = copy.wal.timeline != timeline;
        if let Some(standby) = copy.process.as_mut().and_then(Process::standby_mut) {
            standby.last_message = now;
            standby.has_streamed = true;
            if standby.receiver != Receiver::Streaming {
                standby.receiver = Receiver::Streaming;
                // The walreceiver asks for the whole segment.
                standby.received_from = segment_start(from);
                let line = format!("LOG:  started streaming WAL from primary at {from} on timeline {timeline}");
                self.effects.push(Effect::Log(disk, line));
            }
        }
        if moved_on {
            self.note_history(disk);
        }
        grew
    }

    /// The new timeline's history file appears in pg_wal.
    pub(super) fn note_history(&mut self, disk: DiskId) {
        let Some(copy) = self.postgres.get(&disk) else { return };
        let Timeline(number) = copy.wal.timeline;
        let (name, text) = (format!("{number:08X}.history"), copy.wal.history_file());
        self.effects.push(Effect::WriteHistory { disk, name, text });
    }

    /// The receiver stops, for this reason.
    fn receiver_is(&mut self, disk: DiskId, state: Receiver) -> bool {
        let standby =
            self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()).and_then(Process::standby_mut);
        let Some(standby) = standby else { return false };
        if standby.receiver != state {
            if let Receiver::Forked(why) | Receiver::Down(why) = &state {
                self.effects.push(Effect::Log(disk, why.clone()));
            }
            standby.receiver = state;
        }
        false
    }

    /// Replays what is received, unless replay is paused. True if something was replayed.
    fn replay(&mut self, disk: DiskId) -> bool {
        let Some(copy) = self.postgres.get_mut(&disk) else { return false };
        let ready = copy
            .process
            .as_ref()
            .filter(|process| !process.hung)
            .and_then(Process::standby)
            .is_some_and(|standby| !standby.replay_paused);
        let before = copy.applied;
        if ready {
            copy.replay_all();
        }
        copy.applied != before
    }
}

/// The records that a standby may take now.
fn pending(
    copy: &Postgres,
    source: &Postgres,
    standby: &Standby,
) -> Result<Vec<std::sync::Arc<super::wal::Record>>, CannotFollow> {
    let next = copy.wal.next_from(&source.wal)?;
    let mut left = standby.allowance;
    let records = source.wal.records()[next..].iter().take_while(|record| {
        let length = record.end.bytes_ahead_of(record.start);
        match &mut left {
            None => true,
            Some(bytes) if *bytes >= length => {
                *bytes -= length;
                true
            }
            Some(_) => false,
        }
    });
    Ok(records.cloned().collect())
}

impl Wal {
    /// The timeline that a position belongs to.
    pub fn timeline_at(&self, lsn: crate::model::Lsn) -> Timeline {
        self.history.iter().find(|(_, left)| lsn < *left).map_or(self.timeline, |(timeline, _)| *timeline)
    }
}
