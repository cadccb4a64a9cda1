//! Making an instance a standby of the new master.

use std::time::Duration;

use super::{Failed, run_all};
use crate::apply::field::{ASK, Field};
use crate::dialect;
use crate::dialect::command::{self, Patience};
use crate::model::InstanceId;
use crate::plan::{RejoinMethod, START};

pub(super) async fn rejoin(
    id: &InstanceId,
    upstream: &InstanceId,
    method: RejoinMethod,
    limit: Duration,
    field: &Field<'_>,
) -> Result<(), Failed> {
    if method == RejoinMethod::Reconnect {
        return Ok(());
    }
    let text = recovery_conf(id, upstream, false, field).await?;
    let instance = field.instance(id)?;
    let write = command::write_file(&dialect::recovery_path(instance), &text);
    let start = command::start(instance, Patience::from(START));
    let commands = match method {
        RejoinMethod::Reconnect => Vec::new(),
        RejoinMethod::InPlace => vec![write, start],
        RejoinMethod::Repoint => vec![write, command::stop(instance, Patience::from(START)), start],
        RejoinMethod::BaseBackup | RejoinMethod::Replace => {
            let master = field.instance(upstream)?;
            let copy = dialect::rebuild(instance, &master.endpoint, &field.cluster.connection.user, &text);
            let stop = (method == RejoinMethod::Replace).then(|| command::stop(instance, Patience::from(START)));
            stop.into_iter().chain(copy).chain([start]).collect()
        }
    };
    field.forget(id).await;
    run_all(id, &commands, limit, field).await?;
    Ok(())
}

/// recovery.conf for `id` below `upstream`, as the replication user that the node's own standby uses.
pub(super) async fn recovery_conf(
    id: &InstanceId,
    upstream: &InstanceId,
    fence: bool,
    field: &Field<'_>,
) -> Result<String, Failed> {
    let master = field.instance(upstream)?;
    let read = run_all(upstream, &[dialect::read_recovery_files(master)], ASK, field).await;
    let known = read.ok().and_then(|output| dialect::replication_user(&output.stdout));
    let user = known.unwrap_or_else(|| field.cluster.connection.user.clone());
    Ok(dialect::recovery_conf(&master.endpoint, &user, &format!("{}_{}", id.node, id.server), fence))
}
