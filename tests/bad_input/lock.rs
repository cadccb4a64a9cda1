//! The lock between runs that contradict each other, and a run that loses it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::limited::otb;
use crate::place::Place;

/// How many start at the same moment.
const AT_ONCE: usize = 100;

/// Half of them want dn01's master on s29, half on s47; the journals show that only one at a time acts.
#[test]
fn a_hundred_contradicting_applies() {
    let place = Place::up("");
    let stays = place.write("stays.yaml", place.text());
    place.declare("dn01", "s47");
    let journal = place.dir().join("journal");
    let apply = |n: usize| {
        let file = if n.is_multiple_of(2) { place.file() } else { stays.clone() };
        let line = otb(&file).line("apply --auto-approve --timeout 60s --journal").args([&journal]);
        line.limit(Duration::from_secs(170)).start()
    };
    let runs: Vec<_> = (0..AT_ONCE).map(apply).collect();
    let ended: Vec<_> = runs.into_iter().map(crate::limited::Running::wait).collect();
    for run in &ended {
        assert!([0, 3, 4, 5].contains(&run.code), "{run:?}");
    }
    assert!(ended.iter().any(|run| run.code == 0), "nobody got through");
    one_at_a_time(&journal);
    place.otb("apply --auto-approve").limit(Duration::from_secs(60)).run().ends(0);
    place.is_settled();
}

/// From a run's plan to its end no line is another run's.
fn one_at_a_time(journal: &Path) {
    let mut acting: Option<String> = None;
    let mut acted = BTreeSet::new();
    for line in std::fs::read_to_string(journal).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let run = line["run"].as_str().unwrap().to_owned();
        match line["entry"]["is"].as_str().unwrap() {
            "plan" => {
                assert_eq!(acting, None, "{run} began while another was at work");
                acted.insert(run.clone());
                acting = Some(run);
            }
            "end" => assert_eq!(acting.take(), Some(run)),
            _ => assert_eq!(acting.as_ref(), Some(&run), "{line}"),
        }
    }
    assert_eq!(acting, None);
    assert!(!acted.is_empty(), "nobody acted");
}

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
    place.fault("slow pg_ctl 700");
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
