//! States of a broken cluster, one file each, through the real binary on a sandbox of its own: the first five lines of
//! `otb status` name the cause, and what otb prints leads out.
//!
//! In a file `otb status` shows its first five lines, which must hold each text behind `Cause:`. `follow` does what an
//! operator does: it types the first `next` command of `otb status`, at most three times, until `otb plan` is empty.
//! `OTB_BLESS=1` writes what came out.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use support::ground::{Ran, TestCluster, otb};
use support::normal::normalise;
use support::sandbox::Sandbox;

/// How many commands an operator types before the plan is to be empty.
const MOST_COMMANDS: usize = 3;
/// How much of `otb status` a tired operator reads.
const READ: usize = 5;

macro_rules! states {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            run(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states/", stringify!($name), ".md")));
        })*

        /// A file that no test runs would rot.
        #[test]
        fn every_file_is_run() {
            let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let mut run = vec![$(concat!(stringify!($name), ".md")),*];
            run.sort_unstable();
            assert_eq!(files, run);
        }
    };
}

states![
    datanode_killed,
    datanode_stopped,
    coordinator_killed,
    gtm_killed,
    gtm_standby_killed,
    standby_killed,
    standby_stopped,
    datanode_hangs,
    standby_hangs,
    gtm_hangs,
    coordinator_hangs,
    two_masters,
    two_gtms,
    replay_paused,
    standby_lags,
    standby_without_wal,
    recovery_conf_not_writable,
    wrong_route,
    wrong_gtm_route,
    stale_pooler,
    row_forgotten,
    no_connection_slot,
    in_doubt,
    master_elsewhere,
    data_directory_missing,
    datanode_and_gtm_killed,
    gtm_and_coordinator_killed,
    both_copies_killed,
    both_gtms_killed,
    two_datanodes_killed,
    killed_and_paused,
    two_masters_and_a_dead_standby,
    wrong_route_and_stale_pooler,
    server_killed,
    other_server_killed,
    server_cut_off,
    other_server_cut_off,
];

fn run(path: &Path) {
    let sandbox = Sandbox::up(&[]);
    let text = std::fs::read_to_string(path).unwrap();
    let causes: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("Cause: ")).collect();
    assert!(!causes.is_empty(), "{} names no cause", path.display());
    support::script::hold_as(path, path, "the sandbox", true, false, |command| match command {
        "otb status" => {
            let shown = first_lines(&sandbox);
            for cause in &causes {
                assert!(shown.contains(cause), "{cause:?} is not in the first {READ} lines:\n{shown}");
            }
            shown
        }
        "follow" => follow(&sandbox),
        other => done(&sandbox, other),
    });
}

/// A fault, or a change of the file.
fn done(sandbox: &Sandbox, command: &str) -> String {
    let words = support::script::split(command);
    let ran = match words[0].as_str() {
        "edit" => words_of(sandbox, &["move", &words[1], &words[2], "--write"]),
        _ => sandbox.fault(&words),
    };
    assert_eq!(ran.code, 0, "{command}: {}{}", ran.stdout, ran.stderr);
    String::new()
}

fn words_of(sandbox: &Sandbox, words: &[&str]) -> Ran {
    let words: Vec<String> = ["--timeout", "1s"].iter().chain(words).map(ToString::to_string).collect();
    otb(&sandbox.file(), &words)
}

fn first_lines(sandbox: &Sandbox) -> String {
    let ran = words_of(sandbox, &["status"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    sanitize_for_display(&ran.stdout, sandbox).lines().take(READ).flat_map(|line| [line, "\n"]).collect()
}

/// Types what `otb status` says until the plan is empty.
fn follow(sandbox: &Sandbox) -> String {
    let mut out = String::new();
    for n in 1..=MOST_COMMANDS + 1 {
        let status = words_of(sandbox, &["status"]).stdout;
        let in_order = status.lines().next().is_some_and(|line| line.contains(": all in order, "));
        if in_order && words_of(sandbox, &["plan", "--detailed-exitcode"]).code == 0 {
            return out + &format!("All is in order and the plan is empty after {} typed.\n", commands(n - 1));
        }
        if n > MOST_COMMANDS {
            break;
        }
        let Some(next) = next(&status) else { break };
        let code = typed(sandbox, next, &status);
        let code = if code == 0 { String::new() } else { format!("   [exit {code}]") };
        let _ = writeln!(
            out,
            "{n}. {}{code}",
            sanitize_for_display(next, sandbox).replace("otb -f DIR/cluster.yaml", "otb")
        );
    }
    out + "The plan is not empty.\n"
}

/// What differs from run to run is named.
fn sanitize_for_display(text: &str, sandbox: &Sandbox) -> String {
    let word = |line: &str| match line.split_once("kill -9 ") {
        Some((before, pid)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => format!("{before}kill -9 PID\n"),
        _ => format!("{line}\n"),
    };
    let text: String = normalise(text, sandbox.dir()).lines().map(word).collect();
    text.trim_end_matches('\n').to_owned()
}

fn commands(n: usize) -> String {
    format!("{n} command{}", if n == 1 { "" } else { "s" })
}

/// The first command behind `next:` or `next (...):`.
fn next(status: &str) -> Option<&str> {
    let rest = status.lines().find_map(|line| line.strip_prefix("  next"))?;
    let rest = rest.strip_prefix(" (").and_then(|rest| rest.split_once("): ")).map_or(rest, |(_, command)| command);
    Some(rest.strip_prefix(": ").unwrap_or(rest))
}

/// Runs a command as it was printed. What the sandbox has no process for is done as its faults do it.
fn typed(sandbox: &Sandbox, command: &str, status: &str) -> i32 {
    if command.starts_with("psql ") {
        return psql(sandbox, command);
    }
    if command.starts_with("kill -9 ") {
        let word = |line: &str| line.split(' ').find(|word| word.contains('@')).map(ToOwned::to_owned);
        let hung = status.lines().find(|line| line.contains(" HANGS")).and_then(word).unwrap();
        return sandbox.fault(&["kill".to_owned(), hung]).code;
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_otb"));
    let path = std::env::join_paths(
        [binary.parent().unwrap().to_path_buf()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut child = Command::new("timeout")
        .args(["100", "sh", "-c", command])
        .env("PATH", path.unwrap())
        .env("NO_COLOR", "1")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A command that asks nothing has ended before.
    let _ = child.stdin.take().unwrap().write_all(b"yes\n");
    child.wait().unwrap().code().unwrap_or(-1)
}

/// `psql 'host=H port=P ...' -c 'SQL'`; the shell takes the quotes apart.
fn psql(sandbox: &Sandbox, command: &str) -> i32 {
    let words = sandbox.shell(&format!("psql() {{ printf '%s\\n' \"$@\"; }}; {command}")).stdout;
    let words: Vec<&str> = words.lines().collect();
    let port = words[0].split(' ').find_map(|word| word.strip_prefix("port=")).unwrap();
    let host = words[0].split(' ').find_map(|word| word.strip_prefix("host=")).unwrap();
    let cluster = otb::config::read(&sandbox.file()).unwrap().cluster;
    let at = |endpoint: &otb::model::Endpoint| endpoint.host.as_str() == host && endpoint.port.to_string() == port;
    let instance = cluster.instances().find(|instance| at(&instance.endpoint)).unwrap().id.to_string();
    sandbox.sql(&instance, words[2]).code
}
