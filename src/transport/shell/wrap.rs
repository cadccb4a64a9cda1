//! The fixed text that is run on a server, whatever the script: no part of the script is ever quoted.

use std::time::Duration;

use super::output::{Output, Stream};
use crate::opentenbase::quote;

/// Begins the line on standard error that reports the script's status: without it the status is not known. sudo, ssh and
/// the shell use the statuses 126, 127 and 255 for themselves, so an exit status alone proves nothing.
const TRAILER: &str = "otb-script-status ";

/// The line before the script's own output on both streams: a login shell may print text before it (a greeting in
/// `.bashrc`). If it is missing on standard error although all output arrived, nothing was run.
const BEGUN: &str = "otb-script-begins";

/// The line behind the script's own on standard output: a login shell prints what it likes behind it.
const ENDED: &str = "otb-script-ends";

/// Ends what is sent: a script that lacks it was cut off on its way, and the half of a command may be another one.
const END: &str = "# end of the script";

/// Reads `$1` bytes of script from standard input and, if they end in `$3`, runs them in a subshell (so that `exit` in
/// them ends only that). `$2` says what their standard input is: `null`, and their output and errors are one text, or
/// `open` (ours, kept open by the holder). The empty lines are for a greeting and a
/// script that do not end their last one; a held script speaks in whole lines.
/// No `!` and no line end in here, for the sake of login shells that are no Bourne shells.
const BOOT: &str = concat!(
    r#"script=$(head -c "$1") || exit 125; "#,
    r#"case $script in *"$3") ;; *) echo "the script was cut off on its way and not run" >&2; exit 125;; esac; "#,
    r#"echo >&2; echo otb-script-begins >&2; echo; echo otb-script-begins; "#,
    r#"if [ "$2" = null ]; then (eval "$script") </dev/null 2>&1; status=$?; echo; "#,
    r#"else (eval "$script"); status=$?; fi; "#,
    r#"echo otb-script-ends; echo "otb-script-status $status" >&2"#
);

/// How a script is to be run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// To its end; `timeout` ends it where it runs, should we be gone.
    Within(Duration),
    /// With standard input open, as long as the other end holds it.
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

/// Foreign output on standard error: from a held script, or from sudo, ssh, the login shell.
pub(super) fn said(stderr: &Stream) -> String {
    let text = stderr.text();
    let others = |lines: &[&str]| {
        let plain = |line: &&&str| !line.is_empty() && **line != BEGUN && !line.starts_with(TRAILER);
        lines.iter().filter(plain).copied().collect::<Vec<_>>().join("\n")
    };
    let lines: Vec<&str> = text.lines().collect();
    let begun = lines.iter().position(|line| *line == BEGUN).unwrap_or_default();
    Some(others(&lines[begun..])).filter(|own| !own.is_empty()).unwrap_or_else(|| others(&lines))
}

/// The output of a script that ran to its end, or nothing if its status or its beginning is missing.
pub(super) fn output(stdout: &Stream, stderr: &Stream) -> Option<Output> {
    let end = String::from_utf8_lossy(&stderr.end()).into_owned();
    let status = status(&end).or_else(|| status(&stderr.text()))?;
    let text = stdout.text();
    let (_, own) = text.split_once(&format!("\n{BEGUN}\n"))?;
    let ended = own.rsplit_once(&format!("\n{ENDED}\n"));
    // The end of a long output is not kept.
    let own = match ended {
        Some((own, _)) => own,
        None if stdout.truncated => own,
        None => return None,
    };
    Some(Output { status, text: own.to_owned(), truncated: stdout.truncated && ended.is_none() })
}

/// The last whole line that reports a status.
fn status(stderr: &str) -> Option<i32> {
    let whole = &stderr[..=stderr.rfind('\n')?];
    whole.lines().rev().find_map(|line| line.strip_prefix(TRAILER)?.parse().ok())
}

/// Tells the script's own lines of standard output, as they come, from those of others.
#[derive(Debug, Default)]
pub(super) struct Frame {
    begun: bool,
    ended: bool,
}

impl Frame {
    pub(super) fn is_own(&mut self, line: &str) -> bool {
        let own = self.begun;
        self.begun |= line == BEGUN;
        self.ended |= own && line == ENDED;
        own && !self.ended
    }
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

    async fn heard(stdout: &str, stderr: &str) -> Option<Output> {
        let (mut stdout, mut stderr) = (stdout.as_bytes(), stderr.as_bytes());
        output(&Stream::read(&mut stdout).await, &Stream::read(&mut stderr).await)
    }

    #[tokio::test]
    async fn what_others_print_is_no_part_of_the_output() {
        let status = "otb-script-status 3\n";
        for (before, behind) in [("", ""), ("Welcome", "Goodbye"), ("a\nb\n", "c\n"), ("notb-script-ends\n", "d")] {
            for text in ["", "x", "x\n", "\nx\n\n", "Welcome\notb-script-begins\n", "x\notb-script-ends\ny"] {
                let stdout = format!("{before}\n{BEGUN}\n{text}\n{ENDED}\n{behind}");
                let stderr = format!("{before}\n{BEGUN}\n{status}{behind}");
                let output = heard(&stdout, &stderr).await.unwrap();
                assert_eq!((output.status, output.text.as_str()), (3, text), "{stdout:?}");
                let mut frame = Frame::default();
                let own: Vec<&str> = stdout.lines().filter(|line| frame.is_own(line)).collect();
                let lines = format!("{text}\n");
                let until = lines.lines().take_while(|line| *line != ENDED);
                assert_eq!(own, until.collect::<Vec<_>>(), "{stdout:?}");
            }
        }
        let whole = format!("\n{BEGUN}\nx\n\n{ENDED}\n");
        assert_eq!(heard(&whole, "\notb-script-status 3").await, None, "the status is cut off");
        for cut in 0..whole.len() {
            assert_eq!(heard(&whole[..cut], status).await, None, "{cut} bytes of the output");
        }
        let long = format!("otb-script-status 7\n{}\n{status}", "x".repeat(3 << 20));
        assert_eq!(heard(&whole, &long).await.map(|output| output.status), Some(3), "the last one counts");
        let goodbye = format!("{status}{}", "Goodbye\n".repeat(100));
        assert_eq!(heard(&whole, &goodbye).await.map(|output| output.status), Some(3));
    }

    #[tokio::test]
    async fn a_script_that_failed_is_told_by_its_own_words() {
        for (stderr, own) in [
            (format!("Welcome\n\n{BEGUN}\nflock: no\n"), "flock: no"),
            (format!("sudo: no host\n\n{BEGUN}\notb-script-status 1\n"), "sudo: no host"),
            ("sudo: no\n".to_owned(), "sudo: no"),
        ] {
            assert_eq!(said(&Stream::read(&mut stderr.as_bytes()).await), own);
        }
    }

    /// Sends `bytes` of what belongs to `script`: what it prints, and its status.
    async fn sent(script: &str, bytes: &str) -> (String, Option<i32>) {
        let server = ServerName::new("s29").unwrap();
        let mut started = local::start(&server, &words(None, script, Run::Within(Duration::from_secs(10)))).unwrap();
        let mut stdin = started.stdin.take().unwrap();
        stdin.write_all(bytes.as_bytes()).await.unwrap();
        drop(stdin);
        let (stdout, status) = tokio::join!(Stream::read(&mut started.stdout), started.wait);
        let (text, between) = (stdout.text(), format!("\n{BEGUN}\n"));
        let own = text.strip_prefix(&between).and_then(|text| text.strip_suffix(&format!("\n{ENDED}\n")));
        (own.unwrap_or(&text).to_owned(), status)
    }

    #[tokio::test]
    async fn a_script_that_was_cut_off_is_not_run() {
        let script = "echo one\necho two";
        assert_eq!(sent(script, &whole(script)).await, ("one\ntwo\n".to_owned(), Some(0)));
        for length in 0..whole(script).len() {
            // The script alone would be complete too; the end marker shows it.
            assert_eq!(sent(script, &whole(script)[..length]).await, (String::new(), Some(125)), "{length} bytes");
        }
    }
}
