//! The host environment of a server's instances: its clock, the tools, programs that could start a server again, and
//! WAL that waits for archiving. The first part of the observing script, and its reader.
//!
//! The lines are those of [`super::probe_script`]; lines of the whole server have the number 0.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::listen::{LISTENING, read_listeners};
use super::{Look, quote, sanitize_for_display};
use crate::model::{HostEnvironment, Instance, NodeKind};

/// Programs that start servers again by themselves.
const DAEMONS: [&str; 5] = ["pgxc_ctl", "pgxc_monitor", "patroni", "repmgrd", "pg_autoctl"];

/// Directories in which systemd and cron look.
const PLACES: &str = "/etc/systemd/system/*.service /run/systemd/system/*.service /lib/systemd/system/*.service \
                      /usr/local/lib/systemd/system/*.service \"$HOME\"/.config/systemd/user/*.service /etc/crontab \
                      /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/*";

/// Lines of a unit file that make systemd start a server that has gone.
const RESTARTS: [&str; 5] =
    ["Restart=always", "Restart=on-success", "Restart=on-failure", "Restart=on-abnormal", "Restart=on-abort"];

/// The part for the whole server. One process looks through all unit files and cron tables for all data
/// directories, one through the user's own cron table, one through the names of all processes.
pub(super) fn server_script(looks: &[Look<'_>]) -> String {
    let dirs: BTreeSet<&str> = looks.iter().map(|look| look.at.data.trim_end_matches('/')).collect();
    let words = patterns(dirs.into_iter().map(quote));
    let restarts = patterns(RESTARTS.map(str::to_owned).into_iter());
    let daemons = patterns(DAEMONS.map(str::to_owned).into_iter());
    format!(
        "n=0; try clock date +%s.%N\n\
         set +f; set -- {PLACES}; set -f; try keeper grep -HsF{words}{restarts} \"$@\"\n\
         if command -v crontab >/dev/null 2>&1; then \
         try crontab eval 'crontab -l 2>/dev/null | grep -sF{crontab}'; fi\n\
         set +f; set -- /proc/[0-9]*/comm; set -f; try daemon grep -hsx{daemons} \"$@\"\n\
         try listen {LISTENING}\n",
        crontab = words.replace('\'', r"'\''"),
    )
}

/// grep's ` -e WORD` for each.
fn patterns(words: impl Iterator<Item = String>) -> String {
    words.fold(String::new(), |all, word| all + " -e " + &word)
}

/// The part for one instance, after its installation is in front of PATH; starts no process.
pub(super) fn instance_script(instance: &Instance) -> String {
    let tools = match instance.kind {
        NodeKind::Gtm => "gtm_ctl",
        NodeKind::Coordinator | NodeKind::Datanode => "pg_ctl pg_controldata pg_basebackup pg_waldump",
    };
    let mut text = format!(
        "IFS=' '; for tool in {tools}; do command -v \"$tool\" >/dev/null 2>&1 || echo \"$n missing $tool\"; done\nIFS='\n'\n"
    );
    if instance.kind.is_router() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "set +f; set -- {}/pg_wal/archive_status/*.ready; set -f; test -e \"$1\" && echo \"$n ready $#\"",
            quote(&instance.data)
        );
    }
    text
}

/// Reads the output of both parts. `server` has the lines of the whole server, `own` those of this instance. The
/// caller knows when the script ran, and compares the clock.
pub(super) fn read(
    instance: &Instance,
    server: &dyn Fn(&str) -> String,
    own: &dyn Fn(&str) -> String,
) -> HostEnvironment {
    let dir = instance.data.trim_end_matches('/');
    let mut keepers = units(&server("keeper"), dir);
    if server("crontab").lines().any(|line| names(line, dir)) {
        keepers.push("the user's crontab".to_owned());
    }
    let daemons: BTreeSet<String> =
        server("daemon").lines().map(|name| format!("a running {}", sanitize_for_display(name))).collect();
    keepers.extend(daemons);
    HostEnvironment {
        clock: None,
        missing_tools: own("missing").lines().map(sanitize_for_display).collect(),
        keepers,
        unarchived: own("ready").trim().parse().unwrap_or(0),
        listeners: read_listeners(&server("listen")).filter(|_| instance.kind.is_router()),
    }
}

/// `FILE:LINE` lines: a cron table that names the directory, or a unit that names it and restarts.
fn units(found: &str, dir: &str) -> Vec<String> {
    let mut files: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for line in found.lines() {
        if let Some((file, line)) = line.split_once(':') {
            let entry = files.entry(file).or_default();
            entry.0 |= names(line, dir);
            entry.1 |= RESTARTS.contains(&line.trim());
        }
    }
    let is_unit = |file: &str| file.strip_suffix(".service").is_some();
    let keeps = |(file, (names, restarts)): &(&str, (bool, bool))| *names && (*restarts || !is_unit(file));
    files.into_iter().filter(keeps).map(|(file, _)| sanitize_for_display(file)).collect()
}

/// Whether a line that is no comment names the directory, and not one whose name merely begins like it.
fn names(line: &str, dir: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    !line.trim_start().starts_with('#') && line.match_indices(dir).any(|(at, found)| ends(&line[at + found.len()..]))
}

/// The server's clock from `date +%s.%N`, in milliseconds since 1970, and its precision.
pub fn read_clock(text: &str) -> Option<(i64, i64)> {
    let (seconds, fraction) = text.trim().split_once('.')?;
    let seconds: i64 = seconds.parse().ok()?;
    let millis = fraction.get(..3).filter(|_| fraction.len() == 9).and_then(|digits| digits.parse::<i64>().ok());
    match millis {
        Some(millis) => Some((seconds.checked_mul(1000)?.checked_add(millis)?, 1)),
        // A date without %N knows whole seconds only.
        None => Some((seconds.checked_mul(1000)?, 1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_counts_only_if_it_restarts_and_names_this_directory() {
        let found = "/etc/systemd/system/a.service:ExecStart=pg_ctl -D/data/dn01 start\n\
                     /etc/systemd/system/a.service:Restart=always\n\
                     /etc/systemd/system/b.service:ExecStart=pg_ctl -D /data/dn01 start\n\
                     /lib/systemd/system/c.service:Restart=always\n\
                     /etc/cron.d/otb:* * * * * x pg_ctl -D /data/dn01/ start\n/etc/cron.d/off:# -D /data/dn01\n\
                     /etc/cron.d/other:@reboot x pg_ctl -D /data/dn010 start\nrubbish\n";
        assert_eq!(units(found, "/data/dn01"), ["/etc/cron.d/otb", "/etc/systemd/system/a.service"]);
    }

    #[test]
    fn clocks_with_and_without_fractions() {
        assert_eq!(read_clock("1700000000.123456789"), Some((1_700_000_000_123, 1)));
        assert_eq!(read_clock("1700000000.%N"), Some((1_700_000_000_000, 1000)));
        assert_eq!(read_clock("never"), None);
        assert_eq!(read_clock("99999999999999999999.1"), None);
    }
}
