//! Faults that an operator or a test inflicts: one table, its help, and what each does.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;

use crate::model::{InstanceId, NodeKind, NodeName, ServerName};

use super::server::{Daemon, append, disk_at};
use super::tools;
use super::world::{DiskId, Elsewhere, World};

/// A kind of fault as people see it.
struct Kind {
    name: &'static str,
    takes: &'static str,
    does: &'static str,
}

const fn kind(name: &'static str, takes: &'static str, does: &'static str) -> Kind {
    Kind { name, takes, does }
}

/// In the order of the help.
const KINDS: &[Kind] = &[
    kind("kill", "INSTANCE", "the process dies at once, as by SIGKILL or a power cut"),
    kind("stop", "INSTANCE", "a clean (fast) shutdown"),
    kind("start", "INSTANCE", "starts it from its data directory as it is"),
    kind("hang", "INSTANCE", "it accepts connections but never answers, as after SIGSTOP"),
    kind("unhang", "INSTANCE", "it continues"),
    kind("partition", "SERVER", "the server is cut off from the network: its processes and commands do not answer"),
    kind("heal", "SERVER|all", "the server is back"),
    kind("lag", "INSTANCE [BYTES]", "the standby receives only BYTES (default 0) more"),
    kind("pause-replay", "INSTANCE", "the standby receives WAL but does not replay it"),
    kind("resume", "INSTANCE", "lifts lag and pause-replay"),
    kind("write", "N", "commits N rows through a coordinator"),
    kind("writer", "on|off", "commits a row every 10 ms"),
    kind("wal", "INSTANCE BYTES", "the master writes this much WAL and commits"),
    kind("recycle-wal", "INSTANCE", "the master removes its old WAL: a standby that lacks some of it never streams"),
    kind(
        "crash-lossy",
        "INSTANCE [BYTES [N]]",
        "the master writes WAL (default 8192), commits N times (default 1) and dies; no standby receives it",
    ),
    kind("readonly-recovery", "INSTANCE", "recovery.conf loses its write permission: promotion will kill the standby"),
    kind("writable-recovery", "INSTANCE", "recovery.conf can be written again"),
    kind("hide-data", "INSTANCE", "its data directory is missing, as if a file system is not mounted"),
    kind("show-data", "INSTANCE", "its data directory is back"),
    kind(
        "set",
        "INSTANCE NAME [VALUE]",
        "the setting in its files, which are read again: `set dn01@s29 synchronous_commit on`",
    ),
    kind("full-disk", "INSTANCE [off]", "commits fail because the disk is full"),
    kind("wrong-route", "ROUTER NODE=HOST:PORT", "the router's pgxc_node and pooler have this address of the node"),
    kind("stale-pool", "ROUTER NODE=HOST:PORT", "only the router's pooler has this address of the node"),
    kind("forget-row", "ROUTER NODE", "the router's pgxc_node loses a row"),
    kind("lock-routes", "ROUTER [off]", "an open transaction has read pgxc_node: ALTER NODE waits"),
    kind("open-transaction", "COORDINATOR [off]", "a client has used every table in a transaction and does not end it"),
    kind("fill-slots", "INSTANCE [off]", "clients take all its connection slots: new logins fail"),
    kind(
        "gtm-trap",
        "on|off",
        "a GTM that gets a connection during the checkpoint of its promotion hangs when a standby connects",
    ),
    kind("prepared", "INSTANCE GID [off]", "a transaction of this gid is prepared, as of now"),
    kind(
        "in-doubt",
        "INSTANCE [committed|aborted|prepared|slow|unknown|client]",
        "a commit stopped in the middle a minute ago: prepared here, and in this state on another node",
    ),
    kind(
        "wait-behind",
        "INSTANCE [writer|off]",
        "clients wait behind a prepared transaction, so a fast stop does not end; behind a writer a checkpoint does not end either",
    ),
    kind("pg-clean", "on|off", "whether the databases have the extension pg_clean"),
    kind("slow", "INSTANCE|TOOL MS", "each answer takes this much longer"),
    kind(
        "fail",
        "TOOL [TIMES]",
        "the next runs of pg_ctl, gtm_ctl, pg_controldata, pg_basebackup, pg_waldump, postgres, psql exit 1",
    ),
];

/// For clap: the kinds there are.
pub(super) fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.iter().map(|kind| kind.name))
}

/// The table as `--help` shows it.
pub(super) fn help() -> String {
    let mut text = String::from("Kinds:\n");
    for kind in KINDS {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {:18} {:22} {}", kind.name, kind.takes, kind.does);
    }
    text.push_str(
        "\nINSTANCE and ROUTER are NODE@SERVER, or NODE for its running master.\n\
         Commands other than the sandbox's own still run on a partitioned server.\n\n\
         Example: otb sandbox fault --dir demo kill dn02@s47\n",
    );
    text
}

/// Inflicts a fault. The texts say what was done, or why not.
pub(super) async fn inflict(
    daemon: &Arc<Daemon>,
    kind: &str,
    target: Option<&str>,
    value: &[String],
) -> Result<String, String> {
    if !KINDS.iter().any(|known| known.name == kind) {
        return Err(format!("the sandbox has no fault {kind:?}; `otb sandbox fault --help` lists them"));
    }
    let target = target.ok_or_else(|| format!("{kind} needs a target; `otb sandbox fault --help` says which"))?;
    let fault = Fault { daemon, target, value };
    match kind {
        "partition" | "heal" => fault.partition(kind == "partition"),
        "write" => {
            let count = target.parse().map_err(|_| format!("{target:?} is not a number of rows"))?;
            daemon.write_rows(count).map(|written| format!("{written} rows committed"))
        }
        "writer" => {
            daemon.set_writer(target == "on");
            Ok(format!("the writer is {}", if target == "on" { "on" } else { "off" }))
        }
        "gtm-trap" => {
            daemon.with(|world, _| world.set_gtm_trap(target == "on"));
            Ok(format!("the GTM's trap is {}", if target == "on" { "set" } else { "off" }))
        }
        "pg-clean" => {
            daemon.with(|world, _| world.set_pg_clean(target == "on"));
            Ok(format!("pg_clean is {}", if target == "on" { "there" } else { "not there" }))
        }
        "slow" if tools::NAMES.contains(&target) => {
            daemon.weather.lock().slow_tools.insert(target.to_owned(), fault.number(0)?);
            Ok(format!("{target} is slow"))
        }
        "fail" if tools::NAMES.contains(&target) => {
            let times = if value.is_empty() { 1 } else { fault.number(0)? };
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            daemon.weather.lock().failing_tools.insert(target.to_owned(), times);
            Ok(format!("{target} will fail {times} times"))
        }
        "fail" => Err(format!("{target:?} is not a tool; the tools are {}", tools::NAMES.join(", "))),
        "start" => fault.start().await,
        "hide-data" | "show-data" => fault.move_data(kind),
        _ => fault.on_instance(kind).await,
    }
}

/// One fault being inflicted.
struct Fault<'a> {
    daemon: &'a Arc<Daemon>,
    target: &'a str,
    value: &'a [String],
}

impl Fault<'_> {
    fn number(&self, index: usize) -> Result<u64, String> {
        let text = self.value.get(index).ok_or("a number is missing")?;
        text.parse().map_err(|_| format!("{text:?} is not a number"))
    }

    fn number_or(&self, index: usize, default: u64) -> Result<u64, String> {
        if self.value.get(index).is_none() { Ok(default) } else { self.number(index) }
    }

    fn is_off(&self, index: usize) -> bool {
        self.value.get(index).is_some_and(|value| value == "off")
    }

    fn partition(&self, cut: bool) -> Result<String, String> {
        let names: Vec<ServerName> = self.daemon.site.cluster.servers.keys().cloned().collect();
        let wanted: Vec<ServerName> =
            names.iter().filter(|name| self.target == "all" || name.as_str() == self.target).cloned().collect();
        if wanted.is_empty() {
            let known: Vec<&str> = names.iter().map(ServerName::as_str).collect();
            return Err(format!("the sandbox has no server {:?}; its servers are {}", self.target, known.join(", ")));
        }
        for server in wanted {
            self.daemon.with(|world, now| world.set_cut(&server, cut, now));
        }
        Ok(format!("{} is {}", self.target, if cut { "cut off" } else { "back" }))
    }

    /// The instance named by the target.
    fn instance(&self) -> Result<InstanceId, String> {
        if self.target.contains('@') {
            let id = InstanceId::try_from(self.target.to_owned())?;
            return match self.daemon.site.cluster.instance(&id) {
                Some(_) => Ok(id),
                None => Err(format!("the sandbox has no instance {id}; `otb sandbox status` lists them")),
            };
        }
        let name = NodeName::new(self.target).map_err(|error| format!("{:?}: {error}", self.target))?;
        let cluster = &self.daemon.site.cluster;
        let node = cluster.nodes.get(&name).ok_or_else(|| format!("the sandbox has no node {name}"))?;
        let servers = node.instances.values().map(|instance| instance.id.clone());
        let mut master = servers.filter(|id| {
            let disk = self.daemon.disk_of(id);
            disk.is_some_and(|disk| self.daemon.with(|world, _| world.word(disk) == "master"))
        });
        master.next_back().ok_or_else(|| format!("{name} has no running master; write NODE@SERVER"))
    }

    async fn start(&self) -> Result<String, String> {
        let id = self.instance()?;
        let path = self.daemon.site.data_dir(&id).ok_or("it has no data directory")?;
        match self.daemon.start_at(&path).await {
            Ok(_) => Ok(format!("{id} started")),
            Err(failure) => Err(format!("{id} did not start: {}", failure.0)),
        }
    }

    /// A process that works in its directory goes on there, whatever the directory is called.
    fn move_data(&self, kind: &str) -> Result<String, String> {
        let id = self.instance()?;
        let here = self.daemon.site.data_dir(&id).ok_or("it has no data directory")?;
        let away = here.with_extension("away");
        let (from, to) = if kind == "hide-data" { (here, away) } else { (away, here) };
        fs::rename(&from, &to).map_err(|error| format!("could not rename {}: {error}", from.display()))?;
        if let Some(disk) = disk_at(&to) {
            self.daemon.with(|world, _| world.set_hidden(disk, kind == "hide-data"));
        }
        Ok(format!("{kind} {id}"))
    }

    async fn on_instance(&self, kind: &str) -> Result<String, String> {
        let id = self.instance()?;
        let path = self.daemon.site.data_dir(&id).ok_or("it has no data directory")?;
        let disk = self.daemon.disk_of(&id).ok_or_else(|| format!("{id} has no data directory"))?;
        let done = match kind {
            "set" => self.set(&path, disk)?,
            "readonly-recovery" | "writable-recovery" => set_writable(&path, kind == "writable-recovery")?,
            "slow" => {
                self.daemon.weather.lock().slow_instances.insert(disk, self.number(0)?);
                true
            }
            "wrong-route" | "stale-pool" => {
                let (node, host, port) = self.route()?;
                self.daemon.with(|world, now| match kind {
                    "wrong-route" => world.force_route(disk, node, host, port, now),
                    _ => world.stale_pool(disk, node, host, port),
                })
            }
            _ => self.on_world(kind, disk)?,
        };
        self.daemon.quiesce().await;
        if done { Ok(format!("{kind} {id}")) } else { Err(format!("{kind} does not fit {id} as it is now")) }
    }

    /// As ALTER SYSTEM and a reload do.
    fn set(&self, path: &Path, disk: DiskId) -> Result<bool, String> {
        let name = self.value.first().ok_or("say NAME [VALUE]")?;
        let value = self.value.get(1).map(String::as_str).unwrap_or_default();
        let line = format!("{name} = '{}'\n", value.replace('\'', "''"));
        append(&path.join("postgresql.auto.conf"), &line).map_err(|error| error.to_string())?;
        self.daemon.with(|world, _| Daemon::reload(world, disk, path)).map_err(|error| error.to_string())?;
        Ok(true)
    }

    fn on_world(&self, kind: &str, disk: DiskId) -> Result<bool, String> {
        let elsewhere = if kind == "in-doubt" { self.elsewhere()? } else { Elsewhere::Committed };
        let bytes = match kind {
            "wal" => self.number(0)?,
            "lag" => self.number_or(0, 0)?,
            "crash-lossy" => self.number_or(0, 8192)?,
            _ => 0,
        };
        let commits = if kind == "crash-lossy" { self.number_or(1, 1)? } else { 0 };
        let text = match kind {
            "forget-row" | "prepared" => self.value.first().ok_or_else(|| format!("{kind} needs a value"))?.as_str(),
            _ => "",
        };
        Ok(self.daemon.with(|world, now| match kind {
            "kill" => {
                world.word(disk) != "stopped" && {
                    world.kill(disk, now);
                    true
                }
            }
            "stop" => {
                world.word(disk) != "stopped" && {
                    stop(world, disk, now);
                    true
                }
            }
            "hang" | "unhang" => world.set_hung(disk, kind == "hang", now),
            "lag" => world.set_allowance(disk, Some(bytes), now),
            "pause-replay" => world.pause_replay(disk, true, now),
            "resume" => world.set_allowance(disk, None, now) && world.pause_replay(disk, false, now),
            "wal" => world.commit_work(disk, bytes, now),
            "recycle-wal" => world.recycle_wal(disk, now),
            "crash-lossy" => world.crash_lossy(disk, bytes, commits, now),
            "full-disk" => world.set_full(disk, !self.is_off(0)),
            "forget-row" => world.forget_route(disk, text, now),
            "lock-routes" => world.set_routes_read(disk, !self.is_off(0)),
            "open-transaction" => world.set_transaction_open(disk, !self.is_off(0), now),
            "fill-slots" => world.set_slots_taken(disk, !self.is_off(0)),
            "wait-behind" if self.value.first().is_some_and(|value| value == "writer") => {
                world.set_writer_waiting(disk)
            }
            "wait-behind" => world.set_waiting(disk, !self.is_off(0)),
            "in-doubt" => world.leave_in_doubt(disk, elsewhere, now),
            "prepared" => world.set_prepared(disk, text, !self.is_off(1), now),
            _ => false,
        }))
    }

    /// The outcome of a transaction in doubt on the other node.
    fn elsewhere(&self) -> Result<Elsewhere, String> {
        match self.value.first().map(String::as_str) {
            None | Some("committed") => Ok(Elsewhere::Committed),
            Some("aborted") => Ok(Elsewhere::Aborted),
            Some("prepared") => Ok(Elsewhere::Prepared),
            Some("slow") => Ok(Elsewhere::Slow),
            Some("unknown") => Ok(Elsewhere::Unknown),
            Some("client") => Ok(Elsewhere::Client),
            Some(other) => Err(format!("{other:?} is none of committed, aborted, prepared, slow, unknown, client")),
        }
    }

    /// NODE=HOST:PORT
    fn route(&self) -> Result<(&str, &str, u16), String> {
        let text = self.value.first().ok_or("say NODE=HOST:PORT")?;
        let parsed = text.split_once('=').and_then(|(node, endpoint)| {
            let (host, port) = endpoint.rsplit_once(':')?;
            Some((node, host, port.parse().ok()?))
        });
        parsed.ok_or_else(|| format!("{text:?} is not NODE=HOST:PORT"))
    }
}

fn stop(world: &mut World, disk: DiskId, now: super::Moment) {
    if world.home(disk).is_some_and(|home| home.kind == NodeKind::Gtm) {
        world.stop_gtm(disk);
    } else {
        world.shut_down(disk, now);
    }
}

fn set_writable(path: &Path, writable: bool) -> Result<bool, String> {
    let file = path.join("recovery.conf");
    let mode = if writable { 0o600 } else { 0o400 };
    fs::set_permissions(&file, fs::Permissions::from_mode(mode))
        .map(|()| true)
        .map_err(|error| format!("could not change the mode of {}: {error}", file.display()))
}
