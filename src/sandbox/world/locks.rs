//! Locks on tables of one coordinator: who uses a table in an open transaction, who locks it against everybody, and who
//! waits. Those that wait for the whole table stand in the queue before later users (seen live).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::NodeKind;
use crate::sandbox::moment::Moment;
use crate::sandbox::sql::SqlError;

use super::World;
use super::answer::{Outcome, Stop, Wait};
use super::instance::DiskId;
use super::session::{Login, Replication, SessionId, Transaction};

/// The tables of a node for which a session waits, or for which sessions wait behind that one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Queue {
    /// LOCK TABLE statements that wait, with their tables.
    exclusive: BTreeMap<SessionId, (DiskId, BTreeSet<String>)>,
    /// All that wait for a table.
    waiting: BTreeSet<SessionId>,
    /// Sessions of `sandbox fault open-transaction`.
    by_fault: BTreeSet<SessionId>,
}

impl World {
    /// A statement of a client uses `table`; inside a transaction the lock stays until its end. Datanodes are used through
    /// coordinators, whose locks come first.
    pub(super) fn use_table(&mut self, id: SessionId, disk: DiskId, table: &str) -> Result<(), Stop> {
        if self.home(disk).is_none_or(|home| home.kind != NodeKind::Coordinator) {
            return Ok(());
        }
        let has = |session: &super::Session| {
            session.transaction.as_ref().is_some_and(|open| open.locked.contains(table) || open.used.contains(table))
        };
        let already = self.sessions.get(&id).is_some_and(has);
        let is_locked = self.others(id, disk).any(|open| open.locked.contains(table));
        let is_wanted = self
            .queue
            .exclusive
            .iter()
            .any(|(other, (at, tables))| *other != id && *at == disk && tables.contains(table));
        if is_locked || (is_wanted && !already) {
            self.queue.waiting.insert(id);
            return Err(Wait::Lock.into());
        }
        if let Some(open) = self.sessions.get_mut(&id).and_then(|session| session.transaction.as_mut()) {
            open.used.insert(table.to_owned());
        }
        Ok(())
    }

    /// LOCK TABLE … IN ACCESS EXCLUSIVE MODE, of a session that acts as another coordinator's.
    pub(super) fn lock_tables(&mut self, id: SessionId, disk: DiskId, tables: &[String]) -> Result<Outcome, Stop> {
        let is_local = self.setting(Some(id), disk, "remotetype").as_deref() == Some("coordinator");
        if !is_local {
            return Err(SqlError::unsupported("LOCK TABLE on all nodes").into());
        }
        if self.sessions.get(&id).is_none_or(|session| session.transaction.is_none()) {
            return Err(SqlError::new("25P01", "LOCK TABLE can only be used in transaction blocks").into());
        }
        for table in tables {
            self.table(disk, table)?;
        }
        let wanted: BTreeSet<String> = tables.iter().cloned().collect();
        let is_used =
            self.others(id, disk).any(|open| !open.locked.is_disjoint(&wanted) || !open.used.is_disjoint(&wanted));
        if is_used {
            self.queue.exclusive.insert(id, (disk, wanted));
            self.queue.waiting.insert(id);
            return Err(Wait::Lock.into());
        }
        if let Some(open) = self.sessions.get_mut(&id).and_then(|session| session.transaction.as_mut()) {
            open.locked.extend(wanted);
        }
        Ok(Outcome::done("LOCK TABLE"))
    }

    /// The open transactions of other sessions of a node.
    fn others(&self, id: SessionId, disk: DiskId) -> impl Iterator<Item = &Transaction> {
        let others = self.sessions.iter().filter(move |(other, session)| **other != id && session.disk == disk);
        others.filter_map(|(_, session)| session.transaction.as_ref())
    }

    /// A client has used every table in a transaction, and does nothing more; or it goes.
    pub fn set_transaction_open(&mut self, disk: DiskId, open: bool, now: Moment) -> bool {
        let of_this = |id: &SessionId| self.sessions.get(id).is_some_and(|session| session.disk == disk);
        let had: Vec<SessionId> = self.queue.by_fault.iter().filter(|id| of_this(id)).copied().collect();
        for id in had {
            self.queue.by_fault.remove(&id);
            self.close(id);
        }
        if !open {
            return true;
        }
        let login = Login {
            user: self.user.clone(),
            database: "postgres".to_owned(),
            client: None,
            replication: Replication::No,
            settings: BTreeMap::from([("application_name".to_owned(), "batch".to_owned())]),
        };
        let Ok(Ok(id)) = self.open(disk, login, now) else { return false };
        let tables = self.postgres.get(&disk).map(|copy| copy.data.tables.keys().cloned().collect());
        self.note_query(id, "select count(*) from accounts", now);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.transaction = Some(Transaction { used: tables.unwrap_or_default(), ..Transaction::default() });
            session.activity.state = "idle in transaction";
        }
        self.queue.by_fault.insert(id);
        true
    }

    pub(super) fn leave_queue(&mut self, id: SessionId) {
        self.queue.exclusive.remove(&id);
        self.queue.waiting.remove(&id);
    }

    pub(super) fn waits_for_table(&self, id: SessionId) -> bool {
        self.queue.waiting.contains(&id)
    }
}
