//! Reading `pg_ctl status` and `gtm_ctl status` (LC_ALL=C).

use super::sanitize_for_display;
use crate::model::{PidFile, Process, Role};

/// pg_ctl's answers: 0 running, 3 not running. 4 (no usable data directory) and other codes say nothing about a
/// process. A pid file of a dead process that is not reaped still reads as running.
pub fn read_pg_status(status: i32, text: &str) -> Result<Process, String> {
    match status {
        0 if text.contains("server is running (PID: ") => Ok(Process::Running),
        3 if text.contains("no server running") => Ok(Process::Stopped),
        _ => Err(format!("pg_ctl status ended with {status} and printed {:?}", sanitize_for_display(text))),
    }
}

/// The first three lines of postmaster.pid, which do not change while its server runs (miscadmin.h).
pub fn read_pid_file(text: &str) -> Result<PidFile, String> {
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let (pid, directory, started) = (next().trim(), sanitize_for_display(next()), next().trim());
    match (pid.parse(), started.parse()) {
        (Ok(pid), Ok(started)) if !directory.is_empty() => Ok(PidFile { pid, directory, started }),
        _ => Err(format!("postmaster.pid begins with {:?}", sanitize_for_display(text))),
    }
}

/// gtm_ctl's answers. Its exit status is not enough: it is also 0 if it got no answer, and 1 in all other cases.
pub fn read_gtm_status_text(status: i32, text: &str) -> Result<(Process, Option<Role>), String> {
    let stopped = text.contains("no server running")
        || text.contains("could not open PID file") && text.contains("No such file or directory");
    if status == 0 && text.contains("server is running (PID: ") {
        let role = if text.contains("current node [primary]") {
            Some(Role::Master)
        } else if text.contains("current node [standby]") {
            Some(Role::Standby)
        } else {
            None
        };
        Ok((Process::Running, role))
    } else if status == 1 && stopped {
        Ok((Process::Stopped, None))
    } else {
        Err(format!("gtm_ctl status ended with {status} and printed {:?}", sanitize_for_display(text)))
    }
}

/// Whether a coordinator or datanode says that it gets no global timestamp: class 08 when no GTM answers, XX000 when
/// the one that answers is behind or a datanode cannot commit (all three seen live).
pub fn is_want_of_timestamp(sqlstate: &str, message: &str) -> bool {
    sqlstate.starts_with("08")
        || message.contains("global timestamp")
        || message.starts_with("global gts:") && message.contains("is earlier than local gts")
}

/// Whether a statement failed because another session had just changed the same row of the catalog. heapam.c has no
/// SQLSTATE of its own for that; v5 says it of an ALTER NODE beside another one (seen live).
pub fn is_concurrent_update(sqlstate: &str, message: &str) -> bool {
    sqlstate == "XX000" && message.contains("tuple concurrently updated")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pg_ctl_as_seen_live() {
        let running = "pg_ctl: server is running (PID: 16181)\n/opt/opentenbase/bin/postgres \"--datanode\"";
        assert_eq!(read_pg_status(0, running), Ok(Process::Running));
        assert_eq!(read_pg_status(3, "pg_ctl: no server running"), Ok(Process::Stopped));
        for (status, text) in [
            (4, "pg_ctl: directory \"/data/nope\" does not exist"),
            (4, "pg_ctl: could not access directory \"/root/x\": Permission denied"),
            (1, "pg_ctl: the PID file \"/data/dn01/postmaster.pid\" is empty"),
            (1, "pg_ctl: cannot be run as root"),
            (127, "sh: pg_ctl: not found"),
            (0, ""),
            (3, ""),
        ] {
            assert!(read_pg_status(status, text).is_err(), "{text}");
        }
    }

    #[test]
    fn postmaster_pid_as_seen_live() {
        let text = "373\n/data/dn 01\n1795423474\n23001\n/tmp\n127.0.0.29\n 23001001   4685830\nready   \n";
        let file = PidFile { pid: 373, directory: "/data/dn 01".to_owned(), started: 1_795_423_474 };
        assert_eq!(read_pid_file(text), Ok(file));
        // One that a standalone backend wrote has a negative number.
        for text in ["", "373\n", "373\n/data\n", "373\n\n1\n", "x\n/data\n1\n", "-7\n/data\n1\n"] {
            assert!(read_pid_file(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gtm_ctl_as_seen_live() {
        let master = "gtm_ctl: server is running (PID: 15234)\ncurrent node [primary] gts[1593594823] xlog [0/201EDC]";
        let standby = "gtm_ctl: server is running (PID: 15274)\ncurrent node [standby] gts[1893616824] xlog [0/201EDC]";
        let mute =
            "gtm_ctl: server is running (PID: 15234) but can not get timestamp, please check gtm status!\n\"-D\"";
        let gone = "gtm_ctl: could not open PID file \"/data/gtm/gtm.pid\": No such file or directory";
        for (status, text, read) in [
            (0, master, Some((Process::Running, Some(Role::Master)))),
            (0, standby, Some((Process::Running, Some(Role::Standby)))),
            (0, mute, Some((Process::Running, None))),
            (1, "gtm_ctl: no server running", Some((Process::Stopped, None))),
            (1, gone, Some((Process::Stopped, None))),
            (1, "gtm_ctl: could not open PID file \"/x/gtm.pid\": Permission denied", None),
            (124, "", None),
            (1, "gtm_ctl: option -P GTM_port is not specified", None),
        ] {
            assert_eq!(read_gtm_status_text(status, text).ok(), read, "{text}");
        }
    }
}
