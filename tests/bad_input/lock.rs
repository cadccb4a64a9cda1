//! A run that loses its lock.

use std::collections::BTreeSet;

use crate::place::Place;

/// Kills the process groups of the scripts that hold the place's locks, as a lost connection does.
fn break_locks(place: &Place) {
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
    let place = Place::moving("");
    place.fault("slow pg_ctl 2000");
    let mut run = place.otb("apply --auto-approve").start();
    run.until_said("done     checkpoint");
    break_locks(&place);
    let ended = run.wait();
    ended.fails(7, &["the lock on s29 was lost", "somebody else may act now", "left out"]);
    assert!(!ended.stderr.contains("promote:dn01@s47  "), "{}", ended.stderr);
    place.fault("slow pg_ctl 0");
    place.settles();
}

/// What a killed run has sent works on. Whoever has the lock looks only when that has ended: then nothing that is not so
/// any more is planned, begun or taken back.
#[test]
fn what_an_earlier_run_has_left_at_work_is_waited_for() {
    let place = Place::moving("");
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
