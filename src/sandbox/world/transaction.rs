//! Transactions: what is written becomes WAL at commit, on every node at once.

use std::collections::BTreeMap;

use crate::model::{Lsn, NodeKind};
use crate::sandbox::sql::SqlError;
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::answer::{Answer, Outcome, Stop, Wait};
use super::data::Change;
use super::instance::DiskId;
use super::session::{SessionId, Transaction, Write};
use super::wal::Body;

impl World {
    pub(super) fn begin(&mut self, id: SessionId, now: Moment) -> Outcome {
        if let Some(session) = self.sessions.get_mut(&id) {
            if session.transaction.is_some() {
                return Outcome {
                    warnings: vec!["there is already a transaction in progress".to_owned()],
                    ..Outcome::done("BEGIN")
                };
            }
            session.transaction = Some(Transaction::default());
            session.activity.xact_start = Some(now);
        }
        Outcome::ok(Answer::Began)
    }

    pub(super) fn rollback(&mut self, id: SessionId) -> Outcome {
        let open = self.sessions.get_mut(&id).and_then(|session| session.transaction.take()).is_some();
        let warnings = if open { Vec::new() } else { vec!["there is no transaction in progress".to_owned()] };
        Outcome { warnings, ..Outcome::ok(Answer::Ended { tag: "ROLLBACK" }) }
    }

    pub(super) fn commit(&mut self, id: SessionId, now: Moment) -> Result<Outcome, Stop> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(self.rollback(id)) };
        let disk = session.disk;
        let Some(transaction) = session.transaction.clone() else {
            let warnings = vec!["there is no transaction in progress".to_owned()];
            return Ok(Outcome { warnings, ..Outcome::ok(Answer::Ended { tag: "COMMIT" }) });
        };
        if transaction.failed {
            return Ok(self.rollback(id));
        }
        // A commit that fails leaves no transaction behind; one that waits is tried again.
        let done = self.write_local(id, disk, transaction.local, now).and_then(|mut sync| {
            sync.extend(self.write_remote(id, transaction.remote, now)?);
            Ok(sync)
        });
        let waits = matches!(done, Err(Stop::Wait(_)));
        if let Some(session) = self.sessions.get_mut(&id).filter(|_| !waits) {
            session.transaction = None;
        }
        Ok(Outcome { sync: done?, ..Outcome::ok(Answer::Ended { tag: "COMMIT" }) })
    }

    /// Commits changes of a node's own catalog. On a datanode that takes a global timestamp, on a
    /// coordinator it does not (opentenbase-v2.6-live.md, "Routes and poolers").
    pub(super) fn write_local(
        &mut self,
        id: SessionId,
        disk: DiskId,
        changes: Vec<Change>,
        now: Moment,
    ) -> Result<Vec<(DiskId, Lsn)>, Stop> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let kind = self.postgres.get(&disk).map(|copy| copy.home.kind);
        // v5's needs none (seen live).
        if kind == Some(NodeKind::Datanode) && self.flavor == Flavor::V2 {
            self.commit_timestamp(id, &changes, now)?;
        }
        self.write(Some(id), disk, changes, now)
    }

    /// A datanode's commit. An ALTER GTM NODE is committed by the GTM it names: it cures in the same moment.
    fn commit_timestamp(&mut self, id: SessionId, changes: &[Change], now: Moment) -> Result<(), Stop> {
        let named = changes.iter().find_map(|change| match change {
            Change::Route(row) if row.kind == 'G' => Some((row.host.clone(), row.port)),
            _ => None,
        });
        let ready = match named {
            Some((host, port)) => self.timestamp_from(id, &host, port, now),
            None => self.need_timestamp(id, now),
        };
        match ready {
            Ok(()) => Ok(()),
            // Live: after two seconds, with another text and SQLSTATE than a SELECT's.
            Err(Stop::Wait(Wait::NoGtm)) => Err(Wait::NoGtmAtCommit.into()),
            Err(stop) => Err(stop),
        }
    }

    /// Commits rows on datanodes: on all or on none.
    pub(super) fn write_remote(
        &mut self,
        id: SessionId,
        writes: Vec<Write>,
        now: Moment,
    ) -> Result<Vec<(DiskId, Lsn)>, Stop> {
        let mut by_disk: BTreeMap<DiskId, Vec<Change>> = BTreeMap::new();
        for write in writes {
            let process = self.postgres.get(&write.disk).and_then(|copy| copy.process.as_ref());
            match process {
                Some(process) if process.started == write.process_started && process.is_master() => {}
                _ => {
                    return Err(SqlError::new("XX000", "Failed to PREPARE the transaction on one or more nodes").into());
                }
            }
            if self.is_silent(write.disk) {
                return Err(Wait::Peer.into());
            }
            by_disk.entry(write.disk).or_default().push(write.change);
        }
        if let Some(full) = by_disk.keys().find(|disk| self.is_full(**disk)) {
            return Err(self.no_space(*full).into());
        }
        let mut sync = Vec::new();
        for (disk, changes) in by_disk {
            sync.extend(self.write(Some(id), disk, changes, now)?);
        }
        Ok(sync)
    }

    /// One commit record on one node; what its session waits for before it answers.
    pub(super) fn write(
        &mut self,
        session: Option<SessionId>,
        disk: DiskId,
        changes: Vec<Change>,
        now: Moment,
    ) -> Result<Vec<(DiskId, Lsn)>, Stop> {
        if self.is_full(disk) {
            return Err(self.no_space(disk).into());
        }
        self.append(disk, Body::Commit(changes), now);
        self.settle(now);
        Ok(self.waits_for(session, disk))
    }

    fn is_full(&self, disk: DiskId) -> bool {
        self.postgres.get(&disk).is_some_and(|copy| copy.full)
    }

    fn no_space(&self, disk: DiskId) -> SqlError {
        let node = self.home(disk).map(|home| home.node.to_string()).unwrap_or_default();
        SqlError::new(
            "53100",
            format!("node:{node}, could not extend file \"base/13585/16388\": No space left on device"),
        )
        .hint("Check free disk space.")
    }
}

impl World {
    /// An error before execution, such as a syntax error, breaks an open transaction too.
    pub fn fail_transaction(&mut self, id: SessionId) {
        if let Some(transaction) = self.sessions.get_mut(&id).and_then(|session| session.transaction.as_mut()) {
            transaction.failed = true;
        }
    }
}
