//! A promotion that was asked for and has not come yet, and an operator who turns back.

use std::process::Command;

use crate::place::Place;

/// dn01@s29 is stopped, and dn01@s47, whose replay is paused, has been told to become the master.
fn asked_for() -> Place {
    let place = Place::up("");
    place.fault("pause-replay dn01@s47");
    place.fault("stop dn01@s29");
    let mut promote = Command::new(place.dir().join("install/bin/pg_ctl"));
    promote.args(["-Z", "datanode", "-D"]).arg(place.dir().join("s47/dn01")).args(["promote", "-t", "1"]);
    assert!(!promote.output().unwrap().status.success(), "it is not promoted yet");
    place
}

#[test]
fn makes_two_masters_of_nobody_who_turns_back() {
    let place = asked_for();
    let told = "dn01@s47 was told to become a master and may do so at any moment";
    place.otb("apply --auto-approve").run().ends(3).says(&[
        "block   promotion:dn01@s47",
        told,
        "hint: on s47 run `pg_ctl -Z datanode",
    ]);
    place.otb("drift").run().ends(2).says(&["role:dn01@s47", "was told to become a master"]);
    // No waiver helps.
    place.otb("apply --auto-approve --waive promotion:dn01@s47 --reason CHG-1").run().fails(64, &["cannot be waived"]);
    // What the hint says does.
    place.fault("stop dn01@s47");
    place.settles();
    assert!(!place.dir().join("s47/dn01/promote").exists());
    assert!(place.state().contains("dn01@s29"), "{}", place.state());
}

#[test]
fn is_gone_on_with_where_it_is_declared() {
    let place = asked_for();
    place.declare("dn01", "s47");
    place.fault("resume dn01@s47");
    place.settles();
    assert!(!place.dir().join("s47/dn01/promote").exists());
}
