//! A run that loses its lock.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Stdio;

use crate::fixture::SandboxFixture;

/// Kills the process groups of the scripts that hold the place's locks, as a lost connection does.
fn break_locks(place: &SandboxFixture) {
    let (dir, note) = (place.dir().display().to_string(), "otb.holder");
    let mut groups = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if words.contains(&dir) && words.contains(note) {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let group = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(2)?.parse::<i32>().ok());
            groups.extend(group);
        }
    }
    assert!(!groups.is_empty(), "no lock is held");
    for group in groups.into_iter().filter_map(rustix::process::Pid::from_raw) {
        // One that has ended meanwhile is as good.
        let _ = rustix::process::kill_process_group(group, crate::limited::Signal::KILL);
    }
}

#[test]
fn a_run_that_loses_its_lock_stops_at_the_next_step() {
    let place = SandboxFixture::moving("");
    place.fault("slow pg_ctl 2000");
    let mut run = place.otb("apply --auto-approve").start();
    run.until_said("done     hold");
    break_locks(&place);
    let ended = run.wait();
    ended.fails(7, &["the lock on s29 was lost", "another otb may be working now"]).says(&["skipped"]);
    assert!(!ended.stderr.contains("promote:dn01@s47  "), "{}", ended.stderr);
    place.fault("slow pg_ctl 0");
    place.settles();
}

/// Who has the lock but has not yet written who it is, or has it no longer written because it is about to leave, is
/// waited for a little: the one is told by its name, the other's lock is had.
#[test]
fn who_holds_the_lock_is_told_as_soon_as_it_is_written() {
    let place = SandboxFixture::moving("");
    let (locked, note) = (place.dir().join("s29"), place.dir().join("s29/cn01/otb.holder"));
    let held = |script: &str| {
        let mut other = std::process::Command::new("flock");
        other.arg("-F").arg(&locked).args(["sh", "-c", script, "holder"]).arg(&note).stdout(Stdio::piped());
        let mut other = other.spawn().unwrap();
        // It has the lock when it says so.
        other.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let ended = place.otb("apply --auto-approve").run();
        other.kill().unwrap();
        other.wait().unwrap();
        ended
    };
    let unnamed = held("echo; exec 1>&-; exec sleep 3");
    unnamed.fails(5, &["lock.held", "another otb is working on", "unknown holder (lock on s29)"]);
    let named = held("echo; exec 1>&-; sleep 0.3; echo 'otb ann@there, pid 1' >\"$1\"; exec sleep 3");
    named.fails(5, &["another otb is working on", ": otb ann@there, pid 1 (lock on s29)"]);
    std::fs::remove_file(&note).unwrap();
    let leaving = held("echo; exec 1>&-; exec sleep 0.3");
    leaving.ends(0);
    assert!(!note.exists(), "the name goes with the lock");
}

/// What a killed run has sent works on. Whoever has the lock looks only when that has ended: then nothing that is not so
/// any more is planned, begun or taken back.
#[test]
fn what_an_earlier_run_has_left_at_work_is_waited_for() {
    let place = SandboxFixture::moving("");
    let data = place.dir().join("s29/dn01");
    let bin = place.dir().join("install/bin");
    let stop = format!("sleep 3; {}/pg_ctl -Z datanode -D {} stop -m fast", bin.display(), data.display());
    let mut left = std::process::Command::new("flock").arg(&data).args(["sh", "-c", &stop]).spawn().unwrap();
    let ended = place.otb("apply --auto-approve").run();
    assert!(left.wait().unwrap().success());
    ended.fails(4, &["dn01@s29: role: was master, is now stopped", "nothing was changed"]);
    assert!(!ended.stderr.contains("stage-fence"), "{ended:?}");
    place.settles();
}
