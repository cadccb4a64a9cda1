//! Write-ahead logs as positions plus records: lag, lost rows and forks are real because a standby owns
//! exactly the records it received.

use std::fmt::Write;
use std::sync::Arc;

use crate::model::{Lsn, Timeline};
use crate::sandbox::moment::Moment;

use super::data::Change;

/// Bytes of one WAL segment.
pub const SEGMENT: u64 = 16 * 1024 * 1024;

/// The beginning of the segment that holds `lsn`.
pub(super) fn segment_start(lsn: Lsn) -> Lsn {
    Lsn(lsn.0 / SEGMENT * SEGMENT)
}

/// The end of the base backup and the beginning of the simulated log.
const FIRST: Lsn = Lsn(0x0300_0028);

/// One WAL record, from `start` to `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub start: Lsn,
    pub end: Lsn,
    /// The timeline it was written on.
    pub timeline: Timeline,
    pub at: Moment,
    pub body: Body,
}

/// The content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Commit(Vec<Change>),
    Checkpoint {
        shutdown: bool,
    },
    EndOfRecovery {
        previous: Timeline,
    },
    /// Work whose content is never read: index pages, aborted transactions.
    Filler(u64),
    /// pg_switch_wal: the rest of the segment is empty.
    Switch,
}

impl Body {
    /// Bytes on disk, aligned to 8 as XLogInsert does.
    fn length(&self) -> u64 {
        match self {
            Self::Commit(changes) => {
                let rows = changes.iter().map(|change| match change {
                    Change::FirstRoutes(routes) => routes.len(),
                    _ => 1,
                });
                0x40 + 0x60 * u64::try_from(rows.sum::<usize>()).unwrap_or(u64::MAX >> 8)
            }
            Self::Checkpoint { .. } => 0x70,
            Self::EndOfRecovery { .. } => 0x30,
            Self::Filler(bytes) => bytes.next_multiple_of(8).max(24),
            Self::Switch => 0,
        }
    }
}

/// The log one copy of a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wal {
    pub timeline: Timeline,
    /// Earlier timelines and where each was left, oldest first.
    pub history: Vec<(Timeline, Lsn)>,
    /// The timeline of a failed promotion: its history file is in pg_wal, and no instance uses it (seen live).
    burnt: Option<Timeline>,
    /// The beginning of its WAL files, if it has removed some.
    pub(super) kept_from: Option<Lsn>,
    records: Vec<Arc<Record>>,
}

/// Why a standby cannot follow an upstream: the walreceiver's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotFollow {
    /// The standby's last record is not in the upstream's log.
    Forked(String),
    /// The standby has more of the same timeline than the upstream.
    Ahead(String),
    /// The upstream has thrown away what the standby needs next.
    Removed(String),
    /// The upstream is on an older timeline than the standby.
    Behind(String),
}

impl Default for Wal {
    fn default() -> Self {
        Self { timeline: Timeline(1), history: Vec::new(), burnt: None, records: Vec::new(), kept_from: None }
    }
}

impl Wal {
    /// A log that was seen: `newest` is the highest timeline that it has a history file of.
    pub(super) fn with_records(
        timeline: Timeline,
        history: Vec<(Timeline, Lsn)>,
        records: Vec<Arc<Record>>,
        newest: Option<Timeline>,
    ) -> Self {
        Self { timeline, history, burnt: newest.filter(|newest| *newest > timeline), kept_from: None, records }
    }

    /// The end of the last record: the insert position of a master, the receive position of a standby.
    pub fn end(&self) -> Lsn {
        self.records.last().map_or(FIRST, |record| record.end)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn record(&self, index: usize) -> Option<&Arc<Record>> {
        self.records.get(index)
    }

    pub fn records(&self) -> &[Arc<Record>] {
        &self.records
    }

    /// The end of the first `count` records.
    pub fn end_of(&self, count: usize) -> Lsn {
        count.checked_sub(1).and_then(|last| self.records.get(last)).map_or(FIRST, |record| record.end)
    }

    /// Writes a record at the end.
    pub fn append(&mut self, body: Body, at: Moment) -> &Arc<Record> {
        let start = self.end();
        let end = match body {
            // The next record begins after the new segment's header.
            Body::Switch => Lsn((start.0 / SEGMENT + 1) * SEGMENT + 0x28),
            _ => Lsn(start.0 + body.length()),
        };
        self.push(Arc::new(Record { start, end, timeline: self.timeline, at, body }))
    }

    /// Takes a record that streamed in.
    pub fn push(&mut self, record: Arc<Record>) -> &Arc<Record> {
        if record.timeline != self.timeline {
            self.history.push((self.timeline, record.start));
            self.timeline = record.timeline;
        }
        let index = self.records.len();
        self.records.push(record);
        &self.records[index]
    }

    /// Leaves the current timeline at its end and begins the next one, as a promotion does.
    pub fn fork(&mut self) -> Timeline {
        let previous = self.timeline;
        self.history.push((previous, self.end()));
        self.timeline = Timeline(self.newest().0 + 1);
        previous
    }

    /// A promotion writes the history of its timeline, and dies before it is on it: the file's name and content.
    pub fn burn(&mut self) -> (String, String) {
        let mut burnt = self.clone();
        burnt.fork();
        self.burnt = Some(burnt.timeline);
        (format!("{:08X}.history", burnt.timeline.0), burnt.history_file())
    }

    /// A base backup has no history files but that of its own timeline.
    pub fn forget_burnt(&mut self) {
        self.burnt = None;
    }

    /// The highest timeline that this copy has heard of: `recovery_target_timeline = 'latest'`.
    pub fn newest(&self) -> Timeline {
        self.burnt.map_or(self.timeline, |burnt| burnt.max(self.timeline))
    }

    /// Which of `upstream`'s records comes next for a copy that holds this log.
    pub fn next_from(&self, upstream: &Self) -> Result<usize, CannotFollow> {
        if upstream.timeline < self.newest() {
            return Err(CannotFollow::Behind(format!(
                "highest timeline {} of the primary is behind recovery timeline {}",
                upstream.timeline,
                self.newest()
            )));
        }
        let known = self.records.len();
        let fits = match self.records.last() {
            None => true,
            Some(last) => upstream.records.get(known - 1).is_some_and(|theirs| theirs == last),
        };
        match upstream.kept_from {
            _ if !fits => Err(self.forked_from(upstream)),
            Some(oldest) if self.end() < oldest => {
                let file = Self::file_name(self.timeline, Lsn(self.end().0 + 1));
                Err(CannotFollow::Removed(format!("requested WAL segment {file} has already been removed")))
            }
            _ => Ok(known),
        }
    }

    /// PostgreSQL 10's rescanLatestTimeLine, when the fork lies in a segment both have; else the walsender's refusal.
    fn forked_from(&self, upstream: &Self) -> CannotFollow {
        let end = self.end();
        if upstream.timeline == self.timeline {
            return CannotFollow::Ahead(format!(
                "requested starting point {end} is ahead of the WAL flush position of this server {}",
                upstream.end()
            ));
        }
        CannotFollow::Forked(format!(
            "new timeline {} forked off current database system timeline {} before current recovery point {end}",
            upstream.timeline, self.timeline
        ))
    }

    /// `00000001.history`'s content for the current timeline.
    pub fn history_file(&self) -> String {
        let mut text = String::new();
        for (timeline, left) in &self.history {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{timeline}\t{left}\tno recovery target specified");
        }
        text
    }

    /// The segment file that holds `lsn`, as pg_walfile_name says.
    pub fn file_name(timeline: Timeline, lsn: Lsn) -> String {
        // A position at a segment boundary belongs to the segment it ends.
        let segment = lsn.0.saturating_sub(1) / SEGMENT;
        format!("{:08X}{:08X}{:08X}", timeline.0, segment / 0x100, segment % 0x100)
    }
}
