//! What goes wrong in the middle of a run, where only real processes can tell what is left.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::Real;
use crate::support::ground::{Ground as _, Ran};

/// A switchover of dn01 has 16 steps: after the last there is nothing left to be killed in.
const KILLED_AFTER: std::ops::RangeInclusive<usize> = 0..=15;

/// SIGKILL at every boundary between two steps: whatever was done, a fresh apply does the rest.
pub(crate) fn otb_killed(real: &Real) {
    for steps in KILLED_AFTER {
        let to = if steps % 2 == 0 { "s47" } else { "s29" };
        declare(real, to);
        kill_after(real, steps);
        let ran = apply(real);
        assert_eq!(ran.code, 0, "killed after {steps} steps, then: {}{}", ran.stdout, ran.stderr);
        assert_eq!(recovery(real, to), "f", "killed after {steps} steps");
        assert_eq!(recovery(real, if to == "s47" { "s29" } else { "s47" }), "t", "killed after {steps} steps");
    }
}

/// recovery.conf loses its rights after the last look at it: the promotion kills the standby. The old master is
/// started again, and the dead copy, which now knows a timeline of nobody, is copied anew.
pub(crate) fn promotion_kills_the_standby(real: &Real) {
    declare(real, "s47");
    let (old, new) = (real.instance("dn01@s29").data.clone(), real.instance("dn01@s47").data.clone());
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(Path::new(&format!("{old}/recovery.conf.otb")));
            real.hands().must(&format!("chmod 400 {new}/recovery.conf"), 10);
        });
        apply(real)
    });
    assert_eq!(ran.code, 7, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(recovery(real, "s29"), "f", "the old master serves again");
    declare(real, "s29");
    let ran = apply(real);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(recovery(real, "s47"), "t");
}

pub(crate) fn declare(real: &Real, server: &str) {
    let text = std::fs::read_to_string(real.file()).unwrap();
    let (node, server) = (otb::model::NodeName::new("dn01").unwrap(), otb::model::ServerName::new(server).unwrap());
    std::fs::write(real.file(), otb::config::with_master(&text, &node, &server).unwrap()).unwrap();
}

fn apply(real: &Real) -> Ran {
    real.otb(&["apply", "--auto-approve", "--lock-timeout", "20s"].map(str::to_owned))
}

pub(crate) fn recovery(real: &Real, server: &str) -> String {
    real.sql(&format!("dn01@{server}"), "select pg_is_in_recovery()").stdout.trim().to_owned()
}

/// Applies until the lock is held and `steps` steps are told to be done, then SIGKILL.
fn kill_after(real: &Real, steps: usize) {
    let mut otb = start(real, &[]);
    let told = BufReader::new(otb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let lines = told.filter(|line| line.starts_with("  done ") || line.starts_with("lock held"));
    let heard = lines.take(steps + 1).count();
    otb.kill().unwrap();
    otb.wait().unwrap();
    assert_eq!(heard, steps + 1, "the run ended before");
}

/// Applies, and does `then` as soon as a line has `moment`; the exit code.
pub(crate) fn apply_until(real: &Real, more: &[(&str, OsString)], moment: &str, then: impl FnOnce()) -> i32 {
    let mut otb = start(real, more);
    let mut lines = BufReader::new(otb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.any(|line| line.contains(moment));
    assert!(said, "{moment:?} was never said");
    then();
    // Read to the end, or otb would write into a pipe that nobody reads.
    lines.for_each(drop);
    otb.wait().unwrap().code().unwrap_or(-1)
}

fn start(real: &Real, more: &[(&str, OsString)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_otb"))
        .args(["-f", real.file().to_str().unwrap(), "apply", "--auto-approve"])
        .env("NO_COLOR", "1")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .envs(more.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
}
