//! Commands as the servers' OS user, each within a time limit, and the processes of one cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::reap;
use crate::support::ground::Ran;

/// An unprivileged user who works below one temporary directory.
pub(crate) struct Hands {
    root: tempfile::TempDir,
    install: PathBuf,
    user: String,
    /// Whether the harness runs as somebody else and has to change over.
    change_over: bool,
    v5: bool,
}

impl Hands {
    /// OpenTenBase does not run as root: as root the user is `OTB_TEST_USER` or `opentenbase`, made if it is
    /// missing; else oneself.
    pub(crate) fn new(install: &Path) -> Self {
        let change_over = rustix::process::geteuid().is_root();
        let user = if change_over {
            std::env::var("OTB_TEST_USER").unwrap_or_else(|_| "opentenbase".to_owned())
        } else {
            output("id", &["-un"])
        };
        if change_over && !succeeds("id", &[&user]) {
            assert!(succeeds("useradd", &["-m", &user]), "useradd -m {user}");
        }
        reap::adopt();
        let root = tempfile::Builder::new().prefix("otb-real-").tempdir().unwrap();
        let path = root.path().to_str().unwrap();
        assert!(succeeds("chmod", &["755", path]));
        assert!(!change_over || succeeds("chown", &[&user, path]), "chown {user} {path}");
        let mut hands = Self { root, install: install.to_owned(), user, change_over, v5: false };
        hands.v5 = hands.must("pg_ctl --version", 20).contains("OpenTenBase_v5");
        hands
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn install(&self) -> &Path {
        &self.install
    }

    pub(crate) fn is_v5(&self) -> bool {
        self.v5
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn changes_over(&self) -> bool {
        self.change_over
    }

    /// Runs a shell script as the user; `$1` and on are `args`. Killed after `seconds`.
    pub(crate) fn run(&self, script: &str, args: &[&str], seconds: u32) -> Ran {
        reap::reap();
        let host_environment = format!(
            "cd / && PATH={bin}:$PATH LD_LIBRARY_PATH={lib} LC_ALL=C && export PATH LD_LIBRARY_PATH LC_ALL || exit\n{script}",
            bin = self.install.join("bin").display(),
            lib = self.install.join("lib").display()
        );
        let limit = seconds.to_string();
        let mut words = vec!["timeout", "-k", "5", &limit];
        if self.change_over {
            words.extend(["runuser", "-u", &self.user, "--"]);
        }
        words.extend(["sh", "-c", &host_environment, "sh"]);
        words.extend(args);
        Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().unwrap().into()
    }

    /// The same, and it must succeed.
    pub(crate) fn must(&self, script: &str, seconds: u32) -> String {
        let ran = self.run(script, &[], seconds);
        assert_eq!(ran.code, 0, "{script}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Processes that work in `directory`: servers and all their children do in their data directory.
    pub(crate) fn processes(directory: &Path) -> Vec<Pid> {
        let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let here = all
            .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory)));
        here.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    /// Sends a signal to all of them.
    pub(crate) fn signal(directory: &Path, signal: Signal) {
        for process in Self::processes(directory) {
            let _ = kill_process(process, signal);
        }
    }

    /// SIGKILL, until none is left.
    pub(crate) fn kill(directory: &Path) {
        for _ in 0..100 {
            if Self::processes(directory).is_empty() && reap::reap() {
                return;
            }
            Self::signal(directory, Signal::KILL);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        Self::kill(self.root.path());
    }
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

fn output(program: &str, args: &[&str]) -> String {
    let ran: Ran = Command::new(program).args(args).output().unwrap().into();
    ran.stdout.trim().to_owned()
}
