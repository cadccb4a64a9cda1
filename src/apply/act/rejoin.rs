//! Making an instance a standby of the new master.

use std::time::{Duration, Instant};

use super::conf::{recovery_conf, standby_of};
use super::{BLIND, Failed, PATIENTLY, run_all};
use crate::apply::cluster_access::ClusterAccess;
use crate::apply::condition::{self, Found, Wait};
use crate::model::{Condition, InstanceId};
use crate::opentenbase;
use crate::opentenbase::command::{self, Patience};
use crate::plan::{RejoinMethod, START};

/// With `fence` its recovery.conf keeps the mark by which a fresh plan sees that the move is not over.
pub(super) async fn rejoin(
    id: &InstanceId,
    upstream: &InstanceId,
    method: RejoinMethod,
    fence: bool,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    if method == RejoinMethod::Reconnect {
        return Ok(());
    }
    let instance = access.instance(id)?;
    let path = opentenbase::recovery_path(instance);
    let write = if fence && method == RejoinMethod::Repoint && instance.kind.is_router() {
        // A standby's own settings stay.
        let text = recovery_conf(id, upstream, false, access).await?;
        opentenbase::write_recovery_conf(&path, &opentenbase::with_fence(&text))
    } else {
        standby_of(id, upstream, fence, &path, access).await?
    };
    let keep = instance.kind.is_router().then(|| opentenbase::keep_old_recovery_conf(&path));
    let write = || keep.iter().cloned().chain([write.clone()]);
    let start = command::start_to_stay(instance, Patience::from(START));
    let commands = match method {
        RejoinMethod::Reconnect => Vec::new(),
        RejoinMethod::Unfence => write().collect(),
        RejoinMethod::InPlace => write().chain([start]).collect(),
        RejoinMethod::Repoint => write().chain([command::stop(instance, Patience::from(START)), start]).collect(),
        RejoinMethod::BaseBackup | RejoinMethod::Replace => {
            let master = access.instance(upstream)?;
            let text = recovery_conf(id, upstream, fence, access).await?;
            let copy = opentenbase::rebuild(instance, &master.endpoint, &access.cluster.connection.user, &text);
            let stop = (method == RejoinMethod::Replace).then(|| command::stop(instance, Patience::from(START)));
            stop.into_iter().chain(copy).chain([start]).collect()
        }
    };
    if method != RejoinMethod::Unfence {
        access.forget(id).await;
        access.forget_attached(id).await;
    }
    run_all(id, &commands, limit, access).await?;
    Ok(())
}

/// Waits until it is a standby as it should be; not to the end for one that says nothing because it has ended since it
/// was started. One that is silent and runs may have much to replay first.
pub(super) async fn stays(
    id: &InstanceId,
    open: Vec<Condition>,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Option<(Condition, Found)> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = Wait { limit: left, blind: BLIND, every: PATIENTLY };
        let (condition, found) = condition::wait_for_all(open.clone(), access, wait).await?;
        if !matches!(found, Found::Unknown(_)) {
            return Some((condition, found));
        }
        if condition::check(&Condition::Stopped { instance: id.clone() }, access).await == Found::Holds {
            let why = format!("the server of {id} ended after its start: read its log");
            return Some((condition, Found::Fails(why)));
        }
        if Instant::now() >= deadline {
            return Some((condition, found));
        }
    }
}
