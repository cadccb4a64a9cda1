//! One script that finds every data directory of a server, and the reader of what it prints.
//!
//! Running servers are found by their working directory, which is their data directory; others where they are
//! looked for: beside directories that are known already. It reads configuration files and writes nothing.

use std::fmt::Write as _;

use super::conf::{read_gtm_conf, read_recovery_conf, setting};
use super::{quote, sanitize_for_display};
use crate::model::Endpoint;

/// `port`, and the other settings of a configuration file that show where a server listens and which kind it is.
const KEYS: &str = "port|forward_port|listen_addresses|nodename|startup|active_host|active_port|pgxc_node_name";

/// The fixed part. A process is a server if its number is the one that the pid file of its working directory
/// says; its children share the directory, not the number.
const FUNCTIONS: &str = r#"seen=:
keys() { grep -E "^[[:space:]]*($KEYS)[[:space:]=]" "$2" 2>/dev/null | while IFS= read -r line; do printf '%s\n' "$1 $line"; done; }
one() { data=$1; pid=$2; real=$(cd "$data" 2>/dev/null && pwd -P) || return 0
case $seen in *":$real:"*) return 0;; esac
kind=; test -f "$data/PG_VERSION" && kind=node; test -f "$data/gtm.conf" && kind=gtm; test -n "$kind" || return 0
seen=$seen$real:; printf '%s\n' "dir $kind $data"
if test -n "$pid"; then echo "running"; printf '%s\n' "exe $(readlink "/proc/$pid/exe" 2>/dev/null)"; fi
if test "$kind" = gtm; then keys conf "$data/gtm.conf"; return 0; fi
keys conf "$data/postgresql.conf"; keys conf "$data/postgresql.auto.conf"
if test -f "$data/recovery.conf"; then echo "recovery"
while IFS= read -r line; do printf '%s\n' "recovery $line"; done <"$data/recovery.conf"; fi
if test -r "$data/postmaster.opts"; then read -r line <"$data/postmaster.opts"; printf '%s\n' "opts $line"; fi; }
echo "name $(uname -n)"
for address in $(hostname -I 2>/dev/null); do echo "address $address"; done
for proc in /proc/[0-9]*; do pid=${proc#/proc/}; for file in postmaster.pid gtm.pid; do
first=; test -r "$proc/cwd/$file" && read -r first <"$proc/cwd/$file"
if test "$first" = "$pid"; then one "$(readlink "$proc/cwd")" "$pid"; fi; done; done
"#;

/// The data directories on one server, as its shell sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataDirScan {
    /// `uname -n`.
    pub name: Option<String>,
    /// The addresses of its network interfaces, but for loopback.
    pub addresses: Vec<String>,
    pub directories: Vec<Directory>,
}

/// A data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    pub path: String,
    /// A GTM's; else a coordinator's or datanode's.
    pub gtm: bool,
    pub running: bool,
    /// The last `port` of its configuration.
    pub port: Option<u16>,
    /// v5's forward port, the last value in its configuration; `None` means that it is not set there.
    pub forward: Option<u16>,
    /// listen_addresses; empty: not said.
    pub listens: Vec<String>,
    /// nodename of a gtm.conf, pgxc_node_name of a postgresql.conf.
    pub node: Option<String>,
    /// It starts as a standby of this one.
    pub standby: bool,
    pub upstream: Option<Endpoint>,
    /// The installation whose program serves or last served it.
    pub install: Option<String>,
}

impl Directory {
    /// Whether its server answers at `host`; on a wildcard it depends on where the directory is.
    pub fn listens_at(&self, host: &str) -> Option<bool> {
        if self.listens.is_empty() || self.listens.iter().any(|one| matches!(one.as_str(), "*" | "0.0.0.0" | "::")) {
            return None;
        }
        Some(self.listens.iter().any(|one| one == host))
    }
}

/// The script; `beside` are directories below which to look as well.
pub fn data_dir_scan_script<'a>(beside: impl IntoIterator<Item = &'a str>) -> String {
    let mut script = format!("cd / && LC_ALL=C && export LC_ALL\nKEYS='{KEYS}'\n{FUNCTIONS}");
    for parent in beside {
        // Writing to a String cannot fail.
        let _ = writeln!(script, "for data in {}/*; do one \"$data\" ''; done", quote(parent));
    }
    script.push_str("echo end\n");
    script
}

/// Reads what the script printed; none if it is not all there.
pub fn read_data_dir_scan(text: &str) -> Option<DataDirScan> {
    let mut data_dir_scan = DataDirScan::default();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut ended = false;
    for line in text.lines() {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (key, drafts.last_mut()) {
            ("name", _) => data_dir_scan.name = Some(sanitize_for_display(rest)).filter(|name| !name.is_empty()),
            ("address", _) => data_dir_scan.addresses.push(sanitize_for_display(rest)),
            ("dir", _) => drafts.extend(Draft::begin(rest)),
            ("end", _) => ended = true,
            (key, Some(draft)) => draft.take(key, rest),
            _ => {}
        }
    }
    data_dir_scan.directories = drafts.into_iter().map(Draft::finish).collect();
    ended.then_some(data_dir_scan)
}

/// A directory while its lines are read.
struct Draft {
    directory: Directory,
    conf: String,
    recovery: Option<String>,
}

impl Draft {
    fn begin(text: &str) -> Option<Self> {
        let (kind, path) = text.split_once(' ')?;
        // A path that cannot be said in a file cannot be imported either.
        let plain = path.starts_with('/') && !path.contains(|c: char| c.is_control());
        let directory = Directory { path: path.to_owned(), gtm: kind == "gtm", ..Directory::default() };
        plain.then_some(Self { directory, conf: String::new(), recovery: None })
    }

    fn take(&mut self, key: &str, rest: &str) {
        let line = |to: &mut String| {
            to.push_str(rest);
            to.push('\n');
        };
        match key {
            "running" => self.directory.running = true,
            "exe" => self.directory.install = installation(rest).or(self.directory.install.take()),
            // `/opt/opentenbase/bin/postgres "--datanode" "-D" "/data/dn01"` (seen live); gtm.opts names no program.
            "opts" => {
                let program = rest.split_once(" \"").map_or(rest, |(program, _)| program);
                self.directory.install = self.directory.install.take().or_else(|| installation(program));
            }
            "conf" => line(&mut self.conf),
            "recovery" => line(self.recovery.get_or_insert_default()),
            _ => {}
        }
    }

    fn finish(self) -> Directory {
        let Self { mut directory, conf, recovery } = self;
        let last = |wanted: &str| {
            let values = conf.lines().filter_map(setting).filter(|(key, _)| key == wanted);
            values.map(|(_, value)| value).next_back().filter(|value| !value.is_empty())
        };
        directory.port = last("port").and_then(|port| port.parse().ok());
        directory.forward = last("forward_port").and_then(|port| port.parse().ok());
        let listens = last("listen_addresses").unwrap_or_default();
        directory.listens = listens.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
        directory.node = last(if directory.gtm { "nodename" } else { "pgxc_node_name" });
        let starts_as =
            if directory.gtm { Some(read_gtm_conf(&conf)) } else { recovery.as_deref().map(read_recovery_conf) };
        directory.standby = starts_as.as_ref().is_some_and(|conf| conf.standby);
        directory.upstream = starts_as.and_then(|conf| conf.upstream);
        directory
    }
}

/// The directory above bin/ of a server's program.
fn installation(program: &str) -> Option<String> {
    // A program that was replaced while it runs.
    let program = program.strip_suffix(" (deleted)").unwrap_or(program);
    let install = ["/bin/postgres", "/bin/gtm"].iter().find_map(|end| program.strip_suffix(end))?;
    (install.starts_with('/') && !install.contains(|c: char| c.is_control())).then(|| install.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "name db-29\naddress 10.0.0.29\ndir node /data/dn01\nrunning\nexe /opt/otb/bin/postgres\n\
        conf port = 5432\nconf listen_addresses = '10.0.0.29'\nconf port = 23001 # ours\n\
        conf forward_port = 25001\nrecovery\n\
        recovery standby_mode = on\nrecovery primary_conninfo = 'host=10.0.0.47 port=23001 user=otb'\n\
        opts /opt/other/bin/postgres \"--datanode\" \"-D\" \"/data/dn01\"\ndir gtm /data/gtm\nconf nodename = 'gtm_1'\n\
        conf listen_addresses = '*'\nconf port = 21000\nconf startup = STANDBY\nconf active_host = '10.0.0.47'\n\
        conf active_port = 21000\nconf startup = ACT\nend\n";

    #[test]
    fn directories_are_read() {
        let data_dir_scan = read_data_dir_scan(SAID).unwrap();
        assert_eq!((data_dir_scan.name.as_deref(), data_dir_scan.addresses.len()), (Some("db-29"), 1));
        let [node, gtm] = data_dir_scan.directories.as_slice() else { panic!("{data_dir_scan:?}") };
        assert_eq!(
            (node.path.as_str(), node.port, node.forward, node.running, node.standby),
            ("/data/dn01", Some(23001), Some(25001), true, true)
        );
        assert_eq!(node.upstream.as_ref().unwrap().to_string(), "10.0.0.47:23001");
        assert_eq!(node.install.as_deref(), Some("/opt/otb"));
        assert_eq!((node.listens_at("10.0.0.29"), node.listens_at("10.0.0.47")), (Some(true), Some(false)));
        assert_eq!(
            (gtm.gtm, gtm.node.as_deref(), gtm.standby, gtm.listens_at("x")),
            (true, Some("gtm_1"), false, None)
        );
    }

    #[test]
    fn half_an_answer_is_none() {
        assert_eq!(read_data_dir_scan(&SAID[..SAID.len() - 4]), None);
        assert_eq!(read_data_dir_scan(""), None);
    }
}
