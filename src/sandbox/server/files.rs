//! The files of data directories: the shell and otb read and write them, the daemon reads them at start.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::model::{Host, Instance, NodeKind};
use crate::sandbox::world::{DiskId, GtmConf, StartFiles, Upstream};

/// The file that identifies a directory's content: `global/pg_control`, or `gtm.control`.
const MARKER: &str = "otb-sandbox disk ";

/// Which copy lies in a data directory.
pub(crate) fn disk_at(path: &Path) -> Option<DiskId> {
    let text = fs::read_to_string(path.join("global/pg_control"))
        .or_else(|_| fs::read_to_string(path.join("gtm.control")))
        .ok()?;
    text.strip_prefix(MARKER)?.trim().parse().ok().map(DiskId)
}

/// Marks a data directory as holding this copy.
pub(crate) fn mark_disk(path: &Path, disk: DiskId) -> io::Result<()> {
    write(&path.join("global/pg_control"), &format!("{MARKER}{}\n", disk.0), 0o600)
}

/// Writes gtm.control again.
pub(crate) fn mark_gtm(path: &Path, disk: DiskId) -> io::Result<()> {
    write(&path.join("gtm.control"), &format!("{MARKER}{}\n", disk.0), 0o600)
}

/// Writes a line to a log file that the caller named; a failure there does not matter.
pub(crate) fn append_log(path: &Path, line: &str) {
    let _ = append(path, &format!("{line}\n"));
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

/// Lays a copy of a node into `path`: the files that initdb (and initgtm) leave, as far as people look at them.
pub(crate) fn place_disk(path: &Path, disk: DiskId, instance: &Instance, wal_file: &str) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    let marker = format!("{MARKER}{}\n", disk.0);
    if instance.kind == NodeKind::Gtm {
        fs::create_dir_all(path.join("gtm_log"))?;
        fs::create_dir_all(path.join("gtm_xlog"))?;
        return write(&path.join("gtm.control"), &marker, 0o600);
    }
    for directory in ["global", "base", "pg_wal", "pg_xact", "log"] {
        fs::create_dir_all(path.join(directory))?;
    }
    write(&path.join("global/pg_control"), &marker, 0o600)?;
    write(&path.join("PG_VERSION"), "10\n", 0o600)?;
    write(&path.join(format!("pg_wal/{wal_file}")), "", 0o600)?;
    write(
        &path.join("pg_hba.conf"),
        "local all all trust\nhost all all 127.0.0.0/8 trust\nhost replication all 127.0.0.0/8 trust\n",
        0o600,
    )?;
    write(&path.join("postgresql.conf"), &postgresql_conf(instance), 0o600)
}

fn postgresql_conf(instance: &Instance) -> String {
    let (host, port) = (&instance.endpoint.host, instance.endpoint.port);
    let pooler = port.checked_add(1000).unwrap_or(port);
    let forward = instance.forward_port.map(|port| format!("forward_port = {port}\n")).unwrap_or_default();
    format!(
        "# One node of an otb sandbox. Read at start and reload, as by a real server.\n\
         listen_addresses = '{host}'\n\
         port = {port}\n\
         pooler_port = {pooler}\n\
         {forward}\
         max_connections = 200\n\
         max_prepared_transactions = 60\n\
         wal_level = logical\n\
         wal_log_hints = on\n\
         max_wal_senders = 10\n\
         wal_keep_segments = 32\n\
         hot_standby = on\n\
         synchronous_commit = local\n\
         synchronous_standby_names = ''\n"
    )
}

/// recovery.conf of a standby.
pub(crate) fn write_recovery_conf(path: &Path, upstream: &Upstream) -> io::Result<()> {
    let text = format!(
        "standby_mode = on\nprimary_conninfo = 'host={} port={} user={} application_name={}'\n\
         recovery_target_timeline = 'latest'\n",
        upstream.host, upstream.port, upstream.user, upstream.application_name
    );
    write(&path.join("recovery.conf"), &text, 0o600)
}

pub(crate) fn write_gtm_conf(path: &Path, instance: &Instance, standby_of: Option<&Instance>) -> io::Result<()> {
    let (host, port) = (&instance.endpoint.host, instance.endpoint.port);
    let mut text = format!(
        "# One GTM of an otb sandbox. Read at start.\n\
         nodename = '{}'\nlisten_addresses = '{host}'\nport = {port}\n",
        instance.id.node
    );
    let role = match standby_of {
        None => "startup = ACT\n".to_owned(),
        Some(active) => {
            let (host, port) = (&active.endpoint.host, active.endpoint.port);
            format!("startup = STANDBY\nactive_host = '{host}'\nactive_port = {port}\n")
        }
    };
    text.push_str(&role);
    write(&path.join("gtm.conf"), &text, 0o600)
}

/// `key = value` lines: the last one of a key counts, as for PostgreSQL and the GTM.
pub(crate) struct Configuration(pub BTreeMap<String, String>);

impl Configuration {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        fs::read_to_string(path).map(|text| Self::parse(&text))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut settings = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let end = line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len());
            let (key, rest) = line.split_at(end);
            let value = rest.trim_start_matches(|c: char| c == '=' || c.is_whitespace());
            settings.insert(key.to_ascii_lowercase(), unquote(value));
        }
        Self(settings)
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// A quoted value with doubled quotes, or a bare one up to a comment.
fn unquote(value: &str) -> String {
    match value.strip_prefix('\'') {
        None => value.split('#').next().unwrap_or("").trim().to_owned(),
        Some(rest) => {
            let mut text = String::new();
            let mut chars = rest.chars().peekable();
            while let Some(c) = chars.next() {
                if c == '\'' && chars.next_if_eq(&'\'').is_none() {
                    break;
                }
                text.push(c);
            }
            text
        }
    }
}

fn listen_host(configured: Option<&str>, own: &Host) -> Host {
    let first = configured.unwrap_or("*").split(',').next().unwrap_or("*").trim();
    match first {
        "*" | "0.0.0.0" | "" => own.clone(),
        other => Host::new(other).unwrap_or_else(|_| own.clone()),
    }
}

/// Reads the files of a coordinator or datanode at its start.
pub(crate) fn start_files(path: &Path, own: &Host) -> io::Result<StartFiles> {
    let configuration = Configuration::read(&path.join("postgresql.conf"))?;
    let auto = Configuration::read(&path.join("postgresql.auto.conf")).map(|auto| auto.0).unwrap_or_default();
    let mut settings = configuration.0;
    settings.extend(auto);
    let port = settings.get("port").and_then(|port| port.parse().ok()).unwrap_or(5432);
    let host = listen_host(settings.get("listen_addresses").map(String::as_str), own);
    let recovery = match Configuration::read(&path.join("recovery.conf")) {
        Ok(recovery) => standby_mode(&recovery).then(|| upstream(&recovery)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(StartFiles { host, port, data_directory: path.display().to_string(), settings, recovery })
}

/// How a standby that starts gets WAL files from elsewhere.
pub(super) fn restore_command(path: &Path) -> Option<String> {
    let recovery = Configuration::read(&path.join("recovery.conf")).ok()?;
    recovery.get("restore_command").filter(|command| !command.is_empty()).map(ToOwned::to_owned)
}

fn standby_mode(recovery: &Configuration) -> bool {
    matches!(recovery.get("standby_mode"), Some("on" | "true" | "yes" | "1"))
}

fn upstream(recovery: &Configuration) -> Option<Upstream> {
    let conninfo = recovery.get("primary_conninfo")?;
    let pairs: BTreeMap<&str, &str> = conninfo.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    let value = |key: &str| pairs.get(key).map(|value| value.trim_matches('\'').to_owned());
    Some(Upstream {
        host: value("host").or_else(|| value("hostaddr"))?,
        port: value("port").and_then(|port| port.parse().ok()).unwrap_or(5432),
        user: value("user").unwrap_or_default(),
        application_name: value("application_name").unwrap_or_else(|| "walreceiver".to_owned()),
    })
}

/// Reads the files of a GTM at its start.
pub(crate) fn gtm_files(path: &Path, own: &Host) -> io::Result<GtmConf> {
    let conf = Configuration::read(&path.join("gtm.conf"))?;
    let port = |key: &str| conf.get(key).and_then(|port| port.parse().ok());
    let standby = conf.get("startup").is_some_and(|startup| startup.eq_ignore_ascii_case("standby"));
    let active = || (conf.get("active_host").unwrap_or_default().to_owned(), port("active_port").unwrap_or(0));
    Ok(GtmConf {
        host: listen_host(conf.get("listen_addresses"), own),
        port: port("port").unwrap_or(6666),
        data_directory: path.display().to_string(),
        standby_of: standby.then(active),
    })
}

/// Whether the server's user, the owner of the data directory, may write recovery.conf. Asked of owner
/// and mode, because access(2) says yes to root whatever the mode (opentenbase-v2.6-live.md, "Tools").
pub(crate) fn recovery_writable(path: &Path) -> bool {
    let (Ok(directory), Ok(file)) = (fs::metadata(path), fs::metadata(path.join("recovery.conf"))) else {
        return false;
    };
    file.uid() == directory.uid() && file.mode() & 0o200 != 0
}

/// postmaster.pid as a running server has it (seen live), or gtm.pid.
pub(crate) fn write_pid(path: &Path, kind: NodeKind, text: &str) -> io::Result<()> {
    write(&path.join(pid_file(kind)), text, 0o600)
}

pub(crate) fn pid_file(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Gtm => "gtm.pid",
        NodeKind::Coordinator | NodeKind::Datanode => "postmaster.pid",
    }
}

/// The file by which pg_ctl asks for a promotion (PROMOTE_SIGNAL_FILE, xlog.h).
pub(super) const PROMOTE: &str = "promote";

/// A server that starts, or obeys, removes it (seen live).
pub(super) fn forget_promotion(path: &Path) -> io::Result<()> {
    match fs::remove_file(path.join(PROMOTE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Takes away the WAL files in a data directory, but for one. Their names have 24 digits.
pub(super) fn recycle_wal(data: &Path, left: &str) -> io::Result<()> {
    let directory = data.join("pg_wal");
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        if entry.file_name().len() == left.len() {
            fs::remove_file(entry.path())?;
        }
    }
    fs::write(directory.join(left), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_key_counts() {
        let conf =
            Configuration::parse("port = 1 # old\n#port = 2\nport=3\nstartup = STANDBY\nname = 'it''s'\nx 'y'\n");
        assert_eq!(conf.get("port"), Some("3"));
        assert_eq!(conf.get("startup"), Some("STANDBY"));
        assert_eq!(conf.get("name"), Some("it's"));
        assert_eq!(conf.get("x"), Some("y"));
    }

    #[test]
    fn conninfo_becomes_an_upstream() {
        let conf = Configuration::parse(
            "standby_mode = on\nprimary_conninfo = 'host=127.0.0.47 port=23001 user=opentenbase application_name=dn01_s29'",
        );
        let upstream = upstream(&conf).unwrap();
        assert_eq!((upstream.host.as_str(), upstream.port), ("127.0.0.47", 23001));
        assert_eq!(upstream.application_name, "dn01_s29");
        assert!(standby_mode(&conf));
    }
}
