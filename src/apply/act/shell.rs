//! Commands on an instance's server, one after the other in one shell, one such shell at a time.

use std::time::Duration;

use super::Failed;
use crate::apply::cluster_access::ClusterAccess;
use crate::model::InstanceId;
use crate::opentenbase::command::Patience;
use crate::opentenbase::{Command, Script, sanitize_for_display};
use crate::transport::Output;

/// A shell's exit status above this one means that a signal ended the command.
const KILLED: i32 = 128;

/// What a shell adds to the time limit of its commands, because the connection may be slow.
const SLACK: Duration = Duration::from_secs(5);

/// Runs `commands` in order until one fails; an exit status other than 0 is a failure with what it said.
pub(in crate::apply) async fn run_all(
    id: &InstanceId,
    commands: &[Command],
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<Output, Failed> {
    let begin = Script::alone_at(access.instance(id)?, Patience::from(limit));
    let script = commands.iter().fold(begin, Script::then);
    let output = access.shell(id, script.as_str(), limit + SLACK).await?;
    if output.is_success() {
        return Ok(output);
    }
    let said = sanitize_for_display(output.said());
    let why = format!("on {} the command ended with exit code {} and printed: {said}", id.server, output.status);
    // Killed, it may have done its work, or have set it going.
    Err(if output.status > KILLED { Failed::Unknown(why) } else { Failed::NotDone(why) })
}

/// Waits until no script of an earlier step runs any more for `id`: what is seen afterwards stays so.
pub(in crate::apply) async fn settle(
    id: &InstanceId,
    limit: Duration,
    access: &ClusterAccess<'_>,
) -> Result<(), Failed> {
    run_all(id, &[], limit, access).await.map(drop)
}
