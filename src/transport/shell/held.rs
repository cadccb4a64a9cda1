//! A shell process that lives as long as we hold it.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ShellError;
use super::output::Stream;
use super::process::{Reader, Started, Writer, is_full};
use super::wrap::{self, Frame};
use crate::model::ServerName;
use crate::opentenbase::sanitize_for_display;

/// The most that is read before the end of the script's first line. (A login shell may greet at length.)
const MOST_BYTES: u64 = 1 << 20;

/// A running script with its standard input open. However we end, killed or not, the pipe closes with us;
/// a script that waits for the end of its input then ends too, and lets go of what it holds.
pub struct Held {
    first_line: String,
    stdin: Option<Writer>,
    /// Drains what the script prints, and waits for its end. Ends with us.
    running: JoinSet<()>,
}

impl Held {
    /// Waits for the first line of a script that was just started.
    pub(super) async fn begin(
        server: &ServerName,
        mut started: Started,
        script: &str,
        limit: Duration,
    ) -> Result<Self, ShellError> {
        let mut stdout = BufReader::new(started.take_stdout());
        let first = async {
            started.write(script).await;
            first_line(&mut stdout).await
        };
        let Ok(line) = timeout(limit, first).await else {
            return Err(ShellError::TimedOut { server: server.clone(), limit });
        };
        let Some(first_line) = line else {
            let said = timeout(Duration::from_secs(1), Stream::read(&mut started.stderr)).await.unwrap_or_default();
            let why = sanitize_for_display(&wrap::said(&said));
            if !wrap::has_begun(&said) && is_full(&why) {
                return Err(ShellError::Full { server: server.clone() });
            }
            return Err(ShellError::Lost {
                server: server.clone(),
                why: if why.is_empty() { "the script ended without output".to_owned() } else { why },
            });
        };
        let Started { stdin, mut stderr, wait, .. } = started;
        let mut running = JoinSet::new();
        running.spawn(async move {
            // Read on to the end, so that the script never blocks on a full pipe.
            let _ = tokio::join!(Stream::drain(&mut stdout), Stream::drain(&mut stderr), wait);
        });
        Ok(Self { first_line, stdin, running })
    }

    /// The first line the script printed, without its line end.
    pub fn first_line(&self) -> &str {
        &self.first_line
    }

    /// Whether the script still runs, as far as this side knows.
    pub fn is_alive(&mut self) -> bool {
        self.running.try_join_next().is_none() && !self.running.is_empty()
    }

    /// Lets go: closes the script's input and waits for its end.
    pub async fn close(mut self, limit: Duration) {
        drop(self.stdin.take());
        let _ = timeout(limit, self.running.join_next()).await;
    }
}

/// The script's first line, whole, or nothing if the stream ends before its line end.
async fn first_line(from: &mut BufReader<Reader>) -> Option<String> {
    let (mut from, mut frame) = (from.take(MOST_BYTES), Frame::default());
    loop {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line).await.ok()?;
        let line = String::from_utf8_lossy(line.strip_suffix(b"\n")?).into_owned();
        if frame.is_own(&line) {
            return Some(line);
        }
    }
}
