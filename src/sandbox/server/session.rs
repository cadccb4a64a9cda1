//! Runs a session's statements against the world: waits, time limits, delays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgwire::error::ErrorInfo;

use crate::model::Lsn;
use crate::sandbox::sql::{SqlError, Value};
use crate::sandbox::world::{DiskId, GaveUp, Outcome, Ran, SessionId, Wait, millis};

use super::daemon::Daemon;
use super::parsed::Parsed;

/// Live: a GTM that accepts and never answers costs a minute, whatever statement_timeout says.
const SILENT_GTM: Duration = Duration::from_secs(60);
/// Live: three tries within a second for a statement, two seconds at a datanode's commit.
const NO_GTM: Duration = Duration::from_millis(1002);
const NO_GTM_AT_COMMIT: Duration = Duration::from_millis(2004);
/// How often a waiting statement looks again.
const POLL: Duration = Duration::from_millis(5);

/// The error as pgwire sends it.
pub(super) fn error_info(error: SqlError) -> ErrorInfo {
    let mut info = ErrorInfo::new(error.severity.word().to_owned(), error.code.to_owned(), error.message);
    info.severity_nonlocalized = Some(error.severity.word().to_owned());
    info.detail = error.detail;
    info.hint = error.hint;
    info
}

/// Runs one statement to its end. Never returns while the process hangs or its server is cut off.
pub(super) async fn run(
    daemon: &Arc<Daemon>,
    disk: DiskId,
    id: SessionId,
    parsed: &Parsed,
    params: &[Value],
    timeout: Option<Duration>,
) -> Outcome {
    daemon.slowness(disk).await;
    let began = Instant::now();
    let outcome = loop {
        daemon.gate(disk).await;
        let ran = daemon.with(|world, now| {
            world.note_query(id, &parsed.sql, now);
            world.run(id, &parsed.statement, params, now)
        });
        match ran {
            Ran::Done(outcome) => break outcome,
            Ran::Wait(wait) => {
                if let Some(why) = expired(daemon, id, wait, began.elapsed(), timeout) {
                    break daemon.with(|world, now| world.give_up(id, wait, why, now));
                }
                tokio::time::sleep(POLL).await;
            }
        }
    };
    if outcome.delay > 0 {
        tokio::time::sleep(Duration::from_millis(u64::from(outcome.delay))).await;
    }
    if !synchronised(daemon, disk, &outcome.sync, timeout).await {
        let text = "canceling statement due to statement timeout";
        return Outcome { result: Err(SqlError::new("57014", text)), ..outcome };
    }
    daemon.gate(disk).await;
    outcome
}

/// The session's setting of that name as a time; 0 is none.
pub(super) fn limit(daemon: &Arc<Daemon>, id: SessionId, name: &str) -> Option<Duration> {
    let text = daemon.with(|world, _| world.session(id).and_then(|session| session.set(name).cloned()));
    text.and_then(|text| millis(&text)).filter(|limit| *limit > 0).map(Duration::from_millis)
}

/// Why a wait ends, once its time is up. `timeout` is the statement's, as it stood when its message came.
fn expired(
    daemon: &Arc<Daemon>,
    id: SessionId,
    wait: Wait,
    waited: Duration,
    timeout: Option<Duration>,
) -> Option<GaveUp> {
    let over = |limit: Option<Duration>| limit.is_some_and(|limit| waited >= limit);
    let by_statement = || over(timeout).then_some(GaveUp::StatementTimeout);
    let patience = match wait {
        Wait::Lock if over(limit(daemon, id, "lock_timeout")) => return Some(GaveUp::LockTimeout),
        Wait::Lock | Wait::Peer => return by_statement(),
        Wait::Page => return None,
        // The timeout is only looked at when the GTM's connection is given up.
        Wait::Gtm => SILENT_GTM,
        Wait::NoGtm => NO_GTM,
        Wait::NoGtmAtCommit => NO_GTM_AT_COMMIT,
    };
    if wait != Wait::Gtm && over(timeout) {
        return Some(GaveUp::StatementTimeout);
    }
    (waited >= patience).then(|| by_statement().unwrap_or(GaveUp::OutOfPatience))
}

/// Waits without end for synchronous standbys, if any are required: statement_timeout does not end a wait in the
/// server itself. It ends a coordinator's wait for the one datanode that commits; that is still a commit, and its
/// client gets an error (both seen live). False means this.
async fn synchronised(daemon: &Arc<Daemon>, own: DiskId, wanted: &[(DiskId, Lsn)], timeout: Option<Duration>) -> bool {
    let began = Instant::now();
    let limit = match wanted {
        [(only, _)] if *only != own => timeout,
        _ => None,
    };
    for (disk, lsn) in wanted {
        while !daemon.with(|world, _| world.is_synchronised(*disk, *lsn)) {
            if limit.is_some_and(|limit| began.elapsed() >= limit) {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
    }
    true
}
