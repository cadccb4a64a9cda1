//! Telling the routers.

use std::time::{Duration, Instant};

use super::Failed;
use crate::apply::condition::Found;
use crate::apply::field::{ASK, Field};
use crate::dialect::{self, Sql};
use crate::model::{Endpoint, InstanceId, NodeKind, NodeName, RouteChange};
use crate::transport::SqlError;

/// ALTER NODE takes AccessExclusiveLock on pgxc_node and waits behind any open transaction that has read it;
/// meanwhile new logins hang and live sessions fail (seen live): try briefly, and again.
const LOCK_TIMEOUT_MS: u32 = 300;

/// How long to stand back after that, so that those who queued get through.
const STAND_BACK: Duration = Duration::from_millis(100);

/// How often a pool reload is asked for within its limit, should it not answer.
const RELOADS: u32 = 3;

/// `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// One autocommit ALTER NODE per row, on the session that stays open.
pub(super) async fn reroute(
    router: &InstanceId,
    routes: &[RouteChange],
    limit: Duration,
    field: &Field<'_>,
) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    field.query(router, &dialect::lock_timeout(LOCK_TIMEOUT_MS), ASK).await?;
    for change in routes {
        alter(router, &statement(change), deadline, field).await?;
    }
    Ok(())
}

fn statement(change: &RouteChange) -> Sql {
    // On v2.6 the GTM's row is changed by a statement of its own.
    match change.kind {
        NodeKind::Gtm => dialect::alter_gtm_node(&change.node, &change.to),
        NodeKind::Coordinator | NodeKind::Datanode => dialect::alter_node(&change.node, &change.to, change.forward),
    }
}

async fn alter(router: &InstanceId, sql: &Sql, deadline: Instant, field: &Field<'_>) -> Result<(), Failed> {
    loop {
        match field.act(router, sql, ASK).await {
            Ok(_) => return Ok(()),
            Err(error) if is_locked(&error) && Instant::now() < deadline => tokio::time::sleep(STAND_BACK).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_locked(error: &SqlError) -> bool {
    error.server().is_some_and(|server| server.sqlstate == LOCK_NOT_AVAILABLE)
}

/// One reload per router and run; on v2.6 it ends no session, on v5 it does (field notes, section 3).
///
/// It goes round without an end as long as the pooler does not agree with pgxc_node (poolutils.c), and was seen not to
/// come back in 30 s: what has not answered in a part of the time is left to itself and asked for again in a session
/// of its own. A second one does no harm.
pub(super) async fn reload(router: &InstanceId, limit: Duration, field: &Field<'_>) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    let rows = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match field.act(router, &dialect::pool_reload(), left.min(limit / RELOADS)).await {
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

/// Whether the router's row of `node` is as wanted, read back.
pub(in crate::apply) async fn routed(
    router: &InstanceId,
    node: &NodeName,
    to: &Endpoint,
    forward: Option<u16>,
    field: &Field<'_>,
) -> Result<Found, String> {
    let rows = field
        .query(router, &dialect::query::route_of(node, forward.is_some()), ASK)
        .await
        .map_err(|error| error.to_string())?;
    let Some(row) = rows.first() else { return Ok(Found::Fails(format!("{router} has no row for {node}"))) };
    let (host, port) = (row.get("node_host").unwrap_or_default(), row.get("node_port").unwrap_or_default());
    let forwards = row.get("node_forward_port").unwrap_or_default();
    let forward_is_right = forward.is_none_or(|wanted| forwards == wanted.to_string());
    Ok(match host == to.host.as_str() && port == to.port.to_string() {
        true if forward_is_right => Found::Holds,
        true => Found::Fails(format!("{router} routes {node} with the forward port {forwards}")),
        false => Found::Fails(format!("{router} routes {node} to {host}:{port}")),
    })
}
