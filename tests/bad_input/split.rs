//! Two masters of one node, and a run of their repair that is killed, fails or is interrupted.

use crate::fixture::SandboxFixture;
use crate::limited::{Running, Signal};

const WAIVED: &str = "apply --auto-approve --waive split-brain:dn01 --reason CHG-1";

/// dn01's standby was started as a master by taking its recovery.conf away: no promotion tells where the two parted.
fn two_masters(more: &str) -> SandboxFixture {
    let place = SandboxFixture::up(more);
    start_as_master(&place, "s47");
    place
}

fn start_as_master(place: &SandboxFixture, server: &str) {
    place.fault(&format!("kill dn01@{server}"));
    std::fs::remove_file(place.dir().join(server).join("dn01/recovery.conf")).unwrap();
    place.fault(&format!("start dn01@{server}"));
    place.fault(&format!("wal dn01@{server} 9000"));
}

/// Waits until so many steps are done, or the run has ended.
fn until_done(run: &mut Running, steps: &[&str]) {
    for step in steps {
        run.until_said(&format!("done     {step}"));
    }
}

/// How many directories of dn01 a rebuild has kept aside on a server.
fn kept_aside(place: &SandboxFixture, server: &str) -> usize {
    let entries = std::fs::read_dir(place.dir().join(server)).unwrap().filter_map(Result::ok);
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("dn01.otb-aside-")).count()
}

/// Whatever was done, the second master is never one again, and a fresh run comes to the same end.
#[test]
fn killed_after_each_step() {
    let steps = ["stage-fence:dn01@s47", "stop:dn01@s47", "prove:cn01@s29", "rejoin:dn01@s47"];
    for done in 0..steps.len() {
        let place = two_masters("");
        place.fault("slow pg_basebackup 300");
        let mut run = place.otb(WAIVED).start();
        run.until_said("lock held");
        until_done(&mut run, &steps[..done]);
        run.signal(Signal::KILL);
        run.wait();
        place.goes_on(WAIVED, &format!("killed after {done}"));
        place.is_settled();
        assert_eq!(kept_aside(&place, "s47"), 1, "after {done}: what it wrote is kept");
    }
}

/// The stop fails and the second master still runs: nothing has changed, and what was laid ready is gone.
#[test]
fn a_stop_that_fails() {
    let place = two_masters("");
    let before = place.state();
    place.fault("fail pg_ctl 1000");
    let ended = place.otb(WAIVED).run();
    assert!([6, 7].contains(&ended.code), "{ended:?}");
    place.fault("fail pg_ctl 0");
    assert_eq!(place.state(), before);
    assert!(!place.dir().join("s47/dn01/recovery.conf.otb").exists());
    place.otb(WAIVED).run().ends(0);
    place.is_settled();
}

/// Once the second master has ended, an interrupt does not bring it back: the run goes on.
#[test]
fn an_interrupt_after_the_stop() {
    let place = two_masters("");
    place.fault("slow pg_basebackup 500");
    let mut run = place.otb(WAIVED).start();
    run.until_said("done     stop:dn01@s47");
    run.signal(Signal::INT);
    run.wait().ends(0);
    place.is_settled();
}

#[test]
fn without_a_promotion_nothing_tells_where_they_parted() {
    let place = two_masters("");
    let ended = place.otb("plan --waive split-brain:dn01 --reason CHG-1 --format json").run();
    let plan: serde_json::Value = serde_json::from_str(&ended.ends(0).stdout).unwrap();
    let kinds: Vec<&str> = plan["changes"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["repair"]);
    let brain = plan["checks"].as_array().unwrap().iter().find(|check| check["code"] == "split-brain").unwrap();
    assert_eq!(brain["verdict"], "waived");
    assert!(brain["found"].as_str().unwrap().contains("no history file shows where both split"), "{brain}");
}

/// The given-up copy is left where it is, fenced, where the file says so.
#[test]
fn left_where_the_file_says_so() {
    let place = two_masters("");
    let text = place.text().replace("old_master: rejoin", "old_master: leave");
    std::fs::write(place.file(), text).unwrap();
    place.otb(WAIVED).run().ends(0);
    let fence = std::fs::read_to_string(place.dir().join("s47/dn01/recovery.conf")).unwrap();
    assert!(fence.starts_with("# otb fence"), "{fence}");
    // Started again by whomever, it is no master.
    place.fault("start dn01@s47");
    let plan = place.otb("plan").run();
    assert!(!plan.stdout.contains("split-brain"), "{}", plan.stdout);
}

/// Both masters wrote under one number, so that only the copy that is given up tells what a third one, which followed it,
/// holds. That one is copied anew first, and as long as it is not, the evidence stays.
#[test]
fn a_standby_of_the_master_that_is_given_up() {
    let from = concat!("--from ", env!("CARGO_MANIFEST_DIR"), "/tests/support/several_standbys.yaml");
    for (fault, code) in [("slow pg_basebackup 300", -1), ("fail pg_basebackup 1", 8)] {
        let place = two_masters(from);
        let port = 23_001;
        for router in ["cn01@s29", "cn02@s47", "dn02@s47"] {
            place.fault(&format!("wrong-route {router} dn01={}:{port}", place.address("s47")));
        }
        place.fault("wal dn01@s29 5000");
        place.declare("dn01", "s47");
        place.fault(fault);
        let mut run = place.otb(WAIVED).start();
        if code == 8 {
            run.wait().ends(8).says(&[
                "not done rejoin:dn01@s63",
                "skipped rejoin:dn01@s29",
                "only it shows which timeline",
            ]);
        } else {
            run.until_said("done     stop:dn01@s29");
            run.signal(Signal::KILL);
            run.wait();
        }
        place.goes_on(WAIVED, fault);
        place.is_settled();
        for server in ["s29", "s63"] {
            assert_eq!(kept_aside(&place, server), 1, "{fault}: dn01@{server} was copied anew, once");
        }
    }
}
