//! A command that leads to the server: into a container, over a jump host.

use super::ShellError;
use super::local;
use super::process::Started;
use crate::model::ServerName;

/// Exit statuses that such a command uses for its own failures (docker exec: 125 to 127; ssh, kubectl: 255) mean "who
/// knows", as ssh's own does.
const ITS_OWN: [i32; 4] = [125, 126, 127, 255];

/// Starts `words` behind `command`, which must hand them on unchanged, and with them standard input and its end.
pub(super) fn start(server: &ServerName, command: &[String], words: &[String]) -> Result<Started, ShellError> {
    let started = local::start(server, &[command, words].concat())?;
    let wait = async move { started.wait.await.filter(|status| !ITS_OWN.contains(status)) };
    Ok(Started { wait: Box::pin(wait), stdin: started.stdin, stdout: started.stdout, stderr: started.stderr })
}
