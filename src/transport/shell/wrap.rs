//! The fixed text that is run on a server, whatever the script: no part of the script is ever quoted.

use std::time::Duration;

use super::output::{Output, Stream};
use crate::dialect::quote;

/// Begins the last line of standard error, where else only sudo, ssh and the shell itself write: without it the script's
/// status is not known. They use the statuses 126, 127 and 255 for themselves, so an exit status alone proves nothing.
const TRAILER: &str = "otb-script-status ";

/// The line on standard error before the script begins. Where it is missing although all was heard, nothing was run.
const BEGUN: &str = "otb-script-begins";

/// Ends what is sent: a script that lacks it was cut off on its way, and the half of a command may be another one.
const END: &str = "# end of the script";

/// Reads `$1` bytes of script from standard input and, if they end in `$3`, runs them in a subshell (so that `exit` in
/// them ends only that). `$2` says what their standard input is: `null`, and their output and errors are one text, or
/// `open` (ours, kept open by the holder).
/// No `!` and no line end in here, for the sake of login shells that are no Bourne shells.
const BOOT: &str = concat!(
    r#"script=$(head -c "$1") || exit 125; "#,
    r#"case $script in *"$3") ;; *) echo "the script was cut off on its way and not run" >&2; exit 125;; esac; "#,
    r#"echo otb-script-begins >&2; "#,
    r#"if [ "$2" = null ]; then (eval "$script") </dev/null 2>&1; else (eval "$script"); fi; "#,
    r#"status=$?; echo "otb-script-status $status" >&2"#
);

/// How a script is to be run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// To its end; `timeout` ends it where it runs, should we be gone.
    Within(Duration),
    /// With standard input open, as long as somebody holds the other end.
    Held,
}

/// The words of the command that will run `script`.
pub(super) fn words(run_as: Option<&str>, script: &str, run: Run) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |more: &[&str]| words.extend(more.iter().map(|&word| word.to_owned()));
    if let Some(user) = run_as {
        add(&["sudo", "-n", "-u", user, "--"]);
    }
    let stdin = match run {
        Run::Within(limit) => {
            // Whole seconds: not every timeout(1) knows fractions.
            let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
            add(&["timeout", "-k", "2", &seconds.max(1).to_string()]);
            "null"
        }
        Run::Held => "open",
    };
    add(&["sh", "-c", BOOT, "sh", &whole(script).len().to_string(), stdin, END]);
    words
}

/// What is sent to their standard input.
pub(super) fn whole(script: &str) -> String {
    format!("{script}\n{END}")
}

/// The same as one line for a remote login shell.
pub(super) fn line(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// Whether the script began, as far as was heard.
pub(super) fn has_begun(stderr: &Stream) -> bool {
    stderr.text().lines().any(|line| line == BEGUN)
}

/// What others wrote on standard error: sudo, ssh, the shell, a held script.
pub(super) fn said(stderr: &Stream) -> String {
    let text = stderr.text();
    let others = text.lines().filter(|line| *line != BEGUN && !line.starts_with(TRAILER));
    others.collect::<Vec<_>>().join("\n")
}

/// The output of a script that ran to its end, or nothing if its trailer is missing.
pub(super) fn output(stdout: &Stream, stderr: &Stream) -> Option<Output> {
    let end = String::from_utf8_lossy(&stderr.end()).into_owned();
    let (_, status) = end.rsplit_once(TRAILER)?;
    let status = status.strip_suffix('\n')?.parse().ok()?;
    Some(Output { status, text: stdout.text(), truncated: stdout.truncated })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::super::local;
    use super::*;
    use crate::model::ServerName;

    #[test]
    fn the_script_is_not_in_the_command() {
        let words = words(Some("opentenbase"), "echo $HOME", Run::Within(Duration::from_millis(4100)));
        assert_eq!(words[..9], ["sudo", "-n", "-u", "opentenbase", "--", "timeout", "-k", "2", "5"].map(String::from));
        let length = "echo $HOME\n# end of the script".len().to_string();
        assert_eq!(words[12..], ["sh", &length, "null", END].map(String::from));
        assert!(!line(&words).contains("HOME"));
        assert!(!BOOT.contains('!') && !BOOT.contains('\n') && BOOT.contains(TRAILER));
    }

    /// Sends `bytes` of what belongs to `script`: what it prints, and its status.
    async fn sent(script: &str, bytes: &str) -> (String, Option<i32>) {
        let server = ServerName::new("s29").unwrap();
        let mut started = local::start(&server, &words(None, script, Run::Within(Duration::from_secs(10)))).unwrap();
        let mut stdin = started.stdin.take().unwrap();
        stdin.write_all(bytes.as_bytes()).await.unwrap();
        drop(stdin);
        let (stdout, status) = tokio::join!(Stream::read(&mut started.stdout), started.wait);
        (stdout.text(), status)
    }

    #[tokio::test]
    async fn a_script_that_was_cut_off_is_not_run() {
        let script = "echo one\necho two";
        assert_eq!(sent(script, &whole(script)).await, ("one\ntwo\n".to_owned(), Some(0)));
        for length in 0..whole(script).len() {
            // The script alone would be whole, too; its end is what tells.
            assert_eq!(sent(script, &whole(script)[..length]).await, (String::new(), Some(125)), "{length} bytes");
        }
    }
}
