//! `sh` on this machine.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use super::ShellError;
use super::process::Started;
use crate::model::ServerName;

/// Starts `words` in a process group of its own. Whoever drops the result before its end kills that group;
/// what left it on purpose (a server started by `setsid pg_ctl start`) lives on.
pub(super) fn start(server: &ServerName, words: &[String]) -> Result<Started, ShellError> {
    let failed = |why: String| ShellError::Unreachable { server: server.clone(), why };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("no command".to_owned()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("{program} cannot be run: {error}")))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed("no pipes".to_owned()));
    };
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let wait = async move {
        let status = child.wait().await;
        group.disarm();
        status.ok().and_then(|status| status.code())
    };
    Ok(Started {
        stdin: Some(Box::new(stdin)),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        wait: Box::pin(wait),
    })
}

/// Kills the process group unless its leader was waited for.
struct Group(Option<Pid>);

impl Group {
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}
