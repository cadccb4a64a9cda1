//! The binary under a hard time limit: whatever happens, a test ends, and says what otb had said until then.

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]

use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;

/// How long otb may take in a test unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(40);

/// One run of otb to be.
pub(crate) struct Otb {
    command: Command,
    stdin: Option<Vec<u8>>,
    limit: Duration,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// The exit code; -N if signal N ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Heard,
    stderr: Heard,
    began: Instant,
    limit: Duration,
}

/// otb on the given cluster.yaml, in a hermetic environment, with nothing on standard input.
pub(crate) fn otb(file: &Path) -> Otb {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otb"));
    for name in ["PGPASSWORD", "PGPASSFILE", "OTB_FILE", "OTB_SANDBOX", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
        .env("NO_COLOR", "1")
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .arg("-f")
        .arg(file);
    Otb { command, stdin: None, limit: LIMIT }
}

impl Otb {
    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// The words of `line`.
    pub(crate) fn line(self, line: &str) -> Self {
        self.args(line.split_whitespace())
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn stdin(mut self, text: &[u8]) -> Self {
        self.stdin = Some(text.to_vec());
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end; what it may read ends with the given text.
    pub(crate) fn run(self) -> Ended {
        let mut running = self.start();
        running.stdin = None;
        running.wait()
    }

    /// Starts it; what it may read stays open.
    pub(crate) fn start(mut self) -> Running {
        let began = Instant::now();
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child =
            self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("otb starts");
        let mut open = child.stdin.take();
        if let (Some(text), Some(stdin)) = (self.stdin, &mut open) {
            // A process that ends without reading is no failure of the test.
            let _ = stdin.write_all(&text);
        }
        let stdout = Heard::of(child.stdout.take().unwrap());
        let stderr = Heard::of(child.stderr.take().unwrap());
        Running { child, stdin: open, stdout, stderr, began, limit: self.limit }
    }
}

impl Running {
    /// Sends a signal unless it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        // Not waited for yet, its number is still its own.
        if self.child.try_wait().unwrap().is_none() {
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
        }
    }

    /// Waits until it has said `part` on standard error, or has ended.
    pub(crate) fn until_said(&mut self, part: &str) {
        while !self.stderr.text().contains(part) && self.child.try_wait().unwrap().is_none() {
            assert!(self.began.elapsed() < self.limit, "{part:?} was never said:\n{}", self.stderr.text());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until `part` stands so often on standard output, or it has ended.
    pub(crate) fn until_printed(&mut self, part: &str, times: usize) {
        while self.stdout.text().matches(part).count() < times && self.child.try_wait().unwrap().is_none() {
            assert!(self.began.elapsed() < self.limit, "{part:?} was not printed {times} times");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end; the time limit is a failure of the test.
    pub(crate) fn wait(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > self.limit {
                self.child.kill().unwrap();
                let _ = self.child.wait();
                let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
                panic!("otb hung for {:?}; it had said:\n{stdout}\n{stderr}", self.limit);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = self.began.elapsed();
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        let ended = Ended { code, stdout: self.stdout.whole(), stderr: self.stderr.whole(), took };
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }
}

impl Ended {
    /// The exit code was `code` and standard error has every one of `parts`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) -> &Self {
        self.ends(code);
        if code != 0 {
            self.has_code();
        }
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in standard error:\n{}", self.stderr);
        }
        self
    }

    /// Whatever fails says a code, and `otb explain` knows it.
    #[track_caller]
    fn has_code(&self) {
        let heads = self.stderr.lines().filter_map(|line| line.strip_prefix("error[")?.split_once("]:"));
        let mut codes: Vec<&str> = heads.map(|(code, _)| code).collect();
        let more = self.stderr.lines().filter_map(|line| line.strip_prefix(" more: otb explain "));
        codes.extend(more.flat_map(str::split_whitespace));
        assert!(!codes.is_empty() || self.stderr.contains("Usage:"), "no code:\n{}", self.stderr);
        for code in codes {
            assert!(otb::codes::find(code).is_ok(), "{code} is explained nowhere:\n{}", self.stderr);
        }
    }

    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output has every one of `parts`.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stdout.contains(part), "{part:?} is not in standard output:\n{}", self.stdout);
        }
        self
    }
}

/// What a stream has said so far.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Heard {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut some = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut some) {
                shared.lock().unwrap().extend_from_slice(&some[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// All of it, to the end.
    fn whole(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}
