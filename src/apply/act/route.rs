//! Telling the routers.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Failed;
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::apply::condition::Found;
use crate::model::{InstanceId, NodeKind, NodeName, RouteChange};
use crate::opentenbase::{self, Sql};
use crate::transport::{Row, Rows, SqlError};

/// ALTER NODE takes AccessExclusiveLock on pgxc_node and waits behind any open transaction that has read it;
/// meanwhile new logins hang and live sessions fail (seen live): try briefly, and again.
const LOCK_TIMEOUT_MS: u32 = 300;

/// How long to stand back after that, so that those who queued get through.
const STAND_BACK: Duration = Duration::from_millis(100);

/// How often a pool reload is asked for within its limit, should it not answer.
const RELOADS: u32 = 3;

/// `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How many statements travel together: a reader that holds the lock keeps new logins waiting for the lock_timeout of
/// each.
const TOGETHER: usize = 32;

/// One autocommit ALTER NODE per row, on the session that stays open. The first goes with nothing but the lock_timeout
/// before it and shows that the lock can be had; the others travel together, each still in a transaction of its own.
/// Those that did not get the lock are sent again.
pub(super) async fn reroute(
    router: &InstanceId,
    routes: &[RouteChange],
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    let differing = differing(router, routes, access).await;
    if differing.is_empty() {
        return Ok(());
    }
    let setting = opentenbase::lock_timeout(LOCK_TIMEOUT_MS);
    let mut open: VecDeque<Sql> = std::iter::once(setting).chain(differing.into_iter().map(statement)).collect();
    let mut together = 2;
    while !open.is_empty() {
        let batch: Vec<Sql> = open.drain(..together.min(open.len())).collect();
        let locked = alter(router, &batch, deadline, access).await?;
        together = if locked.is_empty() { TOGETHER } else { 1 };
        if !locked.is_empty() {
            tokio::time::sleep(STAND_BACK).await;
        }
        locked.into_iter().rev().for_each(|sql| open.push_front(sql));
    }
    Ok(())
}

/// Returns the rows to send. For rows that were read these are the ones that differ now; a router with another GTM's
/// address cannot read them, and then these are all rows.
async fn differing<'a>(
    router: &InstanceId,
    routes: &'a [RouteChange],
    access: &ClusterAccess<'_>,
) -> Vec<&'a RouteChange> {
    if !routes.iter().any(|change| change.unread) {
        return routes.iter().collect();
    }
    match rows(router, routes, access).await {
        Ok(found) => {
            let rows = by_name(&found);
            let differs = |change: &&RouteChange| {
                !change.unread || otherwise(router, change, rows.get(change.node.as_str())).is_some()
            };
            routes.iter().filter(differs).collect()
        }
        Err(_) => routes.iter().collect(),
    }
}

fn statement(change: &RouteChange) -> Sql {
    // On v2.6 the GTM's row is changed by a statement of its own.
    match change.kind {
        NodeKind::Gtm => opentenbase::alter_gtm_node(&change.node, &change.to),
        NodeKind::Coordinator | NodeKind::Datanode => opentenbase::alter_node(&change.node, &change.to, change.forward),
    }
}

/// Sends `batch` and returns the rows that did not get the lock while there is time to try again. If several fail in
/// another way, reports the first failure, by its text.
async fn alter(
    router: &InstanceId,
    batch: &[Sql],
    deadline: Instant,
    access: &ClusterAccess<'_>,
) -> Result<Vec<Sql>, Failed> {
    let waits = Duration::from_millis(LOCK_TIMEOUT_MS.into()) * u32::try_from(batch.len()).unwrap_or(u32::MAX);
    let answers = access.act_all(router, batch, ASK + waits).await?;
    let mut locked = Vec::new();
    for (sql, answer) in batch.iter().zip(answers) {
        match answer {
            Ok(_) => {}
            Err(error) if is_locked(&error) && Instant::now() < deadline => locked.push(sql.clone()),
            Err(error) if error.is_outcome_unknown() => return Err(Failed::Unknown(format!("`{sql}`: {error}"))),
            Err(error) => return Err(Failed::NotDone(format!("`{sql}`: {error}"))),
        }
    }
    Ok(locked)
}

/// Somebody else holds the lock, or has just changed the same row: nothing was done, and the next try may work.
fn is_locked(error: &SqlError) -> bool {
    error.server().is_some_and(|server| {
        server.sqlstate == LOCK_NOT_AVAILABLE || opentenbase::is_concurrent_update(&server.sqlstate, &server.message)
    })
}

/// One reload per router and run; on v2.6 it ends no session, on v5 it does (opentenbase-v2.6-live.md, "Routes and poolers").
///
/// It goes round without an end as long as the pooler does not agree with pgxc_node (poolutils.c), and was seen not to
/// come back in 30 s: what has not answered in a part of the time is left to itself and asked for again in a session
/// of its own. A second one does no harm.
pub(super) async fn reload(router: &InstanceId, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    let rows = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match access.act(router, &opentenbase::pool_reload(), left.min(limit / RELOADS)).await {
            Err(SqlError::Lost { .. } | SqlError::TimedOut { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(STAND_BACK).await;
            }
            answer => break answer?,
        }
    };
    match rows.single() {
        Some("t") => Ok(()),
        other => Err(Failed::NotDone(format!("pgxc_pool_reload() on {router} answered {other:?}"))),
    }
}

/// Whether the router's rows are as wanted, read back by one question.
pub(in crate::apply) async fn routed(
    router: &InstanceId,
    routes: &[RouteChange],
    access: &ClusterAccess<'_>,
) -> Result<Found, String> {
    let found = rows(router, routes, access).await?;
    let rows = by_name(&found);
    let wrong = routes.iter().find_map(|change| otherwise(router, change, rows.get(change.node.as_str())));
    Ok(wrong.map_or(Found::Holds, Found::Fails))
}

fn by_name(found: &Rows) -> HashMap<&str, Row<'_>> {
    found.iter().filter_map(|row| Some((row.get("node_name")?, row))).collect()
}

/// The router's rows of these nodes as they are.
async fn rows(router: &InstanceId, routes: &[RouteChange], access: &ClusterAccess<'_>) -> Result<Rows, String> {
    let forward = routes.iter().any(|change| change.forward.is_some());
    let nodes: Vec<&NodeName> = routes.iter().map(|change| &change.node).collect();
    let asked = access.query(router, &opentenbase::query::routes_of(&nodes, forward), ASK).await;
    asked.map_err(|error| error.to_string())
}

/// Describes how a row differs from the wanted one.
fn otherwise(router: &InstanceId, change: &RouteChange, row: Option<&Row<'_>>) -> Option<String> {
    let RouteChange { node, to, forward, .. } = change;
    let Some(row) = row else { return Some(format!("{router} has no row for {node}")) };
    let (host, port) = (row.get("node_host").unwrap_or_default(), row.get("node_port").unwrap_or_default());
    if host != to.host.as_str() || port != to.port.to_string() {
        return Some(format!("{router} routes {node} to {host}:{port}"));
    }
    let forwards = row.get("node_forward_port").unwrap_or_default();
    let right = forward.is_none_or(|wanted| forwards == wanted.to_string());
    (!right).then(|| format!("{router} routes {node} with the forward port {forwards}"))
}
