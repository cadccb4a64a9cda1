//! A stop whose fence does not come into its place. The old master was a standby once: the recovery.done that it has from
//! then leads to the very copy that takes over, and is no fence.

use std::os::unix::fs::PermissionsExt as _;

use crate::place::Place;

/// A place where dn01 has been on s47 and is back on s29.
fn there_and_back() -> Place {
    let place = Place::up("");
    for server in ["s47", "s29"] {
        place.declare("dn01", server);
        place.otb("apply --auto-approve").run().ends(0);
    }
    assert!(place.dir().join("s29/dn01/recovery.done").exists());
    place.declare("dn01", "s47");
    place
}

/// Puts a script in front of the tool of that name.
fn shim(place: &Place, tool: &str, script: &str) {
    let path = place.dir().join("install/bin").join(tool);
    if path.is_symlink() {
        let real = place.dir().join("install/real");
        std::fs::create_dir_all(&real).unwrap();
        std::fs::rename(&path, real.join(tool)).unwrap();
    }
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The old master serves again, nothing was promoted, and without the shim the run comes to its end.
#[track_caller]
fn is_rolled_back(place: &Place, tool: &str) {
    let ended = place.otb("apply --auto-approve").run();
    ended.ends(6).says(&["undone   stop:dn01@s29"]);
    let state = place.state();
    assert!(state.contains("dn01@s29") && !place.dir().join("s29/dn01/recovery.conf").exists(), "{ended:?}\n{state}");
    let bin = place.dir().join("install/bin").join(tool);
    std::fs::remove_file(&bin).unwrap();
    let real = place.dir().join("install/real").join(tool);
    if real.is_symlink() {
        std::fs::rename(real, bin).unwrap();
    }
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}

#[test]
fn that_cannot_be_moved() {
    let place = there_and_back();
    shim(
        &place,
        "mv",
        "case $* in *recovery.conf.otb*) echo 'mv: Read-only file system' >&2; exit 1;; esac; exec /bin/mv \"$@\"",
    );
    is_rolled_back(&place, "mv");
}

#[test]
fn whose_script_is_killed_before() {
    let place = there_and_back();
    shim(&place, "mv", "case $* in *recovery.conf.otb*) kill -9 $PPID; exit 1;; esac; exec /bin/mv \"$@\"");
    is_rolled_back(&place, "mv");
}

/// pg_ctl then says that there is no server, and the script ends there.
#[test]
fn where_somebody_else_has_stopped_the_master() {
    let place = there_and_back();
    let real = place.dir().join("install/real/pg_ctl").display().to_string();
    shim(&place, "pg_ctl", &format!("case $* in *' stop '*) {real} \"$@\" -w;; esac; exec {real} \"$@\""));
    is_rolled_back(&place, "pg_ctl");
}
