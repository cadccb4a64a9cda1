//! kill, of a process of the sandbox: their numbers are no process's of this machine, so that only this one finds them.

use std::sync::Arc;

use super::Console;
use crate::sandbox::server::Daemon;

pub(super) fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    let [signal, pid] = args else {
        console.err("Usage: kill -0|-KILL PID\n");
        return 1;
    };
    let disk = pid.parse().ok().and_then(|pid: u32| daemon.with(|world, _| world.disk_of_process(pid)));
    let Some(disk) = disk else {
        console.err(format!("kill: sending signal to {pid} failed: No such process\n"));
        return 1;
    };
    match signal.as_str() {
        "-0" => 0,
        "-KILL" => {
            daemon.with(|world, now| world.kill(disk, now));
            0
        }
        other => {
            console.err(format!("kill: an otb sandbox knows -0 and -KILL, not {other}\n"));
            1
        }
    }
}
