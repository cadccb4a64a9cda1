//! A promotion that was asked for and has not come yet, and an operator who turns back.

use std::process::Command;

use crate::fixture::SandboxFixture;

/// dn01@s29 is stopped, and dn01@s47, whose replay is paused, has been told to become the master.
fn asked_for() -> SandboxFixture {
    let place = SandboxFixture::up("");
    place.fault("pause-replay dn01@s47");
    place.fault("stop dn01@s29");
    promote(&place);
    place
}

fn promote(place: &SandboxFixture) {
    let mut promote = Command::new(place.dir().join("install/bin/pg_ctl"));
    promote.args(["-Z", "datanode", "-D"]).arg(place.dir().join("s47/dn01")).args(["promote", "-t", "1"]);
    assert!(!promote.output().unwrap().status.success(), "it is not promoted yet");
}

#[test]
fn makes_two_masters_of_nobody_who_turns_back() {
    let place = asked_for();
    let told = "dn01@s47 has a promotion request and may become a master at any moment";
    place.otb("apply --auto-approve").run().ends(3).says(&[
        "block   promotion:dn01@s47",
        told,
        "hint: declare `master: s47`, which finishes the promotion; or on s47 run `pg_ctl -Z datanode",
    ]);
    place.otb("drift").run().ends(2).says(&["role:dn01@s47", "has a promotion request"]);
    // No waiver helps.
    place.otb("apply --auto-approve --waive promotion:dn01@s47 --reason CHG-1").run().fails(64, &["cannot be waived"]);
    // What the hint says does.
    place.fault("stop dn01@s47");
    place.settles();
    assert!(!place.dir().join("s47/dn01/promote").exists());
    assert!(place.state().contains("dn01@s29"), "{}", place.state());
}

/// The old master serves: who declares the other one would have it promoted before the stop.
#[test]
fn is_not_resumed_beside_a_master() {
    let place = SandboxFixture::up("");
    place.fault("pause-replay dn01@s47");
    place.fault("write 1");
    promote(&place);
    place.otb("status").run().ends(0).says(&["dn01@s47 has a promotion request"]);
    place.otb("plan").run().ends(0).says(&["warn    promotion:dn01@s47", "hint: on s47 run `pg_ctl -Z datanode"]);
    place.declare("dn01", "s47");
    place.otb("apply --auto-approve").run().ends(3).says(&[
        "block   promotion:dn01@s47",
        "hint: a start would promote dn01@s47 at once: first do what promotion:dn01@s47 says",
    ]);
    place.fault("stop dn01@s47");
    place.fault("start dn01@s47");
    place.settles();
    assert!(place.state().contains("dn01@s29"), "{}", place.state());
}

/// Whose recovery.conf has gone as well would come up as a master by hand; otb writes it first.
#[test]
fn is_taken_back_where_the_file_has_gone() {
    let place = asked_for();
    std::fs::remove_file(place.dir().join("s47/dn01/recovery.conf")).unwrap();
    let gone = "do not start it before";
    place.otb("apply --auto-approve").run().ends(3).says(&["block   promotion:dn01@s47", gone]);
    place.fault("stop dn01@s47");
    place.settles();
    place.otb("drift").run().ends(0);
}

#[test]
fn is_gone_on_with_where_it_is_declared() {
    let place = asked_for();
    place.declare("dn01", "s47");
    place.fault("resume dn01@s47");
    place.settles();
    assert!(!place.dir().join("s47/dn01/promote").exists());
}
