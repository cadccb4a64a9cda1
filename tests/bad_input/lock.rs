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
    let place = Place::up("");
    place.declare("dn01", "s47");
    place.fault("slow pg_ctl 2000");
    let mut run = place.otb("apply --auto-approve").start();
    run.until_said("done     checkpoint");
    break_locks(&place);
    let ended = run.wait();
    ended.fails(7, &["the lock on s29 was lost", "somebody else may act now", "left out"]);
    assert!(!ended.stderr.contains("promote:dn01@s47  "), "{}", ended.stderr);
    place.fault("slow pg_ctl 0");
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}
