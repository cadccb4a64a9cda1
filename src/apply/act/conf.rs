//! The file that makes an instance start as a standby: recovery.conf, or of a GTM gtm.conf.

use super::{Failed, run_all};
use crate::apply::cluster_access::{ASK, ClusterAccess};
use crate::model::{Instance, InstanceId, NodeKind};
use crate::opentenbase::command;
use crate::opentenbase::{self, Command};

/// Writes at `path` what makes `id` a standby of `upstream` at its next start.
pub(super) async fn standby_of(
    id: &InstanceId,
    upstream: &InstanceId,
    fence: bool,
    path: &str,
    access: &ClusterAccess<'_>,
) -> Result<Command, Failed> {
    let instance = access.instance(id)?;
    Ok(match instance.kind {
        NodeKind::Gtm => {
            let lines = opentenbase::gtm_standby_lines(&access.instance(upstream)?.endpoint, fence);
            command::rewrite_gtm_conf(instance, &lines, path)
        }
        NodeKind::Coordinator | NodeKind::Datanode => {
            let text = recovery_conf(id, upstream, fence, access).await?;
            // The server looks for recovery.conf: that is there as a whole or not at all.
            let is_draft = path == opentenbase::staged_fence(instance);
            if is_draft { command::write_draft(path, &text) } else { opentenbase::write_recovery_conf(path, &text) }
        }
    })
}

/// recovery.conf for `id` below `upstream`, as the replication user that the node's own standby uses.
pub(super) async fn recovery_conf(
    id: &InstanceId,
    upstream: &InstanceId,
    fence: bool,
    access: &ClusterAccess<'_>,
) -> Result<String, Failed> {
    let master = access.instance(upstream)?;
    let user = match access.remembered_user(upstream).await {
        Some(user) => user,
        None => replication_user(master, access).await,
    };
    let name = opentenbase::standby_name(id);
    if fence {
        return Ok(opentenbase::recovery_conf(&master.endpoint, &user, &name, true));
    }
    // A standby's own settings stay. It is not rebuilt from what cannot be read.
    let own = run_all(id, &[opentenbase::read_recovery_file(access.instance(id)?)], ASK, access).await?;
    Ok(opentenbase::retargeted(&own.text, &master.endpoint, &user, &name))
}

async fn replication_user(master: &Instance, access: &ClusterAccess<'_>) -> String {
    let read = run_all(&master.id, &[opentenbase::read_replication_conf(master)], ASK, access).await;
    match read.ok().and_then(|output| opentenbase::replication_user(&output.text)) {
        Some(user) => {
            access.remember_user(&master.id, user.clone()).await;
            user
        }
        None => access.cluster.connection.user.clone(),
    }
}
