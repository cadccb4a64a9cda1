//! otb on a terminal of its own, seen as a person sees it: what it wrote is put on a screen, what is typed goes to it.

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

/// What a keyboard sends for Ctrl-C and Ctrl-D.
pub(crate) const CTRL_C: &str = "\u{3}";
pub(crate) const CTRL_D: &str = "\u{4}";

/// How long otb may take in a test.
const LIMIT: Duration = Duration::from_secs(60);

/// High enough that nothing of a run scrolls away.
const ROWS: u16 = 250;

fn size(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

/// A run of otb on a terminal.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    seen: Arc<Mutex<Seen>>,
    reader: std::thread::JoinHandle<()>,
    child: Child,
    began: Instant,
}

/// What otb has written: as it is on the screen, and every byte of it.
struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

/// How it ended.
pub(crate) struct Shown {
    /// The exit code; -N if signal N ended it.
    pub(crate) code: i32,
    /// The screen at the end.
    pub(crate) screen: String,
    /// Everything that was ever written.
    pub(crate) raw: String,
}

impl Terminal {
    /// otb on `file`, with the words of `line`, on an xterm of so many columns that speaks UTF-8, unless `env` says
    /// otherwise.
    pub(crate) fn otb(file: &Path, line: &str, columns: u16, env: &[(&str, &str)]) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(ROWS, columns)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_otb"));
        for name in ["PGPASSWORD", "PGPASSFILE", "OTB_FILE", "OTB_SANDBOX"] {
            command = command.env_remove(name);
        }
        // Where CI is set a terminal has colours, whatever TERM says.
        for name in ["CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR", "CI"] {
            command = command.env_remove(name);
        }
        let child = command
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/nonexistent")
            .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .envs(env.iter().copied())
            .arg("-f")
            .arg(file)
            .args(line.split_whitespace())
            .spawn(pts)
            .expect("otb starts");
        let pty = Arc::new(pty);
        let seen =
            Arc::new(Mutex::new(Seen { screen: vt100::Parser::new(size(ROWS), size(columns), 0), bytes: Vec::new() }));
        let reader = std::thread::spawn({
            let (pty, seen) = (Arc::clone(&pty), Arc::clone(&seen));
            move || {
                let mut some = [0; 8192];
                // A terminal that nobody has open any more gives an error.
                while let Ok(length @ 1..) = (&*pty).read(&mut some) {
                    let mut seen = seen.lock().unwrap();
                    seen.screen.process(&some[..length]);
                    seen.bytes.extend_from_slice(&some[..length]);
                }
            }
        });
        Self { pty, seen, reader, child, began: Instant::now() }
    }

    /// What is on the screen now.
    pub(crate) fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    pub(crate) fn types(&self, text: &str) {
        (&*self.pty).write_all(text.as_bytes()).unwrap();
    }

    /// Somebody pulls at the window's corner.
    pub(crate) fn resize(&self, columns: u16) {
        self.seen.lock().unwrap().screen.screen_mut().set_size(size(ROWS), size(columns));
        self.pty.resize(Size::new(ROWS, columns)).unwrap();
    }

    /// Waits until `part` is on the screen.
    #[track_caller]
    pub(crate) fn until(&mut self, part: &str) {
        while !self.screen().contains(part) {
            let ended = self.child.try_wait().unwrap();
            let late = self.began.elapsed() > LIMIT;
            if (ended.is_some() && !self.screen().contains(part)) || late {
                let _ = self.child.kill();
                panic!("{part:?} did not come ({ended:?}):\n{}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Shown {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                let _ = self.child.kill();
                panic!("otb hung; the screen:\n{}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.reader.join().unwrap();
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        let seen = self.seen.lock().unwrap();
        Shown { code, screen: seen.screen.screen().contents(), raw: String::from_utf8_lossy(&seen.bytes).into_owned() }
    }
}

impl Shown {
    /// The exit code was `code`, and every one of `parts` is on the screen.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "\n{}", self.screen);
        for part in parts {
            assert!(self.screen.contains(part), "{part:?} is not on the screen:\n{}", self.screen);
        }
        self
    }
}
