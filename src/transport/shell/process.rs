//! A process that was started on a server, near or far: its pipes, and its end.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::output::{Output, Stream};
use super::{ShellError, wrap};
use crate::model::ServerName;
use crate::opentenbase::sanitize_for_display;

pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;
pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// timeout(1) ends with 124, or is itself killed by its -k.
const TIMED_OUT: [i32; 2] = [124, 137];

/// An ssh client without its master connection connects to the host it was given, which the openssh crate calls
/// `none`. It prints this before anything was sent. If the master ended later, ssh prints an error about mux first.
const NO_CONTROL_SOCKET: &str = "ssh: Could not resolve hostname none";

/// The error of an ssh client whose connection already has sshd's MaxSessions sessions: nothing was sent.
const NO_SESSION: &str = "Session open refused by peer";

/// Whether sshd refused the session for their number.
pub(super) fn is_full(said: &str) -> bool {
    said.contains(NO_SESSION)
}

/// A running process. Dropping it ends the local part of it: the process group, or the ssh channel.
pub(super) struct Started {
    pub(super) stdin: Option<Writer>,
    pub(super) stdout: Reader,
    pub(super) stderr: Reader,
    /// The exit status, if there is one to be had.
    pub(super) wait: BoxFuture<'static, Option<i32>>,
}

impl Started {
    /// Sends the script. If the process has already ended, its output shows it.
    pub(super) async fn write(&mut self, script: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(wrap::whole(script).as_bytes()).await;
            let _ = stdin.flush().await;
        }
    }

    /// Returns the stream to another reader.
    pub(super) fn take_stdout(&mut self) -> Reader {
        std::mem::replace(&mut self.stdout, Box::new(tokio::io::empty()))
    }

    /// Sees it through to its end.
    pub(super) async fn finish(
        mut self,
        server: &ServerName,
        script: &str,
        limit: Duration,
    ) -> Result<Output, ShellError> {
        let mut stdout = self.take_stdout();
        self.see_through(server, script, limit, Stream::read(&mut stdout)).await
    }

    /// The same, while `reading` reads its output.
    pub(super) async fn see_through(
        mut self,
        server: &ServerName,
        script: &str,
        limit: Duration,
        reading: impl Future<Output = Stream>,
    ) -> Result<Output, ShellError> {
        let late = || ShellError::TimedOut { server: server.clone(), limit };
        let whole = async {
            self.write(script).await;
            drop(self.stdin.take());
            tokio::join!(reading, Stream::read(&mut self.stderr), self.wait)
        };
        let Ok((stdout, stderr, status)) = timeout(limit, whole).await else { return Err(late()) };
        if let Some(output) = wrap::output(&stdout, &stderr) {
            return Ok(output);
        }
        let (begun, said) = (wrap::has_begun(&stderr), wrap::said(&stderr));
        // A login shell may have greeted before.
        let sudo = said.lines().filter(|line| line.starts_with("sudo: ")).collect::<Vec<_>>().join("\n");
        let why = sanitize_for_display(&said);
        let server = server.clone();
        Err(match status {
            Some(status) if TIMED_OUT.contains(&status) => late(),
            _ if !begun && is_full(&why) => ShellError::Full { server },
            _ if !begun && why.starts_with(NO_CONTROL_SOCKET) => {
                ShellError::Unreachable { server, why: "its ssh connection had ended".to_owned() }
            }
            // sudo -n gave up before it ran anything. (It may also complain and go on: of the host's name, for one. Only
            // whose end was heard, with all that was said before, has not begun.)
            Some(_) if !begun && !sudo.is_empty() => ShellError::Denied { server, why: sanitize_for_display(&sudo) },
            Some(status) if why.is_empty() => ShellError::Lost { server, why: format!("exit status {status}") },
            None if why.is_empty() => ShellError::Lost { server, why: "the connection ended".to_owned() },
            _ => ShellError::Lost { server, why },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::local;
    use super::super::wrap::Run;
    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    /// Runs `script` behind a sudo that does `sudo`.
    async fn behind(sudo: &str, script: &str) -> Result<Output, ShellError> {
        let server = ServerName::new("s29").unwrap();
        let mut words: Vec<String> = ["sh", "-c", sudo, "sudo"].map(String::from).to_vec();
        words.extend(wrap::words(None, script, Run::Within(LONG)));
        local::start(&server, &words).unwrap().finish(&server, script, LONG).await
    }

    #[tokio::test]
    async fn a_sudo_that_complains_and_goes_on_has_not_turned_anybody_down() {
        let noise = "echo 'sudo: unable to resolve host lab' >&2";
        let go_on = format!("{noise}; exec \"$@\"");
        let output = behind(&go_on, "echo done").await.unwrap();
        assert_eq!((output.status, output.text.as_str()), (0, "done\n"));
        // The process is killed from within: its effect is not known.
        let killed = behind(&go_on, "kill -9 $PPID $$").await.unwrap_err();
        assert!(matches!(&killed, ShellError::Lost { why, .. } if why.contains("lab")), "{killed:?}");
        let denies = format!("{noise}; echo 'sudo: a password is required' >&2; exit 1");
        let greets = format!("printf %500s\\\\n Welcome >&2; {denies}");
        for denies in [denies, greets] {
            let denied = behind(&denies, "echo done").await.unwrap_err();
            let why_is = |why: &str| why.starts_with("sudo: ") && why.contains("password");
            assert!(matches!(&denied, ShellError::Denied { why, .. } if why_is(why)), "{denied:?}");
        }
        // Cut off before it could go on or not.
        let silent = behind(&format!("{noise}; kill -9 $$"), "echo done").await.unwrap_err();
        assert!(silent.is_outcome_unknown(), "{silent:?}");
    }
}
