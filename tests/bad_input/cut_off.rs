//! Runs that are interrupted, killed, or in each other's way.

use std::time::Duration;

use crate::fixture::SandboxFixture;
use crate::limited::{Running, Signal};

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// The state of one instance in [`SandboxFixture::state`], such as `master`.
fn word(state: &str, instance: &str) -> String {
    let line = state.lines().find(|line| line.starts_with(instance)).unwrap();
    line.split_whitespace().nth(3).unwrap().to_owned()
}

/// An apply that is inside its write gap, and takes its time there.
fn stuck(place: &SandboxFixture) -> Running {
    place.fault("slow pg_ctl 1500");
    let mut run = place.otb("apply --auto-approve").start();
    run.until_said("done     checkpoint");
    run
}

#[test]
fn two_applies_at_once() {
    let place = SandboxFixture::moving("");
    let first = stuck(&place);
    let second = place.otb("apply --auto-approve").env("USER", "second").run();
    second.fails(5, &["another otb is working on opentenbase_cluster", "pid", "since", "@", "--lock-timeout"]);
    first.wait().ends(0);
    place.is_settled();
}

/// Somebody's open transaction has read pgxc_node of cn02: ALTER NODE waits there, and only there.
#[test]
fn a_locked_router_does_not_hold_up_the_others() {
    let place = SandboxFixture::moving("");
    place.fault("lock-routes cn02");
    let mut run = place.otb("apply --auto-approve").limit(Duration::from_secs(20)).start();
    run.until_said("done     prove:cn01");
    place.fault("lock-routes cn02 off");
    run.wait().ends(0);
    place.is_settled();
}

#[test]
fn who_waits_for_the_lock_gets_it_or_may_be_interrupted() {
    let place = SandboxFixture::moving("");
    let first = stuck(&place);
    let second = place.otb("apply --auto-approve --lock-timeout 30s").start();
    let mut third = place.otb("apply --auto-approve --lock-timeout 30s").start();
    // It has planned.
    third.until_printed("Checks:", 1);
    third.signal(Signal::INT);
    let third = third.wait();
    assert!([130, 3].contains(&third.code), "{third:?}");
    first.wait().ends(0);
    let second = second.wait();
    assert!([0, 3, 4].contains(&second.code), "planned again or refused, but not acted on old facts: {second:?}");
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}

#[test]
fn an_interrupt_before_approval() {
    let place = SandboxFixture::moving("");
    let before = place.state();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut run = place.otb("apply").stdin(b"").start();
        run.until_said("Only `yes`");
        run.signal(signal);
        run.wait().fails(130, &["interrupted, nothing was changed"]);
    }
    assert_eq!(place.state(), before);
}

#[test]
fn an_interrupt_while_looking() {
    let place = SandboxFixture::moving("");
    place.fault("hang cn01@s29");
    let before = place.state();
    let mut run = place.otb("-v apply --auto-approve --timeout 20s").start();
    run.until_said("asked");
    run.signal(Signal::INT);
    let ended = run.wait();
    ended.fails(130, &["interrupted, nothing was changed"]);
    assert!(ended.took < Duration::from_secs(15), "{ended:?}");
    assert_eq!(place.state(), before);
}

/// The system tells of a lost terminal, and so does the shell: nobody insists by that.
#[test]
fn a_terminal_that_goes_away_inside_the_write_gap_interrupts_once() {
    let place = SandboxFixture::moving("");
    let before = place.state();
    let mut run = stuck(&place);
    run.signal(Signal::HUP);
    pause(20);
    run.signal(Signal::HUP);
    let ended = run.wait();
    match ended.code {
        6 => assert_eq!(place.state(), before),
        // It came after the promotion: the run is finished.
        0 => place.is_settled(),
        _ => panic!("{ended:?}"),
    }
}

#[test]
fn an_interrupt_inside_the_write_gap() {
    let place = SandboxFixture::moving("");
    let mut run = stuck(&place);
    run.signal(Signal::INT);
    let ended = run.wait();
    let state = place.state();
    match ended.code {
        // Rolled back: the old master serves again, and nothing of the run is left.
        6 => {
            assert_eq!((word(&state, "dn01@s29").as_str(), word(&state, "dn01@s47").as_str()), ("master", "standby"));
            place.declare("dn01", "s29");
        }
        // It was beyond its point of no return, and was finished.
        0 => assert_eq!(word(&state, "dn01@s47"), "master"),
        other => panic!("{other}: {ended:?}\n{state}"),
    }
    place.is_settled();
}

/// What apply says when it has come so far.
const MOMENTS: [&str; 10] = [
    "lock held",
    "done     stage-fence",
    "done     checkpoint",
    "done     stop",
    "done     catch-up",
    "done     promote",
    "done     reroute:cn01",
    "done     reload:dn02",
    "done     prove:cn01",
    "done     rejoin",
];

#[test]
fn interrupted_at_ten_moments_it_leaves_what_its_exit_code_says() {
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let place = SandboxFixture::moving("");
        let before = place.state();
        let mut run = place.otb("apply --auto-approve").start();
        run.until_said(moment);
        run.signal(Signal::INT);
        let ended = run.wait();
        match ended.code {
            130 => assert_eq!(place.state(), before, "{moment}: {ended:?}"),
            6 => {
                place.declare("dn01", "s29");
                place.is_settled();
            }
            0 => place.is_settled(),
            other => panic!("{other} after {moment}: {ended:?}"),
        }
        assert!(number < 5 || ended.code == 0, "after the promotion it is finished: {moment}: {ended:?}");
    }
}

#[test]
fn killed_at_ten_moments_it_converges() {
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let place = SandboxFixture::moving("");
        if number % 2 == 1 {
            // What follows lasts until the next run looks.
            place.fault("slow pg_ctl 400");
        }
        let mut run = place.otb("apply --auto-approve").start();
        run.until_said(moment);
        // As soon as that was said, or in the middle of what follows.
        pause(if number % 2 == 0 { 8 } else { 30 });
        run.signal(Signal::KILL);
        let killed = run.wait();
        let plan = place.otb("plan --detailed-exitcode").run();
        // What still runs on a server may refuse it.
        assert!([0, 2, 3].contains(&plan.code), "{plan:?}");
        // What it had started on the servers comes to its end, and the lock is given back with it.
        place.goes_on("apply --auto-approve", &format!("killed after {moment}:\n{}\n{plan:?}", killed.stderr));
        place.is_settled();
        let state = place.state();
        assert_eq!((word(&state, "dn01@s29"), word(&state, "dn01@s47")), ("standby".into(), "master".into()));
    }
}

/// What apply says when the move of a GTM has come so far.
const MOMENTS_OF_A_GTM: [&str; 10] = [
    "lock held",
    "done     stage-fence",
    "done     await-redo",
    "done     stop",
    "done     catch-up",
    "done     promote",
    "done     repoint-gtm:cn01",
    "done     repoint-gtm:dn02",
    "done     reload:dn02",
    "done     rejoin",
];

/// gtm_ctl takes so long that the kill comes inside the stop, the promotion and the rejoin.
#[test]
fn killed_at_ten_moments_of_a_gtms_move_it_converges() {
    for moment in MOMENTS_OF_A_GTM {
        let place = SandboxFixture::up("");
        place.declare("gtm_1", "s47");
        place.fault("slow gtm_ctl 200");
        let mut run = place.otb("apply --auto-approve").start();
        run.until_said(moment);
        pause(100);
        run.signal(Signal::KILL);
        let killed = run.wait();
        place.goes_on("apply --auto-approve", &format!("killed after {moment}:\n{}", killed.stderr));
        place.is_settled();
        let state = place.state();
        assert_eq!((word(&state, "gtm_1@s29"), word(&state, "gtm_1@s47")), ("standby".into(), "master".into()));
    }
}
