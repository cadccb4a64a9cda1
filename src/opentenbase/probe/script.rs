//! The script itself.

use std::fmt::Write as _;

use super::{Look, Tools, asked_by};
use crate::model::NodeKind;
use crate::opentenbase::command::{controldata, status};
use crate::opentenbase::files::pid_file;
use crate::opentenbase::shell::tool_environment;
use crate::opentenbase::{host_environment, quote};

/// The functions that probe a process: `try` runs a command and tags its output, `alive` reads the pid file. /proc
/// shows a process that is dead but not reaped, or a foreign process with a reused number; without /proc the tools
/// decide. This runs inside the write gap: for a coordinator or datanode without a pid file it starts no process.
const PROCESS: &str = include_str!("process.sh");

/// The functions that also probe the files below a data directory: `look`.
///
/// A plan looks at every instance, and each process that it does not start there is a millisecond less: lines are
/// tagged by the shell's own word splitting, small files are read by `read`, and `gather` runs one stat and `room` one
/// df for all. Only if those fail is each file asked for by itself, to learn which and why.
const FILES: &str = include_str!("files.sh");

/// The script for `looks`, all of one server and at most [`super::MOST_LOOKS`]. It does not ask how much room there is.
pub fn probe_script(looks: &[Look<'_>]) -> String {
    script(looks, false)
}

/// As [`probe_script`], and what stands around the instances as well.
pub fn survey_script(looks: &[Look<'_>]) -> String {
    script(looks, true) + &tools_script(looks)
}

fn script(looks: &[Look<'_>], around: bool) -> String {
    let whole = around || looks.iter().any(|look| look.tools != Tools::Process);
    let mut script = format!("cd /\n{PROCESS}{}", if whole { FILES } else { "" });
    if around {
        script.push_str(&host_environment::server_script(looks));
    }
    let asked: Vec<(usize, &Look<'_>)> =
        looks.iter().enumerate().filter(|(_, look)| look.tools != Tools::None || around).collect();
    // A subshell for each installation, so that one's tools are not the next one's, nor what comes after.
    for alike in asked.chunk_by(|(_, a), (_, b)| a.at.install == b.at.install) {
        let (begin, end) = if whole || alike.len() < asked.len() { ("(\n", ")\n") } else { ("", "") };
        script.push_str(begin);
        script.push_str(&alike.first().map_or_else(String::new, |(_, look)| tool_environment(&look.at.install)));
        for (number, look) in alike {
            // Writing to a String cannot fail.
            let _ = writeln!(script, "n={number}");
            script.push_str(&tools(look));
            if around {
                script.push_str(&host_environment::instance_script(look.at));
            }
        }
        script.push_str(end);
    }
    script.push_str("LC_ALL=C; export LC_ALL\n");
    for (number, Look { at, tools }) in looks.iter().enumerate() {
        let (data, files, pid) = (quote(&at.data), files(at.kind), pid_file(at.kind));
        // Writing to a String cannot fail.
        let _ = match tools {
            Tools::Process => writeln!(script, "alive {number} {data} {} {pid}", files.mark),
            _ => writeln!(script, "look {number} {data} {} {} {pid}", files.mark, files.conf),
        };
    }
    // Whether a process runs is known without the rights of files.
    if whole {
        script.push_str("gather\n");
    }
    if around {
        script.push_str("room\n");
    }
    script
}

/// Runs the instance's tools that the look requires. Without a pid file, the shell prints what pg_ctl would
/// (get_pgpid, pg_ctl.c).
fn tools(Look { at, tools }: &Look<'_>) -> String {
    let mut script = String::new();
    // Writing to a String cannot fail.
    if matches!(tools, Tools::Process | Tools::All) {
        let known = if at.kind.is_router() { format!("idle {} || ", quote(&at.data)) } else { String::new() };
        let _ = writeln!(script, "{known}try run {}", status(at));
        // gtm_ctl hangs with its GTM; whether there is such a process is known all the same.
        if at.kind == NodeKind::Gtm {
            let pid = quote(&format!("{}/{}", at.data, pid_file(at.kind)));
            let _ = writeln!(
                script,
                "if test $status = 124 && read -r pid <{pid} && env kill -0 \"$pid\"; then echo \"$n lives yes\"; fi 2>/dev/null"
            );
        }
    }
    if matches!(tools, Tools::Control | Tools::All) && at.kind.is_router() {
        let _ = writeln!(script, "try control {}", controldata(at));
    }
    script
}

/// Asks the tools of each installation for their version, once. (gtm_ctl has no `--version`.)
fn tools_script(looks: &[Look<'_>]) -> String {
    let mut script = String::new();
    for (number, Look { at, .. }) in
        looks.iter().enumerate().filter(|(number, _)| asked_by(looks, *number) == Some(*number))
    {
        let _ = writeln!(script, "( n={number}\n{}try version pg_ctl --version )", tool_environment(&at.install));
    }
    script
}

struct Files {
    /// A file that every data directory of this kind has.
    mark: &'static str,
    conf: &'static str,
}

fn files(kind: NodeKind) -> Files {
    match kind {
        NodeKind::Gtm => Files { mark: "gtm.conf", conf: "gtm.conf" },
        _ => Files { mark: "PG_VERSION", conf: "recovery.conf" },
    }
}
