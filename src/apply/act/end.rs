//! The end of a process that hangs, and how far its WAL goes.

use std::time::Duration;

use super::{Failed, run_all};
use crate::apply::condition;
use crate::apply::field::{ASK, Field, LastWal};
use crate::dialect;
use crate::dialect::command::{self, Patience};
use crate::model::InstanceId;

/// How long pg_waldump may read.
const READ: Duration = Duration::from_secs(30);

/// Ends the process and moves the staged fence into its place, in one round trip.
pub(super) async fn end(id: &InstanceId, limit: Duration, field: &Field<'_>) -> Result<(), Failed> {
    let instance = field.instance(id)?;
    let fence = command::rename(&dialect::staged_fence(instance), &dialect::recovery_path(instance));
    run_all(id, &[command::end(instance), fence], limit, field).await?;
    field.forget(id).await;
    field.forget_last_wal(id).await;
    Ok(())
}

/// What a standby must have replayed of a stopped coordinator or datanode: its shutdown checkpoint, or all the WAL of one
/// that did not stop cleanly.
pub(in crate::apply) async fn last_wal(source: &InstanceId, field: &Field<'_>) -> Result<LastWal, String> {
    if let Some(last) = field.remembered_last_wal(source).await {
        return Ok(last);
    }
    let control = condition::control(source, field).await?;
    let last = if control.state.is_clean() {
        LastWal::Record(control.checkpoint)
    } else {
        let instance = field.instance(source)?;
        let read = command::end_of_wal(instance, &control, Patience::from(READ));
        let output = run_all(source, &[read], READ + ASK, field).await.map_err(|failed| failed.to_string())?;
        let end = dialect::read_end_of_wal(&output.text, &control);
        LastWal::End(end.map_err(|why| format!("the WAL of {source}: {why}"))?)
    };
    field.remember_last_wal(source, last).await;
    Ok(last)
}
