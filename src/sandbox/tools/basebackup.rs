//! pg_basebackup: really makes the directory, with the files of the one it copies.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::sandbox::Flavor;
use crate::sandbox::server::{Daemon, disk_at, mark_disk, write_recovery_conf};
use crate::sandbox::world::{DiskId, Reach, Upstream};

use super::args::Parsed;
use super::{Console, POLL};

const LONG: &[(&str, char)] = &[
    ("pgdata", 'D'),
    ("host", 'h'),
    ("port", 'p'),
    ("username", 'U'),
    ("wal-method", 'X'),
    ("xlog-method", 'X'),
    ("write-recovery-conf", 'R'),
    ("checkpoint", 'c'),
    ("format", 'F'),
    ("progress", 'P'),
    ("verbose", 'v'),
    ("no-password", 'w'),
    ("label", 'l'),
    ("max-rate", 'r'),
];

pub(super) async fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    let fail = |text: &str| {
        console.err(format!("pg_basebackup: {text}\n"));
        1
    };
    let parsed = match Parsed::parse(args, "DhpUXcFlr", "RPvwn", LONG) {
        Ok(parsed) => parsed,
        Err(error) => return fail(&format!("{error}\nTry \"pg_basebackup --help\" for more information.")),
    };
    let Some(target) = parsed.value('D').map(|path| console.absolute(path)) else {
        return fail("no target directory specified\nTry \"pg_basebackup --help\" for more information.");
    };
    if fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some()) {
        return fail(&format!("directory \"{}\" exists but is not empty", target.display()));
    }
    let Some(server) = daemon.site.server_of(&target).cloned() else {
        let text = format!("could not create directory \"{}\": it is on no server of this sandbox", target.display());
        return fail(&text);
    };
    let host = parsed.value('h').unwrap_or("localhost").to_owned();
    let port: u16 = parsed.value('p').and_then(|port| port.parse().ok()).unwrap_or(5432);
    let removed = format!("pg_basebackup: removing data directory \"{}\"", target.display());
    let user = parsed.value('U').unwrap_or(&daemon.site.cluster.connection.user).to_owned();
    let source = loop {
        match daemon.with(|world, _| world.reach(&server, &host, port)) {
            Reach::Live(disk) => break disk,
            Reach::Refused => {
                // It makes the directory before it connects (seen live).
                return fail(&format!(
                    "could not connect to server: could not connect to server: Connection refused\n\tIs the server \
                     running on host \"{host}\" and accepting\n\tTCP/IP connections on port {port}?\n{removed}"
                ));
            }
            Reach::Silent => tokio::time::sleep(POLL).await,
        }
    };
    if user != daemon.site.cluster.connection.user {
        let code = if daemon.site.flavor == Flavor::V5 { "(28000) " } else { "" };
        return fail(&format!("could not connect to server: FATAL:  {code}role \"{user}\" does not exist\n{removed}"));
    }
    let Some(copy) = daemon.with(|world, now| world.base_backup(source, &server, now)) else {
        return fail("could not connect to server: it is no PostgreSQL server");
    };
    let from = daemon.path_of(source);
    let made =
        from.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)).and_then(|from| copy_into(&from, &target, copy));
    if let Err(error) = made {
        return fail(&format!("could not create directory \"{}\": {error}", target.display()));
    }
    if parsed.has('R') {
        let upstream = Upstream { host, port, user, application_name: "walreceiver".to_owned() };
        if let Err(error) = write_recovery_conf(&target, &upstream) {
            return fail(&format!("could not create file \"recovery.conf\": {error}"));
        }
    }
    0
}

/// Copies the files but the pid file and logs, and marks the copy as its own.
fn copy_into(from: &Path, target: &Path, copy: DiskId) -> io::Result<()> {
    if disk_at(from).is_none() {
        return Err(io::ErrorKind::NotFound.into());
    }
    copy_tree(from, target)?;
    fs::set_permissions(target, fs::Permissions::from_mode(0o700))?;
    fs::write(target.join("backup_label"), "START WAL LOCATION: see pg_control\nBACKUP METHOD: streamed\n")?;
    fs::create_dir_all(target.join("log"))?;
    mark_disk(target, copy)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_str(), Some("postmaster.pid" | "postmaster.opts" | "log")) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
