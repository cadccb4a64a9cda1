//! pg_ctl of v2.6. With `-Z` it is silent, because its option loop falls through into `-s` (seen live).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{ControlState, NodeKind};
use crate::sandbox::server::{Daemon, append_log, disk_at, recovery_writable};
use crate::sandbox::world::{DiskId, Ending, Promotion};

use super::args::Parsed;
use super::{Console, POLL};

const LONG: &[(&str, char)] = &[
    ("pgdata", 'D'),
    ("mode", 'm'),
    ("timeout", 't'),
    ("log", 'l'),
    ("options", 'o'),
    ("wait", 'w'),
    ("no-wait", 'W'),
    ("silent", 's'),
];

/// One run.
struct Run<'a> {
    daemon: &'a Arc<Daemon>,
    console: &'a Console,
    path: PathBuf,
    parsed: Parsed,
}

pub(super) async fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    if args.iter().any(|arg| arg == "--version" || arg == "-V") {
        console.out(format!("pg_ctl (PostgreSQL) {}\n", daemon.site.flavor.server_version()));
        return 0;
    }
    let parsed = match Parsed::parse(args, "ZDmtlop", "wWsc", LONG) {
        Ok(parsed) => parsed,
        Err(error) => return usage(console, &error),
    };
    let Some(data) = parsed.value('D').map(|path| console.absolute(path)).or_else(|| console.pgdata.clone()) else {
        return usage(console, "no database directory specified and environment variable PGDATA unset");
    };
    let run = Run { daemon, console, path: data, parsed };
    match run.parsed.words.first().map(String::as_str) {
        Some("status") => run.status(),
        Some("start") => run.start().await,
        Some("stop") => run.stop().await,
        Some("restart") => match run.stop().await {
            0 => run.start().await,
            code => code,
        },
        Some("promote") => run.promote().await,
        Some("reload") => run.reload(),
        Some(other) => usage(console, &format!("unrecognized operation mode \"{other}\"")),
        None => usage(console, "no operation specified"),
    }
}

fn usage(console: &Console, error: &str) -> u8 {
    console.err(format!("pg_ctl: {error}\nTry \"pg_ctl --help\" for more information.\n"));
    1
}

impl Run<'_> {
    fn say(&self, text: &str) {
        if !self.parsed.has('s') && !self.parsed.has('Z') {
            self.console.out(text);
        }
    }

    fn fail(&self, text: &str) -> u8 {
        self.console.err(format!("pg_ctl: {text}\n"));
        1
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.parsed.value('t').and_then(|text| text.parse().ok()).unwrap_or(60))
    }

    fn waits(&self) -> bool {
        !self.parsed.has('W')
    }

    /// The pid in postmaster.pid; none without the file. `code` is the exit code for a bad directory.
    fn pid(&self, code: u8) -> Result<Option<u32>, u8> {
        let shown = self.path.display();
        if !self.path.exists() {
            self.fail(&format!("directory \"{shown}\" does not exist"));
            return Err(code);
        }
        if !self.path.join("PG_VERSION").exists() {
            self.fail(&format!("directory \"{shown}\" is not a database cluster directory"));
            return Err(code);
        }
        let file = self.path.join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
        match text.split_whitespace().next() {
            None => Err(self.fail(&format!("the PID file \"{}\" is empty", file.display()))),
            Some(word) => match word.parse() {
                Ok(pid) => Ok(Some(pid)),
                Err(_) => Err(self.fail(&format!("invalid data in PID file \"{}\"", file.display()))),
            },
        }
    }

    /// The copy in this directory, if its process runs.
    fn running(&self) -> Option<DiskId> {
        let disk = disk_at(&self.path)?;
        self.daemon.with(|world, _| world.postgres(disk).is_some_and(|copy| copy.process.is_some())).then_some(disk)
    }

    fn no_pid_file(&self) -> u8 {
        let file = self.path.join("postmaster.pid");
        self.console.err(format!("pg_ctl: PID file \"{}\" does not exist\nIs server running?\n", file.display()));
        1
    }

    fn status(&self) -> u8 {
        let pid = match self.pid(4) {
            Ok(pid) => pid,
            Err(code) => return code,
        };
        let dying = || disk_at(&self.path).filter(|disk| self.daemon.with(|world, now| world.is_dying(*disk, now)));
        if let (Some(pid), Some(disk)) = (pid, self.running().or_else(dying)) {
            let kind = self.daemon.with(|world, _| world.home(disk).map(|home| home.kind));
            let kind = kind.unwrap_or(NodeKind::Datanode);
            let postgres = self.daemon.site.dir.join("install/bin/postgres");
            let (postgres, data) = (postgres.display(), self.path.display());
            self.console
                .out(format!("pg_ctl: server is running (PID: {pid})\n{postgres} \"--{kind}\" \"-D\" \"{data}\"\n"));
            0
        } else {
            self.console.out("pg_ctl: no server running\n");
            3
        }
    }

    async fn start(&self) -> u8 {
        if !self.parsed.has('Z') {
            return usage(self.console, "Coordinator or Datanode option not specified (-Z)");
        }
        let old = match self.pid(1) {
            Ok(old) => old,
            Err(code) => return code,
        };
        if old.is_some() {
            self.fail("another server might be running; trying to start server anyway");
        }
        self.say("waiting for server to start...");
        match self.daemon.start_at(&self.path).await {
            Ok(_) => {
                self.log("LOG:  database system is ready to accept connections");
                self.say(". done\nserver started\n");
                0
            }
            Err(failure) => {
                self.log(&failure.0);
                self.say(". stopped waiting\n");
                self.fail("could not start server\nExamine the log output.")
            }
        }
    }

    /// Into `-l FILE`, else where the real server's standard error would go.
    fn log(&self, line: &str) {
        match self.parsed.value('l') {
            Some(file) => append_log(&self.console.absolute(file), line),
            None => self.console.err(format!("{line}\n")),
        }
    }

    async fn stop(&self) -> u8 {
        match self.pid(1) {
            Err(code) => return code,
            Ok(None) => return self.no_pid_file(),
            Ok(Some(pid)) if self.running().is_none() => {
                return self.fail(&format!("could not send stop signal (PID: {pid}): No such process"));
            }
            Ok(Some(_)) => {}
        }
        let mode = self.parsed.value('m').unwrap_or("fast");
        if !matches!(mode, "s" | "smart" | "f" | "fast" | "i" | "immediate") {
            return usage(self.console, &format!("unrecognized shutdown mode \"{mode}\""));
        }
        self.say(if self.waits() { "waiting for server to shut down..." } else { "server shutting down\n" });
        let (began, mut dots) = (Instant::now(), 0);
        while let Some(disk) = self.running() {
            let done = self.daemon.with(|world, now| {
                if mode.starts_with('s') && world.sessions_on(disk) > 0 {
                    return false;
                }
                world.signal_stop(disk, if mode.starts_with('i') { Ending::Abort } else { Ending::Shutdown }, now)
            });
            if self.waits() && began.elapsed() < self.patience() {
                self.dot(began, &mut dots);
            }
            if done || !self.waits() {
                break;
            }
            if began.elapsed() >= self.patience() {
                self.say(" failed\n");
                let code = self.fail("server does not shut down");
                if mode.starts_with('s') {
                    self.console.err(
                        "HINT: The \"-m fast\" option immediately disconnects sessions rather than\n\
                         waiting for session-initiated disconnection.\n",
                    );
                }
                return code;
            }
            tokio::time::sleep(POLL).await;
        }
        self.daemon.quiesce().await;
        if self.waits() {
            self.say(" done\nserver stopped\n");
        }
        0
    }

    /// One dot for each second that has begun.
    fn dot(&self, began: Instant, dots: &mut u64) {
        if *dots <= began.elapsed().as_secs() {
            *dots += 1;
            self.say(".");
        }
    }

    async fn promote(&self) -> u8 {
        match self.pid(1) {
            Err(code) => return code,
            Ok(None) => return self.no_pid_file(),
            Ok(Some(pid)) => {
                let state = disk_at(&self.path).and_then(|disk| state(self.daemon, disk));
                if state != Some(ControlState::InArchiveRecovery) {
                    return self.fail("cannot promote server; server is not in standby mode");
                }
                if self.running().is_none() {
                    return self.fail(&format!("could not send promote signal (PID: {pid}): No such process"));
                }
            }
        }
        let Some(disk) = self.running() else { return self.no_pid_file() };
        let writable = recovery_writable(&self.path);
        self.say("waiting for server to promote...");
        let outcome = self.daemon.with(|world, now| world.promote(disk, writable, now));
        if !self.waits() {
            return 0;
        }
        let began = Instant::now();
        // A promotion that died looks to pg_ctl like one that takes long: it waits its time out.
        while outcome == Promotion::Died || state(self.daemon, disk) != Some(ControlState::InProduction) {
            if began.elapsed() >= self.patience() {
                self.say(" stopped waiting\n");
                return self.fail("server did not promote in time");
            }
            tokio::time::sleep(POLL).await;
        }
        self.say(". done\nserver promoted\n");
        0
    }

    fn reload(&self) -> u8 {
        let pid = match self.pid(1) {
            Err(code) => return code,
            Ok(None) => return self.no_pid_file(),
            Ok(Some(pid)) => pid,
        };
        let Some(disk) = self.running() else {
            return self.fail(&format!("could not send reload signal (PID: {pid}): No such process"));
        };
        let path: &Path = &self.path;
        match self.daemon.with(|world, _| Daemon::reload(world, disk, path)) {
            Ok(()) => {
                self.say("server signaled\n");
                0
            }
            Err(error) => self.fail(&error.to_string()),
        }
    }
}

fn state(daemon: &Arc<Daemon>, disk: DiskId) -> Option<ControlState> {
    daemon.with(|world, _| world.postgres(disk).map(|copy| copy.control.state))
}
