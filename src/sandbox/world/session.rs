//! Sessions: settings, the open transaction, and the connection to a GTM that a session keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::sandbox::moment::Moment;
use crate::sandbox::sql::SqlError;

use super::World;
use super::answer::Wait;
use super::data::{Change, RouteRow};
use super::instance::DiskId;

/// Identity of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One client session on one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub disk: DiskId,
    /// The run of the process that it belongs to: a restarted process knows no old sessions.
    pub process_started: Moment,
    pub pid: u32,
    pub user: String,
    pub database: String,
    pub client: Option<SocketAddr>,
    pub backend_start: Moment,
    pub replication: Replication,
    /// SET in this session, and `-c` options of the startup packet.
    pub settings: BTreeMap<String, String>,
    pub transaction: Option<Transaction>,
    /// Sessions connected to a live old GTM keep using it (opentenbase-v2.6-live.md, "Tools").
    pub(super) gtm: Option<(DiskId, Moment)>,
    /// Addresses of the pooled connections it has used, by node; the next reload may end it for one (v5).
    pub(super) pooled: BTreeMap<String, (String, u16)>,
    /// v5: the row of pgxc_node that its ALTER NODE waits for, as it was when the wait began.
    pub(super) waits_for_row: Option<Arc<RouteRow>>,
    pub activity: Activity,
}

/// The columns of pg_stat_activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    pub state: &'static str,
    pub query: String,
    pub query_start: Moment,
    pub state_change: Moment,
    pub xact_start: Option<Moment>,
}

/// The startup packet's `replication`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    No,
    /// `replication=true`: no database, no SQL.
    Physical,
    /// `replication=database`.
    Database,
}

/// BEGIN … COMMIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    pub failed: bool,
    /// It has read pgxc_node and holds AccessShareLock to its end.
    pub read_routes: bool,
    /// SET LOCAL.
    pub settings: BTreeMap<String, String>,
    /// Tables that its statements have used, and those that it has locked against everybody.
    pub used: BTreeSet<String>,
    pub locked: BTreeSet<String>,
    /// Changes of this node's own catalog.
    pub local: Vec<Change>,
    /// Changes waiting on datanodes.
    pub remote: Vec<Write>,
}

/// A change for one process; it is lost if that process ends before the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub disk: DiskId,
    pub process_started: Moment,
    pub change: Change,
}

/// The parameters of a client's login.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub database: String,
    pub client: Option<SocketAddr>,
    pub replication: Replication,
    pub settings: BTreeMap<String, String>,
}

impl Session {
    /// The values that were SET in this session, those of its open transaction first.
    pub fn set(&self, name: &str) -> Option<&String> {
        let local = self.transaction.as_ref().and_then(|open| open.settings.get(name));
        local.or_else(|| self.settings.get(name))
    }
}

impl World {
    /// Opens a session on the process that runs on `disk`.
    pub fn open(&mut self, disk: DiskId, login: Login, now: Moment) -> Result<Result<SessionId, SqlError>, Wait> {
        let Some(process) = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref()) else {
            return Ok(Err(SqlError::fatal("57P03", "the database system is starting up")));
        };
        if process.waiters == super::instance::Waiters::WaitInShutdown {
            return Ok(Err(SqlError::fatal("57P03", "the database system is shutting down")));
        }
        if process.crash_loops() {
            return Ok(Err(SqlError::fatal("57P03", "the database system is in recovery mode")));
        }
        // New logins read pgxc_node: they queue behind an ALTER NODE that waits for its lock (seen live).
        if !process.alters_waiting.is_empty() {
            return Err(Wait::Lock);
        }
        let limit = process.setting("max_connections").and_then(|text| text.parse().ok()).unwrap_or(100_usize);
        let (process_started, all_taken) = (process.started, process.slots_taken_by_fault);
        if all_taken || self.sessions.values().filter(|session| session.disk == disk).count() >= limit {
            return Ok(Err(SqlError::fatal("53300", "sorry, too many clients already")));
        }
        if login.replication == Replication::No && login.database != "postgres" {
            return Ok(Err(SqlError::fatal("3D000", format!("database \"{}\" does not exist", login.database))));
        }
        if login.user != self.user {
            return Ok(Err(SqlError::fatal("28000", format!("role \"{}\" does not exist", login.user))));
        }
        let unknown = |name: &&String| !name.contains('.') && self.setting(None, disk, name).is_none();
        if let Some(name) = login.settings.keys().find(unknown) {
            return Ok(Err(SqlError::fatal("42704", format!("unrecognized configuration parameter \"{name}\""))));
        }
        let id = self.new_session_id();
        let activity =
            Activity { state: "idle", query: String::new(), query_start: now, state_change: now, xact_start: None };
        let session = Session {
            disk,
            process_started,
            pid: self.new_pid(),
            user: login.user,
            database: login.database,
            client: login.client,
            backend_start: now,
            replication: login.replication,
            settings: login.settings,
            transaction: None,
            gtm: None,
            pooled: BTreeMap::new(),
            waits_for_row: None,
            activity,
        };
        self.sessions.insert(id, session);
        Ok(Ok(id))
    }

    /// The client went away: its transaction is rolled back, its locks are free.
    pub fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.stop_waiting(session.disk, id);
            self.advisory.retain(|_, holder| *holder != id);
        }
    }

    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// Sessions on a process, as a smart shutdown counts them.
    pub fn sessions_on(&self, disk: DiskId) -> usize {
        self.sessions.values().filter(|session| session.disk == disk).count()
    }

    /// Ends every session of a process.
    pub(super) fn end_sessions(&mut self, disk: DiskId) {
        let ids: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| session.disk == disk).map(|(id, _)| *id).collect();
        for id in ids {
            self.close(id);
        }
    }

    /// The session does not wait for a lock any more: it got it, or gave up.
    pub fn stop_waiting(&mut self, disk: DiskId, id: SessionId) {
        self.leave_queue(id);
        if let Some(process) = self.postgres.get_mut(&disk).and_then(|copy| copy.process.as_mut()) {
            process.alters_waiting.remove(&id);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.waits_for_row = None;
        }
    }
}
