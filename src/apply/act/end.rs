//! The end of a process that hangs, and how far its WAL goes.

use std::time::Duration;

use super::{Failed, run_all};
use crate::apply::cluster_access::{ASK, ClusterAccess, LastWal};
use crate::apply::condition;
use crate::model::InstanceId;
use crate::opentenbase;
use crate::opentenbase::command::{self, Patience};

/// How long pg_waldump may read.
const READ: Duration = Duration::from_secs(30);

/// Ends the process and moves the staged fence into its place, in one round trip.
pub(super) async fn end(id: &InstanceId, limit: Duration, access: &ClusterAccess<'_>) -> Result<(), Failed> {
    let instance = access.instance(id)?;
    let fence = command::rename(&opentenbase::staged_fence(instance), &opentenbase::recovery_path(instance));
    run_all(id, &[command::end(instance), fence], limit, access).await?;
    access.forget(id).await;
    access.forget_last_wal(id).await;
    Ok(())
}

/// The WAL that a standby must have replayed after a coordinator or datanode stopped: its shutdown checkpoint, or all
/// WAL of one that did not stop cleanly.
pub(in crate::apply) async fn last_wal(source: &InstanceId, access: &ClusterAccess<'_>) -> Result<LastWal, String> {
    if let Some(last) = access.remembered_last_wal(source).await {
        return Ok(last);
    }
    let control = condition::control(source, access).await?;
    let last = if control.state.is_clean() {
        LastWal::Record(control.checkpoint)
    } else {
        let instance = access.instance(source)?;
        let read = command::end_of_wal(instance, &control, Patience::from(READ));
        let output = run_all(source, &[read], READ + ASK, access).await.map_err(|failed| failed.to_string())?;
        let end = opentenbase::read_end_of_wal(&output.text, &control);
        LastWal::End(end.map_err(|why| format!("the WAL of {source}: {why}"))?)
    };
    access.remember_last_wal(source, last).await;
    Ok(last)
}
