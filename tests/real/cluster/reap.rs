//! Servers' parents end before them. A process 1 that never waits (a container's command) would leave each dead
//! server a zombie, which pg_ctl takes for a running one: so this process adopts them, and waits for them.

use std::path::Path;

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

/// From now on orphans of this process's descendants are its own.
pub(super) fn adopt() {
    set_child_subreaper(Some(getpid())).unwrap();
}

/// Waits for every adopted server that has ended; false if one has not quite: its first thread ended before others.
/// Other children are waited for by whoever started them.
pub(super) fn reap() -> bool {
    let mut all = true;
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_dead_server(&entry.path())) {
            all &= !matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None));
        }
    }
    all
}

/// `PID (NAME) Z PARENT …` of a child of this process.
fn is_dead_server(process: &Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let Some((name, rest)) = stat.split_once(" (").and_then(|(_, rest)| rest.split_once(") ")) else { return false };
    let own = getpid().as_raw_nonzero().to_string();
    let mut words = rest.split(' ');
    matches!(name, "postgres" | "gtm") && words.next() == Some("Z") && words.next() == Some(own.as_str())
}
