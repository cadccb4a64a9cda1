//! psql, as far as otb asks by it: whether replication connections are let in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sandbox::server::Daemon;
use crate::sandbox::world::{DiskId, Login, Reach, Replication};

use super::args::Parsed;
use super::{Console, POLL};

/// Exit codes of psql 10 (settings.h, startup.c): a command of `-c` failed, and so did the connection before the first.
const FAILED: u8 = 1;
const NOT_CONNECTED: u8 = 2;

pub(super) async fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    let answer = match Parsed::parse(args, "dcv", "XAtqw", &[]) {
        Ok(parsed) => commands(daemon, &parsed, console).await,
        Err(error) => Err((NOT_CONNECTED, format!("psql: {error}\nTry \"psql --help\" for more information."))),
    };
    match answer {
        Ok(()) => 0,
        Err((code, why)) => {
            console.err(format!("{why}\n"));
            code
        }
    }
}

/// Runs the commands of `-c`, up to the first that fails.
async fn commands(daemon: &Arc<Daemon>, parsed: &Parsed, console: &Console) -> Result<(), (u8, String)> {
    let unknown = || {
        let knows = "an otb sandbox's psql knows IDENTIFY_SYSTEM and, with ON_ERROR_STOP, \\connect 'CONNINFO', on \
                     replication connections only";
        (NOT_CONNECTED, format!("psql: {knows}"))
    };
    let first = parsed.value('d').ok_or_else(unknown)?;
    let failed = |why: String| (NOT_CONNECTED, format!("psql: {why}"));
    let mut identity = log_in(daemon, first, console).await.map_err(failed)?;
    for command in parsed.values('c') {
        if command == "IDENTIFY_SYSTEM" {
            console.out(identity.clone());
        } else if let Some(argument) = command.strip_prefix("\\connect ")
            && parsed.value('v') == Some("ON_ERROR_STOP=1")
        {
            let next = unquote(argument).ok_or_else(unknown)?;
            // Another connection over the same network.
            tokio::time::sleep(Duration::from_millis(daemon.site.latency_ms)).await;
            let failed = |why: String| (FAILED, format!("\\connect: {why}"));
            identity = log_in(daemon, &next, console).await.map_err(failed)?;
        } else {
            return Err(unknown());
        }
    }
    Ok(())
}

/// An argument of a meta-command, in single quotes.
fn unquote(argument: &str) -> Option<String> {
    let quoted = argument.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut letters = quoted.chars();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.push(letters.next()?),
            // Only a doubled one may stand inside.
            '\'' => text.extend(letters.next().filter(|next| *next == '\'')),
            other => text.push(other),
        }
    }
    Some(text)
}

/// The answer to IDENTIFY_SYSTEM of the server in `conninfo`.
async fn log_in(daemon: &Arc<Daemon>, conninfo: &str, console: &Console) -> Result<String, String> {
    let pairs: BTreeMap<&str, &str> = conninfo.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    let value = |key: &str| pairs.get(key).copied().unwrap_or_default();
    if value("replication") != "true" {
        return Err("an otb sandbox's psql knows replication connections only".to_owned());
    }
    let (host, port) = (value("host"), value("port").parse().unwrap_or(5432));
    let from = daemon.site.server_of(&console.cwd).cloned().ok_or("it runs on no server of this sandbox")?;
    let began = Instant::now();
    // Without one libpq waits as long as the kernel does.
    let limit = value("connect_timeout").parse().map_or(Duration::MAX, Duration::from_secs);
    let disk = loop {
        match daemon.with(|world, _| world.reach(&from, host, port)) {
            Reach::Live(disk) => break disk,
            Reach::Refused => return Err("could not connect to server: Connection refused".to_owned()),
            Reach::Silent if began.elapsed() >= limit => return Err("timeout expired".to_owned()),
            Reach::Silent => tokio::time::sleep(POLL).await,
        }
    };
    let user = value("user").to_owned();
    if !daemon.path_of(disk).is_some_and(|path| lets_replicate(&path)) {
        let text = format!("no pg_hba.conf entry for replication connection from host \"{host}\", user \"{user}\"");
        return Err(format!("FATAL:  {text}, SSL off"));
    }
    identify(daemon, disk, user)
}

fn identify(daemon: &Arc<Daemon>, disk: DiskId, user: String) -> Result<String, String> {
    let replication = Replication::Physical;
    let login = Login { database: user.clone(), user, client: None, replication, settings: BTreeMap::new() };
    daemon.with(|world, now| {
        let opened = world.open(disk, login, now).map_err(|_| "timeout expired".to_owned())?;
        let session = opened.map_err(|error| format!("FATAL:  {}", error.message))?;
        world.close(session);
        let copy = world.postgres(disk).ok_or("the server has gone")?;
        Ok(format!("{}|{}|{}|\n", copy.system_id, copy.wal.timeline, copy.replayed()))
    })
}

/// Whether the server's pg_hba.conf has a line for replication over TCP. A running server keeps what it has read: that
/// the file is out of sight changes nothing.
fn lets_replicate(data: &Path) -> bool {
    let Ok(text) = fs::read_to_string(data.join("pg_hba.conf")) else { return true };
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.any(|words| matches!(words.as_slice(), [kind, "replication", ..] if kind.starts_with("host")))
}
