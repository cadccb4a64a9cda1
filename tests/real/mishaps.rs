//! What goes wrong in the middle of a run, where only real processes can tell what is left.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::Real;
use crate::support::ground::{Ground as _, Ran};

/// How many steps are done when otb is killed, one run each.
const KILLED_AFTER: [usize; 5] = [2, 4, 5, 9, 13];

/// SIGKILL in the middle: whatever was done, a fresh apply does the rest.
pub(crate) fn otb_killed(real: &Real) {
    for (run, steps) in KILLED_AFTER.into_iter().enumerate() {
        let to = if run % 2 == 0 { "s47" } else { "s29" };
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

fn declare(real: &Real, server: &str) {
    let text = std::fs::read_to_string(real.file()).unwrap();
    let (node, server) = (otb::model::NodeName::new("dn01").unwrap(), otb::model::ServerName::new(server).unwrap());
    std::fs::write(real.file(), otb::config::with_master(&text, &node, &server).unwrap()).unwrap();
}

fn apply(real: &Real) -> Ran {
    real.otb(&["apply".to_owned(), "--auto-approve".to_owned()])
}

fn recovery(real: &Real, server: &str) -> String {
    real.sql(&format!("dn01@{server}"), "select pg_is_in_recovery()").stdout.trim().to_owned()
}

/// Applies until `steps` steps are told to be done, then SIGKILL.
fn kill_after(real: &Real, steps: usize) {
    let mut otb = Command::new(env!("CARGO_BIN_EXE_otb"))
        .args(["-f", real.file().to_str().unwrap(), "apply", "--auto-approve"])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(otb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let done = told.filter(|line| line.starts_with("  done ")).take(steps).count();
    otb.kill().unwrap();
    otb.wait().unwrap();
    assert_eq!(done, steps, "the run ended before");
}

fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
}
