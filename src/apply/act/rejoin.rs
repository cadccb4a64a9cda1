//! Making an instance a standby of the new master.

use std::time::Duration;

use super::conf::{recovery_conf, standby_of};
use super::{Failed, run_all};
use crate::apply::field::Field;
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
    let instance = field.instance(id)?;
    let write = standby_of(id, upstream, false, &dialect::recovery_path(instance), field).await?;
    let start = command::start_to_stay(instance, Patience::from(START));
    let commands = match method {
        RejoinMethod::Reconnect => Vec::new(),
        RejoinMethod::InPlace => vec![write, start],
        RejoinMethod::Repoint => vec![write, command::stop(instance, Patience::from(START)), start],
        RejoinMethod::BaseBackup | RejoinMethod::Replace => {
            let master = field.instance(upstream)?;
            let text = recovery_conf(id, upstream, false, field).await?;
            let copy = dialect::rebuild(instance, &master.endpoint, &field.cluster.connection.user, &text);
            let stop = (method == RejoinMethod::Replace).then(|| command::stop(instance, Patience::from(START)));
            stop.into_iter().chain(copy).chain([start]).collect()
        }
    };
    field.forget(id).await;
    field.forget_attached(id).await;
    run_all(id, &commands, limit, field).await?;
    Ok(())
}
