//! Checks a condition against the live cluster, once or until it holds.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;

use super::act::run_all;
use super::cluster_access::{ASK, ClusterAccess, LastWal};
use super::process_probes;
use super::proof::CoordinatorReachability;
use crate::model::{Condition, Control, Fact, Instance, InstanceId, Lsn, NodeKind, Process, Role, UnknownKind};
use crate::opentenbase::{self, Probe, StandbyConf, Tools, command, query};
use crate::transport::{Rows, SqlError, accepts, ask_gtm};

/// How long a SELECT may take that SHOW can stand in for.
const BRIEFLY: Duration = Duration::from_secs(1);

/// The first pause of a wait; each is twice as long as the one before.
const AT_FIRST: Duration = Duration::from_millis(10);

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Holds,
    /// It does not hold; what holds instead.
    Fails(String),
    /// It could not be learned.
    Unknown(String),
}

impl Found {
    fn when(holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        if holds { Self::Holds } else { Self::Fails(otherwise()) }
    }
}

/// The first of `conditions` that does not hold.
pub(super) async fn first_unmet(conditions: &[Condition], access: &ClusterAccess<'_>) -> Option<(Condition, Found)> {
    let found = check_all(conditions, access).await;
    conditions.iter().cloned().zip(found).find(|(_, found)| *found != Found::Holds)
}

/// How long a condition is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub limit: Duration,
    /// Given up sooner, if for so long nothing at all could be learned.
    pub blind: Duration,
    /// How often it is asked for, after a while; more often at first, for most of what is waited for comes at once.
    pub every: Duration,
}

impl Wait {
    /// `limit`, whatever is found until then.
    pub(super) fn until(limit: Duration, every: Duration) -> Self {
        Self { limit, blind: limit, every }
    }
}

/// Asks again and again until `condition` holds or the wait is over; gives what was found last.
pub(super) async fn wait(condition: &Condition, access: &ClusterAccess<'_>, wait: Wait) -> Found {
    let unmet = wait_for_all(vec![condition.clone()], access, wait).await;
    unmet.map_or(Found::Holds, |(_, found)| found)
}

/// The same of several conditions side by side: the first that did not hold when the wait was over. One that has held
/// once is not asked for again.
pub(super) async fn wait_for_all(
    mut open: Vec<Condition>,
    access: &ClusterAccess<'_>,
    wait: Wait,
) -> Option<(Condition, Found)> {
    let began = Instant::now();
    let (mut seen, mut pause) = (began, wait.every.min(AT_FIRST));
    loop {
        let found = check_all(&open, access).await;
        if !found.iter().all(|found| matches!(found, Found::Unknown(_))) {
            seen = Instant::now();
        }
        let mut unmet: Vec<(Condition, Found)> =
            open.into_iter().zip(found).filter(|(_, found)| *found != Found::Holds).collect();
        if unmet.is_empty() || began.elapsed() >= wait.limit || seen.elapsed() >= wait.blind {
            return (!unmet.is_empty()).then(|| unmet.swap_remove(0));
        }
        open = unmet.into_iter().map(|(condition, _)| condition).collect();
        sleep(pause).await;
        pause = wait.every.min(pause * 2);
    }
}

/// Asks once.
pub(super) async fn check(condition: &Condition, access: &ClusterAccess<'_>) -> Found {
    let conditions = std::slice::from_ref(condition);
    check_by(condition, &CoordinatorReachability::ask(conditions, access).await, access).await
}

/// Asks once for each, side by side.
async fn check_all(conditions: &[Condition], access: &ClusterAccess<'_>) -> Vec<Found> {
    let through = CoordinatorReachability::ask(conditions, access).await;
    join_all(conditions.iter().map(|condition| check_by(condition, &through, access))).await
}

async fn check_by(condition: &Condition, through: &CoordinatorReachability, access: &ClusterAccess<'_>) -> Found {
    let found = match condition {
        Condition::Runs { instance, role } => runs(instance, *role, access).await,
        Condition::Hangs { instance } => hangs(instance, access).await,
        Condition::Stopped { instance } => stopped(instance, access).await,
        Condition::CleanlyStopped { instance } => cleanly_stopped(instance, access).await,
        Condition::Fenced { instance, upstream } => fenced(instance, upstream, access).await,
        Condition::ReplayedAll { standby, source } => replayed_all(standby, source, access).await,
        Condition::ReplayedTo { standby, position, .. } => replayed_to(standby, *position, access).await,
        Condition::Routed { router, routes } => super::act::routed(router, routes, access).await,
        Condition::Forwards { instance, port } => forwards(instance, *port, access).await,
        Condition::GetsTimestamp { router } => super::proof::gets_timestamp(router, access).await,
        Condition::PoolAgrees { router } => pool_agrees(router, access).await,
        Condition::Reached { coordinator, instance } => through.reached(coordinator, instance, access).await,
        Condition::Settled { masters } => super::act::settled(masters, access).await,
        Condition::Synchronous { master, standbys } => super::act::synchronous(master, *standbys, access).await,
        Condition::Streams { standby, upstream } => super::proof::streams(standby, upstream, access).await,
    };
    found.unwrap_or_else(Found::Unknown)
}

/// Returns the role of a running process. A master without a GTM cannot answer a SELECT: it fails, or gets no answer
/// if the GTM's server drops packets. It answers SHOW: sessions of this run are read-only on standbys only
/// (opentenbase-v2.6-live.md, "GTM"). So otb does not wait long for the SELECT, because this happens inside the write
/// gap.
pub(super) async fn role_of(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<Role, SqlError> {
    let rows = match access.query(id, &query::role(), BRIEFLY).await {
        Err(error) if may_want_a_timestamp(&error) => {
            let shown = access.query(id, &query::read_only(), ASK).await?;
            return Ok(if shown.single() == Some("off") { Role::Master } else { Role::Standby });
        }
        answer => answer?,
    };
    role_in(&rows).ok_or_else(|| match access.cluster.instance(id) {
        Some(instance) => SqlError::Unreadable {
            at: instance.endpoint.clone(),
            why: "pg_is_in_recovery() returned \
            no value"
                .to_owned(),
        },
        None => SqlError::NoInstance(id.clone()),
    })
}

fn role_in(rows: &Rows) -> Option<Role> {
    match rows.first()?.get("in_recovery")? {
        "t" => Some(Role::Standby),
        "f" => Some(Role::Master),
        _ => None,
    }
}

fn may_want_a_timestamp(error: &SqlError) -> bool {
    match error {
        SqlError::Server(error) => opentenbase::is_want_of_timestamp(&error.sqlstate, &error.message),
        SqlError::TimedOut { .. } => true,
        _ => false,
    }
}

async fn runs(id: &InstanceId, role: Role, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let instance = access.instance(id)?;
    let is = if instance.kind == NodeKind::Gtm {
        ask_gtm(&instance.endpoint, ASK).await.map_err(|e| e.to_string())?.role
    } else {
        role_of(id, access).await.map_err(|e| e.to_string())?
    };
    Ok(Found::when(is == role, || format!("{id} runs as {is}")))
}

/// Whether the process is there and does not answer. A refusal or an error is an answer.
async fn hangs(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let instance = access.instance(id)?;
    let (role, kind, why) = if instance.kind == NodeKind::Gtm {
        match ask_gtm(&instance.endpoint, ASK).await {
            Ok(status) => (Some(status.role), None, String::new()),
            Err(error) => (None, Some(error.kind()), error.to_string()),
        }
    } else {
        match role_of(id, access).await {
            Ok(role) => (Some(role), None, String::new()),
            Err(error) => (None, Some(error.kind()), error.to_string()),
        }
    };
    match (role, kind) {
        (Some(role), _) => Ok(Found::Fails(format!("{id} answers and runs as {role}"))),
        (None, Some(UnknownKind::TimedOut)) => match &process_probes::process(id, access).await?.process {
            Fact::Known(process) => {
                Ok(Found::when(*process == Process::Running, || format!("{id} is {}", process.word())))
            }
            Fact::Unknown(why) => Err(why.to_string()),
        },
        _ => Ok(Found::Fails(why)),
    }
}

/// If a server is in another PID namespace than otb's shell, its pid file names no process or a foreign one. So no
/// process may accept connections on its port either. (A GTM that has ended keeps its port for two more seconds.)
async fn stopped(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let found = is_stopped(id, &process_probes::process(id, access).await?)?;
    let instance = access.instance(id)?;
    if found == Found::Holds && instance.kind.is_router() && accepts(&instance.endpoint, BRIEFLY).await {
        let at = &instance.endpoint;
        return Ok(Found::Fails(format!(
            "{id} has no process by its pid file, but a process accepts connections on \
            {at}"
        )));
    }
    Ok(found)
}

fn is_stopped(id: &InstanceId, probe: &Probe) -> Result<Found, String> {
    match &probe.process {
        Fact::Known(process) => Ok(Found::when(*process == Process::Stopped, || format!("{id} is running"))),
        Fact::Unknown(why) => Err(why.to_string()),
    }
}

/// The control file of a process, read over the shell.
pub(super) async fn control(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<Control, String> {
    let instance = access.instance(id)?;
    let output =
        run_all(id, &[command::controldata(instance)], ASK, access).await.map_err(|failed| failed.to_string())?;
    opentenbase::read_control(&output.text).map_err(|why| format!("pg_controldata of {id}: {why}"))
}

async fn cleanly_stopped(id: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let probe = process_probes::alone(id, Tools::All, access).await?;
    let stopped = is_stopped(id, &probe)?;
    if stopped != Found::Holds || access.instance(id)?.kind == NodeKind::Gtm {
        return Ok(stopped);
    }
    let state = match probe.control {
        Fact::Known(control) => control.state,
        Fact::Unknown(why) => return Err(format!("pg_controldata of {id}: {why}")),
    };
    Ok(Found::when(state.is_clean(), || format!("{id} is stopped, but not cleanly: {}", state.words())))
}

async fn fenced(id: &InstanceId, upstream: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let (instance, upstream) = (access.instance(id)?, access.instance(upstream)?);
    let conf = starts_as(instance, ASK, access).await?;
    Ok(Found::when(conf.standby && conf.upstream.as_ref() == Some(&upstream.endpoint), || {
        let path = opentenbase::recovery_path(instance);
        format!("{path} of {id} does not make it a standby of {}", upstream.endpoint)
    }))
}

/// Returns what the instance would start as, by its own files.
pub(super) async fn starts_as(
    instance: &Instance,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<StandbyConf, String> {
    let read = [opentenbase::read_recovery_file(instance)];
    let output = run_all(&instance.id, &read, limit, access).await.map_err(|failed| failed.to_string())?;
    Ok(match instance.kind {
        NodeKind::Gtm => opentenbase::read_gtm_conf(&output.text),
        NodeKind::Coordinator | NodeKind::Datanode => opentenbase::read_recovery_conf(&output.text),
    })
}

/// A standby has the shutdown checkpoint once it has replayed beyond the record's beginning.
async fn replayed_all(standby: &InstanceId, source: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    if access.instance(standby)?.kind == NodeKind::Gtm {
        return match access.remembered_flush(source).await {
            Some(position) => flushed(standby, position, access).await,
            None => Err(format!("otb did not read the flush position of {source} before it stopped")),
        };
    }
    let last = super::act::last_wal(source, access).await?;
    Ok(match replay(standby, access).await? {
        (Role::Master, _) => Found::Fails(format!("{standby} runs as master")),
        (Role::Standby, replayed) => Found::when(last.is_held_by(replayed), || behind(standby, replayed, last)),
    })
}

/// A promotion ends what is proved here, so a master has not replayed it.
async fn replayed_to(standby: &InstanceId, position: Lsn, access: &ClusterAccess<'_>) -> Result<Found, String> {
    Ok(match replay(standby, access).await? {
        (Role::Master, _) => Found::Fails(format!("{standby} runs as master")),
        (Role::Standby, replayed) => Found::when(replayed >= position, || {
            format!("{standby} has replayed to {replayed}, but the WAL ends at {position}")
        }),
    })
}

/// Returns an instance's role and how far it has replayed.
pub(super) async fn replay(copy: &InstanceId, access: &ClusterAccess<'_>) -> Result<(Role, Lsn), String> {
    let rows = access.query(copy, &query::replayed(), ASK).await.map_err(|e| e.to_string())?;
    let row = rows.first();
    let replayed = row.and_then(|row| row.get("replayed")?.parse().ok());
    let replayed = replayed.ok_or_else(|| format!("{copy} did not report how far it has replayed"))?;
    let role = role_in(&rows).ok_or_else(|| format!("{copy} did not report whether it is in recovery"))?;
    Ok((role, replayed))
}

/// Says that a standby has not replayed what its master wrote last.
pub(super) fn behind(standby: &InstanceId, replayed: Lsn, last: LastWal) -> String {
    format!("{standby} has replayed to {replayed}, {last}")
}

/// Whether a GTM standby holds the log up to `position`, where its master was just before it stopped.
pub(super) async fn flushed(standby: &InstanceId, position: Lsn, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let status = ask_gtm(&access.instance(standby)?.endpoint, ASK).await.map_err(|error| error.to_string())?;
    Ok(Found::when(status.flushed >= position, || {
        format!("{standby} has flushed to {}, but its master was at {position}", status.flushed)
    }))
}

/// Whether a process of the server listens on the port. Asked of the server: a connection of otb's would be a client that
/// the forward process does not expect.
async fn forwards(id: &InstanceId, port: u16, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let output = run_all(id, &[opentenbase::listening()], ASK, access).await.map_err(|failed| failed.to_string())?;
    let listeners = opentenbase::read_listeners(&output.text)
        .ok_or_else(|| format!("could not find out from /proc/net/tcp which process listens on {}", id.server))?;
    Ok(Found::when(listeners.iter().any(|listener| listener.port == port), || {
        format!("no process listens on port {port} of {}: read the log of {id}", id.server)
    }))
}

async fn pool_agrees(router: &InstanceId, access: &ClusterAccess<'_>) -> Result<Found, String> {
    let rows = access.query(router, &query::pool_check(), ASK).await.map_err(|e| e.to_string())?;
    Ok(Found::when(rows.single() == Some("t"), || format!("pgxc_pool_check() on {router} returned f")))
}
