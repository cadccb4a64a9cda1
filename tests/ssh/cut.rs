//! Connections that break in the middle of a step: the exit code says what is so, and a fresh plan does the rest.

use std::time::Duration;

use crate::Behind;

/// An apply that takes long on two loaded cores.
const LIMIT: Duration = Duration::from_secs(120);

/// Cuts every connection `milliseconds` after apply has said `moment`. The sandbox's pg_ctl takes its time, so that
/// there is a middle to be cut in.
fn cut_at(moment: &str, milliseconds: u64) {
    let Some(behind) = Behind::up() else { return };
    behind.place.declare("dn01", "s47");
    let before = behind.place.state();
    behind.place.fault("slow pg_ctl 100");
    let mut run = behind.otb("apply --auto-approve").limit(LIMIT).start();
    run.until_said(moment);
    std::thread::sleep(Duration::from_millis(milliseconds));
    behind.sshds.cut("s29");
    behind.sshds.cut("s47");
    let cut = run.wait();
    let state = behind.place.state();
    let what = format!("cut {milliseconds} ms after {moment:?}: {cut:?}\n{state}");
    let moved = state.lines().any(|line| line.starts_with("dn01@s47") && line.contains(" master "));
    match cut.code {
        0 | 8 => assert!(moved, "{what}"),
        1 | 6 => assert_eq!(state, before, "{what}"),
        7 | 9 => {}
        _ => panic!("{what}"),
    }
    behind.place.fault("slow pg_ctl 0");
    behind.otb("apply --auto-approve --lock-timeout 20s").limit(LIMIT).run().ends(0);
    let after = behind.place.state();
    assert!(after.lines().any(|line| line.starts_with("dn01@s47") && line.contains(" master ")), "{what}\n{after}");
    behind.otb("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
}

#[test]
fn before_anything_is_stopped() {
    cut_at("lock held", 0);
    cut_at("done     checkpoint", 0);
}

#[test]
fn while_the_old_master_stops() {
    cut_at("done     stage-fence", 30);
    cut_at("done     stage-fence", 100);
}

#[test]
fn while_the_new_master_is_promoted() {
    cut_at("done     stop", 0);
    cut_at("done     catch-up", 60);
}

#[test]
fn while_the_old_master_rejoins() {
    cut_at("done     promote", 0);
    cut_at("done     prove:cn02", 100);
}

/// An sshd that stays away: what cannot be sent is not begun, and what stands before it is undone.
#[test]
fn away_before_the_promotion_it_is_rolled_back() {
    let Some(mut behind) = Behind::up() else { return };
    behind.place.declare("dn01", "s47");
    let before = behind.place.state();
    behind.place.fault("slow pg_ctl 300");
    let mut run = behind.otb("apply --auto-approve").limit(LIMIT).start();
    run.until_said("done     checkpoint");
    behind.sshds.stop("s47");
    run.wait().ends(6).says(&["the shell of s47 cannot be reached", "undone   stop:dn01@s29"]);
    assert_eq!(behind.place.state(), before);
}

#[test]
fn away_after_the_promotion_it_rolls_forward() {
    let Some(mut behind) = Behind::up() else { return };
    behind.place.declare("dn01", "s47");
    behind.place.fault("slow pg_ctl 100");
    let mut run = behind.otb("apply --auto-approve").limit(LIMIT).start();
    run.until_said("done     promote");
    behind.sshds.stop("s29");
    run.wait().ends(8).says(&["the shell of s29 cannot be reached", "rejoin:dn01@s29"]);
    std::fs::write(behind.place.file(), behind.place.text().replace("via: ssh", "via: local")).unwrap();
    behind.place.otb("apply --auto-approve --lock-timeout 20s").limit(LIMIT).run().ends(0);
    behind.place.is_settled();
}
