//! The field apply works on: the declared instances, one warm session to each, and their shells.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::event::Event;
use super::held::{Held, HoldReport};
use super::process_probes::ProcessProbes;
use crate::model::{Cluster, Instance, InstanceId, Lsn, Observation, Role, Spelling};
use crate::opentenbase::{Sql, local_commits, query};
use crate::transport::{Connections, Output, Rows, Session, ShellError, SqlError};

/// Limit of one small question.
pub(super) const ASK: Duration = Duration::from_secs(5);

/// Everything a step needs to act.
pub(super) struct ClusterAccess<'a> {
    pub cluster: &'a Cluster,
    pub connections: &'a Connections,
    places: BTreeMap<InstanceId, Place>,
    /// The last WAL of the masters that this run has stopped. It does not change any more, and reading it again would
    /// cost the write gap a round trip.
    last_wal: Mutex<BTreeMap<InstanceId, LastWal>>,
    /// How far the log went of a GTM that this run has stopped; no file of a stopped GTM shows it.
    flushes: Mutex<BTreeMap<InstanceId, Lsn>>,
    /// How far the master's log went when a GTM standby was first seen attached: what comes after, it redoes.
    attached: Mutex<BTreeMap<InstanceId, Lsn>>,
    /// The replication user of a standby when it was observed: its own standbys use that user after its promotion.
    users: Mutex<BTreeMap<InstanceId, String>>,
    /// How instances write hosts where they do it in another way than the file.
    pub spellings: Vec<Spelling>,
    pub probes: ProcessProbes,
    /// What the operator must know about a step that continues.
    notes: Mutex<Vec<String>>,
    /// Hears of what is worth knowing while a step is under way.
    pub tell: &'a (dyn Fn(&Event) + Sync),
    /// Clients that wait until their step of the plan releases them, or this is dropped.
    pub hold: Mutex<Option<Held>>,
    /// How the hold was, once it is over.
    pub held: Mutex<Option<HoldReport>>,
}

/// The WAL that a standby must have replayed to have everything that a stopped master wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastWal {
    /// The record that begins here: the shutdown checkpoint of a clean stop.
    Record(Lsn),
    /// All WAL up to here, where pg_waldump finds its end: the master was stopped at once.
    End(Lsn),
}

impl LastWal {
    pub(super) fn is_held_by(self, replayed: Lsn) -> bool {
        match self {
            Self::Record(begin) => replayed > begin,
            Self::End(end) => replayed >= end,
        }
    }
}

impl fmt::Display for LastWal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(begin) => write!(f, "the last record begins at {begin}"),
            Self::End(end) => write!(f, "the master's WAL ends at {end}"),
        }
    }
}

/// One declared instance as this run deals with it.
#[derive(Default)]
struct Place {
    session: Mutex<Option<Session>>,
    /// Another one, which asks only which process answers. On v5 the first one may wait half a second for a pool reload,
    /// and the proof that the node serves must not wait for it.
    witness: Mutex<Option<Session>>,
    /// The last answer to a direct query: every coordinator's proof compares with it.
    identity: Mutex<Option<Identity>>,
}

/// Tells one run of a process from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    in_recovery: String,
    started: String,
}

impl Identity {
    /// From an answer to [`query::role`].
    pub(super) fn read(rows: &Rows) -> Option<Self> {
        let row = rows.first()?;
        Some(Self { in_recovery: row.get("in_recovery")?.to_owned(), started: row.get("started")?.to_owned() })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.in_recovery == "t" { Role::Standby } else { Role::Master };
        write!(f, "a {role} started at {}", self.started)
    }
}

impl<'a> ClusterAccess<'a> {
    pub(super) fn new(cluster: &'a Cluster, connections: &'a Connections, tell: &'a (dyn Fn(&Event) + Sync)) -> Self {
        let places = cluster.instances().map(|instance| (instance.id.clone(), Place::default())).collect();
        Self {
            cluster,
            connections,
            places,
            last_wal: Mutex::default(),
            flushes: Mutex::default(),
            attached: Mutex::default(),
            users: Mutex::default(),
            spellings: Vec::new(),
            probes: ProcessProbes::default(),
            notes: Mutex::default(),
            tell,
            hold: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// The declared instance. A plan names only instances of the cluster it carries; one that does not was
    /// edited by hand.
    pub(super) fn instance(&self, id: &InstanceId) -> Result<&'a Instance, String> {
        self.cluster.instance(id).ok_or_else(|| format!("the plan names {id}, which its cluster does not declare"))
    }

    /// Asks; a session that has died meanwhile is opened again once, for a question may be repeated.
    pub(super) async fn query(&self, id: &InstanceId, sql: &Sql, limit: Duration) -> Result<Rows, SqlError> {
        let was_open = self.is_open(id).await;
        match self.once(id, sql, limit, false).await {
            Err(error) if error.ends_session() && was_open => self.once(id, sql, limit, false).await,
            answer => answer,
        }
    }

    /// Runs a statement that changes something, exactly once.
    pub(super) async fn act(&self, id: &InstanceId, sql: &Sql, limit: Duration) -> Result<Rows, SqlError> {
        self.once(id, sql, limit, true).await
    }

    /// Asks several questions in one round trip, each in a transaction of its own; like [`Self::query`] it asks again
    /// where the session has died meanwhile.
    pub(super) async fn query_all(
        &self,
        id: &InstanceId,
        questions: &[Sql],
        limit: Duration,
    ) -> Vec<Result<Rows, SqlError>> {
        let ask = || async {
            match self.together(id, questions, limit, false).await {
                Ok(answers) => answers,
                Err(error) => questions.iter().map(|_| Err(error.clone())).collect(),
            }
        };
        let was_open = self.is_open(id).await;
        let answers = ask().await;
        if was_open && has_ended(&answers) { ask().await } else { answers }
    }

    /// Runs statements that change something in one round trip, each exactly once and in a transaction of its own; an
    /// error of the whole means that none was sent.
    pub(super) async fn act_all(
        &self,
        id: &InstanceId,
        statements: &[Sql],
        limit: Duration,
    ) -> Result<Vec<Result<Rows, SqlError>>, SqlError> {
        self.together(id, statements, limit, true).await
    }

    /// Opens the session ahead of time.
    pub(super) async fn warm(&self, id: &InstanceId) -> Result<(), SqlError> {
        let (mut slot, session) = self.take(id).await?;
        *slot = Some(session);
        Ok(())
    }

    /// Forgets the session, so that the next question opens a new one.
    pub(super) async fn forget(&self, id: &InstanceId) {
        if let Some(place) = self.places.get(id) {
            *place.session.lock().await = None;
        }
    }

    /// Returns the process that a direct connection finds. One query serves all tasks that ask at the same time; a
    /// task that doubts `doubted` asks again. `None` means that it does not answer such a query.
    pub(super) async fn identity(
        &self,
        id: &InstanceId,
        doubted: Option<&Identity>,
    ) -> Result<Option<Identity>, SqlError> {
        let place = self.places.get(id).ok_or_else(|| SqlError::NoInstance(id.clone()))?;
        let mut known = place.identity.lock().await;
        if known.is_none() || known.as_ref() == doubted {
            *known = Identity::read(&self.witness(id, &query::role()).await?);
        }
        Ok(known.clone())
    }

    /// Opens the session by which [`Self::identity`] asks ahead of time.
    pub(super) async fn warm_witness(&self, id: &InstanceId) -> Result<(), SqlError> {
        let (place, instance) = self.place(id)?;
        *place.witness.lock().await = Some(self.connections.session(instance, ASK).await?);
        Ok(())
    }

    /// Asks while the instance's session is busy.
    pub(super) async fn aside(&self, id: &InstanceId, sql: &Sql) -> Result<Rows, SqlError> {
        self.witness(id, sql).await
    }

    /// Asks in the session of the witness; one that has died meanwhile is opened again once.
    async fn witness(&self, id: &InstanceId, sql: &Sql) -> Result<Rows, SqlError> {
        let (place, instance) = self.place(id)?;
        let mut slot = place.witness.lock().await;
        if let Some(session) = slot.take() {
            let answer = session.query(sql, ASK).await;
            if !answer.as_ref().is_err_and(SqlError::ends_session) {
                *slot = Some(session);
                return answer;
            }
        }
        let session = self.connections.session(instance, ASK).await?;
        let answer = session.query(sql, ASK).await;
        if !answer.as_ref().is_err_and(SqlError::ends_session) {
            *slot = Some(session);
        }
        answer
    }

    fn place(&self, id: &InstanceId) -> Result<(&Place, &'a Instance), SqlError> {
        self.places.get(id).zip(self.cluster.instance(id)).ok_or_else(|| SqlError::NoInstance(id.clone()))
    }

    pub(super) async fn remember_last_wal(&self, id: &InstanceId, last: LastWal) {
        self.last_wal.lock().await.insert(id.clone(), last);
    }

    pub(super) async fn forget_last_wal(&self, id: &InstanceId) {
        self.last_wal.lock().await.remove(id);
    }

    pub(super) async fn remembered_last_wal(&self, id: &InstanceId) -> Option<LastWal> {
        self.last_wal.lock().await.get(id).copied()
    }

    pub(super) async fn note(&self, text: String) {
        self.notes.lock().await.push(text);
    }

    /// The notes since the last call.
    pub(super) async fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().await)
    }

    pub(super) async fn remember_flush(&self, gtm: &InstanceId, position: Lsn) {
        self.flushes.lock().await.insert(gtm.clone(), position);
    }

    pub(super) async fn remembered_flush(&self, gtm: &InstanceId) -> Option<Lsn> {
        self.flushes.lock().await.get(gtm).copied()
    }

    /// Returns where the log of a GTM standby's master was when this run first observed the standby as attached; if
    /// that is now, records it.
    pub(super) async fn attached_at(&self, standby: &InstanceId, now: Lsn) -> Lsn {
        *self.attached.lock().await.entry(standby.clone()).or_insert(now)
    }

    /// A standby that starts again attaches again.
    pub(super) async fn forget_attached(&self, standby: &InstanceId) {
        self.attached.lock().await.remove(standby);
    }

    pub(super) fn know(&mut self, seen: &Observation) {
        self.users = Mutex::new(seen.replication_users());
        self.spellings.clone_from(&seen.spellings);
    }

    pub(super) async fn remember_user(&self, standby: &InstanceId, user: String) {
        self.users.lock().await.insert(standby.clone(), user);
    }

    pub(super) async fn remembered_user(&self, standby: &InstanceId) -> Option<String> {
        self.users.lock().await.get(standby).cloned()
    }

    /// Whether this run has seen the end of the process, in the same script that stopped it.
    pub(super) async fn has_stopped(&self, id: &InstanceId) -> bool {
        self.remembered_last_wal(id).await.is_some() || self.remembered_flush(id).await.is_some()
    }

    /// Runs a script on the instance's server.
    pub(super) async fn shell(&self, id: &InstanceId, script: &str, limit: Duration) -> Result<Output, ShellError> {
        self.connections.shells.run_short(&id.server, script, limit).await
    }

    /// Runs a script that only looks; where contact is lost it looks once more.
    pub(super) async fn look(&self, id: &InstanceId, script: &str, limit: Duration) -> Result<Output, ShellError> {
        match self.shell(id, script, limit).await {
            Err(ShellError::Lost { .. }) => self.shell(id, script, limit).await,
            answer => answer,
        }
    }

    async fn is_open(&self, id: &InstanceId) -> bool {
        match self.places.get(id) {
            Some(place) => place.session.lock().await.is_some(),
            None => false,
        }
    }

    /// The session to an instance, opened if there is none, and its place: it is put back there unless it has ended.
    async fn take(&self, id: &InstanceId) -> Result<(MutexGuard<'_, Option<Session>>, Session), SqlError> {
        let (place, instance) = self.place(id)?;
        let mut slot = place.session.lock().await;
        let session = match slot.take() {
            Some(session) => session,
            None => self.open(instance).await?,
        };
        Ok((slot, session))
    }

    /// Opens a session whose commits wait for no standby: one that comes back only later would hold up the very steps that
    /// bring it back (seen live: ALTER NODE on a new master).
    async fn open(&self, instance: &Instance) -> Result<Session, SqlError> {
        let session = self.connections.session(instance, ASK).await?;
        session.query(&local_commits(), ASK).await?;
        Ok(session)
    }

    async fn together(
        &self,
        id: &InstanceId,
        statements: &[Sql],
        limit: Duration,
        acts: bool,
    ) -> Result<Vec<Result<Rows, SqlError>>, SqlError> {
        let (mut slot, session) = self.take(id).await?;
        let answers =
            if acts { session.act_all(statements, limit).await } else { session.query_all(statements, limit).await };
        if !has_ended(&answers) {
            *slot = Some(session);
        }
        Ok(answers)
    }

    async fn once(&self, id: &InstanceId, sql: &Sql, limit: Duration, acts: bool) -> Result<Rows, SqlError> {
        let (mut slot, session) = self.take(id).await?;
        let answer = if acts { session.act(sql, limit).await } else { session.query(sql, limit).await };
        if !answer.as_ref().is_err_and(SqlError::ends_session) {
            *slot = Some(session);
        }
        answer
    }
}

/// Whether the session that gave `answers` is over.
fn has_ended(answers: &[Result<Rows, SqlError>]) -> bool {
    answers.iter().any(|answer| answer.as_ref().is_err_and(SqlError::ends_session))
}
