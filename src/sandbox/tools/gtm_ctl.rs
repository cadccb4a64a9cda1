//! gtm_ctl of v2.6: `-P` is required for a status, promote only sends a signal (opentenbase-v2.6-live.md, "GTM").

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::ServerName;
use crate::sandbox::server::{Daemon, disk_at};
use crate::sandbox::world::{DiskId, Gtm, GtmRole, Reach, World};

use super::args::Parsed;
use super::{Console, POLL};

struct Run<'a> {
    daemon: &'a Arc<Daemon>,
    console: &'a Console,
    path: Option<PathBuf>,
    parsed: Parsed,
}

pub(super) async fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    let parsed = match Parsed::parse(args, "ZDmtloiHP", "wWs", &[]) {
        Ok(parsed) => parsed,
        Err(error) => return usage(console, &error),
    };
    let path = parsed.value('D').map(|path| console.absolute(path));
    let run = Run { daemon, console, path, parsed };
    match run.parsed.words.first().map(String::as_str) {
        Some("status") => run.status().await,
        Some("start") => run.start().await,
        Some("stop") => run.stop().await,
        Some("restart") => match run.stop().await {
            0 => run.start().await,
            code => code,
        },
        Some("promote") => run.promote(),
        Some("reload") => 0,
        Some(other) => usage(console, &format!("unrecognized operation mode \"{other}\"")),
        None => usage(console, "no operation specified"),
    }
}

fn usage(console: &Console, error: &str) -> u8 {
    console.err(format!("gtm_ctl: {error}\nTry \"gtm_ctl --help\" for more information.\n"));
    1
}

impl Run<'_> {
    fn fail(&self, text: &str) -> u8 {
        self.console.err(format!("gtm_ctl: {text}\n"));
        1
    }

    fn say(&self, text: &str) {
        if !self.parsed.has('s') {
            self.console.out(text);
        }
    }

    fn path(&self) -> Result<&PathBuf, u8> {
        let missing = "no GTM directory specified and environment variable PGDATA unset";
        self.path.as_ref().ok_or_else(|| usage(self.console, missing))
    }

    fn pid(&self) -> Result<Option<u32>, u8> {
        let file = self.path()?.join("gtm.pid");
        let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
        match text.split_whitespace().next().and_then(|word| word.parse().ok()) {
            Some(pid) => Ok(Some(pid)),
            None => Err(self.fail(&format!("invalid data in PID file \"{}\"", file.display()))),
        }
    }

    fn running(&self) -> Option<DiskId> {
        let disk = disk_at(self.path.as_ref()?)?;
        self.daemon.with(|world, _| world.gtm(disk).is_some_and(|gtm| gtm.process.is_some())).then_some(disk)
    }

    fn no_pid_file(&self) -> u8 {
        let file = self.path.clone().unwrap_or_default().join("gtm.pid");
        self.console.err(format!("gtm_ctl: PID file \"{}\" does not exist\nIs server running?\n", file.display()));
        1
    }

    async fn status(&self) -> u8 {
        let Some(port) = self.parsed.value('P') else {
            return usage(self.console, "option -P GTM_port is not specified");
        };
        let mut pid = None;
        if let Some(path) = &self.path {
            let file = path.join("gtm.pid");
            match (self.pid(), file.exists()) {
                (Err(code), _) => return code,
                (_, false) => {
                    let text = format!("could not open PID file \"{}\": No such file or directory", file.display());
                    return self.fail(&text);
                }
                (Ok(found), true) => pid = found,
            }
        }
        let answer = self.ask(port).await;
        match (&self.path, answer) {
            (None, Some(answer)) => self.console.out(format!("gtm_ctl: server is running\n{answer}")),
            (None, None) => {
                self.console.out("gtm_ctl: Can not get timestamp, please check gtm status!\n");
                return 1;
            }
            (Some(_), _) if self.running().is_none() => return self.fail("no server running"),
            (Some(path), answer) => {
                let (pid, shown) = (pid.unwrap_or(0), path.display());
                let text = match answer {
                    Some(answer) => format!("gtm_ctl: server is running (PID: {pid})\n{answer}"),
                    None => format!(
                        "gtm_ctl: server is running (PID: {pid}) but can not get timestamp, please check gtm status!\n"
                    ),
                };
                self.console.out(format!("{text}\"-D\" \"{shown}\" \"{shown}\"\n"));
            }
        }
        0
    }

    /// Asks the GTM at -H and -P for its status lines. A silent one is waited for without end, as live.
    async fn ask(&self, port: &str) -> Option<String> {
        let host = self.parsed.value('H')?;
        let port: u16 = port.parse().ok()?;
        let from = self.server()?;
        loop {
            let reached = self.daemon.with(|world, now| match world.reach(&from, host, port) {
                Reach::Live(disk) => {
                    world.gtm_connected(disk);
                    Some(world.gtm(disk).map(|gtm| lines(world, disk, gtm, now)))
                }
                Reach::Refused => Some(None),
                Reach::Silent => None,
            });
            match reached {
                Some(answer) => return answer,
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// The server the tool runs on: that of its directory, else the one it asks.
    fn server(&self) -> Option<ServerName> {
        let own = self.path.as_ref().and_then(|path| self.daemon.site.server_of(path)).cloned();
        let host = self.parsed.value('H').unwrap_or_default();
        let servers = &self.daemon.site.cluster.servers;
        let addressed = servers.iter().find(|(_, server)| server.address.as_str() == host).map(|(name, _)| name);
        own.or_else(|| addressed.or(servers.keys().next()).cloned())
    }

    async fn start(&self) -> u8 {
        let path = match self.path() {
            Ok(path) => path,
            Err(code) => return code,
        };
        if matches!(self.pid(), Ok(Some(_))) {
            self.fail("another server might be running; trying to start server anyway");
        }
        // gtm_ctl does not look whether the server stays up: its failure is only in the log [source].
        if let Err(failure) = self.daemon.start_at(path).await {
            self.console.err(format!("{}\n", failure.0));
        }
        self.say("server starting\n");
        0
    }

    async fn stop(&self) -> u8 {
        match self.pid() {
            Err(code) => return code,
            Ok(None) => return self.no_pid_file(),
            Ok(Some(pid)) if self.running().is_none() => {
                return self.fail(&format!("could not send stop signal (PID: {pid}): No such process"));
            }
            Ok(Some(_)) => {}
        }
        let waits = !self.parsed.has('W');
        self.say(if waits { "waiting for server to shut down..." } else { "server shutting down\n" });
        let patience = self.parsed.value('t').and_then(|text| text.parse().ok()).unwrap_or(60);
        let began = Instant::now();
        while let Some(disk) = self.running() {
            let hung = self.daemon.with(|world, _| {
                let hung = world.is_hung(disk);
                if !hung {
                    world.stop_gtm(disk);
                }
                hung
            });
            if !hung || !waits {
                break;
            }
            if began.elapsed() >= Duration::from_secs(patience) {
                self.say(" failed\n");
                return self.fail("server does not shut down");
            }
            tokio::time::sleep(POLL).await;
        }
        self.daemon.quiesce().await;
        if waits {
            self.say(". done\n");
            self.console.out("server stopped\n");
        }
        0
    }

    fn promote(&self) -> u8 {
        match self.pid() {
            Err(code) => code,
            Ok(None) => self.no_pid_file(),
            Ok(Some(pid)) => match self.running() {
                Some(disk) => {
                    self.daemon.with(|world, now| world.promote_gtm(disk, now));
                    0
                }
                None => self.fail(&format!("could not send promote signal (PID: {pid}): No such process")),
            },
        }
    }
}

fn lines(world: &World, disk: DiskId, gtm: &Gtm, now: crate::sandbox::Moment) -> String {
    let standby = matches!(gtm.process.as_ref().map(|process| &process.role), Some(GtmRole::Standby { .. }));
    let role = if standby { "standby" } else { "primary" };
    let mut text = format!("current node [{role}] gts[{}] xlog [{}]\n", gtm.timestamp(now), gtm.flushed());
    for other in world.gtm_standbys(disk) {
        let host = other.process.as_ref().map(|process| format!("localhost:{}", process.port)).unwrap_or_default();
        let (gts, flushed) = (other.timestamp(now), other.flushed());
        // Writing into a String cannot fail.
        let _ = writeln!(text, "[standby/async] host[{host}] gts [{gts}] xlog[{flushed}]");
    }
    text
}
