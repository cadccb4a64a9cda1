//! psql, as far as otb asks by it: whether a replication connection is let in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::sandbox::server::Daemon;
use crate::sandbox::world::{DiskId, Login, Reach, Replication};

use super::args::Parsed;
use super::{Console, POLL};

pub(super) async fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    let answer = match Parsed::parse(args, "dc", "XAtqw", &[]) {
        Ok(parsed) => identify_system(daemon, &parsed, console).await,
        Err(error) => Err(format!("{error}\nTry \"psql --help\" for more information.")),
    };
    match answer {
        Ok(()) => 0,
        Err(why) => {
            console.err(format!("psql: {why}\n"));
            2
        }
    }
}

async fn identify_system(daemon: &Arc<Daemon>, parsed: &Parsed, console: &Console) -> Result<(), String> {
    let conninfo = parsed.value('d').unwrap_or_default();
    let pairs: BTreeMap<&str, &str> = conninfo.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    let value = |key: &str| pairs.get(key).copied().unwrap_or_default();
    if value("replication") != "true" || parsed.value('c') != Some("IDENTIFY_SYSTEM") {
        return Err("an otb sandbox's psql knows IDENTIFY_SYSTEM on a replication connection only".to_owned());
    }
    let (host, port) = (value("host"), value("port").parse().unwrap_or(5432));
    let from = daemon.site.server_of(&console.cwd).cloned().ok_or("it runs on no server of this sandbox")?;
    let disk = loop {
        match daemon.with(|world, _| world.reach(&from, host, port)) {
            Reach::Live(disk) => break disk,
            Reach::Refused => return Err("could not connect to server: Connection refused".to_owned()),
            Reach::Silent => tokio::time::sleep(POLL).await,
        }
    };
    let user = value("user").to_owned();
    if !daemon.path_of(disk).is_some_and(|path| lets_replicate(&path)) {
        let text = format!("no pg_hba.conf entry for replication connection from host \"{host}\", user \"{user}\"");
        return Err(format!("FATAL:  {text}, SSL off"));
    }
    console.out(log_in(daemon, disk, user)?);
    Ok(())
}

fn log_in(daemon: &Arc<Daemon>, disk: DiskId, user: String) -> Result<String, String> {
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
